import assert from "node:assert/strict";
import { test } from "node:test";
import { retryDelayMs } from "../../../ui-extension/core/retry.ts";
import { rowWindow } from "../../../ui-extension/core/row-window.ts";
import { SortingInAddress, sortRows } from "../../../ui-extension/core/sort.ts";
import { fc } from "../../support/property.ts";

test("names sort as people count, and unknown goes last in either direction", () => {
  const rows = ["web10", undefined, "web2", "Web1"];
  assert.deepEqual(
    sortRows(rows, (row) => row, false),
    ["Web1", "web2", "web10", undefined],
  );
  assert.deepEqual(
    sortRows(rows, (row) => row, true),
    ["web10", "web2", "Web1", undefined],
  );
  assert.deepEqual(
    sortRows([0.5, undefined, 0, 2], (row) => row, true),
    [2, 0.5, 0, undefined],
  );
});

test("of 5,000 rows only those in sight are drawn", () => {
  assert.deepEqual(rowWindow(5000, 30, 30_000, 520, 12), { first: 988, last: 1030, before: 29_640, after: 119_100 });
});

test("the drawn rows and the space around them always add up to the whole table", () => {
  const px = fc.integer({ min: -100, max: 400_000 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9000 }), px, fc.integer({ min: 1, max: 2000 }), (rows, scroll, view) => {
      const { first, last, before, after } = rowWindow(rows, 30, scroll, view);
      assert.equal(before + (last - first) * 30 + after, rows * 30);
      assert.ok(first >= 0 && last <= rows && first <= last);
    }),
  );
});

test("attempts to get the stream back grow rarer, and never rarer than every 15.25 s", () => {
  assert.deepEqual(
    [0, 1, 2, 3, 4, 20].map((attempt) => retryDelayMs(attempt, 1)),
    [1250, 2250, 4250, 8250, 15_250, 15_250],
  );
  assert.equal(retryDelayMs(5, 0), 250);
});

test("an address names a sorting, the largest first behind a minus, and the same text is the same sorting", () => {
  const first = { column: "guest", descending: false };
  const sorting = new SortingInAddress(first);
  assert.equal(sorting.of(undefined), first);
  const byCpu = sorting.of("-cpu");
  assert.deepEqual(byCpu, { column: "cpu", descending: true });
  assert.equal(sorting.of("-cpu"), byCpu);
  const chosen = { column: "name", descending: false };
  assert.deepEqual([sorting.textOf(chosen), sorting.of("name") === chosen], ["name", true]);
  assert.equal(sorting.of(undefined), first);
});
