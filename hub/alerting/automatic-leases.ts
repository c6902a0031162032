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
  private readonly known = new Map<string, { window: AutomaticWindow; seenAt: EpochMs; isWritten: boolean }>();

  constructor(
    private readonly state: StateStore,
    now: EpochMs,
  ) {
    for (const { id, document } of state.list("automaticWindow")) {
      const window = document as AutomaticWindow; // keys as they were written
      this.known.set(id, { window, seenAt: now, isWritten: true });
    }
  }

  /** Windows that are open, or that may be and nobody tells of now. */
  before(): ReadonlyMap<string, AutomaticWindow> {
    return new Map([...this.known].map(([id, { window }]) => [id, window]));
  }

  /** The windows of now. */
  keep(open: readonly AutomaticWindow[], now: EpochMs): void {
    for (const window of open) {
      const isWritten = this.known.get(window.id)?.isWritten ?? false;
      const isLong = now - window.since >= writtenAfterMs;
      if (isLong && !isWritten) this.state.put("automaticWindow", window.id, window, by);
      this.known.set(window.id, { window, seenAt: now, isWritten: isWritten || isLong });
    }
    for (const [id, { seenAt, isWritten }] of this.known) {
      if (seenAt === now || (isWritten && now - seenAt < closedAfterMs)) continue;
      if (isWritten) this.state.remove("automaticWindow", id, by);
      this.known.delete(id);
    }
  }
}
