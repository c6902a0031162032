import assert from "node:assert/strict";
import { test } from "node:test";
import type { Scope } from "#protocol/api.ts";
import type { EpochMs } from "#protocol/ids.ts";
import { allows, keyProblem, parseApiKey, parseBearer } from "../../../hub/core/keys.ts";
import { BoundedMap, lockedForMs, stepFailures, takeToken } from "../../../hub/core/limits.ts";
import { planQuery, stepFor } from "../../../hub/core/query.ts";
import { taskState } from "../../../hub/core/task.ts";
import { stepGuest, stepKnown } from "../../../hub/core/transitions.ts";

const at = (ms: number) => ms as EpochMs;

test("a key is parsed from its own shape only", () => {
  const secret = "0".repeat(48);
  assert.deepEqual(parseApiKey(`pvn_0123456789ab_${secret}`), { id: "0123456789ab", secret });
  for (const bad of ["", "pvn_", `pvn_0123456789AB_${secret}`, `pvn_0123456789ab_${secret}0`, `x pvn_0123456789ab_${secret}`]) {
    assert.equal(parseApiKey(bad), undefined);
  }
  assert.equal(parseBearer("Bearer abc"), "abc");
  assert.equal(parseBearer("Basic abc"), undefined);
});

const scopeTable: [granted: Scope[], needed: Scope, ok: boolean][] = [
  [["read"], "read", true],
  [["read"], "write", false],
  [["write"], "read", true],
  [["write"], "admin", false],
  [["admin"], "write", true],
  [[], "read", false],
];
for (const [granted, needed, ok] of scopeTable) {
  test(`a key with ${granted.join() || "nothing"} ${ok ? "may" : "may not"} ${needed}`, () =>
    assert.equal(allows(granted, needed), ok));
}

test("a key ends at its expiry, and a revoked one at once", () => {
  assert.equal(keyProblem({ expiresAt: at(10), revokedAt: null }, at(9)), undefined);
  assert.equal(keyProblem({ expiresAt: at(10), revokedAt: null }, at(10)), "expired");
  assert.equal(keyProblem({ expiresAt: at(10), revokedAt: at(1) }, at(2)), "revoked");
});

test("a bucket gives its burst, then as many as its rate", () => {
  const rate = { perSec: 2, burst: 3 };
  let bucket = takeToken(undefined, rate, 0).bucket;
  const waits = [0, 0, 0, 500, 500].map((now) => {
    const taken = takeToken(bucket, rate, now);
    bucket = taken.bucket;
    return taken.waitMs;
  });
  assert.deepEqual(waits, [0, 0, 500, 0, 500]);
});

test("wrong keys lock an address at the limit, and failures of long ago don't count", () => {
  const rule = { failures: 2, withinMs: 100, lockMs: 50 };
  const first = stepFailures(undefined, rule, 0);
  assert.equal(lockedForMs(first, 0), 0);
  assert.equal(lockedForMs(stepFailures(first, rule, 99), 99), 50);
  assert.equal(lockedForMs(stepFailures(first, rule, 100), 100), 0);
});

test("a bounded map forgets what was set longest ago", () => {
  const map = new BoundedMap<string, number>(2);
  for (const key of ["a", "b", "a", "c"]) map.set(key, 1);
  assert.deepEqual(
    ["a", "b", "c"].map((key) => map.get(key)),
    [1, undefined, 1],
  );
});

const statuses: [status: string | undefined, state: string][] = [
  [undefined, "running"],
  ["OK", "ok"],
  ["WARNINGS: 3", "warnings"],
  ["WARNINGS: many", "failed"],
  ["unexpected status", "failed"],
  ["job errors", "failed"],
  ["", "failed"],
];
for (const [status, state] of statuses) {
  test(`a task with status ${JSON.stringify(status)} is ${state}`, () => assert.equal(taskState(status), state));
}

test("coming back from unknown to the same state is no news, to another it is", () => {
  const running = stepKnown<"running" | "stopped">(undefined, "running");
  assert.equal(running.news, undefined);
  const lost = stepKnown(running.known, "unknown");
  assert.deepEqual(lost.news, { from: "running", to: "unknown" });
  assert.equal(stepKnown(lost.known, "running").news, undefined);
  assert.deepEqual(stepKnown(lost.known, "stopped").news, { from: "running", to: "stopped" });
});

test("a guest on the move was neither stopped nor started", () => {
  const known = stepGuest(undefined, { state: "running", node: "pve1", lock: null }).known;
  assert.equal(stepGuest(known, { state: "stopped", node: "pve1", lock: "migrate" }).news, undefined);
  assert.equal(stepGuest(known, { state: "stopped", node: "pve2", lock: null }).news, undefined);
  assert.equal(stepGuest(known, { state: "stopped", node: "pve1", lock: null }).news, "guest.stopped");
});

test("a step is the smallest good one that keeps to the points", () => {
  assert.equal(stepFor(3_600_000, 360), 10_000);
  assert.equal(stepFor(86_400_000, 500), 300_000);
  assert.equal(stepFor(366 * 86_400_000, 2), 183 * 86_400_000);
});

const series = [{ entity: "node/pve1", metric: "cpu" }];
const badQueries: [name: string, query: Parameters<typeof planQuery>[0], field: string][] = [
  ["an empty range", { series, from: 5, to: 5 }, "to"],
  ["step and points together", { series, from: 0, to: 5, stepMs: 1000, points: 5 }, "points"],
  ["too many raw points", { series, from: 0, to: 365 * 86_400_000 }, "stepMs"],
];
for (const [name, query, field] of badQueries) {
  test(`a query with ${name} is refused and names ${field}`, () => {
    assert.throws(
      () => planQuery(query),
      (error: { details?: { field?: string } }) => error.details?.field === field,
    );
  });
}
