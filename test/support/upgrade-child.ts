import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { planRollback, rollBack } from "../../hub/store/rollback.ts";
import { openSeriesEnv } from "../../hub/store/series-env.ts";
import { rolledSeries, upgradedSchema } from "./upgraded-schema.ts";

/**
 * A hub that upgrades a series store (`upgrade DIR N`), or takes that back (`rollback DIR N`), and is killed at its n-th step: after each call that
 * changes files, in the middle of a copy, and between and after the writes of a migration. With enough steps it ends by itself.
 */
const [verb, dir = "", at] = process.argv.slice(2);
let left = Number(at);

function step(): void {
  left--;
  if (left === 0) process.kill(process.pid, "SIGKILL");
}

function stepAfter<K extends "mkdirSync" | "renameSync" | "rmSync" | "linkSync" | "fsyncSync">(name: K): void {
  const real = fs[name] as (...args: unknown[]) => unknown;
  fs[name] = ((...args: unknown[]) => {
    const result = real(...args);
    step();
    return result;
  }) as (typeof fs)[K];
}

for (const name of ["mkdirSync", "renameSync", "linkSync", "fsyncSync"] as const) stepAfter(name);
if (verb === "rollback") stepAfter("rmSync"); // an upgrade has nothing to remove at first
const { copyFileSync } = fs;
fs.copyFileSync = (from, to, mode) => {
  if (mode !== undefined) throw new Error("this file system can't share blocks");
  const bytes = fs.readFileSync(from);
  fs.writeFileSync(to, bytes.subarray(0, bytes.length / 2));
  step();
  copyFileSync(from, to);
  step();
};
syncBuiltinESMExports();

if (verb === "upgrade") {
  const env = openSeriesEnv(dir, () => undefined, upgradedSchema(step));
  step();
  await env.root.close();
} else {
  for (const plan of await planRollback([rolledSeries(dir)])) rollBack(plan);
}
console.log("ended by itself");
