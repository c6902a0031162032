/**
 * By which time what is old is let go. A clock is sometimes years ahead for a while: a dead battery, a wrong time server, a machine that was restored.
 * What it calls old then is the whole history. So time that this hub did not live through counts only after it has stood for a while.
 * Times are ms; `monotonicMs` begins anew with each start.
 */
export type Forgetting = {
  /** Trusted wall time at `monotonicMs`. */
  at: number;
  monotonicMs: number;
  /** Since when the clock has been ahead of it, monotonic; undefined: it isn't. */
  aheadSinceMs: number | undefined;
};

/** A hub that is off at night loses nothing by waiting. */
const toleratedMs = 86_400_000;
/** A clock that is ahead by so many times this is believed after this, within these bounds. */
const shareOfGap = 16;
const [holdMinMs, holdMaxMs] = [3_600_000, 72 * 3_600_000];

/** `known`: the trusted time that was written down last; undefined: never. */
export function startForgetting(known: number | undefined, now: number, monotonicMs: number): Forgetting {
  return { at: known ?? now, monotonicMs, aheadSinceMs: undefined };
}

/** The clock says `now`. A clock that is behind is always believed: it lets go of less. */
export function stepForgetting(before: Forgetting, now: number, monotonicMs: number): Forgetting {
  const lived = before.at + (monotonicMs - before.monotonicMs);
  const gapMs = now - lived;
  const aheadSinceMs = before.aheadSinceMs ?? monotonicMs;
  const holdMs = Math.min(holdMaxMs, Math.max(holdMinMs, gapMs / shareOfGap));
  if (gapMs <= toleratedMs || monotonicMs - aheadSinceMs >= holdMs) return { at: now, monotonicMs, aheadSinceMs: undefined };
  return { at: lived, monotonicMs, aheadSinceMs };
}
