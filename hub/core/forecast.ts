/** When something will be full, told as a range, or that there is no trend. Times in ms, values in any unit. */

export type Point = { at: number; value: number };
export type Forecast =
  | { trend: "none"; why: "too-short" | "too-few" | "not-significant" | "not-growing" }
  | {
      trend: "growing";
      /** Value a day. */
      perDay: number;
      /** Days from the newest point until `capacity`, and the range that nine of ten such series stay in. */
      days: number;
      daysEarliest: number;
      daysLatest: number;
      /** Where the fit begins: after the newest step. */
      from: number;
    };

const dayMs = 86_400_000;
/** Less history says nothing. */
const spanMinMs = 7 * dayMs;
const pointsMin = 20;
/** Pairs grow with the square: more points are thinned first. */
const pointsMax = 300;
/** Two-sided 5 %: a trend that chance would make once in twenty is none. */
const zSignificant = 1.96;
const zRange = 1.645;

/**
 * Slope by Theil–Sen (the median over all pairs: one-off copies do not bend it), judged by Mann–Kendall (ties counted), range from the ranks of
 * the slopes (Sen 1968). A step — a big copy, a clean-up — begins the fit anew.
 */
export function forecastFull(points: readonly Point[], capacity: number): Forecast {
  const known = thin(afterStep(points.filter(({ value }) => Number.isFinite(value))));
  const [first, last] = [known[0], known.at(-1)];
  if (first === undefined || last === undefined || last.at - first.at < spanMinMs) return { trend: "none", why: "too-short" };
  if (known.length < pointsMin) return { trend: "none", why: "too-few" };
  const slopes: number[] = [];
  let score = 0;
  for (let i = 0; i < known.length; i++) {
    for (let j = i + 1; j < known.length; j++) {
      const [a, b] = [known[i] as Point, known[j] as Point];
      slopes.push((b.value - a.value) / (b.at - a.at));
      score += Math.sign(b.value - a.value);
    }
  }
  const spread = Math.sqrt(kendallVariance(known));
  if (spread === 0 || (Math.abs(score) - 1) / spread < zSignificant) return { trend: "none", why: "not-significant" };
  slopes.sort((a, b) => a - b);
  const middle = slopes.length / 2;
  const width = (zRange * spread) / 2;
  const at = (rank: number) => slopes[Math.min(slopes.length - 1, Math.max(0, Math.round(rank)))] as number;
  const slope = median(slopes);
  if (slope <= 0) return { trend: "none", why: "not-growing" };
  const left = capacity - level(known, slope);
  const daysAt = (one: number) => (one <= 0 ? Number.POSITIVE_INFINITY : Math.max(0, left / one / dayMs));
  return {
    trend: "growing",
    perDay: slope * dayMs,
    days: daysAt(slope),
    daysEarliest: daysAt(at(middle + width)),
    daysLatest: daysAt(at(middle - width)),
    from: first.at,
  };
}

/** Value at the newest point, by the line: the median of what each point says. */
function level(points: readonly Point[], slope: number): number {
  const last = points.at(-1)?.at ?? 0;
  return median(points.map(({ at, value }) => value + slope * (last - at)).sort((a, b) => a - b));
}

/** Variance of Mann–Kendall's S; equal values lower it. */
function kendallVariance(points: readonly Point[]): number {
  const n = points.length;
  const groups = new Map<number, number>();
  for (const { value } of points) groups.set(value, (groups.get(value) ?? 0) + 1);
  let variance = n * (n - 1) * (2 * n + 5);
  for (const ties of groups.values()) variance -= ties * (ties - 1) * (2 * ties + 5);
  return variance / 18;
}

/** What follows the newest step: a change between two points many times the usual one, that stayed. */
function afterStep(points: readonly Point[]): readonly Point[] {
  if (points.length < pointsMin) return points;
  const changes = points.slice(1).map(({ value }, index) => value - (points[index] as Point).value);
  const usual = median(changes.map(Math.abs).sort((a, b) => a - b));
  const total = Math.abs((points.at(-1) as Point).value - (points[0] as Point).value);
  for (let i = changes.length - 1; i >= 0; i--) {
    const size = Math.abs(changes[i] as number);
    // Growth itself comes in small changes; a step is large against them and against the whole.
    if (size > 20 * usual && size > total * 0.2 && stayed(points, i, changes[i] as number)) return points.slice(i + 1);
  }
  return points;
}

function stayed(points: readonly Point[], index: number, change: number): boolean {
  const before = (points[index] as Point).value;
  const later = points.slice(index + 1, index + 13).map(({ value }) => value - before);
  return (
    later.length >= 6 && later.every((moved) => Math.sign(moved) === Math.sign(change) && Math.abs(moved) > Math.abs(change) / 2)
  );
}

function thin(points: readonly Point[]): readonly Point[] {
  const every = Math.ceil(points.length / pointsMax);
  return every <= 1 ? points : points.filter((_, index) => (points.length - 1 - index) % every === 0);
}

/** Of sorted numbers. */
export function median(sorted: readonly number[]): number {
  const middle = Math.floor(sorted.length / 2);
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? (sorted[middle] as number) : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}
