import assert from "node:assert/strict";
import { test } from "node:test";
import type { EpochMs } from "#protocol/ids.ts";
import {
  type Alert,
  alertIdOf,
  dueAt,
  holdsOf,
  inactive,
  isFlapping,
  newestOf,
  rememberFiring,
  shiftAlert,
  stepAlert,
} from "../../../hub/core/alert.ts";

const at = (ms: number) => ms as EpochMs;
const holds = { forMs: 300, clearForMs: 60 };
const pending: Alert = { state: "pending", activeAt: at(1_000) };
const firing: Alert = { state: "firing", activeAt: at(1_000), firedAt: at(1_300), okSince: null };
const calming: Alert = { ...firing, okSince: at(2_000) };
const resolved: Alert = { state: "resolved", activeAt: at(1_000), firedAt: at(1_300), resolvedAt: at(2_060) };
const everyState = [inactive, pending, firing, calming, resolved];

test("no data changes nothing, whatever the state and however long it lasts", () => {
  for (const alert of everyState) assert.equal(stepAlert(alert, "absent", holds, at(1e12)), alert);
});

test("what is well stays quiet, and what was over stays over", () => {
  assert.equal(stepAlert(inactive, "ok", holds, at(5_000)), inactive);
  assert.equal(stepAlert(resolved, "ok", holds, at(5_000)), resolved);
});

test("a breach waits for its hold, and fires at once where there is none; one that is over fires anew", () => {
  const atOnce = { forMs: 0, clearForMs: 0 };
  for (const quiet of [inactive, resolved]) {
    assert.deepEqual(stepAlert(quiet, "breach", holds, at(5_000)), { state: "pending", activeAt: 5_000 });
    assert.deepEqual(stepAlert(quiet, "breach", atOnce, at(5_000)), {
      state: "firing",
      activeAt: 5_000,
      firedAt: 5_000,
      okSince: null,
    });
  }
});

test("a breach that lasts as long as its hold fires, and names its begin; one that ends before never did", () => {
  assert.equal(stepAlert(pending, "breach", holds, at(1_299)), pending);
  assert.deepEqual(stepAlert(pending, "breach", holds, at(1_300)), firing);
  assert.equal(stepAlert(pending, "ok", holds, at(1_299)), inactive);
});

test("an alert is over when all was well for long enough, counted from the first good reading", () => {
  assert.equal(stepAlert(firing, "breach", holds, at(2_000)), firing);
  assert.deepEqual(stepAlert(firing, "ok", holds, at(2_000)), calming);
  assert.equal(stepAlert(calming, "ok", holds, at(2_059)), calming);
  assert.deepEqual(stepAlert(calming, "ok", holds, at(2_060)), resolved);
  assert.deepEqual(stepAlert(calming, "breach", holds, at(2_059)), firing);
  assert.deepEqual(stepAlert(firing, "ok", { forMs: 300, clearForMs: 0 }, at(2_060)), resolved);
});

test("time alone can fire a pending alert and end a calming one, and moves no other", () => {
  assert.deepEqual(
    everyState.map((alert) => dueAt(alert, holds)),
    [undefined, 1_300, undefined, 2_060, undefined],
  );
});

test("a clock that is set moves all times of an alert by the same, so that no hold gets longer or shorter", () => {
  assert.deepEqual(
    everyState.map((alert) => shiftAlert(alert, 500)),
    [
      { state: "inactive" },
      { state: "pending", activeAt: 1_500 },
      { state: "firing", activeAt: 1_500, firedAt: 1_800, okSince: null },
      { state: "firing", activeAt: 1_500, firedAt: 1_800, okSince: 2_500 },
      { state: "resolved", activeAt: 1_500, firedAt: 1_800, resolvedAt: 2_560 },
    ],
  );
});

test("the newest time of an alert is that of the last thing that was seen of it", () => {
  assert.deepEqual(everyState.map(newestOf), [0, 1_000, 1_300, 2_000, 2_060]);
});

test("four firings within an hour are flapping: its end then takes a quarter of an hour of calm, unless its rule wants a longer one", () => {
  const minute = 60_000;
  const fires = [0, 10, 20, 59].map((minutes) => at(minutes * minute));
  assert.equal(isFlapping(fires, at(59 * minute)), true);
  assert.equal(isFlapping(fires, at(60 * minute)), false);
  assert.equal(isFlapping(fires.slice(1), at(59 * minute)), false);
  assert.deepEqual(holdsOf(holds, fires, at(59 * minute)), { forMs: 300, clearForMs: 15 * minute });
  assert.deepEqual(holdsOf(holds, fires, at(60 * minute)), holds);
  assert.equal(holdsOf({ forMs: 0, clearForMs: 20 * minute }, fires, at(59 * minute)).clearForMs, 20 * minute);
});

test("of the times it fired the newest four of the last hour are remembered", () => {
  const fires = [1, 2, 3, 4].map((ms) => at(ms));
  assert.deepEqual(rememberFiring(fires, at(5)), [2, 3, 4, 5]);
  assert.deepEqual(rememberFiring(fires, at(3_600_002)), [3, 4, 3_600_002]);
});

test("an alert's id names its rule, its cluster, the entity with its incarnation, and the instance if it has one", () => {
  const subject = { cluster: "aa", entity: "guest/100", incarnation: 2, instance: null };
  assert.equal(alertIdOf("cpu", subject), "cpu@aa/guest/100#2");
  assert.equal(alertIdOf("nic", { ...subject, instance: "net0" }), "nic@aa/guest/100#2!net0");
});
