import { type ChartLine, type ChartSpec, knownLines } from "./charts.ts";
import type { Grid } from "./columns.ts";
import type { Translate } from "./text.ts";

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
