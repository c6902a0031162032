import type { RestoreMetricName } from "#protocol/guest-metrics.ts";
import type { EntityKey, EpochMs, NodeName, Vmid } from "#protocol/ids.ts";
import { clusterKey, guestKey, nodeKey } from "#protocol/ids.ts";
import type { BackupJobFacts, ReplicationFacts } from "#protocol/inventory.ts";
import { bootOf, type ClusterPicture, nodeState, nodesOf, quorumOf, speaks, spokesman } from "./cluster.ts";
import { inHubTime, isFresh } from "./freshness.ts";
import type { OwnedGuest } from "./inventory.ts";
import { type BackupKnowledge, backupStanding } from "./protection.ts";
import type { RestoreFigure } from "./restore-figures.ts";
import { type FactName, factCode } from "./signals.ts";
import { guestStateBy, type Sight, statusSeries } from "./views.ts";

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
  /** By vmid: what was found out about the cluster's guests since something happened to each. */
  known: Map<number, KnownGuest>;
  /** Who and what there is may be another: what is known is found out again, but for what follows from tests alone. */
  changed: boolean;
};

export type ReceiverStanding = { name: string; fails: boolean };

/** What stays as it is while nothing happens to a guest: all are looked at several times a minute. */
export type KnownGuest = {
  readonly owned: OwnedGuest;
  readonly entity: EntityKey;
  /** Its name in RunMemory. */
  readonly run: string;
  /** Series of its status; undefined: there is none. */
  readonly status: number | undefined;
  /** When its oldest snapshot was made; Infinity: it has none, undefined: nobody said. */
  readonly oldestSnapshot: number | undefined;
  /** Its own jobs, those that are switched on. */
  readonly replication: readonly ReplicationFacts[];
  tested: { version: number; at: EpochMs; until: number; facts: readonly TestedFact[] } | undefined;
};

type TestedFact = { readonly name: FactName | RestoreMetricName; readonly value: number };

export interface ProofFacts {
  /** Another number than before: what is told of a guest may be another. */
  readonly version: number;
  /** Until then time alone changes nothing of it; Infinity: never. */
  holdsUntil(picture: ClusterPicture, owned: OwnedGuest, now: EpochMs): number;
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
/** A guest that was told to stop may take its time, and a rollback reads its disks first. */
const stopTakesMs = 2 * 3_600_000;
/** A status may be so old when it is looked at. */
const statusAgeMs = 2 * 60_000;

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
  const guestsSeen = guestsSeenOn(sources);
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
    const seen = agent.state === "connected" && speaks(agent, sight.now) ? guestsSeen.get(node) : undefined;
    if (seen !== undefined) state(nodeKey(node), "guest_sight", seen ? "seen" : "none");
    if (agent.state !== "connected" || agent.clockSkewMs === null) continue;
    tell(nodeKey(node), "clock_skew", Math.abs(agent.clockSkewMs) / 1000, null);
  }
}

/** Whether the state of at least one of a node's guests is known. A node without guests, or with none whose state was ever told, is not in it. */
function guestsSeenOn({ picture, sight, known }: FactSources): Map<NodeName, boolean> {
  const seen = new Map<NodeName, boolean>();
  for (const owned of picture.owners.values()) {
    const { node } = owned.owner.agent;
    const guest = known.get(owned.facts.vmid);
    if (guest?.status === undefined || seen.get(node) === true) continue;
    seen.set(node, guestStateBy(guest.status, sight, picture, owned) !== "unknown");
  }
  return seen;
}

/** Whether each receiver gets what it is told; of two with one name both have to. */
export function tellReceiverFacts(standings: readonly ReceiverStanding[], tell: TellFact): void {
  const failing = new Set(standings.filter(({ fails }) => fails).map(({ name }) => name));
  for (const name of new Set(standings.map((standing) => standing.name))) {
    tell(clusterKey, "receiver_state", factCode("receiver_state", failing.has(name) ? "failing" : "ok"), name);
  }
}

/** Guests between two pauses: some 3 ms of work where nothing is known of them yet. */
const guestsAtOnce = 250;

/** What is known now of these guests of the cluster, some at a time. Templates have no facts. */
export function* tellGuestFacts(sources: FactSources, guests: Iterable<OwnedGuest>, tell: TellFact): Generator<void, void> {
  const { picture, sight, proofs } = sources;
  const safety = {
    ...sources,
    allJobs: spokesman(picture, sight.now)?.inventory?.inventory.backupJobs,
    version: proofs?.version ?? 0,
  };
  const tests = sources.testGuests?.(picture, sight.now);
  let looked = 0;
  for (const owned of guests) {
    if (++looked % guestsAtOnce === 0) yield;
    if (owned.facts.template) continue;
    const guest = knownGuest(sources, owned);
    tellGuest(sources, guest, tell);
    // Nobody has to protect our own test guests.
    if (tests?.has(owned.facts.vmid) !== true) tellSafety(safety, guest, tell);
  }
}

function knownGuest({ known, changed, sight, picture: { cluster } }: FactSources, owned: OwnedGuest): KnownGuest {
  const { vmid, snapshots } = owned.facts;
  const before = known.get(vmid);
  const isSame = before?.owned === owned;
  if (isSame && !changed) return before;
  const entity = guestKey(vmid as Vmid);
  const incarnation = sight.reader.incarnationOf(cluster, entity) ?? 1;
  const guest: KnownGuest = {
    owned,
    entity,
    run: `${cluster}/${vmid}#${incarnation}`,
    status: statusSeries(sight.reader, cluster, owned),
    oldestSnapshot: snapshots && Math.min(...snapshots.map(({ at }) => at)),
    replication: (owned.owner.inventory.replication ?? []).filter((job) => job.enabled && job.vmid === vmid),
    tested: isSame ? before.tested : undefined,
  };
  known.set(vmid, guest);
  return guest;
}

function tellGuest(sources: FactSources, guest: KnownGuest, tell: TellFact): void {
  const { entity, oldestSnapshot: oldest } = guest;
  const { now } = sources.sight;
  const run = guestRun(sources, guest);
  if (run !== undefined) tell(entity, "guest_run", factCode("guest_run", run), null);
  if (oldest !== undefined) tell(entity, "snapshot_age", Number.isFinite(oldest) ? Math.max(0, now - oldest) / 1000 : 0, null);
}

/** `allJobs`: of the whole cluster. `version`: of the proofs. */
type SafetySources = FactSources & { allJobs: readonly BackupJobFacts[] | undefined; version: number };

/** What could bring the guest back. */
function tellSafety(sources: SafetySources, guest: KnownGuest, tell: TellFact): void {
  const { allJobs, proofs } = sources;
  if (allJobs !== undefined) tellBackups(sources, guest.owned, allJobs, guest.entity, tell);
  if (guest.replication.length > 0) tellReplication(sources, guest, tell);
  if (proofs !== undefined) tellTests(sources, proofs, guest, tell);
}

function tellTests({ picture, sight, version }: SafetySources, proofs: ProofFacts, guest: KnownGuest, tell: TellFact): void {
  const { now } = sight;
  let { tested } = guest;
  if (tested === undefined || tested.version !== version || now < tested.at || now > tested.until) {
    const until = proofs.holdsUntil(picture, guest.owned, now);
    tested = { version, at: now, until, facts: testedFacts(proofs, picture, guest.owned, now) };
    guest.tested = tested;
  }
  for (const { name, value } of tested.facts) tell(guest.entity, name, value, null);
}

function testedFacts(proofs: ProofFacts, picture: ClusterPicture, owned: OwnedGuest, now: EpochMs): TestedFact[] {
  const bytes = proofs.backupBytes(picture, owned);
  return [
    { name: "proof", value: factCode("proof", proofs.proof(picture, owned, now)) },
    ...(bytes === undefined ? [] : [{ name: "backup_bytes" as const, value: factCode("backup_bytes", bytes) }]),
    // No frame brings them, and they count until the next test, so rules hear of them as of facts.
    ...proofs.figures(picture, owned).map(({ metric, value }) => ({ name: metric, value })),
  ];
}

/** A run that takes some minutes is not overdue. PVE's default schedule is every 15 minutes (pve-docs, pvesr). */
const replicationDefault = "*/15";

function tellReplication({ sight, picture, due }: FactSources, guest: KnownGuest, tell: TellFact): void {
  const { entity, replication } = guest;
  const { owner } = guest.owned;
  for (const { id, schedule = replicationDefault } of replication) {
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
  const { overdueMs, newest, goodSince } = stands;
  if (overdueMs !== undefined) tell(entity, "backup_overdue", overdueMs / 1000, null);
  tell(entity, "backup_age", Math.max(0, now - goodSince) / 1000, null);
  if (newest === undefined || jobs.length === 0) return;
  tell(entity, "backup_result", factCode("backup_result", isGood(newest.state) ? newest.state : "failed"), null);
}

const isGood = (state: string) => state === "ok" || state === "warnings";

/**
 * Whether a guest runs, and if not whether somebody wanted that. A guest is missed only where it should run: it starts with its node, or HA
 * keeps it. Undefined: nobody can tell.
 */
function guestRun(sources: FactSources, { owned, run: key, status }: KnownGuest): string | undefined {
  const { facts, owner } = owned;
  const { picture, sight, ran } = sources;
  const state = guestStateBy(status, sight, picture, owned);
  if (state === "unknown") return undefined;
  if (state === "io-error") return "io-error";
  if (state === "paused" || state === "suspended") return "paused";
  if (state !== "stopped") {
    if (state === "running") ran.running(key, sight.now);
    return "running";
  }
  ran.stopped(key);
  if (!(facts.onboot || (facts.ha !== undefined && facts.ha === "started"))) return "stopped";
  const { node } = owner.agent;
  const ranAt = ran.lastAt(key);
  if (isHeldByLock(facts.lock, ranAt, bootOf(picture, node), sight.now)) return "stopped";
  return stoppedRun(sources, facts.vmid, node, ranAt);
}

/** Nothing that locks a guest takes longer, but a hibernation. */
const lockMaxMs = 86_400_000;

/** Whether a lock is why a guest is off. One that a crash left behind is not, and keeps PVE from starting it: no backup goes on through a boot. */
function isHeldByLock(lock: string | undefined, ranAt: EpochMs | undefined, bootedAt: number | undefined, now: EpochMs): boolean {
  if (lock === undefined || lock === "suspended" || ranAt === undefined) return lock !== undefined;
  const isFromBefore = lock === "backup" && bootedAt !== undefined && ranAt < bootedAt;
  return !isFromBefore && now - ranAt < lockMaxMs;
}

function stoppedRun({ picture, sight, tasks }: FactSources, vmid: number, node: NodeName, ranAt: EpochMs | undefined): string {
  const agent = picture.agents.get(node);
  const bootedAt = bootOf(picture, node);
  const power = tasks.powerOf(picture.cluster, vmid);
  const stopAllAt = tasks.stopAllAt(picture.cluster, node) ?? 0;
  // One that ran on after its rollback was not stopped by it.
  const goesOnAt = inHubTime((power?.goesOnAt ?? Number.POSITIVE_INFINITY) as EpochMs, agent?.clockSkewMs ?? 0);
  const ranOn = (ranAt ?? 0) - goesOnAt > statusAgeMs;
  const wantedStopAt = Math.max(power?.wants === "stop" && !ranOn ? power.at : 0, stopAllAt);
  const startedAt = power?.wants === "start" ? power.at : 0;
  // Of a boot before anything that is known of the node nobody can say what was wanted since.
  const knowsBoot = bootedAt !== undefined && bootedAt >= (tasks.knownSince(picture.cluster, node) ?? sight.now);
  if (knowsBoot && wantedStopAt < bootedAt && Math.max(ranAt ?? 0, startedAt) < bootedAt) {
    return sight.now - bootedAt < bootMs ? "booting" : "not-started";
  }
  // A guest that ran for long after it was told to stop was started by somebody, or never stopped.
  const wasMeant = wantedStopAt > startedAt && (ranAt ?? 0) - wantedStopAt < stopTakesMs;
  if (wasMeant) return "stopped";
  return startedAt > 0 || ranAt !== undefined ? "stopped-unasked" : "stopped";
}
