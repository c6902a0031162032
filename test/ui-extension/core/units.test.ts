import assert from "node:assert/strict";
import { test } from "node:test";
import { formatAge, formatExact, formatMoment, timeLabels } from "../../../ui-extension/core/age.ts";
import { type DisplayUnit, formatAxis, formatDuration, formatShare, formatValue } from "../../../ui-extension/core/units.ts";

const values: [number, DisplayUnit, string][] = [
  [0, "percent", "0 %"],
  [0.0123, "percent", "1.2 %"],
  [0.417, "percent", "42 %"],
  [1.5, "percent", "150 %"],
  [0, "bytes", "0 B"],
  [512, "bytes", "512 B"],
  [1536, "bytes", "1.50 KiB"],
  [137_438_953_472, "bytes", "128 GiB"],
  [999, "bytesPerSecond", "999 B/s"],
  [1_234_000, "bytesPerSecond", "1.23 MB/s"],
  [125_000_000, "bytesPerSecond", "125 MB/s"],
  [0, "milliseconds", "0 ms"],
  [0.25, "milliseconds", "250 µs"],
  [42.4, "milliseconds", "42.4 ms"],
  [1800, "perSecond", "1.80 k/s"],
  [11.14, "count", "11.1"],
  [93_784, "seconds", "1 d 2 h"],
];
for (const [value, unit, text] of values) {
  test(`${value} ${unit} is written ${text}`, () => assert.equal(formatValue(value, unit), text));
}

test("a length of time is told in its two largest units", () => {
  assert.deepEqual([0, 59, 60, 3600, 15_000, 86_400, 90_000_000].map(formatDuration), [
    "0 s",
    "59 s",
    "1 min",
    "1 h",
    "4 h 10 min",
    "1 d",
    "1041 d",
  ]);
});

test("a share is told in the unit of the whole", () => {
  assert.deepEqual(formatShare(13_314_398_618, 68_719_476_736), { used: "12.4", total: "64 GiB" });
});

test("an axis has one unit and no more digits than tell its ticks apart", () => {
  assert.deepEqual(formatAxis([0, 0.2, 0.4], "percent"), ["0 %", "20 %", "40 %"]);
  assert.deepEqual(formatAxis([0, 0.005, 0.01], "percent"), ["0 %", "0.5 %", "1 %"]);
  assert.deepEqual(formatAxis([0, 2 ** 33, 2 ** 34], "bytes"), ["0 GiB", "8 GiB", "16 GiB"]);
  assert.deepEqual(formatAxis([0, 2_500_000, 5_000_000], "bytesPerSecond"), ["0 MB/s", "2.5 MB/s", "5 MB/s"]);
  assert.deepEqual(formatAxis([0, 500_000, 1_000_000], "bytesPerSecond"), ["0 MB/s", "0.5 MB/s", "1 MB/s"]);
});

test("an age is told in its largest unit and is never negative", () => {
  assert.deepEqual([-3000, 0, 4200, 60_000, 3_599_000, 3_600_000, 47 * 3_600_000, 48 * 3_600_000].map(formatAge), [
    "0 s",
    "0 s",
    "4 s",
    "1 min",
    "59 min",
    "1 h",
    "47 h",
    "2 d",
  ]);
});

test("a moment is as short as it is clear, in the given time zone", () => {
  const now = Date.UTC(2026, 10, 23, 3, 0);
  assert.equal(formatMoment(Date.UTC(2026, 10, 23, 1, 14), now, "Europe/Rome"), "02:14");
  assert.equal(formatMoment(Date.UTC(2026, 10, 22, 1, 14), now, "Europe/Rome"), "11-22 02:14");
  assert.equal(formatMoment(Date.UTC(2025, 10, 22, 1, 14), now, "UTC"), "2025-11-22 01:14");
  assert.equal(formatExact(Date.UTC(2026, 10, 23, 0, 14, 7), "UTC"), "2026-11-23 00:14:07");
});

test("no two labels of a time axis are alike: halves of a day tell their hour, days of a long range their date", () => {
  const from = Date.UTC(2026, 10, 17) / 1000;
  const every = (sec: number, n: number) => Array.from({ length: n }, (_, index) => from + index * sec);
  const labels = (splits: number[], days: number) => timeLabels(splits, [from, from + days * 86_400], "UTC");
  assert.deepEqual(labels(every(900, 3), 1 / 24), ["00:00", "00:15", "00:30"]);
  assert.deepEqual(labels(every(43_200, 4), 7), ["11-17", "12:00", "11-18", "12:00"]);
  assert.deepEqual(labels(every(7 * 86_400, 3), 120), ["11-17", "11-24", "2026-12"]);
});
