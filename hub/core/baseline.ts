import { median, type Point } from "./forecast.ts";

/** What is usual at each hour of the week: the median and the median deviation from it. Two weeks teach it. */
export type Baseline = { medians: Float64Array; mads: Float64Array };

const hourMs = 3_600_000;
const hours = 168;
const learnMs = 14 * 24 * hourMs;

/** Hour of the week, UTC; 0 is Thursday midnight, where the epoch began. */
const hourOfWeek = (at: number) => Math.floor(at / hourMs) % hours;

/** Undefined: less than two weeks are known. An hour that was seen less than twice has no baseline. */
export function learnBaseline(points: readonly Point[]): Baseline | undefined {
  const known = points.filter(({ value }) => Number.isFinite(value));
  const [first, last] = [known[0], known.at(-1)];
  if (first === undefined || last === undefined || last.at - first.at < learnMs - hourMs) return undefined;
  const slots: number[][] = Array.from({ length: hours }, () => []);
  for (const { at, value } of known) slots[hourOfWeek(at)]?.push(value);
  const baseline = { medians: new Float64Array(hours).fill(Number.NaN), mads: new Float64Array(hours).fill(Number.NaN) };
  slots.forEach((values, hour) => {
    if (values.length < 2) return;
    const middle = median(values.sort((a, b) => a - b));
    baseline.medians[hour] = middle;
    baseline.mads[hour] = median(values.map((value) => Math.abs(value - middle)).sort((a, b) => a - b));
  });
  return baseline;
}

/** How many usual deviations `value` is off; NaN where nothing was learnt. A spread below 1 % of the median counts as that. */
export function deviation({ medians, mads }: Baseline, at: number, value: number): number {
  const hour = hourOfWeek(at);
  const middle = medians[hour] as number;
  const spread = Math.max(mads[hour] as number, Math.abs(middle) * 0.01, Number.EPSILON);
  return Math.abs(value - middle) / spread;
}
