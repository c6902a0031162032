/** Times here are monotonic ms: a clock jump must neither lift a lock nor fill a bucket. */

/** A bucket of requests: `tokens` left when it was last looked at. */
export type Bucket = { tokens: number; at: number };
export type BucketRate = { perSec: number; burst: number };

/** Takes one token. `waitMs` 0: granted; else refused, and when the next one is there. */
export function takeToken(bucket: Bucket | undefined, rate: BucketRate, now: number): { bucket: Bucket; waitMs: number } {
  const before = bucket === undefined ? rate.burst : bucket.tokens + (Math.max(0, now - bucket.at) / 1000) * rate.perSec;
  const tokens = Math.min(rate.burst, before);
  if (tokens >= 1) return { bucket: { tokens: tokens - 1, at: now }, waitMs: 0 };
  return { bucket: { tokens, at: now }, waitMs: Math.ceil(((1 - tokens) / rate.perSec) * 1000) };
}

/** Wrong keys from one address: how many since the first of them, and until when nothing is tried for it. */
export type Failures = { count: number; since: number; lockedUntil: number };
export type LockRule = { failures: number; withinMs: number; lockMs: number };

export const loginLock: LockRule = { failures: 10, withinMs: 60_000, lockMs: 60_000 };

/** Counts one failure; the one that reaches the rule locks. */
export function stepFailures(failures: Failures | undefined, rule: LockRule, now: number): Failures {
  const open = failures !== undefined && now - failures.since < rule.withinMs;
  const count = (open ? failures.count : 0) + 1;
  const since = open ? failures.since : now;
  return { count, since, lockedUntil: count >= rule.failures ? now + rule.lockMs : 0 };
}

/** ms until the address may try again; 0: now. */
export function lockedForMs(failures: Failures | undefined, now: number): number {
  return failures === undefined ? 0 : Math.max(0, failures.lockedUntil - now);
}

/** A map that forgets its oldest entry beyond `max`: addresses and keys are named by strangers and must not fill the memory. */
export class BoundedMap<K, V> {
  private readonly entries = new Map<K, V>();

  constructor(private readonly max: number) {}

  get(key: K): V | undefined {
    return this.entries.get(key);
  }

  set(key: K, value: V): void {
    this.entries.delete(key);
    this.entries.set(key, value);
    if (this.entries.size <= this.max) return;
    for (const oldest of this.entries.keys()) {
      this.entries.delete(oldest);
      return;
    }
  }

  delete(key: K): void {
    this.entries.delete(key);
  }

  get size(): number {
    return this.entries.size;
  }
}

export const requestRate: BucketRate = { perSec: 20, burst: 300 };
