import { type Bucket, giveBack, type Rate, take } from "../core/gateway/bucket.ts";
import type { Clock } from "../ports.ts";

const bucketsMax = 5000;

/** How often each may, by a key that says who and what. */
export class Turns {
  private readonly buckets = new Map<string, Bucket>();

  constructor(private readonly clock: Clock) {}

  /** Undefined: it is his turn. Otherwise how long he has to wait, s. */
  take(key: string, rate: Rate): number | undefined {
    const now = this.clock.monotonicMs();
    if (this.buckets.size >= bucketsMax) this.buckets.clear();
    const bucket = this.buckets.get(key) ?? { tokens: rate.burst, at: now };
    this.buckets.set(key, bucket);
    const taken = take(bucket, rate, now);
    return taken.ok ? undefined : taken.waitSec;
  }

  giveBack(key: string, rate: Rate): void {
    const bucket = this.buckets.get(key);
    if (bucket !== undefined) giveBack(bucket, rate);
  }
}
