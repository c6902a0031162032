import assert from "node:assert/strict";
import { test } from "node:test";
import { ratesOf, Track } from "../../../hub/core/sampling.ts";
import { fc } from "../../support/property.ts";

function rates(samples: readonly (readonly [second: number, value: number])[], counter = true): number[] {
  const track = new Track();
  track.add(
    Float64Array.from(samples, ([second]) => second * 1000),
    Float64Array.from(samples, ([, value]) => value),
    0,
    samples.length,
  );
  track.settle();
  return [...ratesOf(track, counter)];
}
const none = Number.NaN;

const cases: [name: string, samples: [number, number][], expected: number[]][] = [
  ["the first sample has no rate", [[0, 5]], [none]],
  [
    "an even counter has an even rate",
    [
      [0, 0],
      [10, 100],
      [20, 200],
    ],
    [none, 10, 10],
  ],
  [
    "a restart's small count since zero is a rate",
    [
      [0, 0],
      [10, 1000],
      [20, 200],
    ],
    [none, 100, 20],
  ],
  [
    "a glitch downwards is no spike",
    [
      [0, 9000],
      [10, 9100],
      [20, 9050],
      [30, 9150],
    ],
    [none, 10, none, 10],
  ],
  [
    "behind a gap there is no rate",
    [
      [0, 0],
      [10, 10],
      [20, 20],
      [120, 120],
      [130, 130],
    ],
    [none, 1, 1, none, 1],
  ],
  [
    "three missed samples are no gap yet",
    [
      [0, 0],
      [10, 10],
      [40, 40],
      [50, 50],
    ],
    [none, 1, 1, 1],
  ],
  [
    "coarse history is not one gap after another",
    [
      [0, 0],
      [1800, 1800],
      [3600, 3600],
    ],
    [none, 1, 1],
  ],
  [
    "two samples far apart tell nothing",
    [
      [0, 0],
      [1800, 1800],
    ],
    [none, none],
  ],
];
for (const [name, samples, expected] of cases) test(`rates: ${name}`, () => assert.deepEqual(rates(samples), expected));

test("rates: a gauge's may be negative", () =>
  assert.deepEqual(
    rates(
      [
        [0, 100],
        [10, 50],
      ],
      false,
    ),
    [none, -5],
  ));

test("samples added out of order are sorted, and the one added first wins", () => {
  const track = new Track();
  track.add(Float64Array.of(10, 20, 30), Float64Array.of(1, 2, none), 0, 3);
  track.add(Float64Array.of(5, 20, 30), Float64Array.of(9, 8, 7), 0, 3);
  track.settle();
  assert.deepEqual(
    [[...track.at.subarray(0, track.length)], [...track.values.subarray(0, track.length)]],
    [
      [5, 10, 20, 30],
      [9, 1, 2, 7],
    ],
  );
});

const ascending = fc
  .uniqueArray(fc.integer({ min: 0, max: 60 }), { maxLength: 25 })
  .map((times) => Float64Array.from(times).sort());

test("however many pieces overlap, each time stands once and in order, with the value that was added first", () =>
  fc.assert(
    fc.property(fc.array(ascending, { maxLength: 6 }), (pieces) => {
      const track = new Track(4);
      const first = new Map<number, number>();
      for (const [index, times] of pieces.entries()) {
        const values = times.map((time) => time * 10 + index);
        track.add(times, values, 0, times.length);
        for (const [i, time] of times.entries()) first.set(time, first.get(time) ?? (values[i] as number));
      }
      track.settle();
      const found = [...track.at.subarray(0, track.length)].map((time, i) => [time, track.values[i]]);
      assert.deepEqual(
        found,
        [...first].sort(([a], [b]) => a - b),
      );
    }),
  ));
