import type { BlockLayout } from "./block.ts";
import { type Cursor, columnCapacity, decodeColumn, encodeColumn } from "./column.ts";
import { firstAtOrAfter, ratesOf, type Track } from "./sampling.ts";

/** A rollup holds a UTC day in steps of 15 minutes. */
export const rollupStepMs = 900_000;
export const rollupDayMs = 86_400_000;
export const rollupRows = rollupDayMs / rollupStepMs;

/** One series' day: number, average, least and greatest of its samples (gauges) or per-sample rates (counters), in scaled units. */
export type RollupDay = { count: Float64Array; avg: Float64Array; min: Float64Array; max: Float64Array };

export const emptyRollup = (): RollupDay => ({
  count: new Float64Array(rollupRows),
  avg: new Float64Array(rollupRows),
  min: new Float64Array(rollupRows),
  max: new Float64Array(rollupRows),
});

/** Used again for each series: megabytes of short-lived arrays would wait for the garbage collector. */
let rates = new Float64Array(512);

/** Rolls up what the track holds of the day that begins at `dayStart`; samples before it serve the first rate only. */
export function rollUp(track: Track, counter: boolean, dayStart: number, out: RollupDay): void {
  const { count, avg, min, max } = out;
  count.fill(0);
  avg.fill(0);
  min.fill(Number.POSITIVE_INFINITY);
  max.fill(Number.NEGATIVE_INFINITY);
  if (rates.length < track.length) rates = new Float64Array(track.length);
  const values = counter ? ratesOf(track, true, rates) : track.values;
  const { at } = track;
  const end = firstAtOrAfter(at, track.length, dayStart + rollupDayMs);
  // Of counters the average is the increase over the time covered: `seconds` is its weight.
  const seconds = new Float64Array(rollupRows);
  for (let i = firstAtOrAfter(at, track.length, dayStart); i < end; i++) {
    const value = values[i] as number;
    if (Number.isNaN(value)) continue;
    const row = Math.floor(((at[i] as number) - dayStart) / rollupStepMs);
    const weight = counter ? (at[i] as number) - (at[i - 1] as number) : 1;
    count[row] = (count[row] as number) + 1;
    avg[row] = (avg[row] as number) + value * weight;
    seconds[row] = (seconds[row] as number) + weight;
    if (value < (min[row] as number)) min[row] = value;
    if (value > (max[row] as number)) max[row] = value;
  }
  for (let row = 0; row < rollupRows; row++) {
    if (count[row] !== 0) avg[row] = (avg[row] as number) / (seconds[row] as number);
  }
}

/**
 * Late samples make a step anew from what raw data is still there. The fuller of two rollups of one step is kept, so that doing it again,
 * or after part of the raw data aged out, loses nothing.
 */
export function keepFuller(target: RollupDay, other: RollupDay): void {
  for (let row = 0; row < rollupRows; row++) {
    if ((other.count[row] as number) <= (target.count[row] as number)) continue;
    for (const key of ["count", "avg", "min", "max"] as const) target[key][row] = other[key][row] as number;
  }
}

const stepsPerOctave = 128;
const leastExponent = -12;

/**
 * A number as an integer whose steps are 1/128 of an octave apart: within 0.4 % of the number (nothing below 2^−12 but 0), in the same
 * order as the numbers. Integers up to 255 are exact.
 */
export function quantise(value: number): number {
  const size = Math.abs(value);
  if (size < 2 ** leastExponent) return 0;
  const exponent = Math.floor(Math.log2(size));
  const steps = Math.round((size / 2 ** exponent - 1) * stepsPerOctave);
  const code = (exponent - leastExponent) * stepsPerOctave + steps + 1;
  return value < 0 ? -code : code;
}

/** What each code stands for: a year's chart restores 100,000 of them. */
const sizes = Float64Array.from({ length: (64 - leastExponent) * stepsPerOctave }, (_, code) => {
  const exponent = Math.floor((code - 1) / stepsPerOctave);
  return code === 0 ? 0 : 2 ** (exponent + leastExponent) * (1 + (code - 1 - exponent * stepsPerOctave) / stepsPerOctave);
});

/** The number that a code of quantise stands for. */
export function restore(code: number): number {
  return code < 0 ? -(sizes[-code] as number) : (sizes[code] as number);
}

/** What one series' rollup may take in bytes. */
export const rollupCapacity = 4 * columnCapacity(rollupRows) + 8;

/** As it stands in a block: head · counts · averages [· average − least · greatest − average]. Head 1: exact integers that never differ within a step. */
const exact = 1;
const codes = new Float64Array(rollupRows);
const lower = new Float64Array(rollupRows);
const upper = new Float64Array(rollupRows);

/** Writes a day at `position` of `out`, which has room for rollupCapacity bytes behind it; returns the position behind. */
export function encodeRollup(day: RollupDay, out: Uint8Array, position: number): number {
  const { count, avg, min, max } = day;
  let isExact = true;
  for (let row = 0; row < rollupRows && isExact; row++) {
    if (count[row] === 0) continue;
    isExact =
      min[row] === max[row] && min[row] === avg[row] && Number.isInteger(avg[row]) && Math.abs(avg[row] as number) < 2 ** 51;
  }
  out[position] = isExact ? exact : 0;
  let p = encodeColumn(count, 0, 1, rollupRows, out, position + 1);
  for (let row = 0; row < rollupRows; row++) {
    const none = count[row] === 0;
    codes[row] = none ? Number.NaN : isExact ? (avg[row] as number) : quantise(avg[row] as number);
    // Rounding may put the average's code beyond the extremes' by one: never below zero here.
    lower[row] = none || isExact ? Number.NaN : Math.max(0, (codes[row] as number) - quantise(min[row] as number));
    upper[row] = none || isExact ? Number.NaN : Math.max(0, quantise(max[row] as number) - (codes[row] as number));
  }
  p = encodeColumn(codes, 0, 1, rollupRows, out, p);
  if (isExact) return p;
  return encodeColumn(upper, 0, 1, rollupRows, out, encodeColumn(lower, 0, 1, rollupRows, out, p));
}

/** Rows with count 0 have no meaningful average. */
export function decodeRollup(bytes: Uint8Array, position: number, out: RollupDay): void {
  const cursor: Cursor = { bytes, position: position + 1 };
  const { count, avg, min, max } = out;
  decodeColumn(cursor, rollupRows, count);
  decodeColumn(cursor, rollupRows, avg);
  if (bytes[position] === exact) {
    min.set(avg);
    max.set(avg);
    return;
  }
  decodeColumn(cursor, rollupRows, min);
  decodeColumn(cursor, rollupRows, max);
  for (let row = 0; row < rollupRows; row++) {
    const code = avg[row] as number;
    min[row] = restore(code - (min[row] as number));
    max[row] = restore(code + (max[row] as number));
    avg[row] = restore(code);
  }
}

/** One series' day. False: its column is damaged, and the day has no samples. */
export function readRollup(bytes: Uint8Array, block: BlockLayout, position: number, out: RollupDay): boolean {
  try {
    if (block.isWhole(position)) {
      decodeRollup(bytes, block.columnAt(position), out);
      return true;
    }
  } catch {
    // A damaged column without a sum may not look like one.
  }
  out.count.fill(0);
  return false;
}
