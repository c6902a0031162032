import type { EpochMs } from "#protocol/ids.ts";
import type { Clock } from "./ports.ts";

/** Shorter sleeps are slept as they are. */
const alignFromMs = 5_000;

/**
 * A clock whose long sleeps end with a tick of the sampler, the nearest one: what is done now and then is done while the agent is awake anyway,
 * and wakes nobody by itself. While there are no ticks, only an aborted signal ends them.
 */
export class TickClock implements Clock {
  private readonly sleepers = new Set<{ dueMs: number; wake: () => void }>();

  constructor(private readonly clock: Clock) {}

  now(): EpochMs {
    return this.clock.now();
  }

  monotonicMs(): number {
    return this.clock.monotonicMs();
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (ms < alignFromMs) return this.clock.sleep(ms, signal);
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        this.sleepers.delete(sleeper);
        signal?.removeEventListener("abort", wake);
        resolve();
      };
      const sleeper = { dueMs: this.clock.monotonicMs() + ms - alignFromMs, wake };
      this.sleepers.add(sleeper);
      signal?.addEventListener("abort", wake, { once: true });
    });
  }

  /** The sampler made a tick. */
  tick(): void {
    const nowMs = this.clock.monotonicMs();
    for (const { dueMs, wake } of [...this.sleepers]) if (dueMs <= nowMs) wake();
  }
}
