import { type EntityKey, type EpochMs, guestKey, type NodeName, nodeKey } from "#protocol/ids.ts";
import type { DatastoreFacts, GuestFacts, StorageFacts } from "#protocol/inventory.ts";
import type { ProofBadge } from "#protocol/proof.ts";
import { type GuestRecovery, type NodeRecovery, type RecoveryDetail, recoveryStates } from "#protocol/recovery.ts";
import { type BackupSet, backupState, guestOfBackup } from "./backup-catalogue.ts";
import { type ClusterPicture, nodeState, nodesOf, spokesman } from "./cluster.ts";
import { inHubTime, isFresh } from "./freshness.ts";
import type { GuestKnowledge } from "./guest-proof.ts";
import { guestName, type OwnedGuest } from "./inventory.ts";
import { isOfGuest } from "./proof.ts";
import type { ProofRecord } from "./run-record.ts";
import { guestState, type Sight } from "./views.ts";

type FoundBackup = GuestKnowledge["backups"][number];

/** What is known of the backups of a cluster's guests. */
export type RecoveryKnowledge = {
  /** Of this guest, newest first. */
  backupsOf(facts: GuestFacts): readonly FoundBackup[];
  checked: GuestKnowledge["checked"];
  /** Whether any storage of the cluster was ever listed. */
  listed: boolean;
  badge(owned: OwnedGuest): ProofBadge;
  record(vmid: number): ProofRecord | undefined;
  /** Numbers of our own test guests. */
  tests: ReadonlySet<number>;
};

/** The machine's name that the hub runs on, which on a node is the node's. */
const isHost = (hostName: string | undefined, node: NodeName) => hostName?.split(".")[0]?.toLowerCase() === node.toLowerCase();

/** Whether who asks sees this guest or node. */
type Sees = (entity: EntityKey) => boolean;

/** What the loss of a node takes along, and what it leaves. */
type Loss = {
  node: NodeName;
  /** Other members that are there. */
  others: readonly NodeName[];
  /** They have more than half of the votes, one for each member: HA goes on. What a QDevice adds is not known. */
  quorate: boolean;
  storages: ReadonlyMap<string, StorageFacts>;
  /** Keys of datastores whose Backup Server runs on this very node. */
  datastores: ReadonlySet<string>;
  /** Those of which is known on which server they are. */
  knownDatastores: ReadonlySet<string>;
};

/** What is the same whichever node of a cluster is lost. */
type Whole = {
  members: ReturnType<typeof nodesOf>;
  /** Members that are there. */
  online: readonly NodeName[];
  storages: ReadonlyMap<string, StorageFacts>;
  datastores: readonly DatastoreFacts[];
  /** Without templates and test guests. */
  guests: ReadonlyMap<NodeName, readonly OwnedGuest[]>;
};

/**
 * What comes back if a node of this cluster were lost now with all its disks: of each guest by which way, as of when, and how one knows. A storage that other
 * nodes reach outlives it; that a guest of the node serves it (NFS or a Backup Server in a VM) nobody tells, a Backup Server at the node's own address is
 * known.
 */
export function recoveriesIn(
  sight: Sight,
  picture: ClusterPicture,
  known: RecoveryKnowledge,
  { sees = () => true, hostName }: { sees?: Sees; hostName?: string | undefined } = {},
): (node: NodeName) => RecoveryDetail {
  const cluster = wholeOf(picture, known.tests, sight.now);
  return (node) => {
    const loss = lossOf(cluster, node);
    const all = cluster.guests.get(node) ?? [];
    const owned = all.filter(({ facts }) => sees(guestKey(facts.vmid)));
    const pairs = owned.map((guest) => ({
      guest,
      recovery: guestRecovery(guest, loss, replicaOf(sight, picture, guest), known),
    }));
    const each = pairs.map(({ recovery }) => recovery).sort(worstFirst);
    const returning = pairs.filter(({ recovery }) => recovery.state !== "lost").map(({ guest }) => guest);
    return {
      cluster: picture.cluster,
      node,
      entity: nodeKey(node),
      ...sumsOf(each, loss),
      hubHere: isHost(hostName, node),
      room: roomFor(sight, picture, loss.others, owned.length === all.length ? returning : undefined, sees),
      each,
    };
  };
}

function sumsOf(
  each: readonly GuestRecovery[],
  { others }: Loss,
): Pick<NodeRecovery, "guests" | "counts" | "oldestAt" | "restores" | "keysNeeded"> {
  const times = each.flatMap(({ dataAt }) => dataAt ?? []);
  const restored = each.filter(({ way }) => way === "backup");
  const measured = restored.flatMap(({ restoreMs }) => restoreMs ?? []);
  return {
    guests: each.length,
    counts: countsOf(each),
    oldestAt: times.length === 0 ? null : Math.min(...times),
    restores: { guests: restored.length, measured: measured.length, totalMs: measured.reduce((sum, ms) => sum + ms, 0) },
    keysNeeded: others.length > 0 ? 0 : restored.filter(({ backup }) => backup?.encrypted === true).length,
  };
}

export function withoutEach({ each: _, ...node }: RecoveryDetail): NodeRecovery {
  return node;
}

function wholeOf(picture: ClusterPicture, tests: ReadonlySet<number>, now: EpochMs): Whole {
  const members = nodesOf(picture, now);
  const facts = spokesman(picture, now)?.inventory?.inventory.storages ?? [];
  const guests = new Map<NodeName, OwnedGuest[]>();
  for (const owned of picture.owners.values()) {
    if (owned.facts.template || tests.has(owned.facts.vmid)) continue;
    const { node } = owned.owner.agent;
    const others = guests.get(node);
    if (others === undefined) guests.set(node, [owned]);
    else others.push(owned);
  }
  return {
    members,
    online: [...members.keys()].filter((node) => nodeState(picture, node, now) === "online"),
    storages: new Map(facts.map((storage) => [storage.storage, storage])),
    datastores: [...picture.agents.values()].flatMap(({ inventory }) => inventory?.inventory.datastores ?? []),
    guests,
  };
}

function lossOf({ members, online, storages, datastores }: Whole, node: NodeName): Loss {
  const others = online.filter((one) => one !== node);
  const address = members.get(node)?.ip;
  return {
    node,
    others,
    quorate: others.length > members.size / 2,
    storages,
    datastores: new Set(datastores.filter(({ server }) => isAddressOf(server, node, address)).map(({ key }) => key)),
    knownDatastores: new Set(datastores.map(({ key }) => key)),
  };
}

/** A server that storages name by a loopback address is each node's own: it goes with this one too. */
function isAddressOf(server: string, node: NodeName, address: string | undefined): boolean {
  const name = server.toLowerCase();
  return name === address || name.split(".")[0] === node.toLowerCase() || /^(localhost|127\.|::1$)/.test(name);
}

const outlives = ({ node, datastore }: BackupSet, loss: Loss) =>
  node === null ? !(datastore !== null && loss.datastores.has(datastore.key)) : node !== loss.node;

/** Whether it can be read now, and if it lies on a Backup Server, is known to be on another machine. */
function isReadable({ problem, datastore, storage }: BackupSet, { storages, knownDatastores }: Loss): boolean {
  if (problem !== null) return false;
  return datastore === null ? storages.get(storage)?.type !== "pbs" : knownDatastores.has(datastore.key);
}

type Replica = { target: NodeName; at: EpochMs };

function guestRecovery(owned: OwnedGuest, loss: Loss, replica: Replica | undefined, known: RecoveryKnowledge): GuestRecovery {
  const { facts } = owned;
  const backups = known
    .backupsOf(facts)
    .map((found) => ({ ...found, ...backupState(found.backup, known.checked(found.set, found.backup)) }));
  const record = known.record(facts.vmid);
  const good = record !== undefined && isOfGuest(record, facts.identity) ? record.lastGood : null;
  const left = backups.filter(({ set }) => outlives(set, loss));
  const whole = left.filter(({ state }) => state !== "failed");
  // A number may have been another guest's: where a backup doesn't say whose it is, a test of it does.
  const isOwn = ({ backup }: FoundBackup) =>
    facts.identity.length === 0 || guestOfBackup(backup, facts) === "same" || backup.at === good?.backupAt;
  const isGood = (found: FoundBackup) => isReadable(found.set, loss) && isOwn(found);
  const best = whole.find(isGood) ?? whole.find(isOwn) ?? whole[0];
  const burning = backups.find(({ set, state }) => !outlives(set, loss) && state !== "failed");
  const elsewhere = elsewhereBy(facts, loss, replica);
  const way = elsewhere?.way ?? (best === undefined ? null : "backup");
  const without = withoutDisks(facts, way);
  const { state, level } = known.badge(owned);
  // What comes back without a disk, or was not seen to boot, was restored and no more.
  const isWhole = without?.length === 0 && (level === "boots" || level === "works");
  const proof = state === "proven" && !isWhole ? "unknown" : state;
  return {
    entity: guestKey(facts.vmid),
    vmid: facts.vmid,
    type: facts.type,
    name: guestName(facts),
    state: elsewhere === undefined ? stateOf(best && isGood(best), left.length > 0, known.listed, proof) : "stays",
    way,
    target: elsewhere?.replica?.target ?? null,
    dataAt: elsewhere === undefined ? (best?.backup.at ?? null) : (elsewhere.replica?.at ?? null),
    backup:
      best === undefined
        ? null
        : {
            at: best.backup.at,
            storage: best.set.storage,
            volid: best.backup.volid,
            verified: best.state === "verified",
            encrypted: best.backup.encrypted,
            stale: best.set.problem !== null,
          },
    burns:
      burning !== undefined && burning.backup.at > (best?.backup.at ?? 0)
        ? { at: burning.backup.at, storage: burning.set.storage }
        : null,
    provenAt: good?.at ?? null,
    restoreMs: restoreTime(good),
    without,
  };
}

/** From the restore's begin to the last passed check, or to the guest's first sign of life. */
function restoreTime(good: ProofRecord["lastGood"]): number | null {
  if (good === null || good.measures.restoreMs === null) return null;
  return good.measures.restoreMs + (good.measures.serviceMs ?? good.measures.heartbeatMs ?? 0);
}

/** Undefined: the guest's disks go with the node, or nobody says where they are. */
function elsewhereBy(
  { ha, storages, bound = [] }: GuestFacts,
  loss: Loss,
  replica: Replica | undefined,
): { way: "ha" | "shared" | "replica"; replica: Replica | undefined } | undefined {
  // A device goes with the node, and the guest does not start without it.
  if (loss.others.length === 0 || bound.some(({ why }) => why === "device")) return undefined;
  const isStarted = ha === "started" && loss.quorate;
  const isShared = (id: string) => {
    const storage = loss.storages.get(id);
    return storage?.shared === true && (storage.nodes.length === 0 || loss.others.some((node) => storage.nodes.includes(node)));
  };
  if (storages !== undefined && storages.length > 0 && storages.every(isShared)) {
    return { way: isStarted ? "ha" : "shared", replica: undefined };
  }
  if (replica === undefined || !loss.others.includes(replica.target) || bound.length > 0) return undefined;
  return { way: isStarted ? "ha" : "replica", replica };
}

/** Where its disks stay, only folders of the node are lost. Null: nobody said which ones backups leave out. */
function withoutDisks({ unprotected }: GuestFacts, way: GuestRecovery["way"]): string[] | null {
  if (way === null) return [];
  if (unprotected === undefined) return null;
  return unprotected.filter(({ why }) => way === "backup" || why === "no-volume").map(({ disk }) => disk);
}

/** `isSure`: what is known of the best backup that is left; undefined: there is none. */
function stateOf(
  isSure: boolean | undefined,
  anyLeft: boolean,
  listed: boolean,
  state: ProofBadge["state"],
): GuestRecovery["state"] {
  if (isSure === undefined) {
    if (anyLeft) return "failed";
    return listed ? "lost" : "unknown";
  }
  if (!isSure) return "unknown";
  if (state === "failed") return "failed";
  return state === "proven" ? "proven" : "unproven";
}

/** The newest good copy on another node. Where the job was never seen to end well there is none. */
function replicaOf(
  { reader, live }: Sight,
  { cluster, agents }: ClusterPicture,
  { facts, owner }: OwnedGuest,
): Replica | undefined {
  const jobs = owner.inventory.replication?.filter(({ vmid, enabled }) => vmid === facts.vmid && enabled) ?? [];
  const series = jobs.length === 0 ? [] : reader.seriesOf(cluster, guestKey(facts.vmid));
  const skewMs = agents.get(owner.agent.node)?.clockSkewMs ?? 0;
  const replicas = jobs.flatMap(({ id, target }): Replica[] => {
    const info = series.find(({ metric, instance }) => metric.name === "replication_age" && instance === id);
    const latest = info === undefined ? undefined : live.latest(info.id);
    if (latest === undefined) return [];
    return [{ target: target as NodeName, at: Math.round(inHubTime(latest.at, skewMs) - latest.value * 1000) as EpochMs }];
  });
  return replicas.sort((a, b) => b.at - a.at)[0];
}

function countsOf(each: readonly GuestRecovery[]): NodeRecovery["counts"] {
  const counts = { lost: 0, failed: 0, unknown: 0, unproven: 0, stays: 0, proven: 0 };
  for (const { state } of each) counts[state]++;
  return counts;
}

const worstFirst = (a: GuestRecovery, b: GuestRecovery) =>
  recoveryStates.indexOf(a.state) - recoveryStates.indexOf(b.state) || a.vmid - b.vmid;

/** Guests that are known to be off need no memory. `returning`: undefined: who asks does not see all of them. */
function roomFor(
  sight: Sight,
  picture: ClusterPicture,
  others: readonly NodeName[],
  returning: readonly OwnedGuest[] | undefined,
  sees: Sees,
): NodeRecovery["room"] {
  const running = returning?.filter((owned) => guestState(sight, picture, owned) !== "stopped");
  const needs = running?.flatMap((owned) => memoryOf(sight, picture, owned) ?? []) ?? [];
  const neededBytes = needs.length === running?.length ? needs.reduce((sum, bytes) => sum + bytes, 0) : null;
  if (others.length === 0) return { fits: "none", neededBytes, freeBytes: null };
  const free = others.filter((node) => sees(nodeKey(node))).flatMap((node) => freeOf(sight, picture, node) ?? []);
  const freeBytes = free.length === others.length ? free.reduce((sum, bytes) => sum + bytes, 0) : null;
  if (neededBytes === null || freeBytes === null) return { fits: "unknown", neededBytes, freeBytes };
  return { fits: fits(needs, free) ? "yes" : "no", neededBytes, freeBytes };
}

/** What it may take, as its node said last; undefined: it never did. */
function memoryOf({ reader, live }: Sight, { cluster }: ClusterPicture, { facts }: OwnedGuest): number | undefined {
  const info = reader.find({ cluster, entity: guestKey(facts.vmid), metric: "mem_max" });
  return info === undefined ? undefined : live.latest(info.id)?.value;
}

/** Undefined: its node does not say now. */
function freeOf({ reader, live, now }: Sight, { cluster, agents }: ClusterPicture, node: NodeName): number | undefined {
  const skewMs = agents.get(node)?.clockSkewMs ?? 0;
  const newest = (metric: string) => {
    const info = reader.find({ cluster, entity: nodeKey(node), metric });
    const latest = info === undefined ? undefined : live.latest(info.id);
    return latest !== undefined && isFresh(latest.at, now, skewMs) ? latest.value : undefined;
  };
  const [total, used] = [newest("mem_total"), newest("mem_used")];
  return total === undefined || used === undefined ? undefined : Math.max(0, total - used);
}

/** The largest first, each to where most is free: as somebody would place them who looks. */
export function fits(needs: readonly number[], free: readonly number[]): boolean {
  const left = [...free];
  for (const need of [...needs].sort((a, b) => b - a)) {
    const most = left.indexOf(Math.max(...left));
    const room = left[most];
    if (room === undefined || room < need) return false;
    left[most] = room - need;
  }
  return true;
}
