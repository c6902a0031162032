import assert from "node:assert/strict";
import { test } from "node:test";
import { isDue } from "../../../ui-extension/core/due.ts";

test("an answer is asked anew when its time is over", () => {
  assert.deepEqual([isDue(1000, 20, 1019), isDue(1000, 20, 1020), isDue(Number.NEGATIVE_INFINITY, 20, 0)], [false, true, true]);
});

test("an answer that was asked by a clock an hour ahead is asked anew as soon as the clock is right", () => {
  assert.equal(isDue(3_600_000, 20_000, 5000), true);
});
