import { setTimeout as sleep } from "node:timers/promises";
import type { EpochMs } from "#protocol/ids.ts";

/** Time as the hub asks for it. Wall time stamps and compares with agents; monotonic time measures waits, so that a clock jump can't end one. */
export interface Clock {
  now(): EpochMs;
  monotonicMs(): number;
  /** Ends early, without an error, when `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now() as EpochMs,
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) => sleep(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined),
};

/** Calls back once after `ms`, unless stopped before by what is returned. */
export function after(clock: Clock, ms: number, callback: () => void): () => void {
  const stop = new AbortController();
  void clock.sleep(ms, stop.signal).then(() => {
    if (!stop.signal.aborted) callback();
  });
  return () => stop.abort();
}

export type LogFields = Record<string, string | number | undefined>;

/** One line of the journal: `level` is syslog's (3 error, 4 warning, 5 notice, 6 info, 7 debug). */
export type Log = (level: 3 | 4 | 5 | 6 | 7, message: string, fields?: LogFields) => void;
