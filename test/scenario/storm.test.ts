import assert from "node:assert/strict";
import { test } from "node:test";
import type { EntityKey } from "#protocol/ids.ts";
import { commands, type Scene } from "./commands.ts";
import { checkTold } from "./invariants.ts";
import { World } from "./world.ts";

const count = 5000;
/** Of those that each have a message of their own. */
const few = 500;

async function say(scene: Scene, ...lines: string[]): Promise<void> {
  for (const line of lines) {
    const [command = "", ...words] = line.split(" ");
    await commands[command]?.(scene, words, line);
  }
}

/** Time passes by ten seconds each. */
async function steps(world: World, count: number): Promise<void> {
  for (let step = 0; step < count; step++) await world.step(10_000);
}

test("five thousand alerts at once, the hub killed while it tells them: none is lost, none told twice, and each end is told", async () => {
  const world = new World(Date.UTC(2026, 2, 2, 12));
  const scene: Scene = { world, later: [], log: () => undefined };
  try {
    await say(scene, "nodes pve1 pve2 pve3", `guests 1000..${999 + count} on pve1,pve2,pve3`, "receivers ops");
    await say(scene, "rule hot guest cpu above 0.9 clear 0.8", "wait 40s");
    for (let vmid = 1000; vmid < 1000 + count; vmid++) world.set(`guest/${vmid}` as EntityKey, "cpu", 0.99, "pve1");
    world.crash = "before";
    await say(scene, "wait 100s");
    const firing = [...world.loop.book.records.values()].filter((record) => record.rule === "hot");
    assert.equal(firing.length, count);
    assert.ok(firing.every(({ told }) => told.length === 1));
    const told = world.sent.map(({ reason, alerts, more }) => `${reason} ${alerts.length + more}`);
    assert.deepEqual(told, ["first 5000"]);
    await say(scene, "restart", "wait 60s");
    assert.equal(world.sent.length, 1);
    for (const value of world.values.values()) value.value = 0.1;
    await say(scene, "wait 60s");
    assert.deepEqual(
      world.sent.slice(1).map(({ reason, alerts, more }) => `${reason} ${alerts.length + more}`),
      ["all-resolved 5000"],
    );
    assert.equal(world.loop.book.groups.size, 0);
    checkTold(world.sent, "storm");
  } finally {
    await world.close();
  }
});

test("five hundred alerts, a message each, to a receiver that is down while the hub is killed: each arrives once, and each end", async () => {
  const world = new World(Date.UTC(2026, 2, 2, 12));
  const scene: Scene = { world, later: [], log: () => undefined };
  try {
    await say(scene, "nodes pve1 pve2 pve3", `guests 1000..${999 + few} on pve1,pve2,pve3`, "receivers ops", "route by entity");
    await say(scene, "rule hot guest cpu above 0.9 clear 0.8", "wait 40s", "receiver ops fails");
    for (let vmid = 1000; vmid < 1000 + few; vmid++) world.set(`guest/${vmid}` as EntityKey, "cpu", 0.99, "pve1");
    await steps(world, 12);
    await say(scene, "restart", "kill while delivering");
    await steps(world, 6);
    await say(scene, "receiver ops answers");
    await steps(world, 48);
    assert.equal(world.sent.length, few);
    assert.equal(world.receivers.arrivals.length, few);
    for (const value of world.values.values()) value.value = 0.1;
    await steps(world, 48);
    assert.equal(world.receivers.arrivals.length, 2 * few);
    assert.equal(new Set(world.sent.flatMap(({ alerts }) => alerts.map(({ id }) => id))).size, few);
    checkTold(world.sent, "storm by entity");
  } finally {
    await world.close();
  }
});
