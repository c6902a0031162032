import type { EpochMs } from "#protocol/ids.ts";

/** What to do with a batch after one attempt to deliver it. `status` undefined: there was no answer. */
export type Verdict = "delivered" | "retry" | "refused";

/**
 * Remote write 1.0 §retries: 5xx and 429 are tried again, other 4xx never, because the same request would be refused for ever. What is no
 * answer of a receiver at all (1xx, 3xx) is a misconfiguration that somebody will put right, so it is kept.
 */
export function verdictOf(status: number | undefined): Verdict {
  if (status === undefined) return "retry";
  if (status >= 200 && status < 300) return "delivered";
  return status >= 400 && status < 500 && status !== 429 ? "refused" : "retry";
}

const firstDelayMs = 500;
const delayMaxMs = 60_000;
/** A receiver may ask for more patience than that; not for hours. */
const retryAfterMaxMs = 600_000;

/** Full jitter: anything up to a bound that doubles with each attempt (the first is 0), but not before the receiver's Retry-After. */
export function retryDelayMs(attempt: number, retryAfterMs: number | undefined, random: () => number): number {
  const bound = Math.min(delayMaxMs, firstDelayMs * 2 ** Math.min(attempt, 20));
  return Math.min(retryAfterMs ?? 0, retryAfterMaxMs) + Math.ceil(random() * bound);
}

/** RFC 9110 §10.2.3: seconds or an HTTP date. Undefined: neither. */
export function parseRetryAfter(header: string | undefined, now: EpochMs): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
