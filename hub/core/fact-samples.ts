import type { RestoreMetricName } from "#protocol/guest-metrics.ts";
import type { EntityKey, EpochMs, NodeName, Vmid } from "#protocol/ids.ts";
import { clusterKey, guestKey, nodeKey } from "#protocol/ids.ts";
import type { BackupJobFacts } from "#protocol/messages.ts";
import { type ClusterPicture, nodeState, nodesOf, quorumOf, speaks, spokesman } from "./cluster.ts";
import { isFresh } from "./freshness.ts";
import type { OwnedGuest } from "./inventory.ts";
import { type BackupKnowledge, backupStanding } from "./protection.ts";
import type { RestoreFigure } from "./restore-figures.ts";
import { type FactName, factCode } from "./signals.ts";
import { guestState, type Sight } from "./views.ts";

/** Takes one fact, as a number: see factSignals; or a figure of a restore test. Unknown ones are not told. */
export type TellFact = (entity: EntityKey, name: FactName | RestoreMetricName, value: number, instance: string | null) => void;

export type FactSources = BackupKnowledge & {
  sight: Sight;
  picture: ClusterPicture;
  /** What restore tests tell; absent: the hub tests none. */
  proofs?: ProofFacts | undefined;
  /** The hub can't store what agents send. */
  refusing: boolean;
  /** When this hub last saw each guest run. */
  ran: RunMemory;
};

export interface ProofFacts {
  proof(picture: ClusterPicture, owned: OwnedGuest, now: EpochMs): string;
  /** Undefined: no backup of it is known. */
  backupBytes(picture: ClusterPicture, owned: OwnedGuest): string | undefined;
  /** Of the newest test there; undefined: there was none. */
  leftovers(picture: ClusterPicture, node: NodeName): number | undefined;
  /** What its tests measured last. */
  figures(picture: ClusterPicture, owned: OwnedGuest): readonly RestoreFigure[];
}

/** By cluster, vmid and incarnation. `stopped` is told once when a guest no longer runs, so that a restarted hub knows that it did. */
export interface RunMemory {
  running(key: string, now: EpochMs): void;
  stopped(key: string): void;
  lastAt(key: string): EpochMs | undefined;
}

/** A node's own guests start within this time after it booted. */
const bootMs = 10 * 60_000;

/** What is known now of one cluster and its nodes. */
export function tellClusterFacts(sources: FactSources, tell: TellFact): void {
  const { picture, sight } = sources;
  const state = (entity: EntityKey, name: FactName, word: string) => {
    const value = factCode(name, word);
    if (!Number.isNaN(value)) tell(entity, name, value, null);
  };
  const quorate = quorumOf(picture, sight.now);
  if (quorate !== undefined) state(clusterKey, "quorum", quorate ? "yes" : "no");
  state(clusterKey, "hub_store", sources.refusing ? "refusing" : "ok");
  const agents = [...picture.agents.values()].filter(({ state }) => state !== "revoked");
  const heard = agents.some((agent) => agent.state === "connected" && speaks(agent, sight.now));
  if (agents.length > 0) state(clusterKey, "hub_sight", heard ? "ok" : "none");
  for (const node of nodesOf(picture, sight.now).keys()) {
    const agent = picture.agents.get(node);
    state(nodeKey(node), "node_state", nodeState(picture, node, sight.now));
    const job = sources.tasks.newestJob(picture.cluster, node);
    if (job !== undefined) state(nodeKey(node), "backup_job", isGood(job.state) ? job.state : "failed");
    const leftovers = sources.proofs?.leftovers(picture, node);
    if (leftovers !== undefined) tell(nodeKey(node), "restore_leftovers", leftovers, null);
    if (agent === undefined || agent.state === "revoked") continue;
    state(nodeKey(node), "agent_state", agent.state === "away" ? "away" : speaks(agent, sight.now) ? "connected" : "silent");
    const strangers = agent.inventory?.inventory.node.rangeStrangers;
    if (agent.state === "connected" && strangers !== undefined) tell(nodeKey(node), "range_strangers", strangers.length, null);
    if (agent.state !== "connected" || agent.clockSkewMs === null) continue;
    tell(nodeKey(node), "clock_skew", Math.abs(agent.clockSkewMs) / 1000, null);
  }
}

/** What is known now of these guests of the cluster. Templates have no facts. */
export function tellGuestFacts(sources: FactSources, guests: Iterable<OwnedGuest>, tell: TellFact): void {
  const jobs = spokesman(sources.picture, sources.sight.now)?.inventory?.inventory.backupJobs;
  const tests = sources.testGuests?.(sources.picture, sources.sight.now);
  for (const owned of guests) {
    if (owned.facts.template) continue;
    tellGuest(sources, owned, tell);
    // Nobody has to protect our own test guests.
    if (tests?.has(owned.facts.vmid) !== true) tellSafety(sources, owned, jobs, tell);
  }
}

function tellGuest(sources: FactSources, owned: OwnedGuest, tell: TellFact): void {
  const { facts } = owned;
  const { now } = sources.sight;
  const entity = guestKey(facts.vmid as Vmid);
  const run = guestRun(sources, owned);
  if (run !== undefined) tell(entity, "guest_run", factCode("guest_run", run), null);
  const oldest = facts.snapshots && Math.min(...facts.snapshots.map(({ at }) => at));
  if (oldest !== undefined) tell(entity, "snapshot_age", Number.isFinite(oldest) ? Math.max(0, now - oldest) / 1000 : 0, null);
}

/** What could bring the guest back. */
function tellSafety(sources: FactSources, owned: OwnedGuest, jobs: readonly BackupJobFacts[] | undefined, tell: TellFact): void {
  const entity = guestKey(owned.facts.vmid as Vmid);
  if (jobs !== undefined) tellBackups(sources, owned, jobs, entity, tell);
  tellReplication(sources, owned, entity, tell);
  tellProof(sources, owned, entity, tell);
}

function tellProof({ proofs, picture, sight }: FactSources, owned: OwnedGuest, entity: EntityKey, tell: TellFact): void {
  if (proofs === undefined) return;
  tell(entity, "proof", factCode("proof", proofs.proof(picture, owned, sight.now)), null);
  const bytes = proofs.backupBytes(picture, owned);
  if (bytes !== undefined) tell(entity, "backup_bytes", factCode("backup_bytes", bytes), null);
  // No frame brings them, and they count until the next test, so rules hear of them as of facts.
  for (const { metric, value } of proofs.figures(picture, owned)) tell(entity, metric, value, null);
}

/** A run that takes some minutes is not overdue. PVE's default schedule is every 15 minutes (pve-docs, pvesr). */
const replicationDefault = "*/15";

function tellReplication(
  { sight, picture, due }: FactSources,
  { facts, owner }: OwnedGuest,
  entity: EntityKey,
  tell: TellFact,
): void {
  for (const { id, schedule = replicationDefault, vmid, enabled } of owner.inventory.replication ?? []) {
    if (!enabled || vmid !== facts.vmid) continue;
    const info = sight.reader.find({ cluster: picture.cluster, entity, metric: "replication_age", instance: id });
    const latest = info === undefined ? undefined : sight.live.latest(info.id);
    const { timezone } = owner.inventory.node;
    const dueAt = due.newest(schedule, timezone, sight.now);
    const skewMs = picture.agents.get(owner.agent.node)?.clockSkewMs ?? 0;
    if (latest === undefined || dueAt === undefined || !isFresh(latest.at, sight.now, skewMs)) continue;
    const takenAt = (sight.now - latest.value * 1000) as EpochMs;
    // Counted from the first instant that was missed: the next ones must not start it anew.
    const missedAt = takenAt >= dueAt ? undefined : due.after(schedule, timezone, takenAt);
    const value = missedAt === undefined ? 0 : Math.max(0, sight.now - missedAt) / 1000;
    tell(entity, "replication_overdue", value, id);
  }
}

function tellBackups(
  sources: FactSources,
  owned: OwnedGuest,
  all: readonly BackupJobFacts[],
  entity: EntityKey,
  tell: TellFact,
): void {
  const { now } = sources.sight;
  const { jobs, stands } = backupStanding(sources.picture.cluster, owned, all, sources, now);
  const { overdueMs, newest } = stands;
  if (overdueMs !== undefined) tell(entity, "backup_overdue", overdueMs / 1000, null);
  if (newest === undefined || jobs.length === 0) return;
  tell(entity, "backup_age", (now - newest.at) / 1000, null);
  tell(entity, "backup_result", factCode("backup_result", isGood(newest.state) ? newest.state : "failed"), null);
}

const isGood = (state: string) => state === "ok" || state === "warnings";

/**
 * Whether a guest runs, and if not whether somebody wanted that. A guest is missed only where it should run: it starts with its node, or HA
 * keeps it. Undefined: nobody can tell.
 */
function guestRun(sources: FactSources, owned: OwnedGuest): string | undefined {
  const { facts, owner } = owned;
  const { picture, sight, ran } = sources;
  const incarnation = sight.reader.incarnationOf(picture.cluster, guestKey(facts.vmid as Vmid)) ?? 1;
  const key = `${picture.cluster}/${facts.vmid}#${incarnation}`;
  const state = guestState(sight, picture, owned);
  if (state === "unknown") return undefined;
  if (state === "io-error") return "io-error";
  if (state === "paused" || state === "suspended") return "paused";
  if (state !== "stopped") {
    if (state === "running") ran.running(key, sight.now);
    return "running";
  }
  ran.stopped(key);
  if (facts.lock !== undefined || !(facts.onboot || (facts.ha !== undefined && facts.ha === "started"))) return "stopped";
  return stoppedRun(sources, facts.vmid, owner.agent.node, ran.lastAt(key));
}

function stoppedRun({ picture, sight, tasks }: FactSources, vmid: number, node: NodeName, ranAt: EpochMs | undefined): string {
  const bootedAt = picture.agents.get(node)?.inventory?.inventory.node.bootedAt;
  const power = tasks.powerOf(picture.cluster, vmid);
  const stopAllAt = tasks.stopAllAt(picture.cluster, node) ?? 0;
  const wantedStopAt = Math.max(power?.wants === "stop" ? power.at : 0, stopAllAt);
  const startedAt = power?.wants === "start" ? power.at : 0;
  // Of a boot before anything that is known of the node nobody can say what was wanted since.
  const knowsBoot = bootedAt !== undefined && bootedAt >= (tasks.knownSince(picture.cluster, node) ?? sight.now);
  if (knowsBoot && wantedStopAt < bootedAt && Math.max(ranAt ?? 0, startedAt) < bootedAt) {
    return sight.now - bootedAt < bootMs ? "booting" : "not-started";
  }
  if (wantedStopAt > startedAt) return "stopped";
  return startedAt > 0 || ranAt !== undefined ? "stopped-unasked" : "stopped";
}
