import type { Reading } from "#protocol/api.ts";
import type { limits } from "#protocol/limits.ts";

/** The compiler holds this to the limit of protocol/limits.ts. */
const staleAfterMs: (typeof limits)["staleAfterMs"] = 45_000;

/** What may be shown of a reading now. Only `fresh` has a value of now; `stale` tells what was last known. */
export type Shown =
  | { state: "fresh"; value: number; at: number }
  | { state: "stale"; value: number; at: number }
  | { state: "absent" };

/** Judges a reading at `now` (the hub's clock): a value that came fresh over a stream that has since died is stale too. */
export function shownReading(reading: Reading, now: number): Shown {
  if (reading.state === "absent" || reading.value === null || reading.at === null) return { state: "absent" };
  const stale = reading.state === "stale" || now - reading.at > staleAfterMs;
  return { state: stale ? "stale" : "fresh", value: reading.value, at: reading.at };
}

/** used ÷ total; as old and as uncertain as the worse of the two. A total of nothing gives no ratio. */
export function ratioReading(used: Reading, total: Reading): Reading {
  if (used.value === null || total.value === null || used.at === null || total.at === null || total.value <= 0) {
    return { state: "absent", value: null, at: null };
  }
  const state = used.state === "fresh" && total.state === "fresh" ? "fresh" : "stale";
  if (used.state === "absent" || total.state === "absent") return { state: "absent", value: null, at: null };
  return { state, value: used.value / total.value, at: Math.min(used.at, total.at) };
}

/** Value for sorting: unknown sorts as undefined, which goes last either way. */
export function sortValue(reading: Reading, now: number): number | undefined {
  const shown = shownReading(reading, now);
  return shown.state === "fresh" ? shown.value : undefined;
}

/** How full or busy is worth a colour. Colour never stands alone: the figure and the bar's length say it too. */
export function levelOf(ratio: number, warnFrom: number, critFrom: number): "ok" | "warn" | "crit" {
  return ratio >= critFrom ? "crit" : ratio >= warnFrom ? "warn" : "ok";
}
