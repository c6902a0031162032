/** `perSec` on average, `burst` at once. */
export type Rate = { perSec: number; burst: number };
/** A token bucket. */
export type Bucket = { tokens: number; at: number };

/** Takes one; how long to wait, s, where there is none. `at`: monotonic ms. */
export function take(bucket: Bucket, { perSec, burst }: Rate, at: number): { ok: true } | { ok: false; waitSec: number } {
  bucket.tokens = Math.min(burst, bucket.tokens + ((at - bucket.at) / 1000) * perSec);
  bucket.at = at;
  if (bucket.tokens < 1) return { ok: false, waitSec: Math.max(1, Math.ceil((1 - bucket.tokens) / perSec)) };
  bucket.tokens -= 1;
  return { ok: true };
}

/** Gives one back that was taken for nothing. */
export function giveBack(bucket: Bucket, { burst }: Rate): void {
  bucket.tokens = Math.min(burst, bucket.tokens + 1);
}
