/** A range of history and the step its charts are asked in: 168 to 732 points, never finer than two samples a step. */
const ranges = {
  "1h": { lengthMs: 3_600_000, stepMs: 20_000 },
  "24h": { lengthMs: 86_400_000, stepMs: 120_000 },
  "7d": { lengthMs: 7 * 86_400_000, stepMs: 900_000 },
  "30d": { lengthMs: 30 * 86_400_000, stepMs: 3_600_000 },
  "1y": { lengthMs: 366 * 86_400_000, stepMs: 43_200_000 },
} as const;

export type RangeName = keyof typeof ranges;
export const rangeNames = Object.keys(ranges) as readonly RangeName[];
export const isRangeName = (name: string): name is RangeName => Object.hasOwn(ranges, name);

export type RangeWindow = { from: number; to: number; stepMs: number };

/** From–to on whole steps, the running step included, so that two queries of one step give the same columns. */
export function windowOf(range: RangeName, now: number): RangeWindow {
  const { lengthMs, stepMs } = ranges[range];
  const to = (Math.floor(now / stepMs) + 1) * stepMs;
  return { from: to - lengthMs, to, stepMs };
}

/** The window that only asks for what came since `known`, the start of the newest known step (asked again, as it may have grown). */
export function tailWindow(window: RangeWindow, known: number): RangeWindow {
  return { ...window, from: Math.max(window.from, known - window.stepMs) };
}
