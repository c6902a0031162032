import assert from "node:assert/strict";
import type { Notification } from "#protocol/notifications.ts";
import type { World } from "./world.ts";

/**
 * What holds at every moment of every story: no end is told without its beginning, nothing is told twice for one reason, and every firing
 * alert is told, taken, held back with a reason, or nobody's, and says which.
 */
export function check(world: World, story: string): void {
  checkTold(world.sent, story);
  const again = world.receivers.arrivals.filter((arrival) => arrival.again);
  assert.ok(again.length <= world.kills, `${story}: ${again.length} repetitions, the hub was killed ${world.kills} times`);
  for (const view of world.loop.views()) {
    if (view.state !== "firing") continue;
    assert.notEqual(view.disposition, null, `${story}: ${view.id} fires and does not say what became of it`);
    const held = view.disposition === "suppressed";
    assert.ok(!held || view.suppressedBy !== null, `${story}: ${view.id} is held back and does not say by what`);
  }
}

/** By receiver and episode: told as firing once, then as over once. */
export function checkTold(sent: readonly Notification[], story: string): void {
  const open = new Map<string, "firing" | "over">();
  const ids = new Set<string>();
  for (const { id, receiver, reason, alerts, more } of sent) {
    assert.ok(!ids.has(id), `${story}: ${id} was sent twice`);
    ids.add(id);
    let news = 0;
    // The end of one episode and the next one may come in one message.
    for (const alert of [...alerts].reverse()) {
      const key = `${receiver} ${alert.id}`;
      const before = open.get(key);
      if (alert.state === "firing") {
        if (before !== "firing") news++;
        open.set(key, "firing");
      } else {
        assert.equal(before, "firing", `${story}: ${receiver} hears that ${alert.id} is over and never heard of it`);
        open.set(key, "over");
      }
    }
    const isNews = reason === "first" || reason === "new-firing" || reason === "catch-up";
    assert.ok(!isNews || news > 0 || more > 0, `${story}: ${id} says ${reason} and tells nothing new`);
  }
}
