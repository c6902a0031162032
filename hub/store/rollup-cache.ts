import { type RollupDay, rollupRows } from "../core/rollup.ts";
import { spanNumber } from "./keys.ts";

/** One day of one series with what a map keeps beside it. */
const entryBytes = 4 * rollupRows * 8 + 500;
const bytesMax = 2 << 20;
const entriesMax = Math.floor(bytesMax / entryBytes);

/**
 * Days of series as their rollups say, up to 2 MB: a chart that stays open asks for the same ones again and again, of which each is a block of
 * 40 kB to copy and four columns to decode. What came first goes first.
 */
export class RollupCache {
  private readonly byBlock = new Map<number, Map<number, RollupDay>>();
  private entries = 0;

  /** `renew`: lets reads see what was written a moment ago. */
  constructor(private readonly renew: () => void) {}

  get(day: number, group: number, series: number): RollupDay | undefined {
    return this.byBlock.get(spanNumber(day, group))?.get(series);
  }

  /** Keeps a copy. */
  put(day: number, group: number, series: number, { count, avg, min, max }: RollupDay): void {
    if (this.entries >= entriesMax) this.makeRoom();
    const key = spanNumber(day, group);
    const block = this.byBlock.get(key) ?? new Map<number, RollupDay>();
    this.byBlock.set(key, block.set(series, { count: count.slice(), avg: avg.slice(), min: min.slice(), max: max.slice() }));
    this.entries++;
  }

  /** The block was written or removed. */
  drop(day: number, group: number): void {
    this.forget(spanNumber(day, group));
    // Else the block could be read as it was before, and kept so.
    this.renew();
  }

  private makeRoom(): void {
    for (const key of this.byBlock.keys()) {
      this.forget(key);
      if (this.entries < entriesMax) return;
    }
  }

  private forget(key: number): void {
    this.entries -= this.byBlock.get(key)?.size ?? 0;
    this.byBlock.delete(key);
  }
}
