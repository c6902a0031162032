import { rollupDayMs, rollupStepMs } from "./rollup.ts";

/** How long samples are kept, and rollups: what nobody set otherwise. */
export const rawKeptMs = 14 * rollupDayMs;
export const rollupKeptMs = 400 * rollupDayMs;
/** A longer range, asked for in steps of at least a rollup's, is read from rollups. */
const rollupRangeMs = rollupDayMs;

/** Whether rollups answer a range: its samples are gone, or the steps are long and many. `rawMs`: how long samples are kept. */
export function readsRollups(
  { from, to, stepMs }: { from: number; to: number; stepMs: number | undefined },
  now: number,
  rawMs: number = rawKeptMs,
): boolean {
  if (from < now - rawMs) return true;
  return stepMs !== undefined && stepMs >= rollupStepMs && to - from > rollupRangeMs;
}
