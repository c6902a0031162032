import type { EpochMs } from "#protocol/ids.ts";
import type { Clock } from "./ports.ts";

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now() as EpochMs,
  // `performance.now()` would do; its module is a dozen others that nothing else of an agent loads.
  monotonicMs: () => process.uptime() * 1000,
  turn: () => new Promise((resolve) => setImmediate(resolve)),
  sleep(ms, signal) {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal?.addEventListener("abort", done, { once: true });
    });
  },
};
