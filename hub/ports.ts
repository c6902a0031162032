import type { EpochMs } from "#protocol/ids.ts";

/** Time as the hub asks for it. Wall time stamps and compares with agents; monotonic time measures waits, so that a clock jump can't end one. */
export interface Clock {
  now(): EpochMs;
  monotonicMs(): number;
  /** Calls back once after `ms`. Returns the way to stop it. */
  after(ms: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now() as EpochMs,
  monotonicMs: () => performance.now(),
  after: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

export type LogFields = Record<string, string | number | undefined>;

/** One line of the journal: `level` is syslog's (3 error, 4 warning, 5 notice, 6 info, 7 debug). */
export type Log = (level: 3 | 4 | 5 | 6 | 7, message: string, fields?: LogFields) => void;
