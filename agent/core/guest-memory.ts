import type { Vmid } from "#protocol/ids.ts";
import { type Asked, calmEveryMs, nextAskMs } from "./ask-plan.ts";

/** Which guest, and for how many seconds its process has run: one that has run for less than before was started anew. */
export type GuestRun = { vmid: Vmid; identity: readonly string[]; uptimeSec: number };

/**
 * What became of a question. `reclaimable`: MemAvailable − MemFree, bytes, never negative: what the guest's kernel would give back at once, page
 * cache above all. `refused`: this guest will say the same again. `failed`: nobody knows, another try may do better.
 */
export type MemoryAnswer = { reclaimable: number } | "refused" | "failed";

const refusedForMs = 86_400_000;
/** Three rounds of those that are asked least often. */
const lendMs = 3 * calmEveryMs;

type Known = {
  identity: readonly string[];
  uptimeSec: number;
  asked: Asked;
  refused: boolean;
  read: { bytes: number; atMs: number } | undefined;
};

/** What guests' agents said of their memory, each for one run of one guest. All times are monotonic ms. */
export class ReclaimableMemory {
  private readonly known = new Map<Vmid, Known>();

  /** True unless this run refused within a day, or failed of late: after failures as in `nextAskMs`. */
  isDue(run: GuestRun, nowMs: number): boolean {
    const known = this.current(run);
    if (known === undefined) return true;
    if (known.refused) return nowMs - known.asked.atMs >= refusedForMs;
    return known.asked.failures === 0 || nowMs >= nextAskMs(known.asked);
  }

  note(run: GuestRun, answer: MemoryAnswer, nowMs: number): void {
    const before = this.current(run);
    const failures = answer === "failed" ? (before?.asked.failures ?? 0) + 1 : 0;
    const read = typeof answer === "object" ? { bytes: answer.reclaimable, atMs: nowMs } : undefined;
    this.known.set(run.vmid, {
      identity: run.identity,
      uptimeSec: run.uptimeSec,
      asked: { atMs: nowMs, failures },
      refused: answer === "refused",
      read: answer === "failed" ? before?.read : read,
    });
  }

  /**
   * Bytes that the guest could take back of the `used` ones, as it said last; undefined: nobody has asked this run, or not within half an hour. More
   * than is in use at all was true once and is no longer (a reboot inside, caches that were dropped): it is forgotten until the next answer.
   */
  of(run: GuestRun, used: number, nowMs: number): number | undefined {
    const known = this.current(run);
    if (known?.read === undefined) return undefined;
    if (nowMs - known.read.atMs > lendMs || known.read.bytes > used) known.read = undefined;
    return known.read?.bytes;
  }

  /** Forgets guests that are not there any more. */
  keep(guests: Pick<ReadonlyMap<Vmid, unknown>, "has">): void {
    for (const vmid of this.known.keys()) if (!guests.has(vmid)) this.known.delete(vmid);
  }

  private current({ vmid, identity, uptimeSec }: GuestRun): Known | undefined {
    const known = this.known.get(vmid);
    if (known === undefined) return undefined;
    const same = known.identity === identity || known.identity.join(" ") === identity.join(" ");
    if (!same || uptimeSec < known.uptimeSec) {
      this.known.delete(vmid);
      return undefined;
    }
    known.uptimeSec = uptimeSec;
    return known;
  }
}
