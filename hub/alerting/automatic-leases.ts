import type { EpochMs } from "#protocol/ids.ts";
import type { AutomaticWindow } from "../core/automatic-window.ts";
import type { Actor, StateStore } from "../store/state.ts";

const by: Actor = { actor: "hub", reason: "observed" };
/** What is over within this, as most backups are, is nobody's matter after a restart, and is not written down. */
const writtenAfterMs = 3_600_000;
/** Who tells of a window may be away for a while: what nobody tells of for so long is closed. */
const closedAfterMs = 3_600_000;

/** Since when automatic windows are open, kept over restarts: a lock that a crash left behind gets no new lease from each start of the hub. */
export class AutomaticLeases {
  private readonly known = new Map<string, { window: AutomaticWindow; seenAt: EpochMs; written: EpochMs | undefined }>();

  /** `aheadMs`: so far the clock was set back while the hub was away. */
  constructor(
    private readonly state: StateStore,
    now: EpochMs,
    aheadMs = 0,
  ) {
    for (const { id, document } of state.list("automaticWindow")) {
      const window = document as AutomaticWindow; // keys as they were written
      // One that began in the future would last until then.
      const since = Math.min(window.since - aheadMs, now) as EpochMs;
      this.known.set(id, { window: { ...window, since }, seenAt: now, written: window.since });
    }
  }

  /** Windows that are open, or that may be and nobody tells of now. */
  before(): ReadonlyMap<string, AutomaticWindow> {
    return new Map([...this.known].map(([id, { window }]) => [id, window]));
  }

  /** The windows of now. */
  keep(open: readonly AutomaticWindow[], now: EpochMs): void {
    for (const window of open) {
      const written = this.known.get(window.id)?.written;
      const isDue = written === undefined ? now - window.since >= writtenAfterMs : written !== window.since;
      if (isDue) this.state.put("automaticWindow", window.id, window, by);
      this.known.set(window.id, { window, seenAt: now, written: isDue ? window.since : written });
    }
    for (const [id, { seenAt, written }] of this.known) {
      if (seenAt === now || (written !== undefined && now - seenAt < closedAfterMs)) continue;
      if (written !== undefined) this.state.remove("automaticWindow", id, by);
      this.known.delete(id);
    }
  }

  /** The wall clock was set: leases go on by real time. */
  shift(ms: number): void {
    const moved = (at: EpochMs) => (at + ms) as EpochMs;
    for (const [id, one] of this.known) {
      const { window, seenAt } = one;
      const shifted = { ...window, since: moved(window.since), until: moved(window.until) };
      this.known.set(id, { ...one, window: shifted, seenAt: moved(seenAt) });
    }
  }
}
