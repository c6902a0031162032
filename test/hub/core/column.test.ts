import assert from "node:assert/strict";
import { test } from "node:test";
import { columnCapacity, decodeColumn, encodeColumn } from "../../../hub/core/column.ts";
import { fc } from "../../support/property.ts";

/** Encodes into a room full of ones, so that a column which looks past its own end is noticed. */
function roundTrip(values: readonly number[]): { back: number[]; bytes: number } {
  const rows = values.length;
  const out = new Uint8Array(columnCapacity(rows) + 64).fill(0xff);
  const end = encodeColumn(Float64Array.from(values), 0, 1, rows, out, 3);
  assert.ok(end - 3 <= columnCapacity(rows));
  out.fill(0xff, end);
  const cursor = { bytes: out, position: 3 };
  const back = new Float64Array(rows + 2).fill(-7);
  decodeColumn(cursor, rows, back, 1);
  assert.equal(cursor.position, end);
  assert.deepEqual([back[0], back[rows + 1]], [-7, -7]);
  return { back: [...back.subarray(1, rows + 1)], bytes: end - 3 };
}

const sums = (start: number, steps: readonly number[]) => {
  let value = start;
  return steps.map((step) => {
    value += step;
    return value;
  });
};
const big = 2 ** 51;
const clamp = (value: number) => Math.max(-big, Math.min(big, value));
const gauge = fc.array(fc.integer({ min: -5000, max: 5000 }), { minLength: 1, maxLength: 400 });
const walk = fc.tuple(
  fc.integer({ min: 0, max: 1e9 }),
  fc.array(fc.integer({ min: -40, max: 40 }), { minLength: 1, maxLength: 400 }),
);
const counter = fc.tuple(fc.integer({ min: 0, max: 2 ** 45 }), fc.array(fc.nat(2 ** 31), { minLength: 1, maxLength: 400 }));
const seldom = fc.array(
  fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: -99999, max: 99999 }) }),
  {
    minLength: 1,
    maxLength: 400,
  },
);
const anything = fc.array(fc.integer({ min: -big, max: big }), { minLength: 1, maxLength: 200 });
const columns = fc.oneof(
  gauge,
  walk.map(([start, steps]) => sums(start, steps)),
  walk.map(([start, steps]) => sums(start, steps).map((value) => value * 4096)),
  counter.map(([start, steps]) => sums(start, steps)),
  seldom.map((steps) => sums(1000, steps)),
  anything,
  fc
    .tuple(counter, fc.nat(399))
    .map(([[start, steps], reset]) => sums(start, steps).map((value, i) => (i >= reset ? value - start : value))),
);
const gaps = fc.array(fc.tuple(fc.nat(400), fc.nat(60)), { maxLength: 4 });

test("any column of integers comes back as it was, absent rows too", () => {
  fc.assert(
    fc.property(columns, gaps, (values, holes) => {
      const column = values.map((value, i) =>
        holes.some(([from, length]) => i >= from && i < from + length) ? Number.NaN : clamp(value),
      );
      assert.deepEqual(roundTrip(column).back, column);
    }),
    { numRuns: 1500 },
  );
});

const cases: [name: string, column: number[], maxBytes: number][] = [
  ["a constant column takes a few bytes", Array.from({ length: 360 }, () => 34359738368), 9],
  ["an uptime that grows evenly takes a few bytes", Array.from({ length: 360 }, (_, i) => 1_000_000 + 10 * i), 8],
  ["a column that is absent all along takes one byte", Array.from({ length: 360 }, () => Number.NaN), 1],
  [
    "a counter's reset costs one long code, not the column",
    sums(
      10 ** 12,
      Array.from({ length: 360 }, (_, i) => (i === 180 ? -(10 ** 12) : 1000 + (i % 7))),
    ),
    700,
  ],
  [
    "a 10 Gbit/s interface's counter stays below 5 bytes a sample",
    sums(
      0,
      Array.from({ length: 360 }, (_, i) => 12_000_000_000 + ((i * 7919) % 97) * 1e6),
    ),
    1800,
  ],
  [
    "unary codes at the escape's edge come back",
    sums(0, [0, 0, 11, 0, -12, 0, 11, 23, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3]),
    40,
  ],
];
for (const [name, column, maxBytes] of cases) {
  test(name, () => {
    const { back, bytes } = roundTrip(column);
    assert.deepEqual(back, column);
    assert.ok(bytes <= maxBytes, `${bytes} bytes`);
  });
}

test("bytes that no hub wrote end in an answer or an error, never in a loop", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 400 }), (bytes, rows) => {
      const out = new Float64Array(rows + 1).fill(7);
      const padded = Uint8Array.from([...bytes, ...new Uint8Array(8)]);
      try {
        decodeColumn({ bytes: padded, position: 0 }, rows, out);
      } catch (cause) {
        assert.match(String(cause), /a column (ends|changes|has)/);
      }
      assert.equal(out[rows], 7);
    }),
    { numRuns: 2000 },
  );
});
