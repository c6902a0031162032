import type { RefusalCode } from "#protocol/messages.ts";
import { placeOfPeer } from "../core/connections.ts";
import { BoundedMap, type Failures, lockedForMs, loginLock, stepFailures } from "../core/limits.ts";

const placesMax = 10_000;
/** What somebody gets who has no right to join, and tries. */
const guesses: ReadonlySet<RefusalCode> = new Set<RefusalCode>(["bad-signature", "bad-join", "key-changed", "revoked"]);

/** Refused hellos by where they came from: as with API keys, many in a minute lock the place for a minute. */
export class HelloGuard {
  private readonly failures = new BoundedMap<string, Failures>(placesMax);

  constructor(private readonly monotonicMs: () => number) {}

  isLocked(address: string): boolean {
    return lockedForMs(this.failures.get(placeOfPeer(address)), this.monotonicMs()) > 0;
  }

  note(address: string, code: RefusalCode): void {
    if (!guesses.has(code)) return;
    this.failures.set(placeOfPeer(address), stepFailures(this.failures.get(placeOfPeer(address)), loginLock, this.monotonicMs()));
  }
}
