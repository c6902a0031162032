const reconnectCapMs = 60_000;
const baseMs = 1_000;

/**
 * Full jitter: anywhere between 0 and a bound that doubles per failed attempt (0 = the first), 60 s at most, so that agents which lost the
 * same hub don't come back together. `random`: 0 ≤ random < 1.
 */
export function backoffMs(attempt: number, random: number): number {
  return random * Math.min(reconnectCapMs, baseMs * 2 ** Math.min(attempt, 16));
}

/** A hub that said goodbye is back within seconds: its agents spread over two. */
export const restartDelayMs = (random: number) => random * 2_000;

/** Where trying again can't help until somebody acts (revoked, too old), look again every 5 to 10 minutes all the same. */
export const hopelessDelayMs = (random: number) => 300_000 + random * 300_000;
