import type { EpochMs } from "#protocol/ids.ts";
import type { Clock } from "../../agent/ports.ts";

/** Real time, `factor` times as fast, from `startAt` on (default: now). */
export function scaledClock(factor = 1, startAt: number = Date.now()): Clock {
  const realStart = performance.now();
  const elapsed = () => (performance.now() - realStart) * factor;
  return {
    now: () => Math.floor(startAt + elapsed()) as EpochMs,
    monotonicMs: elapsed,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        const timer = setTimeout(done, Math.min(2 ** 31 - 1, ms / factor));
        function done() {
          clearTimeout(timer);
          signal?.removeEventListener("abort", done);
          resolve();
        }
        if (signal?.aborted === true) done();
        else signal?.addEventListener("abort", done);
      }),
  };
}

type Item = { due: number; order: number; run: (at: number) => void };

/**
 * What the lab does at times of its clock, in due order; each item gets the time it was due at, even when the clock jumped past it. Works on
 * any Clock, so that a test can move one fake clock for the lab, the agents and the hub together.
 */
export class Schedule {
  private items: Item[] = [];
  private order = 0;
  private running: Promise<void> | undefined;
  private stopped = false;
  private wake = new AbortController();
  /** Time of the item that runs now: what it does is stamped with that. */
  private current: number | undefined;

  constructor(readonly clock: Clock) {}

  now(): number {
    return this.current ?? this.clock.now();
  }

  /** Returns what cancels it. */
  at(due: number, run: (at: number) => void): () => void {
    const item = { due, order: this.order++, run };
    const place = this.items.findIndex((other) => other.due > due);
    this.items.splice(place < 0 ? this.items.length : place, 0, item);
    if (this.items[0] === item) this.wake.abort();
    return () => {
      const index = this.items.indexOf(item);
      if (index >= 0) this.items.splice(index, 1);
    };
  }

  /** At every multiple of `ms`, shifted by `offset`; after a jump of the clock once, not for each that was missed. */
  every(ms: number, offset: number, run: (at: number) => void): void {
    const next = () => Math.floor((this.clock.now() - offset) / ms) * ms + offset + ms;
    const tick = (at: number) => {
      const late = Math.floor((this.clock.now() - at) / ms) * ms;
      run(at + late);
      this.at(at + late + ms, tick);
    };
    this.at(next(), tick);
  }

  /** Runs all that is due. A test with its own clock may call it; the loop does. */
  runDue(): void {
    for (;;) {
      const [item] = this.items;
      if (item === undefined || item.due > this.clock.now()) return;
      this.items.shift();
      this.current = item.due;
      try {
        item.run(item.due);
      } finally {
        this.current = undefined;
      }
    }
  }

  start(): void {
    this.running = this.loop();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.items = [];
    this.wake.abort();
    await this.running;
  }

  private async loop(): Promise<void> {
    while (!this.stopped) {
      this.wake = new AbortController();
      const due = this.items[0]?.due ?? this.clock.now() + 60_000;
      try {
        await this.clock.sleep(Math.max(0, due - this.clock.now()), this.wake.signal);
      } catch (error) {
        // A clock may answer an abort by rejecting; anything else is a bug.
        if (!this.wake.signal.aborted) throw error;
      }
      if (!this.stopped) this.runDue();
    }
  }
}
