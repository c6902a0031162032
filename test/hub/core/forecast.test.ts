import assert from "node:assert/strict";
import { test } from "node:test";
import { deviation, learnBaseline } from "../../../hub/core/baseline.ts";
import { forecastFull, type Point } from "../../../hub/core/forecast.ts";

const day = 86_400_000;
const start = Date.UTC(2026, 0, 1);
/** Four points a day. */
const points = (days: number, value: (day: number) => number): Point[] =>
  Array.from({ length: days * 4 }, (_, index) => ({ at: start + (index * day) / 4, value: value(index / 4) }));
/** Repeatable noise in −0.5 … 0.5. */
const noise = (x: number) => ((Math.sin(x * 12.9898) * 43_758.5453) % 1) / 2;

test("steady growth: the day it is full, within a narrow range", () => {
  const fit = forecastFull(
    points(30, (d) => 100 + 10 * d + noise(d)),
    500,
  );
  assert.ok(fit.trend === "growing");
  assert.ok(Math.abs(fit.perDay - 10) < 0.2);
  // At day 29.75 it is at about 397.5.
  assert.ok(fit.days > 10 && fit.days < 10.6, String(fit.days));
  assert.ok(fit.daysEarliest <= fit.days && fit.days <= fit.daysLatest);
});

test("a copy that came and went does not bend it", () => {
  const fit = forecastFull(
    points(30, (d) => 100 + 10 * d + (d > 12 && d < 12.6 ? 200 : 0)),
    500,
  );
  assert.ok(fit.trend === "growing");
  assert.ok(Math.abs(fit.perDay - 10) < 0.3);
});

test("what goes up and down has no trend", () => {
  assert.deepEqual(
    forecastFull(
      points(30, (d) => 100 + 10 * Math.sin(d * 2)),
      500,
    ),
    { trend: "none", why: "not-significant" },
  );
});

test("what stays has no trend", () => {
  assert.deepEqual(
    forecastFull(
      points(30, () => 100),
      500,
    ),
    { trend: "none", why: "not-significant" },
  );
});

test("less than a week says nothing", () => {
  assert.deepEqual(
    forecastFull(
      points(6, (d) => 100 + 10 * d),
      500,
    ),
    { trend: "none", why: "too-short" },
  );
});

test("after a big clean-up it begins anew, and says nothing for a week", () => {
  const cleaned = (d: number) => (d < 26 ? 100 + 10 * d : 20 + 10 * (d - 26));
  assert.deepEqual(forecastFull(points(30, cleaned), 500), { trend: "none", why: "too-short" });
});

test("a full one is full now", () => {
  const fit = forecastFull(
    points(30, (d) => 100 + 10 * d),
    390,
  );
  assert.ok(fit.trend === "growing");
  assert.equal(fit.days, 0);
});

const hourly = (days: number): Point[] =>
  Array.from({ length: days * 24 }, (_, index) => ({ at: start + index * 3_600_000, value: 10 + (index % 24) + noise(index) }));

test("two weeks teach what each hour is like; a busy morning is usual, a busy night is not", () => {
  const baseline = learnBaseline(hourly(15));
  assert.ok(baseline);
  const later = start + 15 * day;
  assert.ok(deviation(baseline, later + 20 * 3_600_000, 30) < 3);
  assert.ok(deviation(baseline, later + 3 * 3_600_000, 30) > 10);
});

test("before two weeks nothing is unusual, because nothing is usual", () => {
  assert.equal(learnBaseline(hourly(13)), undefined);
});
