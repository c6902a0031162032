import assert from "node:assert/strict";
import { test } from "node:test";
import { type Backoff, backoffRules, backoffWaitMs, stepBackoff } from "../../../hub/core/login-guard.ts";

function failed(times: number, rule = backoffRules.pair as (typeof backoffRules)[keyof typeof backoffRules]): Backoff {
  let backoff: Backoff | undefined;
  for (let i = 0; i < times; i++) backoff = stepBackoff(backoff, rule, 0);
  assert.ok(backoff);
  return backoff;
}

const waits: [failures: number, waitMs: number][] = [
  [1, 0],
  [2, 0],
  [3, 2_000],
  [4, 4_000],
  [8, 64_000],
  [12, 900_000],
  [50, 900_000],
];
for (const [failures, waitMs] of waits) {
  test(`after ${failures} refused passwords one waits ${waitMs / 1000} s`, () => {
    assert.equal(backoffWaitMs(failed(failures), backoffRules.pair, 0), waitMs);
  });
}

test("the wait passes with time, and an hour without a failure forgets all", () => {
  const backoff = failed(4);
  assert.equal(backoffWaitMs(backoff, backoffRules.pair, 3_000), 1_000);
  assert.equal(backoffWaitMs(backoff, backoffRules.pair, 4_000), 0);
  assert.deepEqual(stepBackoff(backoff, backoffRules.pair, 3_600_000), { failures: 1, lastAt: 3_600_000 });
  assert.equal(backoffWaitMs(undefined, backoffRules.pair, 0), 0);
});

test("a user attacked from everywhere waits half a minute at most", () => {
  assert.equal(backoffWaitMs(failed(1000, backoffRules.user), backoffRules.user, 0), 30_000);
});
