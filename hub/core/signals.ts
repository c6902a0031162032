import type { EntityKind } from "#protocol/ids.ts";
import type { Metric, Unit } from "#protocol/metrics.ts";
import {
  cephHealthCodes,
  guestStatusCodes,
  haStateCodes,
  metricByName,
  zpoolHealthCodes,
  zpoolScanCodes,
} from "#protocol/metrics.ts";

/**
 * What rules can be about besides metrics: facts that the hub knows or works out. A fact with `values` is a state, held as the index of its
 * word; others are numbers in their unit. Unknown is NaN and never a state of its own, except where somebody has to hear of it.
 */
export const factSignals = {
  node_state: {
    entity: "node",
    values: ["online", "offline", "unknown"],
    help: "Whether the node is there, as the cluster sees it",
  },
  agent_state: {
    entity: "node",
    values: ["connected", "away", "silent"],
    help: "The node's agent: away without a session, silent without samples",
  },
  guest_sight: {
    entity: "node",
    values: ["seen", "none"],
    help: "Whether Proxmox VE still tells how guests on the node are; none while its pvestatd hangs, or has stopped",
  },
  clock_skew: { entity: "node", unit: "seconds", help: "Difference between the node's clock and the hub's, without sign" },
  quorum: { entity: "cluster", values: ["yes", "no"], help: "Whether the cluster has quorum" },
  hub_store: { entity: "cluster", values: ["ok", "refusing"], help: "Whether the hub can store what agents send" },
  hub_sight: { entity: "cluster", values: ["ok", "none"], help: "Whether the hub hears at least one agent of the cluster" },
  receiver_state: {
    entity: "cluster",
    values: ["ok", "failing"],
    help: "By receiver: failing while nothing reaches it. Told of one cluster only, the first by its id",
  },
  guest_run: {
    entity: "guest",
    values: ["running", "stopped", "stopped-unasked", "not-started", "booting", "paused", "io-error"],
    help: "stopped-unasked: it ran and no task stopped it; not-started: it should start with its node and did not; booting: its node just did",
  },
  backup_overdue: {
    entity: "guest",
    unit: "seconds",
    help: "Time since a backup was due by the guest's own jobs and none was made; 0 in time",
  },
  backup_age: {
    entity: "guest",
    unit: "seconds",
    help: "Time since the newest good backup of the guest; without one, since it is known",
  },
  backup_job: {
    entity: "node",
    values: ["ok", "warnings", "failed"],
    help: "How the node's newest backup job of several guests ended; which of them failed its task does not say",
  },
  backup_result: { entity: "guest", values: ["ok", "warnings", "failed"], help: "How the newest backup task of the guest ended" },
  replication_overdue: {
    entity: "guest",
    unit: "seconds",
    help: "By replication job: time since it was due by its calendar without a good run; 0 in time",
  },
  proof: {
    entity: "guest",
    values: ["proven", "failed", "overdue", "never", "unknown"],
    help: "What restore tests have proven; overdue: later than the guest's policy allows, never tested included",
  },
  backup_bytes: {
    entity: "guest",
    values: ["verified", "unverified", "failed"],
    help: "Whether somebody verified the bytes of the guest's newest backup",
  },
  restore_leftovers: { entity: "node", unit: "count", help: "Things that the node's newest restore test could not clear away" },
  range_strangers: {
    entity: "node",
    unit: "count",
    help: "Guests in the range of test guests that are none of Proven's: nobody touches them, and their numbers can't be used",
  },
  snapshot_age: { entity: "guest", unit: "seconds", help: "Age of the guest's oldest snapshot" },
} as const satisfies Record<string, { entity: EntityKind; values?: readonly string[]; unit?: Unit; help: string }>;

export type FactName = keyof typeof factSignals;
const facts: Record<string, { entity: EntityKind; values?: readonly string[]; unit?: Unit }> = factSignals;

/** A signal, resolved. `values`: its words, where it is a state. */
export type Signal =
  | { kind: "metric"; metric: Metric; per: Metric | undefined; values: readonly string[] | undefined; unit: Unit }
  | { kind: "fact"; name: FactName; values: readonly string[] | undefined; unit: Unit | undefined };

const codeWords: Record<string, readonly string[]> = {
  "guest status": guestStatusCodes,
  "guest ha_state": haStateCodes,
  "zpool health": zpoolHealthCodes,
  "zpool scan_state": zpoolScanCodes,
  "cluster ceph_health": cephHealthCodes,
};
const boolWords = ["no", "yes"] as const;

/** Undefined: this kind of entity has no such signal. */
export function signalOf(entity: EntityKind, name: string, per?: string): Signal | undefined {
  const fact = Object.hasOwn(facts, name) ? facts[name] : undefined;
  if (fact !== undefined && fact.entity === entity && per === undefined) {
    return { kind: "fact", name: name as FactName, values: fact.values, unit: fact.unit };
  }
  const metric = metricByName(entity, name);
  const divisor = per === undefined ? undefined : metricByName(entity, per);
  if (metric === undefined || (per !== undefined && divisor === undefined)) return undefined;
  const values = metric.unit === "bool" ? boolWords : codeWords[`${entity} ${name}`];
  const unit = divisor !== undefined && divisor.unit === metric.unit ? "ratio" : metric.unit;
  return { kind: "metric", metric, per: divisor, values, unit };
}

/** Groups what shares a slot of the evaluator. */
export function signalKey(signal: Signal): string {
  if (signal.kind === "fact") return signal.name;
  return signal.per === undefined ? signal.metric.name : `${signal.metric.name}/${signal.per.name}`;
}

/** Index of a word; facts only. */
export function factCode(name: FactName, word: string): number {
  const index = facts[name]?.values?.indexOf(word) ?? -1;
  return index < 0 ? Number.NaN : index;
}
