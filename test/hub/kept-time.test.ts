import assert from "node:assert/strict";
import { test } from "node:test";
import type { EpochMs } from "#protocol/ids.ts";
import { startForgetting, stepForgetting } from "../../hub/core/forgetting.ts";
import { KeptTime } from "../../hub/kept-time.ts";
import { testHub } from "../support/test-hub.ts";

const [hour, day, year] = [3_600_000, 86_400_000, 365 * 86_400_000];
const t0 = 1_800_000_000_000;

/** What is trusted when the clock says so at these instants: wall and monotonic time since the start, ms. */
function trusted(known: number | undefined, ...looks: readonly (readonly [wall: number, monotonic: number])[]): number[] {
  const [first] = looks;
  let now = startForgetting(known, t0 + (first?.[0] ?? 0), first?.[1] ?? 0);
  return looks.map(([wall, monotonic]) => {
    now = stepForgetting(now, t0 + wall, monotonic);
    return now.at - t0;
  });
}

test("time that goes on is followed, and one that is set by hours, or back by years, too", () => {
  assert.deepEqual(trusted(undefined, [0, 0], [hour, hour], [3 * hour, 2 * hour]), [0, hour, 3 * hour]);
  assert.deepEqual(trusted(t0, [0, 0], [-10 * year, hour]), [0, -10 * year]);
});

test("a clock that leaps ahead by ten years is not believed before it has stood for three days", () => {
  const ahead = 10 * year;
  assert.deepEqual(trusted(t0, [0, 0], [ahead + hour, hour], [ahead + 72 * hour, 72 * hour], [ahead + 73 * hour, 73 * hour]), [
    0,
    hour,
    72 * hour,
    ahead + 73 * hour,
  ]);
});

test("a leap that is taken back leaves nothing behind", () => {
  assert.deepEqual(trusted(t0, [0, 0], [10 * year, hour], [2 * hour, 2 * hour], [year, 3 * hour]), [0, hour, 2 * hour, 3 * hour]);
});

test("a hub that starts with a clock years ahead of what it wrote down waits; one that was off for a weekend waits some hours", () => {
  assert.deepEqual(trusted(t0, [10 * year, 5], [10 * year + day, day + 5]), [0, day]);
  assert.deepEqual(trusted(t0, [64 * hour, 5], [67 * hour, 3 * hour + 5], [69 * hour, 5 * hour + 5]), [0, 3 * hour, 69 * hour]);
});

test("what a hub trusted outlives it, and a leap of its clock is told once", async (t) => {
  const { state, clock } = testHub(t);
  const said: string[] = [];
  const log = (_: number, line: string) => said.push(line);
  const start = clock.now();
  const keptTime = new KeptTime({ state, clock, log });
  assert.equal(keptTime.now(), start);
  await clock.advance(hour);
  assert.equal(keptTime.now(), start + hour);
  const later = { now: () => (clock.now() + 10 * year) as EpochMs, monotonicMs: () => clock.monotonicMs() };
  const next = new KeptTime({ state, clock: later, log });
  assert.equal(next.now(), start + hour);
  assert.equal(next.now(), start + hour);
  assert.equal(said.length, 1);
  assert.match(said[0] ?? "", /^the clock is 3650 days ahead/);
});

test("a disk that takes nothing doesn't keep the hub from letting go of what is old", (t) => {
  const { clock } = testHub(t);
  const full = { get: () => undefined, put: () => assert.fail("ENOSPC") };
  const said: string[] = [];
  assert.equal(new KeptTime({ state: full, clock, log: (_, line) => said.push(line) }).now(), clock.now());
  assert.match(said[0] ?? "", /ENOSPC/);
});
