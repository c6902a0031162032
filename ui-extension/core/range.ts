/** Ranges that have a button, and the step their charts are asked in: 168 to 732 points, never finer than two samples a step. */
const presets = {
  "1h": { lengthMs: 3_600_000, stepMs: 20_000 },
  "24h": { lengthMs: 86_400_000, stepMs: 120_000 },
  "7d": { lengthMs: 7 * 86_400_000, stepMs: 900_000 },
  "30d": { lengthMs: 30 * 86_400_000, stepMs: 3_600_000 },
  "1y": { lengthMs: 366 * 86_400_000, stepMs: 43_200_000 },
} as const;

export type RangeName = keyof typeof presets;
/** Up to now (`1h`, `90min`, `3d`), or between two moments (`1763884800000-1763888400000`, ms since the Unix epoch). */
export type Range = RangeName | `${number}${"min" | "h" | "d" | "y"}` | `${number}-${number}`;

export const rangeNames = Object.keys(presets) as readonly RangeName[];
export const isRangeName = (name: string): name is RangeName => Object.hasOwn(presets, name);

const unitMs: Readonly<Record<string, number>> = { min: 60_000, h: 3_600_000, d: 86_400_000, y: 366 * 86_400_000 };
const lengthMinMs = 300_000;
const lengthMaxMs = 2 * 366 * 86_400_000;
/** Each divides a week, so that a week before has the same steps. */
const steps = [20_000, 60_000, 120_000, 300_000, 900_000, 3_600_000, 10_800_000, 43_200_000, 86_400_000];
const stepLongestMs = 86_400_000;
const pointsMax = 750;

/** `live`: it ends now, and goes on. */
type Span = { from: number; to: number; live: boolean };

/** Undefined: no range, or one shorter than five minutes or longer than two years. */
function spanOf(range: string, now: number): Span | undefined {
  const between = /^(\d{1,15})-(\d{1,15})$/.exec(range);
  if (between !== null) return within({ from: Number(between[1]), to: Number(between[2]), live: false });
  const length = lengthOf(range);
  return length === undefined ? undefined : within({ from: now - length, to: now, live: true });
}

function lengthOf(range: string): number | undefined {
  if (isRangeName(range)) return presets[range].lengthMs;
  const [, count = "", unit = ""] = /^([1-9]\d{0,4})(min|h|d|y)$/.exec(range) ?? [];
  return count === "" ? undefined : Number(count) * (unitMs[unit] ?? 0);
}

const within = (span: Span) => {
  const length = span.to - span.from;
  return length >= lengthMinMs && length <= lengthMaxMs ? span : undefined;
};

export const isRange = (text: string): text is Range => spanOf(text, lengthMaxMs) !== undefined;

/** What a user types: `6h`, `90 min`, `3 days`, `2 w`. Undefined: none of that. */
export function typedRange(text: string): Range | undefined {
  const [, count = "", word = ""] = /^(\d{1,5})\s*([a-z]+)$/.exec(text.trim().toLowerCase()) ?? [];
  const unit = units.find(([pattern]) => pattern.test(word));
  if (count === "" || unit === undefined) return undefined;
  const range = `${Number(count) * unit[2]}${unit[1]}`;
  return isRange(range) ? range : undefined;
}
/** English and Italian. */
const units: readonly [RegExp, "min" | "h" | "d" | "y", number][] = [
  [/^(m|min|mins|minutes?|minut[oi])$/, "min", 1],
  [/^(h|hours?|or[ae])$/, "h", 1],
  [/^(d|days?|g|giorn[oi])$/, "d", 1],
  [/^(w|weeks?|settiman[ae])$/, "d", 7],
  [/^(y|years?|ann[oi])$/, "y", 1],
];

/** The range between two moments in any order; undefined: they are too near or too far. */
export function rangeBetween(a: number, b: number): Range | undefined {
  const range = `${Math.round(Math.min(a, b))}-${Math.round(Math.max(a, b))}`;
  return isRange(range) ? range : undefined;
}

export const isLive = (range: Range): boolean => spanOf(range, 0)?.live !== false;

export type RangeWindow = { from: number; to: number; stepMs: number };

/** From–to on whole steps, the running step included, so that two queries of one step give the same columns. */
export function windowOf(range: Range, now: number): RangeWindow {
  const span = spanOf(range, now) ?? { from: now - presets["1h"].lengthMs, to: now, live: true };
  const length = span.to - span.from;
  const stepMs = isRangeName(range) ? presets[range].stepMs : stepFor(length);
  const to = (Math.floor(span.to / stepMs) + 1) * stepMs;
  return { from: to - Math.ceil(length / stepMs) * stepMs, to, stepMs };
}

const stepFor = (lengthMs: number) => steps.find((step) => lengthMs / step <= pointsMax) ?? stepLongestMs;

/** The window that only asks for what came since `known`, the start of the newest known step (asked again, as it may have grown). */
export function tailWindow(window: RangeWindow, known: number): RangeWindow {
  return { ...window, from: Math.max(window.from, known - window.stepMs) };
}

/** Nearer to or farther from a moment: half or double the length, the moment kept where it is. Undefined: no further. */
export function zoomed({ from, to }: RangeWindow, at: number, direction: "in" | "out", now: number): Range | undefined {
  const factor = direction === "in" ? 0.5 : 2;
  const [left, right] = [at - (at - from) * factor, Math.min(now, at + (to - at) * factor)];
  return rangeBetween(left, right);
}
