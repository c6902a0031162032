import type { Reading } from "#protocol/api.ts";
import type { EpochMs } from "#protocol/ids.ts";
import { limits } from "#protocol/limits.ts";
import type { Latest } from "./series.ts";

/**
 * Samples carry their agent's clock. Ages are taken in that clock (`skewMs`: agent's minus hub's), so that a wrong clock is shown as skew and
 * neither hides a living node nor keeps a dead one fresh. More than the limit ahead is no evidence of freshness either.
 */
export function isFresh(at: EpochMs | undefined, now: EpochMs, skewMs: number): boolean {
  if (at === undefined) return false;
  const age = now + skewMs - at;
  return age < limits.staleAfterMs && age > -limits.staleAfterMs;
}

/**
 * A sample's time in the hub's clock, which readers take its age in; a clock that counts as right is not put right by what a message's way took. What
 * is stored keeps its agent's time.
 */
export const inHubTime = (at: EpochMs, skewMs: number): EpochMs =>
  Math.abs(skewMs) > limits.clockSkewMs ? ((at - skewMs) as EpochMs) : at;

export const absentReading: Reading = { state: "absent", value: null, at: null };

/** A counter reads as its rate, which is absent after a reset or a gap. `at` is in the hub's clock. */
export function readingOf(latest: Latest | undefined, kind: "gauge" | "counter", now: EpochMs, skewMs: number): Reading {
  if (latest === undefined) return absentReading;
  const value = kind === "counter" ? latest.rate : latest.value;
  const at = inHubTime(latest.at, skewMs);
  if (!Number.isFinite(value)) return { state: "absent", value: null, at };
  return { state: isFresh(latest.at, now, skewMs) ? "fresh" : "stale", value, at };
}
