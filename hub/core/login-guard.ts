/**
 * How guessing passwords is slowed down. Times are monotonic ms. Three measures, because one address may be a whole company behind one NAT and one
 * user may be attacked from everywhere: each user from each address waits longer with each failure; a user attacked from many addresses waits
 * a little; an address that fails for many users waits, but not those who got in from it before.
 */

export type Backoff = { failures: number; lastAt: number };
export type BackoffRule = {
  /** Failures that cost nothing: people mistype. */
  free: number;
  baseMs: number;
  maxMs: number;
  /** So long without a failure, and all is forgotten. */
  forgetMs: number;
};

export const backoffRules = {
  pair: { free: 3, baseMs: 2_000, maxMs: 15 * 60_000, forgetMs: 3_600_000 },
  /** Short, or a stranger could keep somebody out. */
  user: { free: 20, baseMs: 1_000, maxMs: 30_000, forgetMs: 3_600_000 },
  address: { free: 30, baseMs: 1_000, maxMs: 5 * 60_000, forgetMs: 3_600_000 },
} as const satisfies Record<string, BackoffRule>;

export function stepBackoff(known: Backoff | undefined, rule: BackoffRule, now: number): Backoff {
  const fresh = known !== undefined && now - known.lastAt < rule.forgetMs;
  return { failures: (fresh ? known.failures : 0) + 1, lastAt: now };
}

/** ms until the next try; 0: now. Doubles with each failure beyond the free ones. */
export function backoffWaitMs(known: Backoff | undefined, rule: BackoffRule, now: number): number {
  if (known === undefined || known.failures < rule.free || now - known.lastAt >= rule.forgetMs) return 0;
  const wait = Math.min(rule.maxMs, rule.baseMs * 2 ** Math.min(30, known.failures - rule.free));
  return Math.max(0, known.lastAt + wait - now);
}
