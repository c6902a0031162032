import assert from "node:assert/strict";
import { test } from "node:test";
import type { EpochMs } from "#protocol/ids.ts";
import { Facts } from "../../agent/facts.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { FakeCollector } from "../support/fake-collector.ts";

/** How often the hub was told the inventory after each of the given ticks; at each of them the collector has something new. */
async function toldAfter(settled: readonly boolean[]): Promise<number[]> {
  const collector = new FakeCollector(new FakeClock());
  const facts = new Facts();
  let told = 0;
  facts.onInventory = () => {
    told++;
  };
  const counts: number[] = [];
  for (const [tick, isSettled] of settled.entries()) {
    collector.settled = isSettled;
    collector.inventoryVersion++;
    await facts.refresh(collector, (tick * 10_000) as EpochMs);
    counts.push(told);
  }
  return counts;
}

test("the first inventory is told at once, what the slow sources add to it after the start in one go, and later each change", async () => {
  assert.deepEqual(await toldAfter([false, false, false, true, true]), [1, 1, 1, 2, 3]);
});

test("a source that hangs at the start holds the inventory back for half a minute, not for ever", async () => {
  assert.deepEqual(await toldAfter([false, false, false, false, false, false]), [1, 1, 1, 1, 2, 3]);
});
