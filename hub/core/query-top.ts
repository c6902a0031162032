import type { Aggregate } from "#protocol/api.ts";
import type { Metric } from "#protocol/metrics.ts";
import { byText } from "#protocol/order.ts";
import type { Member } from "./query-class.ts";
import { Refusal } from "./refusal.ts";
import { rollupDayMs, rollupStepMs } from "./rollup.ts";
import type { SeriesInfo } from "./series.ts";
import { readsRollups } from "./tier.ts";

/** A window with the step it is read in; undefined: raw samples. Long ones are read in a rollup's steps, from a whole one on. */
export type TopWindow = { from: number; to: number; stepMs: number | undefined };

/**
 * What a top list over so many ms before `to` reads: samples (`stepMs` undefined), or whole steps of rollups where that is longer than a day, or
 * older than samples are kept.
 */
export function topWindow(windowMs: number, to: number, now: number): TopWindow {
  const raw = { from: Math.max(0, to - windowMs), to, stepMs: undefined };
  if (windowMs <= rollupDayMs && !readsRollups(raw, now)) return raw;
  return { from: Math.floor(raw.from / rollupStepMs) * rollupStepMs, to, stepMs: rollupStepMs };
}

/** One value of a column's many; NaN: nothing is known. An average counts samples alike, in a long window steps. */
export function summaryOf(column: Float64Array, aggregate: Aggregate): number {
  let [sum, count, min, max, last] = [0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN];
  for (const value of column) {
    if (Number.isNaN(value)) continue;
    sum += value;
    count++;
    if (value < min) min = value;
    if (value > max) max = value;
    last = value;
  }
  if (count === 0) return Number.NaN;
  if (aggregate === "min") return min;
  if (aggregate === "max") return max;
  return aggregate === "last" ? last : sum / count;
}

/** @throws Refusal for metrics that can't be added, or not in this aggregate. */
export function refuseSum(metric: Metric, plus: readonly Metric[], aggregate: Aggregate): void {
  for (const [index, { name, unit, kind }] of plus.entries()) {
    if (unit === metric.unit && kind === metric.kind) continue;
    throw new Refusal("invalid", `${name} can't be added to ${metric.name}: it has another unit or kind`, {
      field: `plus.${index}`,
    });
  }
  if (plus.length > 0 && aggregate !== "avg" && aggregate !== "rate") {
    const message = `the ${aggregate} of a sum can't be told from each metric's own: ask for avg or rate, or leave plus out`;
    throw new Refusal("invalid", message, { field: "aggregate" });
  }
}

export type Valued = { member: Member; info: SeriesInfo; value: number };

/** Values of one member and instance added up; without a value: not there. */
function summed(valued: readonly Valued[]): Valued[] {
  const present = valued.filter(({ value }) => Number.isFinite(value));
  const [first] = present;
  if (present.every(({ info }) => info.metric === first?.info.metric)) return present;
  const sums = new Map<string, Valued>();
  for (const one of present) {
    const { cluster, entity, instance } = one.info;
    const key = `${cluster} ${entity} ${instance ?? ""}`;
    const before = sums.get(key);
    sums.set(key, before === undefined ? one : { ...before, value: before.value + one.value });
  }
  return [...sums.values()];
}

/** The first `count` in order, values of one member and instance added up; ties by name of the entity. Without a value: no place. */
export function placesOf(valued: readonly Valued[], count: number, lowest: boolean): { places: Valued[]; ranked: number } {
  const all = summed(valued);
  const sign = lowest ? 1 : -1;
  // Only what may have a place is put in order: few of many, as a rule.
  const ordered = new Float64Array(all.length);
  for (let i = 0; i < all.length; i++) ordered[i] = sign * (all[i] as Valued).value;
  ordered.sort();
  const last = ordered[count - 1] ?? Number.POSITIVE_INFINITY;
  const places = all
    .filter(({ value }) => sign * value <= last)
    .sort((a, b) => sign * (a.value - b.value) || byText(a.info.entity, b.info.entity));
  return { places: places.slice(0, count), ranked: all.length };
}
