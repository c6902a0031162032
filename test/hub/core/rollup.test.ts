import assert from "node:assert/strict";
import { test } from "node:test";
import {
  decodeRollup,
  emptyRollup,
  encodeRollup,
  keepFuller,
  quantise,
  restore,
  rollUp,
  rollupCapacity,
  rollupDayMs,
} from "../../../hub/core/rollup.ts";
import { Track } from "../../../hub/core/sampling.ts";
import { fc } from "../../support/property.ts";

const day = 20_000 * rollupDayMs;

function trackOf(samples: readonly (readonly [at: number, value: number])[]): Track {
  const track = new Track();
  track.add(
    Float64Array.from(samples, ([at]) => at),
    Float64Array.from(samples, ([, value]) => value),
    0,
    samples.length,
  );
  return track;
}

test("a quantised number is within half a percent, keeps order and sign, and small integers are exact", () => {
  fc.assert(
    fc.property(
      fc.double({ min: 2 ** -11, max: 2 ** 51, noNaN: true }),
      fc.double({ min: 2 ** -11, max: 2 ** 51, noNaN: true }),
      (a, b) => {
        assert.ok(Math.abs(restore(quantise(a)) - a) <= 0.005 * a);
        assert.equal(restore(quantise(-a)), -restore(quantise(a)));
        if (a < b) assert.ok(quantise(a) <= quantise(b));
      },
    ),
  );
  for (let i = 0; i < 256; i++) assert.equal(restore(quantise(i)), i);
});

test("a gauge's quarter of an hour has its average, extremes and number of samples", () => {
  const out = emptyRollup();
  rollUp(
    trackOf([
      [day - 10_000, 99],
      [day, 1],
      [day + 10_000, 2],
      [day + 20_000, 6],
      [day + 900_000, 8],
    ]),
    false,
    day,
    out,
  );
  assert.deepEqual([out.count[0], out.avg[0], out.min[0], out.max[0]], [3, 3, 1, 6]);
  assert.deepEqual([out.count[1], out.avg[1]], [1, 8]);
  assert.equal(out.count[2], 0);
});

test("a counter's quarter of an hour has rates: its first takes the sample of the day before", () => {
  const out = emptyRollup();
  rollUp(
    trackOf([
      [day - 10_000, 0],
      [day, 1000],
      [day + 10_000, 4000],
      [day + 20_000, 4000],
    ]),
    true,
    day,
    out,
  );
  assert.deepEqual([out.count[0], out.avg[0], out.min[0], out.max[0]], [3, 4000 / 30, 0, 300]);
});

test("a counter's reset leaves no negative rate", () => {
  const out = emptyRollup();
  rollUp(
    trackOf([
      [day, 10_000],
      [day + 10_000, 11_000],
      [day + 20_000, 500],
      [day + 30_000, 1500],
      [day + 40_000, 1400],
    ]),
    true,
    day,
    out,
  );
  // 500 since the restart is no faster than before; 1400 after 1500 would be 140/s and is not believed.
  assert.deepEqual([out.count[0], out.min[0], out.max[0]], [3, 50, 100]);
});

test("of two rollups of one step the fuller one is kept", () => {
  const [full, late] = [emptyRollup(), emptyRollup()];
  rollUp(
    trackOf([
      [day, 1],
      [day + 10_000, 3],
    ]),
    false,
    day,
    full,
  );
  rollUp(
    trackOf([
      [day, 9],
      [day + 900_000, 5],
    ]),
    false,
    day,
    late,
  );
  keepFuller(late, full);
  assert.deepEqual([late.count[0], late.avg[0], late.count[1], late.avg[1]], [2, 2, 1, 5]);
});

test("any rollup comes back within half a percent, its counts exactly, and least ≤ average ≤ greatest", () => {
  const value = fc.oneof(fc.integer({ min: -1e6, max: 1e12 }), fc.constant(7));
  const samples = fc.array(fc.tuple(fc.nat(8639), value), { maxLength: 300 });
  fc.assert(
    fc.property(samples, (list) => {
      const unique = [...new Map(list)].sort(([a], [b]) => a - b).map(([i, v]) => [day + i * 10_000, v] as const);
      const [rolled, back] = [emptyRollup(), emptyRollup()];
      rollUp(trackOf(unique), false, day, rolled);
      const bytes = new Uint8Array(rollupCapacity);
      assert.ok(encodeRollup(rolled, bytes, 0) <= rollupCapacity);
      decodeRollup(bytes, 0, back);
      for (let row = 0; row < 96; row++) {
        assert.equal(back.count[row], rolled.count[row]);
        if (rolled.count[row] === 0) continue;
        for (const key of ["avg", "min", "max"] as const) {
          const [is, was] = [back[key][row] as number, rolled[key][row] as number];
          assert.ok(Math.abs(is - was) <= 0.005 * Math.abs(was) + 2 ** -12, `${key} ${was} → ${is}`);
        }
        assert.ok(
          (back.min[row] as number) <= (back.avg[row] as number) && (back.avg[row] as number) <= (back.max[row] as number),
        );
      }
    }),
    { numRuns: 300 },
  );
});
