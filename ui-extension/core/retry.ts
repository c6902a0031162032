/** Longest wait between two attempts to get the live stream back, ms. */
const retryMaxMs = 15_000;

/** Wait before attempt number `attempt` (from 0): doubling from a second, with full jitter so that panels don't return all at once. `random`: 0 … 1. */
export function retryDelayMs(attempt: number, random: number): number {
  return Math.round(250 + random * Math.min(retryMaxMs, 1000 * 2 ** attempt));
}
