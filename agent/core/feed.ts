/** pvestatd writes every ~10 s; what is older says nothing about now. */
export const feedMaxAgeMs = 30_000;

/**
 * Age of what pvestatd wrote, without trusting the wall clock for longer than it must: a time stamp that was seen to change is as old as the
 * (monotonic) time since it changed. Only the first one is compared with the wall clock. So a clock that is set makes nothing absent.
 */
export class FeedAge {
  private stampMs: number | undefined;
  private changedAtMs: number | undefined;

  /** `stampMs`: the feed's own time stamp, wall clock. */
  ageMs(stampMs: number, nowMs: number, monotonicMs: number): number {
    if (this.stampMs !== undefined && this.stampMs !== stampMs) this.changedAtMs = monotonicMs;
    this.stampMs = stampMs;
    return this.changedAtMs === undefined ? Math.abs(nowMs - stampMs) : monotonicMs - this.changedAtMs;
  }
}
