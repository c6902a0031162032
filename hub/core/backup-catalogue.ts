import type { Backup, Backups } from "#protocol/backups.ts";
import type { EntityKey, EpochMs, NodeName, StorageId } from "#protocol/ids.ts";
import { storageKey } from "#protocol/ids.ts";
import type { GuestFacts, Inventory } from "#protocol/inventory.ts";
import { limits } from "#protocol/limits.ts";
import type { BackupView } from "#protocol/proof.ts";

/** One storage's backups as they were last listed. */
export type BackupSet = {
  cluster: string;
  /** Of the storage: a local one is another on each node. */
  entity: EntityKey;
  storage: string;
  /** Null: shared. */
  node: NodeName | null;
  datastore: { key: string; namespace: string } | null;
  /** Its namespace where that isn't the storage's own: nobody can say whose these are, and PVE can't restore them. */
  foreign?: string | undefined;
  /** Of the newest complete listing, by the agent's clock. */
  listedAt: EpochMs;
  /** Why it could not be listed since. */
  problem: string | null;
  backups: ReadonlyMap<string, Backup>;
};

export const storageEntityOf = ({ storage, shared }: Pick<Backups, "storage" | "shared">, node: NodeName): EntityKey =>
  storageKey(storage as StorageId, shared ? undefined : node);

export const switchedOff = "the storage is switched off, or not for backups any more";

/**
 * Does what a set lies on still exist? As the one says it who lists there: each node of its own storages, who `listsShared` of all others and of
 * nodes that are gone. Undefined: not for this one to say, or its picture may be an old one.
 */
export function standingOf(
  set: Pick<BackupSet, "storage" | "node" | "datastore" | "foreign">,
  teller: NodeName,
  { cluster, storages, datastores }: Inventory,
  listsShared: boolean,
): "there" | "off" | "gone" | undefined {
  // Of an existing storage.cfg at least `local` is told.
  if (!cluster.quorate || storages.length === 0) return undefined;
  if (set.node !== null && set.node !== teller) {
    const isMember = cluster.members.length === 0 || cluster.members.some(({ node }) => node === set.node);
    return listsShared && !isMember ? "gone" : undefined;
  }
  if (set.node === null && !listsShared) return undefined;
  const storage = storages.find((one) => one.storage === set.storage);
  if (storage === undefined || storage.shared !== (set.node === null)) return "gone";
  if (set.foreign !== undefined) {
    const most = limits.namespacesPerDatastore;
    const datastore = datastores?.find(({ key }) => key === set.datastore?.key);
    const isWhole = datastore?.problem === undefined && (datastore?.namespaces.length ?? most) < most;
    if (isWhole && datastore?.namespaces.includes(set.foreign) === false) return "gone";
  }
  const isHere = set.node === null || storage.nodes.length === 0 || storage.nodes.includes(set.node);
  const isListed = storage.enabled && isHere && storage.content.includes("backup");
  return isListed ? "there" : "off";
}

/** Parts of one listing may come in any order; another `at` begins a new one. */
export class PartCollector {
  private readonly pending = new Map<string, { at: number; parts: number; got: Map<number, Backup[]> }>();

  /** All backups when this was the last part that was missing. */
  add(key: string, { at, part, parts, backups }: Backups): Backup[] | undefined {
    const known = this.pending.get(key);
    if (known !== undefined && at < known.at) return undefined;
    const listing = known?.at === at && known.parts === parts ? known : { at, parts, got: new Map<number, Backup[]>() };
    listing.got.set(part, backups);
    if (listing.got.size < parts) {
      this.pending.set(key, listing);
      return undefined;
    }
    this.pending.delete(key);
    return [...listing.got.values()].flat();
  }
}

type GuestOf = Pick<GuestFacts, "identity" | "type">;

/**
 * Is it a backup of the guest that has its number now? Two clusters may write to one datastore, and numbers are used again: only the identity
 * inside the backup's configuration tells. Another type is another guest whatever else is known.
 */
export function guestOfBackup(
  { type, guest = [] }: Pick<Backup, "type" | "guest">,
  present: GuestOf | undefined,
): BackupView["guest"] {
  if (present === undefined) return "none";
  if (type !== present.type) return "other";
  if (guest.length === 0 || present.identity.length === 0) return "unknown";
  return guest.some((one) => present.identity.includes(one)) ? "same" : "other";
}

/** What a check of ours found of one backup. */
export type CheckedBackup = { state: "verified" | "failed"; at: EpochMs };

/** The newest word counts; a file's own checksum, taken when it was new, is no verification. */
export function backupState(
  { verification }: Pick<Backup, "verification">,
  checked: CheckedBackup | undefined,
): { state: BackupView["state"]; at: number | null } {
  const said =
    verification === undefined
      ? undefined
      : ({ state: verification.state === "ok" ? "verified" : "failed", at: verification.at } as const);
  if (checked !== undefined && (said === undefined || (said.at ?? 0) < checked.at)) return checked;
  return said === undefined ? { state: "unverified", at: null } : { state: said.state, at: said.at ?? null };
}

export function backupView(
  set: BackupSet,
  backup: Backup,
  present: GuestOf | undefined,
  checked: CheckedBackup | undefined,
): BackupView {
  const { state, at } = backupState(backup, checked);
  return {
    cluster: set.cluster,
    storage: set.storage,
    entity: set.entity,
    datastore: set.datastore,
    volid: backup.volid,
    vmid: backup.vmid,
    type: backup.type,
    guest: guestOfBackup(backup, present),
    at: backup.at,
    bytes: backup.bytes ?? null,
    format: backup.format,
    notes: backup.notes ?? null,
    protected: backup.protected,
    encrypted: backup.encrypted,
    owner: backup.owner ?? null,
    state,
    verifiedAt: at,
    sha256: backup.sha256?.hex ?? null,
    stale: set.problem !== null,
    listedAt: set.listedAt,
    problem: set.problem,
  };
}

export type SizeChange = { change: "grew" | "shrank"; before: number; now: number };

/** Backups that are looked at to know what is usual. */
const usualOf = 7;

/** Three times as large as usual, or a tenth of it, against the median of the ones before; undefined: neither, or too few to say. */
export function sizeAnomaly(newestFirst: readonly Pick<Backup, "bytes">[]): SizeChange | undefined {
  const [newest, ...before] = newestFirst.flatMap(({ bytes }) => (bytes === undefined ? [] : [bytes])).slice(0, usualOf + 1);
  if (newest === undefined || before.length < 2) return undefined;
  const sorted = [...before].sort((a, b) => a - b);
  const usual = sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
  if (usual <= 0) return undefined;
  if (newest >= 3 * usual) return { change: "grew", before: usual, now: newest };
  return newest * 10 <= usual ? { change: "shrank", before: usual, now: newest } : undefined;
}
