import type { EpochMs } from "#protocol/ids.ts";

/** Time as the hub asks for it. Wall time stamps and compares with agents; monotonic time measures waits, so that a clock jump can't end one. */
export interface Clock {
  now(): EpochMs;
  monotonicMs(): number;
  /** Ends early, without an error, when `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** As `after`, of which it is the short way: a timer and nothing else. Absent: it is made of `sleep`. */
  timer?(ms: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now() as EpochMs,
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) => new Promise((resolve) => sleepUntil(ms, signal, resolve)),
  timer: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

/** Plain timers: those of node:timers/promises make an error with a stack of each that ends early. */
function sleepUntil(ms: number, signal: AbortSignal | undefined, over: () => void): void {
  if (signal?.aborted) {
    over();
    return;
  }
  const end = () => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", end);
    over();
  };
  const timer = setTimeout(end, ms);
  signal?.addEventListener("abort", end, { once: true });
}

/** Calls back once after `ms`, unless stopped before by what is returned. */
export function after(clock: Clock, ms: number, callback: () => void): () => void {
  if (clock.timer !== undefined) return clock.timer(ms, callback);
  const stop = new AbortController();
  void clock.sleep(ms, stop.signal).then(() => {
    if (!stop.signal.aborted) callback();
  });
  // A reason of its own spares the error that would be made for one.
  return () => stop.abort("stopped");
}

export type LogFields = Record<string, string | number | undefined>;

/** One line of the journal: `level` is syslog's (3 error, 4 warning, 5 notice, 6 info, 7 debug). */
export type Log = (level: 3 | 4 | 5 | 6 | 7, message: string, fields?: LogFields) => void;
