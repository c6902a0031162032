import { type ChartLine, type ChartSpec, knownLines } from "./charts.ts";
import { type Column, type Grid, meanOf } from "./columns.ts";
import type { Translate } from "./text.ts";
import { type DisplayUnit, formatValue } from "./units.ts";

/** What charts are compared with: the same hours of the week before. Every step of a range divides it. */
export const comparedMs = 7 * 86_400_000;

/** A chart's lines, and those of the week before where that was asked for. Limits (dashed) are drawn once: they would hide one another. */
export function comparedLines(chart: ChartSpec, grid: Grid, before: Grid | undefined, t: Translate): ChartLine[] {
  const now = knownLines(chart.lines(grid));
  if (before === undefined) return now;
  const then = knownLines(chart.lines(before))
    .filter((line) => line.style !== "dashed")
    .map(
      ({ label, colour, values }): ChartLine => ({
        label: t("{what}, a week before", { what: label }),
        colour,
        style: "before",
        values,
      }),
    );
  return [...now, ...then];
}

/** Means over the steps in which both are known: a gap on one side must not look like a change. Undefined: there is no such step. */
export function meansOf(now: Column, before: Column): { now: number; before: number } | undefined {
  const both = now.map((value, index) => value !== null && (before[index] ?? null) !== null);
  const meanWhere = (column: Column) => meanOf(column.map((value, index) => (both[index] === true ? value : null)));
  const [a, b] = [meanWhere(now), meanWhere(before)];
  return a === undefined || b === undefined ? undefined : { now: a, before: b };
}

/** Changes smaller than this are none. */
const sameWithin = 0.02;

/** A comparison in figures: `mean 41 % → 45 % (+10 %)`; of nothing before no share can be told. Undefined: nothing can be compared. */
export function changeText(line: ChartLine, lines: readonly ChartLine[], unit: DisplayUnit, t: Translate): string | undefined {
  const earlier = lines.find(
    ({ style, label }) => style === "before" && label === t("{what}, a week before", { what: line.label }),
  );
  const means = earlier === undefined ? undefined : meansOf(line.values, earlier.values);
  if (means === undefined) return undefined;
  const values = { before: formatValue(means.before, unit), now: formatValue(means.now, unit) };
  const change = means.before === 0 ? undefined : means.now / means.before - 1;
  if (change === undefined) return t("mean {before} → {now}", values);
  if (Math.abs(change) < sameWithin) return t("mean {now}, as a week before", values);
  const percent = `${change > 0 ? "+" : "−"}${Math.round(Math.abs(change) * 100)} %`;
  return t("mean {before} → {now} ({change})", { ...values, change: percent });
}
