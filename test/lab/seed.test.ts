import assert from "node:assert/strict";
import { test } from "node:test";
import type { EntityKey, EpochMs } from "#protocol/ids.ts";
import { metricByName } from "#protocol/metrics.ts";
import { decodeFrame, decodeSchema, type Schema, stateFor } from "#protocol/records.ts";
import { truthOf } from "./model.ts";
import { seedFrames, seedInstants } from "./seed.ts";
import { buildSpec } from "./spec.ts";
import { World } from "./world.ts";

const minuteMs = 60_000;
const dayMs = 86_400_000;
const to = Date.UTC(2026, 10, 23, 12, 0, 7);
const metricId = (kind: "guest" | "node", name: string) => metricByName(kind, name)?.id ?? 0;

test("instants grow, and lie closer the younger they are", () => {
  const instants = seedInstants(to - 30 * dayMs, to);
  const gaps = (from: number, until: number) =>
    new Set(
      instants.flatMap((at, index) => (at > from && at < until && index > 0 ? [at - (instants[index - 1] as EpochMs)] : [])),
    );
  assert.deepEqual(gaps(to - 59 * minuteMs, to), new Set([10_000]));
  assert.deepEqual(gaps(to - 23 * 60 * minuteMs, to - 61 * minuteMs), new Set([minuteMs]));
  assert.deepEqual(gaps(to - 6 * dayMs, to - 1.1 * dayMs), new Set([5 * minuteMs]));
  assert.deepEqual(gaps(to - 29 * dayMs, to - 7.1 * dayMs), new Set([15 * minuteMs]));
  assert.ok(instants.every((at, index) => index === 0 || at > (instants[index - 1] as EpochMs)));
  assert.ok((instants.at(-1) ?? 0) < to);
});

test("decoded records give the truth at their times, from key frames every thirty", () => {
  const world = new World(buildSpec("proven", 3, 40));
  const truth = truthOf(world);
  const schema: Schema = {
    entities: [
      { key: "guest/100" as EntityKey, identity: ["uuid:x"] },
      { key: "guest/105" as EntityKey, identity: [] },
      { key: "node/pve1" as EntityKey, identity: [] },
    ],
    series: [
      { entity: 0, metric: metricId("guest", "cpu"), source: "pve-metrics" },
      { entity: 0, metric: metricId("guest", "nic_in"), instance: "net0", source: "pve-metrics" },
      { entity: 1, metric: metricId("guest", "cpu"), source: "pve-metrics" },
      { entity: 2, metric: metricId("node", "mem_used"), source: "proc" },
    ],
  };
  const state = stateFor(schema);
  const [first, ...frames] = seedFrames(world, schema, { from: to - 2 * dayMs, to, firstSeq: 5 });
  assert.ok(first !== undefined);
  const declared = decodeSchema(first, 100);
  assert.ok(declared.ok);
  assert.deepEqual([declared.value.seq, declared.value.schema], [5, schema]);
  let seq = 5;
  for (const [index, frame] of frames.entries()) {
    const head = decodeFrame(frame, state);
    assert.ok(head.ok);
    assert.deepEqual([head.value.seq, head.value.key], [++seq, index % 30 === 0]);
    const { at } = head.value;
    assert.equal(state.values[0], Math.round((truth("guest/100", "cpu", undefined, at) ?? 0) * 10_000));
    assert.equal(state.values[1], truth("guest/100", "nic_in", "net0", at));
    assert.equal(state.present[2], 0, "a stopped guest has no load");
    assert.equal(state.values[3], truth("node/pve1", "mem_used", undefined, at));
  }
});
