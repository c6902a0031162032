import assert from "node:assert/strict";
import { test } from "node:test";
import type { EntityKey, EpochMs } from "#protocol/ids.ts";
import {
  decodeFrame,
  decodeSchema,
  encodeFrame,
  encodeSchema,
  FrameState,
  parseRecordHead,
  type Schema,
} from "#protocol/records.ts";
import { fc } from "../support/property.ts";

const at = 1_767_600_000_000 as EpochMs;
const schema: Schema = {
  entities: [
    { key: "node/pve1" as EntityKey, identity: [] },
    { key: "guest/100" as EntityKey, identity: ["uuid:0b6e", "mac:BC:24:11:00:00:01"] },
  ],
  series: [
    { entity: 0, metric: 1, source: "proc" },
    { entity: 1, metric: 69, instance: "net0", source: "pve-metrics" },
  ],
};

test("a schema comes back as it was declared", () => {
  assert.deepEqual(decodeSchema(encodeSchema(7, schema), 10), { ok: true, value: { seq: 7, schema } });
});

const wrong: [name: string, schema: unknown, problem: RegExp][] = [
  [
    "more series than allowed",
    { ...schema, series: [...schema.series, { entity: 0, metric: 2, source: "proc" }] },
    /more than 2 series/,
  ],
  ["a series declared twice", { ...schema, series: [schema.series[0], schema.series[0]] }, /declared twice/],
  ["a series of no entity", { ...schema, series: [{ entity: 2, metric: 1, source: "proc" }] }, /without entity/],
  [
    "a guest's metric at a node",
    { ...schema, series: [{ entity: 0, metric: 69, instance: "net0", source: "proc" }] },
    /not one of node\/pve1/,
  ],
  ["a metric nobody knows", { ...schema, series: [{ entity: 0, metric: 9999, source: "proc" }] }, /metric 9999/],
  [
    "an instance where none belongs",
    { ...schema, series: [{ entity: 0, metric: 1, instance: "x", source: "proc" }] },
    /bad instance/,
  ],
  ["a missing instance", { ...schema, series: [{ entity: 1, metric: 69, source: "proc" }] }, /bad instance/],
  ["a bad source", { ...schema, series: [{ entity: 0, metric: 1, source: "Proc!" }] }, /bad source/],
  ["a bad entity", { entities: [{ key: "moon/1", identity: [] }], series: [] }, /bad entity key/],
  ["a bad identity", { entities: [{ key: "guest/100", identity: ["name:x"] }], series: [] }, /bad identity/],
  ["no lists", {}, /without entities/],
];
for (const [name, bad, problem] of wrong) {
  test(`a schema with ${name} is refused`, () => {
    const decoded = decodeSchema(encodeSchema(1, bad as Schema), 2);
    assert.equal(decoded.ok, false);
    assert.match(decoded.problem, problem);
  });
}

/** What a tick may hold: small and huge integers, absent, and what can't be sent. */
const value = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: -5, max: 5 }) },
  { weight: 2, arbitrary: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }) },
  { weight: 1, arbitrary: fc.constantFrom(2 ** 51, -(2 ** 51), 0, 2 ** 51 + 2, -(2 ** 60), Number.POSITIVE_INFINITY) },
  { weight: 2, arbitrary: fc.constant(Number.NaN) },
);
const ticks = fc
  .nat(40)
  .chain((size) =>
    fc.array(fc.tuple(fc.boolean(), fc.array(value, { minLength: size, maxLength: size })), { minLength: 1, maxLength: 12 }),
  );

/** Beyond ±2^51 nothing is sent, nor a change that no token can say. */
const sendable = (number: number, last: number) => Math.abs(number) <= 2 ** 51 && Math.abs(number - last) <= 2 ** 52 - 2;

test("every frame gives the values that were sent, absent ones included, whatever came before", () => {
  fc.assert(
    fc.property(ticks, (rows) => {
      const size = rows[0]?.[1].length ?? 0;
      const [ours, theirs] = [new FrameState(size), new FrameState(size)];
      const last = new Array<number>(size).fill(0);
      rows.forEach(([restart, numbers], index) => {
        const key = restart || index === 0;
        if (key) last.fill(0);
        const expected = numbers.map((number, slot) => {
          if (!sendable(number, last[slot] as number)) return undefined;
          last[slot] = number;
          return number;
        });
        const frame = encodeFrame(index + 1, (at + index) as EpochMs, key, Float64Array.from(numbers), ours);
        assert.deepEqual(decodeFrame(frame, theirs), { ok: true, value: { seq: index + 1, at: at + index, key } });
        const got = [...theirs.values].map((number, slot) => (theirs.present[slot] === 1 ? number : undefined));
        assert.deepEqual(got, expected);
      });
    }),
    { numRuns: 500 },
  );
});

test("an unchanged tick takes a handful of bytes", () => {
  const state = new FrameState(10_000);
  const values = new Float64Array(10_000).fill(42);
  encodeFrame(1, at, true, values, state);
  assert.equal(encodeFrame(2, at, false, values, state).length, 9); // kind, seq, 6 bytes of time, key
});

test("a frame cut anywhere is a shorter frame or a problem, never an error", () => {
  const frame = encodeFrame(
    1,
    at,
    true,
    Float64Array.from({ length: 50 }, (_, index) => index * 1e6),
    new FrameState(50),
  );
  for (let length = 0; length < frame.length; length++) {
    assert.equal(typeof decodeFrame(frame.subarray(0, length), new FrameState(50)).ok, "boolean");
  }
});

test("a schema cut anywhere is refused", () => {
  const record = encodeSchema(1, schema);
  for (let length = 0; length < record.length; length++) assert.equal(decodeSchema(record.subarray(0, length), 10).ok, false);
});

test("a frame with more values than series is refused", () => {
  const frame = encodeFrame(1, at, true, Float64Array.of(1, 2, 3), new FrameState(3));
  assert.deepEqual(decodeFrame(frame, new FrameState(2)), { ok: false, problem: "more values than series" });
});

test("a run beyond the last series is refused", () => {
  const frame = Uint8Array.of(2, 1, 1, 1, 1, 127);
  assert.deepEqual(decodeFrame(frame, new FrameState(5)), { ok: false, problem: "more values than series" });
});

test("random and flipped bytes never throw", () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.tuple(fc.constantFrom(1, 2), fc.uint8Array({ maxLength: 200 })).map(([kind, rest]) => Uint8Array.of(kind, ...rest)),
    fc.tuple(fc.nat(), fc.nat(255)).map(([where, byte]) => {
      const record = encodeSchema(1, schema);
      record[where % record.length] = byte;
      return record;
    }),
  );
  fc.assert(
    fc.property(bytes, (record) => {
      for (const result of [parseRecordHead(record), decodeSchema(record, 10), decodeFrame(record, new FrameState(8))]) {
        assert.equal(typeof result.ok, "boolean");
      }
    }),
    { numRuns: 2_000 },
  );
});
