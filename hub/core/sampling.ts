import type { Aggregate } from "#protocol/api.ts";
import { limits } from "#protocol/limits.ts";
import type { Metric } from "#protocol/metrics.ts";

/** Present samples of one series in order of time, as the store holds them: scaled integers. Grows; only the first `length` count. */
export class Track {
  at: Float64Array;
  values: Float64Array;
  length = 0;
  /** False: something older than the newest was added; `settle` puts it right. */
  private ordered = true;

  /** `expected`: about how many samples will come. */
  constructor(expected = 64) {
    this.at = new Float64Array(expected);
    this.values = new Float64Array(expected);
  }

  clear(): void {
    this.length = 0;
    this.ordered = true;
  }

  reserve(more: number): void {
    const need = this.length + more;
    if (need <= this.at.length) return;
    const size = Math.max(need, this.at.length * 2);
    const at = new Float64Array(size);
    const values = new Float64Array(size);
    at.set(this.at.subarray(0, this.length));
    values.set(this.values.subarray(0, this.length));
    this.at = at;
    this.values = values;
  }

  /** Adds the rows [from, to) whose value is present. `values[row * stride + column]`. */
  add(times: Float64Array, values: Float64Array, from: number, to: number, stride = 1, column = 0): void {
    if (to <= from) return;
    this.reserve(to - from);
    const { at: outAt, values: outValues } = this;
    let n = this.length;
    if (n > 0 && (times[from] as number) <= (outAt[n - 1] as number)) this.ordered = false;
    for (let row = from, i = from * stride + column; row < to; row++, i += stride) {
      const value = values[i] as number;
      outAt[n] = times[row] as number;
      outValues[n] = value;
      if (!Number.isNaN(value)) n++;
    }
    this.length = n;
  }

  /** Sorts by time and drops samples of a time that an earlier added one has. What was added are a few ascending runs: they are merged. */
  settle(): void {
    if (this.ordered) return;
    this.ordered = true;
    for (let end = this.runEnd(0); end < this.length; ) end = this.mergeRun(end, this.runEnd(end));
  }

  /** Where the ascending run that begins at `start` ends. */
  private runEnd(start: number): number {
    let end = start + 1;
    while (end < this.length && (this.at[end] as number) > (this.at[end - 1] as number)) end++;
    return end;
  }

  /** Merges the samples [0, middle) with those of [middle, end); returns where what comes behind stands then. */
  private mergeRun(middle: number, end: number): number {
    const { at, values } = this;
    const first = firstAtOrAfter(at, middle, at[middle] as number);
    const times = at.slice(first, middle);
    const earlier = values.slice(first, middle);
    let n = first;
    for (let i = 0, j = middle; i < times.length || j < end; n++) {
      const time = i < times.length ? (times[i] as number) : Number.POSITIVE_INFINITY;
      const isLater = j < end && (at[j] as number) < time;
      if (!isLater && j < end && at[j] === time) j++;
      at[n] = isLater ? (at[j] as number) : time;
      values[n] = isLater ? (values[j++] as number) : (earlier[i++] as number);
    }
    at.copyWithin(n, end, this.length);
    values.copyWithin(n, end, this.length);
    this.length -= end - n;
    return n;
  }
}

/** source[from … to) in another unit. */
export function scaledDown(source: Float64Array, from: number, to: number, scale: number): Float64Array {
  const out = new Float64Array(to - from);
  for (let i = from; i < to; i++) out[i - from] = (source[i] as number) / scale;
  return out;
}

/** First index whose time is not before `time`. */
export function firstAtOrAfter(at: Float64Array, length: number, time: number): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((at[middle] as number) < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Change per second from the sample before to each sample, in scaled units; NaN for the first, behind a gap and at most resets. A gap is
 * longer than limits.staleAfterMs and than three times the shorter of the intervals beside it, so that coarse history is none. A counter
 * that fell was reset: what it counted since then is its rate, if that is no faster than it was just before; else it's a glitch of the
 * source or unknowable, and NaN. `room`, where it is given and long enough, takes the answer.
 */
export function ratesOf(track: Track, counter: boolean, room?: Float64Array): Float64Array {
  const { at, values, length } = track;
  const rates = room !== undefined && room.length >= length ? room : new Float64Array(length);
  if (length > 0) rates[0] = Number.NaN;
  let intervalBefore = Number.POSITIVE_INFINITY;
  let known = Number.NaN;
  for (let i = 1; i < length; i++) {
    const interval = (at[i] as number) - (at[i - 1] as number);
    let allowed: number = limits.staleAfterMs;
    if (interval > allowed) {
      const next = i + 1 < length ? (at[i + 1] as number) - (at[i] as number) : Number.POSITIVE_INFINITY;
      const beside = Math.min(intervalBefore, next);
      allowed = Math.max(allowed, beside === Number.POSITIVE_INFINITY ? 0 : 3 * beside);
    }
    intervalBefore = interval;
    if (interval > allowed) {
      rates[i] = known = Number.NaN;
      continue;
    }
    const value = values[i] as number;
    let rate = ((value - (values[i - 1] as number)) * 1000) / interval;
    if (counter && rate < 0) {
      rate = (value * 1000) / interval;
      if (!(rate <= known)) rate = Number.NaN;
    }
    rates[i] = known = rate;
  }
  return rates;
}

/** Rows of a rollup; those with count 0 say nothing. */
type RolledUp = { count: Float64Array; avg: Float64Array; min: Float64Array; max: Float64Array };

/** Averages, extremes and last values of consecutive steps from `start` on. Takes samples and rollups alike. */
export class Buckets {
  readonly sum: Float64Array;
  readonly weight: Float64Array;
  readonly min: Float64Array;
  readonly max: Float64Array;
  readonly last: Float64Array;
  readonly rateSum: Float64Array;
  readonly rateWeight: Float64Array;

  constructor(
    readonly start: number,
    readonly stepMs: number,
    readonly count: number,
  ) {
    this.sum = new Float64Array(count);
    this.weight = new Float64Array(count);
    this.min = new Float64Array(count).fill(Number.POSITIVE_INFINITY);
    this.max = new Float64Array(count).fill(Number.NEGATIVE_INFINITY);
    this.last = new Float64Array(count).fill(Number.NaN);
    this.rateSum = new Float64Array(count);
    this.rateWeight = new Float64Array(count);
  }

  /** Samples of a gauge: those of one step stand together, and are added up before they go in. */
  private addGauges({ at, values }: Track, from: number, to: number): void {
    const { start, stepMs, count } = this;
    for (let i = from; i < to; ) {
      const bucket = Math.floor(((at[i] as number) - start) / stepMs);
      const endAt = start + (bucket + 1) * stepMs;
      const first = i;
      let sum = 0;
      let least = Number.POSITIVE_INFINITY;
      let greatest = Number.NEGATIVE_INFINITY;
      for (; i < to && (at[i] as number) < endAt; i++) {
        const value = values[i] as number;
        sum += value;
        if (value < least) least = value;
        if (value > greatest) greatest = value;
      }
      if (bucket < 0 || bucket >= count) continue;
      this.sum[bucket] = (this.sum[bucket] as number) + sum;
      this.weight[bucket] = (this.weight[bucket] as number) + i - first;
      if (least < (this.min[bucket] as number)) this.min[bucket] = least;
      if (greatest > (this.max[bucket] as number)) this.max[bucket] = greatest;
      this.last[bucket] = values[i - 1] as number;
    }
  }

  /** Samples of a gauge, or rates of a counter where `rates` is given: weighted by the time that each covers. */
  addSamples(track: Track, from: number, to: number, rates: Float64Array | undefined, counter: boolean): void {
    if (rates === undefined) {
      this.addGauges(track, from, to);
      return;
    }
    const { at, values } = track;
    const { start, stepMs, count, sum, weight, min, max, last } = this;
    for (let i = from; i < to; i++) {
      const bucket = Math.floor(((at[i] as number) - start) / stepMs);
      if (bucket < 0 || bucket >= count) continue;
      const rate = rates[i] as number;
      if (!Number.isNaN(rate)) {
        const seconds = ((at[i] as number) - (at[i - 1] as number)) / 1000;
        this.rateSum[bucket] = (this.rateSum[bucket] as number) + rate * seconds;
        this.rateWeight[bucket] = (this.rateWeight[bucket] as number) + seconds;
      }
      const value = counter ? rate : (values[i] as number);
      if (Number.isNaN(value)) continue;
      sum[bucket] = (sum[bucket] as number) + value;
      weight[bucket] = (weight[bucket] as number) + 1;
      if (value < (min[bucket] as number)) min[bucket] = value;
      if (value > (max[bucket] as number)) max[bucket] = value;
      last[bucket] = value;
    }
  }

  /**
   * Rows [from, to) of a rollup whose row 0 begins at `begin`, each `rowMs` long: a row counts where its middle is. Those of one step stand
   * together, and are added up before they go in.
   */
  addRollups({ count, avg, min, max }: RolledUp, from: number, to: number, begin: number, rowMs: number, counter: boolean): void {
    for (let row = from; row < to; ) {
      const bucket = Math.floor((begin + (row + 0.5) * rowMs - this.start) / this.stepMs);
      const end = Math.min(to, Math.ceil((this.start + (bucket + 1) * this.stepMs - begin) / rowMs - 0.5));
      let sum = 0;
      let weight = 0;
      let least = Number.POSITIVE_INFINITY;
      let greatest = Number.NEGATIVE_INFINITY;
      let last = Number.NaN;
      for (; row < end; row++) {
        const samples = count[row] as number;
        if (samples === 0) continue;
        last = avg[row] as number;
        sum += last * samples;
        weight += samples;
        if ((min[row] as number) < least) least = min[row] as number;
        if ((max[row] as number) > greatest) greatest = max[row] as number;
      }
      if (weight === 0 || bucket < 0 || bucket >= this.count) continue;
      this.sum[bucket] = (this.sum[bucket] as number) + sum;
      this.weight[bucket] = (this.weight[bucket] as number) + weight;
      if (least < (this.min[bucket] as number)) this.min[bucket] = least;
      if (greatest > (this.max[bucket] as number)) this.max[bucket] = greatest;
      this.last[bucket] = last;
      if (!counter) continue;
      const seconds = limits.sampleEveryMs / 1000;
      this.rateSum[bucket] = (this.rateSum[bucket] as number) + sum * seconds;
      this.rateWeight[bucket] = (this.rateWeight[bucket] as number) + weight * seconds;
    }
  }

  /** Finer steps of a gauge, of which each lies in one of these and none is before the first. */
  addSteps(finer: Buckets): void {
    const { sum, weight, min, max, last, count } = this;
    for (let i = 0; i < finer.count; i++) {
      const bucket = Math.floor((finer.start + i * finer.stepMs - this.start) / this.stepMs);
      const samples = finer.weight[i] as number;
      if (samples === 0 || bucket >= count) continue;
      sum[bucket] = (sum[bucket] as number) + (finer.sum[i] as number);
      weight[bucket] = (weight[bucket] as number) + samples;
      if ((finer.min[i] as number) < (min[bucket] as number)) min[bucket] = finer.min[i] as number;
      if ((finer.max[i] as number) > (max[bucket] as number)) max[bucket] = finer.max[i] as number;
      last[bucket] = finer.last[i] as number;
    }
  }

  /** A column in the metric's unit; NaN: no sample in that step. For counters avg is the increase over the time covered. */
  column(aggregate: Aggregate, metric: Metric): Float64Array {
    const { count } = this;
    const out = new Float64Array(count);
    const ofTime = aggregate === "rate" || (aggregate === "avg" && metric.kind === "counter");
    const weight = ofTime ? this.rateWeight : this.weight;
    const sum = ofTime ? this.rateSum : this.sum;
    const plain = aggregate === "min" ? this.min : aggregate === "max" ? this.max : this.last;
    const averaged = ofTime || aggregate === "avg";
    for (let i = 0; i < count; i++) {
      if (weight[i] === 0) out[i] = Number.NaN;
      else out[i] = (averaged ? (sum[i] as number) / (weight[i] as number) : (plain[i] as number)) / metric.scale;
    }
    return out;
  }
}
