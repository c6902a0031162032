import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { agentUnit, hubUnit } from "../../../scripts/bench/service-units.ts";

for (const [name, { flags, env }] of Object.entries({ agent: agentUnit, hub: hubUnit })) {
  test(`Node knows every flag of the ${name}'s unit, and a file system that hangs leaves three threads to the others`, () => {
    const { status, stdout } = spawnSync(process.execPath, [...flags, "-p", "process.execArgv.length"], { encoding: "utf8" });
    assert.deepEqual([status, Number(stdout) > 3, env.UV_THREADPOOL_SIZE], [0, true, "4"]);
  });
}
