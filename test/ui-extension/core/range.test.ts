import assert from "node:assert/strict";
import { test } from "node:test";
import { comparedMs } from "../../../ui-extension/core/comparison.ts";
import { isLive, isRange, type Range, rangeBetween, typedRange, windowOf, zoomed } from "../../../ui-extension/core/range.ts";
import { fc } from "../../support/property.ts";

const now = 1_800_000_000_000;

const typed: [text: string, range: Range | undefined][] = [
  ["6h", "6h"],
  [" 90 min ", "90min"],
  ["3 days", "3d"],
  ["2 settimane", "14d"],
  ["1 ora", "1h"],
  ["1 min", undefined],
  ["5 years", undefined],
  ["yesterday", undefined],
  ["", undefined],
];
for (const [text, range] of typed) {
  test(`typed "${text}" is ${range ?? "no range"}`, () => assert.equal(typedRange(text), range));
}

test("a range between two moments stands still, one up to now goes on", () => {
  assert.equal(rangeBetween(now, now - 7_200_000), `${now - 7_200_000}-${now}`);
  assert.deepEqual([isLive(`${now - 7_200_000}-${now}`), isLive("6h"), isLive("24h")], [false, true, true]);
  assert.equal(rangeBetween(now, now - 60_000), undefined);
  assert.equal(isRange("1h-2h"), false);
});

test("every range has whole steps that divide a week, covers what was asked and stays below 760 points", () => {
  const range = fc.oneof(
    fc.integer({ min: 5, max: 99_999 }).map((n): Range => `${n}min`),
    fc.integer({ min: 1, max: 700 }).map((n): Range => `${n}d`),
    fc
      .tuple(fc.integer({ min: 0, max: now }), fc.integer({ min: 300_000, max: 6e10 }))
      .map(([from, n]): Range => `${from}-${from + n}`),
  );
  fc.assert(
    fc.property(range.filter(isRange), (one) => {
      const { from, to, stepMs } = windowOf(one, now);
      assert.deepEqual([to % stepMs, from % stepMs, comparedMs % stepMs], [0, 0, 0]);
      assert.ok((to - from) / stepMs <= 760);
      if (isLive(one)) assert.ok(to > now && to - stepMs <= now);
    }),
  );
});

test("zooming in halves the range around the moment, zooming out never goes beyond now", () => {
  const window = { from: now - 4_000_000, to: now, stepMs: 20_000 };
  assert.equal(zoomed(window, now - 1_000_000, "in", now), `${now - 2_500_000}-${now - 500_000}`);
  assert.equal(zoomed(window, now - 1_000_000, "out", now), `${now - 7_000_000}-${now}`);
  assert.equal(zoomed({ from: now - 400_000, to: now, stepMs: 20_000 }, now, "in", now), undefined);
});
