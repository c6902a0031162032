import type { EpochMs } from "#protocol/ids.ts";

type Sleeper = { dueMs: number; wake: () => void };

/** Some turns of the event loop: whoever was woken runs until it sleeps again or waits for the outside world. */
export async function settle(turns = 3): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** A clock that stands still until `advance`. Serves as the agent's Clock and as the hub's. */
export class FakeClock {
  private elapsedMs = 0;
  private wallMs: number;
  private sleepers: Sleeper[] = [];

  constructor(startAt = Date.UTC(2026, 0, 5, 12)) {
    this.wallMs = startAt;
  }

  /** Whole ms, as the system's: what is due in between is not. */
  now(): EpochMs {
    return Math.floor(this.wallMs) as EpochMs;
  }

  monotonicMs(): number {
    return this.elapsedMs;
  }

  /** Ends early, without an error, when `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        signal?.removeEventListener("abort", wake);
        this.sleepers = this.sleepers.filter((other) => other !== sleeper);
        resolve();
      };
      const sleeper: Sleeper = { dueMs: this.elapsedMs + Math.max(0, ms), wake };
      this.sleepers.push(sleeper);
      signal?.addEventListener("abort", wake, { once: true });
    });
  }

  /** How many sleep now: a test can see that a loop came to its wait. */
  get sleeping(): number {
    return this.sleepers.length;
  }

  /** Lets `ms` pass. Sleepers wake in the order they are due, each at its own time, and may sleep again within the span. */
  async advance(ms: number): Promise<void> {
    const endMs = this.elapsedMs + ms;
    await settle();
    for (let due = this.nextDue(endMs); due !== undefined; due = this.nextDue(endMs)) {
      this.moveTo(Math.max(due.dueMs, this.elapsedMs));
      due.wake();
      await settle();
    }
    this.moveTo(endMs);
  }

  /** The wall clock is set (NTP, an admin); monotonic time and sleepers don't notice. */
  jumpWall(ms: number): void {
    this.wallMs += ms;
  }

  private moveTo(elapsedMs: number): void {
    this.wallMs += elapsedMs - this.elapsedMs;
    this.elapsedMs = elapsedMs;
  }

  private nextDue(endMs: number): Sleeper | undefined {
    let first: Sleeper | undefined;
    for (const sleeper of this.sleepers) {
      if (sleeper.dueMs <= endMs && (first === undefined || sleeper.dueMs < first.dueMs)) first = sleeper;
    }
    return first;
  }
}
