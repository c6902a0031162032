import type { WindowKind } from "./rule.ts";

/** Points kept per window, whatever its length: older ones thin out evenly. */
const pointsMax = 240;

/**
 * The last `ms` of one series, for rules about an average, a change or an increase. Fixed memory: of long windows one sample per slice is
 * kept, and minimum, maximum and sum of the slice with it.
 */
export class SampleWindow {
  private readonly at = new Float64Array(pointsMax + 1);
  private readonly first = new Float64Array(pointsMax + 1);
  private readonly low = new Float64Array(pointsMax + 1);
  private readonly high = new Float64Array(pointsMax + 1);
  private readonly sum = new Float64Array(pointsMax + 1);
  private readonly count = new Float64Array(pointsMax + 1);
  private head = 0;
  private size = 0;
  private last = Number.NaN;
  /** Growth so far, resets left out. */
  private grown = 0;
  private startedAt = Number.NaN;

  constructor(
    readonly kind: WindowKind,
    readonly ms: number,
  ) {}

  /** Takes a sample and returns the window's figure; NaN until there is enough of it: half of an average's span, all of a change's. */
  push(value: number, at: number): number {
    if (this.size === 0) this.startedAt = at;
    if (this.kind === "increase" && value > this.last) this.grown += value - this.last;
    this.last = value;
    this.store(this.kind === "increase" ? this.grown : value, at);
    while (this.size > 1 && (this.at[this.slot(1)] as number) <= at - this.ms) this.size--;
    return this.figure(at);
  }

  /** Whether a figure that is too small says that there was no more: an increase may have come before the first sample, as while the hub was away. */
  isWhole(at: number): boolean {
    return this.kind !== "increase" || at - this.startedAt >= this.ms;
  }

  /** The clock was set. */
  shift(ms: number): void {
    for (let i = 0; i < this.size; i++) this.at[this.slot(i)] = (this.at[this.slot(i)] as number) + ms;
    this.startedAt += ms;
  }

  /** The i-th oldest. */
  private slot(i: number): number {
    return (this.head - this.size + i + 2 * (pointsMax + 1)) % (pointsMax + 1);
  }

  private store(value: number, at: number): void {
    const newest = this.slot(this.size - 1);
    if (this.size > 0 && at - (this.at[newest] as number) < this.ms / pointsMax) {
      this.low[newest] = Math.min(this.low[newest] as number, value);
      this.high[newest] = Math.max(this.high[newest] as number, value);
      this.sum[newest] = (this.sum[newest] as number) + value;
      this.count[newest] = (this.count[newest] as number) + 1;
      return;
    }
    const slot = this.head;
    this.head = (this.head + 1) % (pointsMax + 1);
    this.size = Math.min(this.size + 1, pointsMax + 1);
    this.at[slot] = at;
    this.first[slot] = this.low[slot] = this.high[slot] = this.sum[slot] = value;
    this.count[slot] = 1;
  }

  private figure(at: number): number {
    const span = at - this.startedAt;
    const oldest = this.slot(0);
    if (this.kind === "increase") return this.grown - (this.first[oldest] as number);
    if (this.kind === "per-hour") {
      if (span < this.ms * 0.9) return Number.NaN;
      return ((this.last - (this.first[oldest] as number)) / (at - (this.at[oldest] as number))) * 3_600_000;
    }
    if (span < this.ms / 2) return Number.NaN;
    return this.aggregate();
  }

  private aggregate(): number {
    let [low, high, sum, count] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0];
    for (let i = 0; i < this.size; i++) {
      const slot = this.slot(i);
      low = Math.min(low, this.low[slot] as number);
      high = Math.max(high, this.high[slot] as number);
      sum += this.sum[slot] as number;
      count += this.count[slot] as number;
    }
    return this.kind === "min" ? low : this.kind === "max" ? high : sum / count;
  }
}
