import assert from "node:assert/strict";
import { test } from "node:test";
import { backoffMs, hopelessDelayMs, restartDelayMs } from "../../../agent/core/backoff.ts";
import { fc } from "../../support/property.ts";

test("the bound doubles from 1 s to 60 s", () => {
  const bounds = [0, 1, 2, 3, 4, 5, 6, 7, 1_000].map((attempt) => backoffMs(attempt, 1));
  assert.deepEqual(bounds, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
});

test("200 agents that lost one hub spread evenly over the whole minute", () => {
  const seconds = Array.from({ length: 200 }, (_, agent) => Math.floor(backoffMs(9, agent / 200) / 1_000));
  const perTenSeconds = [0, 1, 2, 3, 4, 5].map((ten) => seconds.filter((second) => Math.floor(second / 10) === ten).length);
  assert.deepEqual(perTenSeconds, [34, 33, 33, 34, 33, 33]);
});

test("every wait lies within its bounds", () => {
  fc.assert(
    fc.property(fc.nat(), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (attempt, random) => {
      const wait = backoffMs(attempt, random);
      assert.ok(wait >= 0 && wait < 60_000);
      assert.ok(restartDelayMs(random) >= 0 && restartDelayMs(random) < 2_000);
      assert.ok(hopelessDelayMs(random) >= 300_000 && hopelessDelayMs(random) <= 600_000);
    }),
  );
});
