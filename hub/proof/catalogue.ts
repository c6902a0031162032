import { createHash } from "node:crypto";
import type { Backup, Backups } from "#protocol/backups.ts";
import type { ClusterId, EntityKey, EpochMs, NodeName } from "#protocol/ids.ts";
import type { GuestFacts, Inventory } from "#protocol/inventory.ts";
import {
  type BackupSet,
  guestOfBackup,
  PartCollector,
  standingOf,
  storageEntityOf,
  switchedOff,
} from "../core/backup-catalogue.ts";
import type { CataloguedBackups } from "../core/backup-due.ts";
import type { AgentId } from "../core/series.ts";
import type { StateStore } from "../store/state.ts";

const by = { actor: "hub", reason: "observed" };
/** Two namespaces of one datastore may hold backups of the same names. */
const setKey = ({ cluster, entity, foreign }: { cluster: string; entity: string; foreign?: string | undefined }) =>
  `${cluster}/${entity}${foreign === undefined ? "" : `#${foreign}`}`;
const backupKey = (set: string, volid: string) => createHash("sha256").update(`${set}\n${volid}`).digest("hex");

type KnownSet = Omit<BackupSet, "cluster"> & { cluster: ClusterId; byGuest: ReadonlyMap<number, readonly Backup[]> };

type PresentGuest = Pick<GuestFacts, "vmid" | "type" | "identity">;
export type FoundBackup = { set: BackupSet; backup: Backup };
type FoundBackups = Pick<PresentGuest, "vmid" | "type"> & { cluster: string; backups: readonly FoundBackup[] };

/** Every backup on every storage, as agents list them. A storage that can't be listed keeps what was known, marked as old. */
export class Catalogue {
  private readonly sets = new Map<string, KnownSet>();
  private readonly parts = new PartCollector();
  /** By the identity of each guest that was asked for since the last listing: what an inventory no longer has is forgotten with it. */
  private found = new WeakMap<PresentGuest["identity"], FoundBackups>();
  private changes = 0;

  constructor(private readonly state: StateStore) {
    const listed = new Map<string, Backup[]>();
    for (const { document } of state.list("backup")) {
      const id = setKey(document);
      const others = listed.get(id);
      if (others === undefined) listed.set(id, [document.backup]);
      else others.push(document.backup);
    }
    for (const { id, document } of state.list("backupSet")) {
      this.sets.set(id, withBackups({ ...document, entity: document.entity as EntityKey }, listed.get(id) ?? []));
    }
  }

  /** Another number than before: something was listed. */
  get version(): number {
    return this.changes;
  }

  /** A part of a listing came; the last one that was missing replaces what was known. */
  take(agent: AgentId, listing: Backups): void {
    const entity = storageEntityOf(listing, agent.node);
    const foreign = listing.foreign === true ? (listing.datastore?.namespace ?? "") : undefined;
    const id = setKey({ cluster: agent.cluster, entity, foreign });
    const known = this.sets.get(id);
    if (listing.problem !== undefined) {
      if (known !== undefined && known.problem !== listing.problem)
        this.save(id, { ...known, problem: listing.problem }, known.backups);
      return;
    }
    if (known !== undefined && listing.at < known.listedAt) return;
    const complete = this.parts.add(`${id} ${agent.node}`, listing);
    if (complete === undefined) return;
    const set = {
      cluster: agent.cluster,
      entity,
      storage: listing.storage,
      node: listing.shared ? null : agent.node,
      datastore: listing.datastore ?? null,
      ...(foreign === undefined ? {} : { foreign }),
      listedAt: listing.at as EpochMs,
      problem: null,
    };
    this.save(id, withBackups(set, complete), known?.backups ?? new Map());
  }

  /** Forgets what lies on storages, namespaces and nodes that are gone, and takes for old what lies on a storage that is switched off. */
  compare({ cluster, node }: AgentId, inventory: Inventory, listsShared: boolean): void {
    for (const [id, set] of this.sets) {
      if (set.cluster !== cluster) continue;
      const standing = standingOf(set, node, inventory, listsShared);
      if (standing === "gone") this.forget(id, set);
      if (standing === "off" && set.problem !== switchedOff) this.save(id, { ...set, problem: switchedOff }, set.backups);
    }
  }

  allSets(cluster?: string): BackupSet[] {
    return [...this.sets.values()].filter((set) => cluster === undefined || set.cluster === cluster);
  }

  /** Nodes that hold this backup on a storage of their own; undefined: nobody listed it. */
  holders(cluster: string, storage: string, volid: string): NodeName[] | undefined {
    const sets = this.holding(cluster, storage, volid);
    return sets.length === 0 ? undefined : sets.flatMap(({ node }) => node ?? []);
  }

  find(cluster: string, storage: string, volid: string): Backup | undefined {
    return this.holding(cluster, storage, volid)[0]?.backups.get(volid);
  }

  private holding(cluster: string, storage: string, volid: string): KnownSet[] {
    return [...this.sets.values()].filter(
      (set) => set.cluster === cluster && set.foreign === undefined && set.storage === storage && set.backups.has(volid),
    );
  }

  /** Backups of the guest that has the number now, newest first; those of which nobody can tell are among them. */
  ofGuest(cluster: string, guest: PresentGuest): readonly FoundBackup[] {
    const { vmid, type, identity } = guest;
    const before = this.found.get(identity);
    // Rules ask of every guest again and again; the same inventory is the same object.
    if (before?.vmid === vmid && before.type === type && before.cluster === cluster) return before.backups;
    const backups = this.look(cluster, guest);
    this.found.set(identity, { cluster, vmid, type, backups });
    return backups;
  }

  private look(cluster: string, guest: PresentGuest): FoundBackup[] {
    const found: FoundBackup[] = [];
    for (const set of this.sets.values()) {
      if (set.cluster !== cluster || set.foreign !== undefined) continue;
      for (const backup of set.byGuest.get(guest.vmid) ?? []) {
        if (guestOfBackup(backup, guest) !== "other") found.push({ set, backup });
      }
    }
    return found.sort((a, b) => b.backup.at - a.backup.at);
  }

  /** When this storage, as that node reaches it, was last listed to the end; undefined: never, or it can't be listed now. */
  private listedAt(cluster: string, storage: string, node: NodeName): EpochMs | undefined {
    const set = [true, false]
      .map((shared) => this.sets.get(setKey({ cluster, entity: storageEntityOf({ storage, shared }, node) })))
      .find((one) => one !== undefined);
    return set === undefined || set.problem !== null ? undefined : set.listedAt;
  }

  /** What storages hold of the guest that has the number now, as its node reaches them. */
  ofPresent(cluster: string, guest: PresentGuest, node: NodeName): CataloguedBackups {
    const all = this.ofGuest(cluster, guest);
    // Of a guest without anything to tell it by, its number and type must do.
    const isKnown = ({ backup }: FoundBackup) => guest.identity.length === 0 || guestOfBackup(backup, guest) === "same";
    const known = all.filter(isKnown);
    const [newest, oldest] = [known[0], known.at(-1)];
    const span =
      newest === undefined || oldest === undefined
        ? undefined
        : { newestAt: newest.backup.at as EpochMs, newestOn: newest.set.storage, oldestAt: oldest.backup.at as EpochMs };
    const unknownAt = all.find((one) => !isKnown(one))?.backup.at as EpochMs | undefined;
    return { span, unknownAt, listedAt: (storage) => this.listedAt(cluster, storage, node), isListed: this.isListed(cluster) };
  }

  private isListed(cluster: string): boolean {
    for (const set of this.sets.values()) if (set.cluster === cluster && set.foreign === undefined) return true;
    return false;
  }

  private save(id: string, set: KnownSet, before: ReadonlyMap<string, Backup>): void {
    this.state.together(() => {
      const { backups, byGuest: _, ...document } = set;
      const { cluster, entity, foreign } = set;
      const of = { cluster, entity, ...(foreign === undefined ? {} : { foreign }) };
      this.state.put("backupSet", id, document, by);
      for (const volid of before.keys()) if (!backups.has(volid)) this.state.remove("backup", backupKey(id, volid), by);
      for (const [volid, backup] of backups) {
        if (JSON.stringify(before.get(volid)) === JSON.stringify(backup)) continue;
        this.state.put("backup", backupKey(id, volid), { ...of, backup }, by);
      }
    });
    this.sets.set(id, set);
    this.found = new WeakMap();
    this.changes++;
  }

  private forget(id: string, set: KnownSet): void {
    this.state.together(() => {
      this.state.remove("backupSet", id, by);
      for (const volid of set.backups.keys()) this.state.remove("backup", backupKey(id, volid), by);
    });
    this.sets.delete(id);
    this.found = new WeakMap();
    this.changes++;
  }
}

function withBackups(set: Omit<KnownSet, "backups" | "byGuest">, listed: readonly Backup[]): KnownSet {
  const byGuest = new Map<number, Backup[]>();
  for (const backup of listed) {
    const others = byGuest.get(backup.vmid);
    if (others === undefined) byGuest.set(backup.vmid, [backup]);
    else others.push(backup);
  }
  return { ...set, backups: new Map(listed.map((backup) => [backup.volid, backup])), byGuest };
}
