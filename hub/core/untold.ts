import type { AlertSubject, Rule } from "#protocol/alerting.ts";
import { factSignals } from "./signals.ts";

/** Alerts about what nobody tells of any more: a job that was deleted, a file system that is unmounted, a guest that is off for good. */

/** Facts that are told whenever anybody sees anything: that they are not says only that nobody sees. */
const blindWithout: readonly string[] = ["guest_run", "node_state", "quorum", "hub_store", "hub_sight"];

/**
 * Whether an alert can outlive what it is about though its entity stays. What a node always tells of itself, its pools and its storages is not
 * among it: silence there is trouble.
 */
export function mayBeUntold({ entity, condition }: Pick<Rule, "entity" | "condition">, { instance }: AlertSubject): boolean {
  if (condition.kind === "absence") return false;
  if (instance !== null || condition.kind === "age") return instance !== null || entity === "guest";
  if ("signal" in condition && Object.hasOwn(factSignals, condition.signal)) return !blindWithout.includes(condition.signal);
  return entity === "guest" || condition.kind === "forecast" || condition.kind === "baseline";
}

/** Why an alert ends that nobody tells of: another instance of the same thing is told of all the while, or it is long ago. */
export type UntoldEnd = "gone" | "untold";

/** What is known of an alert's figure. `heardAt`, `siblingAt`: when it, and any other instance of it, was told; undefined: never. */
export type Heard = { heardAt: number | undefined; siblingAt: number | undefined; speaks: boolean };

/** Guest agents are asked every ten minutes: three rounds in which others were told of and this one was not. */
const siblingMs = 30 * 60_000;
/** A guest agent may hang and a guest may be off for a night. Before the first daily reminder, all the same. */
export const untoldMs = 12 * 3_600_000;

/** How long nobody has told of each alert while somebody could have: time in which its agent is silent too does not count. */
export class UntoldWatch {
  private readonly since = new Map<string, { heardAt: number | undefined; at: number }>();

  /** Called now and then for each alert. `monotonicMs`: now. Undefined: it goes on. */
  look(id: string, { heardAt, siblingAt, speaks }: Heard, monotonicMs: number): UntoldEnd | undefined {
    const before = this.since.get(id);
    if (!speaks || before === undefined || before.heardAt !== heardAt) {
      this.since.set(id, { heardAt, at: monotonicMs });
      return undefined;
    }
    if (heardAt !== undefined && siblingAt !== undefined && siblingAt - heardAt >= siblingMs) return "gone";
    return monotonicMs - before.at >= untoldMs ? "untold" : undefined;
  }

  /** Forgets alerts that are over. */
  keep(present: ReadonlyMap<string, unknown>): void {
    for (const id of this.since.keys()) if (!present.has(id)) this.since.delete(id);
  }
}
