import { limits } from "#protocol/limits.ts";

/**
 * Averages of many series over one window, each put together from stretches of samples in order of time: blocks, then rows in memory. What
 * a stretch can't say by its ends and its total is asked for anew, sample by sample (`unclear`): stretches that overlap, counters that
 * were reset or have gaps.
 */
export class WindowAverages {
  private readonly sum: Float64Array;
  /** Samples of gauges; of counters ms. */
  private readonly weight: Float64Array;
  private readonly newestAt: Float64Array;
  private readonly newest: Float64Array;
  private readonly isUnclear: Uint8Array;

  /** `from`: where the window begins; of counters a sample before it is looked at too. */
  constructor(
    readonly series: number,
    private readonly from: number,
  ) {
    this.sum = new Float64Array(series);
    this.weight = new Float64Array(series);
    this.newestAt = new Float64Array(series).fill(Number.NEGATIVE_INFINITY);
    this.newest = new Float64Array(series);
    this.isUnclear = new Uint8Array(series);
  }

  /** `samples` of them between two times, both inclusive, that add up to `total`. */
  addGauge(index: number, firstAt: number, lastAt: number, total: number, samples: number): void {
    if (samples === 0) return;
    if (firstAt <= (this.newestAt[index] as number)) this.isUnclear[index] = 1;
    this.newestAt[index] = lastAt;
    this.sum[index] = (this.sum[index] as number) + total;
    this.weight[index] = (this.weight[index] as number) + samples;
  }

  /** Samples without gap or reset between two times, both inclusive; of those before the window at most the last one. */
  addCounter(index: number, firstAt: number, lastAt: number, first: number, last: number): void {
    const before = this.newestAt[index] as number;
    const begins = before === Number.NEGATIVE_INFINITY || (firstAt > before && firstAt < this.from);
    if (begins) this.add(index, last - first, lastAt - firstAt);
    else if (firstAt <= before || firstAt - before > limits.staleAfterMs || first < (this.newest[index] as number)) {
      this.isUnclear[index] = 1;
    } else this.add(index, last - (this.newest[index] as number), lastAt - before);
    this.newestAt[index] = lastAt;
    this.newest[index] = last;
  }

  private add(index: number, increase: number, ms: number): void {
    this.sum[index] = (this.sum[index] as number) + increase * 1000;
    this.weight[index] = (this.weight[index] as number) + ms;
  }

  /** The average of this series has to be found sample by sample. */
  markUnclear(index: number): void {
    this.isUnclear[index] = 1;
  }

  /** Series whose average this can't tell, ascending. */
  unclear(): number[] {
    const found: number[] = [];
    for (let index = 0; index < this.series; index++) if (this.isUnclear[index] === 1) found.push(index);
    return found;
  }

  /** In scaled units, of counters per second; NaN: no sample. */
  average(index: number): number {
    return (this.sum[index] as number) / (this.weight[index] as number);
  }
}

/** What consecutive rows of one column say of it: of a gauge what it adds up to, of a counter where it begins and ends. */
export type Stretch = {
  /** Rows that have a value. */
  samples: number;
  /** Sum of these. */
  total: number;
  first: number;
  last: number;
  /** No value is absent, and none less than the one before. */
  isSteady: boolean;
};

/** Rows [from, to) of a column, NaN = absent, into `out`. */
export function stretchOf(values: Float64Array, from: number, to: number, out: Stretch): void {
  let samples = 0;
  let total = 0;
  let isSteady = true;
  let before = Number.NEGATIVE_INFINITY;
  for (let row = from; row < to; row++) {
    const value = values[row] as number;
    if (!(value >= before)) isSteady = false;
    before = value;
    if (Number.isNaN(value)) continue;
    total += value;
    samples++;
  }
  out.samples = samples;
  out.total = total;
  out.first = values[from] as number;
  out.last = values[to - 1] as number;
  out.isSteady = isSteady;
}

/** Whether no two neighbours of the times [from, to) are so far apart that there is no rate between them. */
export function hasNoGap(times: Float64Array, from: number, to: number): boolean {
  for (let row = from + 1; row < to; row++) {
    if ((times[row] as number) - (times[row - 1] as number) > limits.staleAfterMs) return false;
  }
  return true;
}
