import type { EpochMs } from "#protocol/ids.ts";
import type { RunMemory } from "../core/fact-samples.ts";
import type { StateStore } from "../store/state.ts";

const observed = { actor: "hub", reason: "observed" };

/** When each guest was last seen running: kept in memory while it runs, and written down when it stops. */
export class StoredRunMemory implements RunMemory {
  private readonly at = new Map<string, EpochMs>();
  private readonly written = new Map<string, EpochMs>();

  /** `aheadMs`: so far the clock was set back while the hub was away. */
  constructor(
    private readonly state: StateStore,
    now: EpochMs,
    aheadMs = 0,
  ) {
    for (const { id, document } of state.list("guestRun")) {
      this.at.set(id, Math.min(document.at - aheadMs, now) as EpochMs);
      this.written.set(id, document.at);
    }
  }

  running(key: string, now: EpochMs): void {
    this.at.set(key, now);
  }

  stopped(key: string): void {
    const at = this.at.get(key);
    if (at === undefined || this.written.get(key) === at) return;
    this.state.put("guestRun", key, { at }, observed);
    this.written.set(key, at);
  }

  lastAt(key: string): EpochMs | undefined {
    return this.at.get(key);
  }

  /** The wall clock was set. */
  shift(ms: number): void {
    for (const [key, at] of this.at) this.at.set(key, (at + ms) as EpochMs);
  }
}
