import assert from "node:assert/strict";
import { test } from "node:test";
import type { EntityKey, EpochMs } from "#protocol/ids.ts";
import { decodeFrame, decodeSchema, stateFor } from "#protocol/records.ts";
import { StreamEncoder } from "../../../agent/core/stream-encoder.ts";

const tick = (schemaVersion: number, series = 1) => ({
  schemaVersion,
  schema: () => ({
    entities: [{ key: "guest/100" as EntityKey, identity: [] }],
    series: Array.from({ length: series }, (_, index) => ({ entity: 0, metric: 69, instance: `net${index}`, source: "proc" })),
  }),
  values: () => Float64Array.from({ length: series }, (_, index) => index),
});
const kinds = (encoder: StreamEncoder, version: number, now = 1) =>
  encoder.encode(tick(version), now as EpochMs, 1).map(({ kind }) => kind);

test("a schema and a key frame first, then deltas, and a key frame every 30", () => {
  const encoder = new StreamEncoder();
  assert.deepEqual(kinds(encoder, 1), ["schema", "key"]);
  const next = Array.from({ length: 60 }, () => kinds(encoder, 1).join());
  const keys = next.flatMap((kind, index) => (kind === "key" ? [index + 1] : []));
  assert.deepEqual(keys, [30, 60]);
});

test("a changed schema, or a restart, begins anew", () => {
  const encoder = new StreamEncoder();
  kinds(encoder, 1);
  assert.deepEqual(kinds(encoder, 2), ["schema", "key"]);
  assert.deepEqual(kinds(encoder, 2), ["delta"]);
  encoder.restart();
  assert.deepEqual(kinds(encoder, 2), ["schema", "key"]);
});

test("times grow, even where the wall clock stands or is set back", () => {
  const encoder = new StreamEncoder();
  const times = [1_000, 1_000, 500, 2_000].map((now) => encoder.encode(tick(1), now as EpochMs, 1).at(-1)?.at);
  assert.deepEqual(times, [1_000, 1_001, 1_002, 2_000]);
});

test("what doesn't fit into one message is left out and counted, the rest can be read", () => {
  const encoder = new StreamEncoder(10_000);
  const [schema, frame] = encoder.encode(tick(1, 1_000), 1 as EpochMs, 1);
  assert.ok(schema !== undefined && frame !== undefined);
  assert.ok(schema.bytes.length <= 10_000);
  const decoded = decodeSchema(schema.bytes, 1_000);
  assert.ok(decoded.ok);
  assert.equal(decoded.value.schema.series.length + encoder.seriesLeftOut, 1_000);
  assert.ok(encoder.seriesLeftOut > 0 && encoder.seriesLeftOut < 900);
  assert.equal(decodeFrame(frame.bytes, stateFor(decoded.value.schema)).ok, true);
});
