import assert from "node:assert/strict";
import { test } from "node:test";
import { TickClock } from "../../agent/tick-clock.ts";
import { FakeClock, settle } from "../support/fake-clock.ts";

test("a long sleep ends with the nearest tick, a short one when it is over", async () => {
  const clock = new FakeClock();
  const ticks = new TickClock(clock);
  const woken: string[] = [];
  void ticks.sleep(20_000).then(() => woken.push("long"));
  void ticks.sleep(1_000).then(() => woken.push("short"));
  for (const expected of [["short"], ["short", "long"]]) {
    await clock.advance(10_000);
    ticks.tick();
    await settle();
    assert.deepEqual(woken, expected);
  }
});

test("a tick that comes a little early still ends the sleep, one that comes far too early does not", async () => {
  const clock = new FakeClock();
  const ticks = new TickClock(clock);
  let awake = false;
  void ticks.sleep(20_000).then(() => {
    awake = true;
  });
  await clock.advance(14_900);
  ticks.tick();
  await settle();
  assert.equal(awake, false);
  await clock.advance(3_000);
  ticks.tick();
  await settle();
  assert.equal(awake, true);
});

test("an aborted sleep ends at once, without a tick", async () => {
  const stop = new AbortController();
  const ticks = new TickClock(new FakeClock());
  const asleep = ticks.sleep(60_000, stop.signal);
  stop.abort();
  await asleep;
  await ticks.sleep(60_000, stop.signal);
});
