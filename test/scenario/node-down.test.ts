import assert from "node:assert/strict";
import { test } from "node:test";
import { fc } from "../support/property.ts";
import { commands, type Scene } from "./commands.ts";
import { World } from "./world.ts";

/** Longer runs by hand: PROVEN_STORIES=100. */
const runs = Number(process.env.PROVEN_STORIES ?? 4);

type Case = { guests: number; off: number; awayMin: number; interruptions: readonly { what: string; afterSec: number }[] };

const interruption = fc.record({
  what: fc.constantFrom(
    "restart",
    "kill while sending",
    "kill while recording",
    "kill while delivering",
    "kill while noting",
    "clock +10m",
    "clock -10m",
    "agent pve1 leaves",
    "agent pve1 returns",
  ),
  afterSec: fc.integer({ min: 0, max: 90 }),
});
const cases: fc.Arbitrary<Case> = fc.record({
  guests: fc.integer({ min: 1, max: 12 }),
  off: fc.integer({ min: 0, max: 3 }),
  awayMin: fc.integer({ min: 3, max: 40 }),
  interruptions: fc.array(interruption, { maxLength: 4 }),
});

/** What a receiver heard of a node that died under its guests and came back, whatever happened to the hub in the meantime. */
async function heard({
  guests,
  off,
  awayMin,
  interruptions,
}: Case): Promise<{ titles: string[]; kinds: string[]; affected: string[] }> {
  const world = new World(Date.UTC(2026, 2, 2, 12));
  const scene: Scene = { world, later: [], log: () => undefined };
  const say = async (line: string) => {
    const [command = "", ...words] = line.split(" ");
    await commands[command]?.(scene, words, line);
    await world.pass();
  };
  try {
    const all = Array.from({ length: guests }, (_, index) => 100 + index);
    for (const line of ["nodes pve1 pve2 pve3", "storage local dir local", "receivers ops", "disable clock-skew"])
      await say(line);
    for (const vmid of all) await say(`guest ${vmid} g${vmid} on pve2 onboot storages=local`);
    for (const vmid of all.slice(0, off)) await say(`task pve2 qmstop ${vmid}`);
    for (const vmid of all.slice(0, off)) await say(`guest ${vmid} stops`);
    await say("wait 3m");
    await say("node pve2 dies");
    for (const { what, afterSec } of interruptions) {
      await say(`wait ${afterSec + 1}s`);
      await say(what);
    }
    await say("agent pve1 returns");
    await say(`wait ${awayMin}m`);
    await say("node pve2 joins");
    await say("wait 30m");
    const { sent } = world;
    const down = sent.filter(({ alerts }) => alerts.some(({ rule }) => rule === "node-down"));
    return {
      titles: sent.flatMap(({ alerts }) => alerts.map(({ rule, entity }) => `${rule} ${entity}`)),
      kinds: down.map(({ kind }) => kind),
      affected: down[0]?.alerts[0]?.affected ?? [],
    };
  } finally {
    await world.close();
  }
}

test("a node that dies is told once with the guests that ran there, and once when it is back, through restarts, kills and clocks that are set", async () => {
  const property = fc.asyncProperty(cases, async (one) => {
    const { titles, kinds, affected } = await heard(one);
    assert.deepEqual(new Set(titles), new Set(["node-down node/pve2"]));
    assert.deepEqual(kinds, ["firing", "resolved"]);
    const running = Array.from({ length: one.guests }, (_, index) => `g${100 + index} (VM ${100 + index})`).slice(one.off);
    assert.deepEqual(affected, running);
  });
  await fc.assert(property, { numRuns: runs, endOnFailure: true });
});
