import type { EpochMs } from "#protocol/ids.ts";
import type { Actor, StateStore } from "../store/state.ts";

const by: Actor = { actor: "hub", reason: "delivery" };

/** Receivers that wanted nothing more (HTTP 410), and why, until somebody changes them. Kept over restarts: nobody switched them off. */
export class SwitchedOff {
  private readonly reasons: Map<string, string>;

  constructor(private readonly state: StateStore) {
    this.reasons = new Map(state.list("receiverRefusal").map(({ id, document }) => [id, document.problem]));
  }

  has(receiver: string): boolean {
    return this.reasons.has(receiver);
  }

  entries(): Iterable<[receiver: string, problem: string]> {
    return this.reasons;
  }

  note(receiver: string, problem: string, at: EpochMs): void {
    this.state.put("receiverRefusal", receiver, { problem, at }, by);
    this.reasons.set(receiver, problem);
  }

  forget(receiver: string): void {
    if (this.reasons.delete(receiver)) this.state.remove("receiverRefusal", receiver, by);
  }
}
