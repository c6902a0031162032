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
        label: beforeLabel(label, t),
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

/** Smaller changes are none. */
const sameWithin = 0.02;

/** What a line is compared with: undefined, where it isn't. */
export const lineBefore = (line: ChartLine, lines: readonly ChartLine[], t: Translate): ChartLine | undefined =>
  lines.find(({ style, label }) => style === "before" && label === beforeLabel(line.label, t));

const beforeLabel = (what: string, t: Translate) => t("{what}, a week before", { what });

/** How the mean changed: `mean +10 %`. Of nothing before no share can be told. Undefined: nothing can be compared. */
export function changeText(now: Column, before: Column, unit: DisplayUnit, t: Translate): string | undefined {
  const means = meansOf(now, before);
  if (means === undefined) return undefined;
  const same = formatValue(means.before, unit) === formatValue(means.now, unit);
  if (same || Math.abs(means.now / means.before - 1) < sameWithin) return t("mean unchanged");
  if (means.before === 0)
    return t("mean {now}, was {before}", { now: formatValue(means.now, unit), before: formatValue(0, unit) });
  const change = means.now / means.before - 1;
  return t("mean {change}", { change: `${change > 0 ? "+" : "−"}${Math.round(Math.abs(change) * 100)} %` });
}
