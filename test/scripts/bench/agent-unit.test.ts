import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { agentUnit } from "../../../scripts/bench/agent-unit.ts";

test("Node knows every flag of the agent's unit, and a file system that hangs leaves three threads to the others", () => {
  const { status, stdout } = spawnSync(process.execPath, [...agentUnit.flags, "-p", "process.execArgv.length"], {
    encoding: "utf8",
  });
  assert.deepEqual([status, Number(stdout) > 3, agentUnit.env.UV_THREADPOOL_SIZE], [0, true, "4"]);
});
