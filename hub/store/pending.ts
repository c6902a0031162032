import { parseSpanKey, spanKey } from "./keys.ts";
import type { SeriesEnv } from "./series-env.ts";

/** (day, group) whose samples are newer than its rollup: a mark in the store, and a copy of all marks in memory. */
export class Pending {
  private readonly marks = new Set<number>();

  constructor(private readonly env: SeriesEnv) {
    for (const key of env.pending.getKeys({})) {
      const { span, group } = parseSpanKey(key);
      this.marks.add(markOf(span, group));
    }
  }

  /** Inside a commit; `marked` when it is on the disk. */
  mark(day: number, group: number): void {
    if (!this.has(day, group)) void this.env.pending.put(spanKey(day, group), Buffer.of(1));
  }

  marked(day: number, group: number): void {
    this.marks.add(markOf(day, group));
  }

  has(day: number, group: number): boolean {
    return this.marks.has(markOf(day, group));
  }

  /** Inside a commit; `cleared` afterwards. */
  clear(day: number, group: number): void {
    void this.env.pending.remove(spanKey(day, group));
  }

  cleared(day: number, group: number): void {
    this.marks.delete(markOf(day, group));
  }

  /** The mark of the oldest day up to `lastDay`. */
  oldest(lastDay: number): { day: number; group: number } | undefined {
    let least = Number.POSITIVE_INFINITY;
    for (const mark of this.marks) if (mark < least) least = mark;
    const day = Math.floor(least / groupsMax);
    return day <= lastDay ? { day, group: least % groupsMax } : undefined;
  }

  get size(): number {
    return this.marks.size;
  }
}

const groupsMax = 2 ** 32;
const markOf = (day: number, group: number) => day * groupsMax + group;
