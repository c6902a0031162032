import type { EpochMs } from "#protocol/ids.ts";
import type { PolicyDecision } from "#protocol/policy.ts";
import type { Run } from "../core/run-record.ts";
import type { Span } from "../core/window.ts";
import type { StateStore } from "../store/state.ts";

/** What became of one night of a policy, ms since the epoch; the hub may have been away at its end. */
export type PastNight = { from: EpochMs; until: EpochMs; decisions: PolicyDecision[] };

type Tonight = { span: Span; decisions: readonly PolicyDecision[]; storedAt: EpochMs };

const keptMs = 60 * 86_400_000;
/** Of a night that goes on the record is written so often: thousands of guests make it long, and each test that ends changes it. */
const storedEveryMs = 5 * 60_000;
const observed = { actor: "hub", reason: "observed" };
const timeKey = (time: number) => String(Math.max(0, time)).padStart(14, "0");

/** Remembers what policies decided in their nights, so that it can be asked later why a guest was not tested. */
export class PolicyNights {
  private readonly tonight = new Map<string, Tonight>();

  constructor(private readonly state: StateStore) {}

  /** In the open window `span`, `decisions` were taken; `runs`: tests that the policy ordered since it opened. */
  note(policy: string, span: Span, decisions: readonly PolicyDecision[], runs: readonly Run[], now: EpochMs): void {
    this.close(policy, span, now);
    const storedAt = this.tonight.get(policy)?.storedAt;
    const isDue = storedAt === undefined || Math.abs(now - storedAt) >= storedEveryMs;
    const night = { span, decisions: withTests(decisions, runs), storedAt: isDue ? now : storedAt };
    this.tonight.set(policy, night);
    if (isDue) this.store(policy, night, span.until);
  }

  /** Ends the night that was noted last where `span`, the window as it is now, is not that night's. */
  close(policy: string, span: Span, now: EpochMs): void {
    const last = this.tonight.get(policy);
    if (last === undefined || (span.active && span.from === last.span.from)) return;
    this.tonight.delete(policy);
    // Somebody may have moved the window while it was open.
    this.store(policy, last, Math.min(last.span.until, now) as EpochMs);
    for (const id of this.state.idsBefore("policyNight", timeKey(now - keptMs), 100)) {
      this.state.remove("policyNight", id, observed);
    }
  }

  /** Nights that are over, the newest first. */
  past(policy: string, now: EpochMs): PastNight[] {
    return this.state
      .list("policyNight")
      .map(({ document }) => document)
      .filter((night) => night.policy === policy && night.until <= now)
      .sort((a, b) => b.from - a.from)
      .map(({ from, until, decisions }) => ({ from, until, decisions }));
  }

  private store(policy: string, { span, decisions }: Tonight, until: EpochMs): void {
    const night = { policy, from: span.from, until, decisions: [...decisions] };
    this.state.put("policyNight", `${timeKey(span.from)}~${policy}`, night, observed);
  }
}

/** What was tested stays so, whatever is decided about it later, and whoever decides it after a restart. */
function withTests(decisions: readonly PolicyDecision[], runs: readonly Run[]): PolicyDecision[] {
  const tested = new Map(runs.map(({ cluster, guest, node, nodes }) => [`${cluster}/${guest?.vmid}`, node ?? nodes[0]]));
  return decisions.map((one) => {
    const node = tested.get(`${one.cluster}/${one.vmid}`);
    return node === undefined ? one : { ...one, decision: "test", why: `On ${node}` };
  });
}
