import { createHash } from "node:crypto";
import type { Backup, Backups } from "#protocol/backups.ts";
import type { ClusterId, EntityKey, EpochMs, NodeName } from "#protocol/ids.ts";
import type { GuestFacts } from "#protocol/messages.ts";
import { type BackupSet, guestOfBackup, PartCollector, storageEntityOf } from "./core/backup-catalogue.ts";
import type { AgentId } from "./core/series.ts";
import type { StateStore } from "./store/state.ts";

const by = { actor: "hub", reason: "observed" };
const setKey = (cluster: string, entity: string) => `${cluster}/${entity}`;
const backupKey = (set: string, volid: string) => createHash("sha256").update(`${set}\n${volid}`).digest("hex");

type MutableSet = Omit<BackupSet, "cluster" | "backups"> & { cluster: ClusterId; backups: Map<string, Backup> };

/** Every backup on every storage, as agents list them. A storage that can't be listed keeps what was known, marked as old. */
export class Catalogue {
  private readonly sets = new Map<string, MutableSet>();
  private readonly byGuest = new Map<string, Set<string>>();
  private readonly parts = new PartCollector();
  private changes = 0;

  constructor(private readonly state: StateStore) {
    for (const { id, document } of state.list("backupSet")) {
      this.sets.set(id, { ...document, entity: document.entity as EntityKey, backups: new Map() });
    }
    for (const { document } of state.list("backup")) {
      this.sets.get(setKey(document.cluster, document.entity))?.backups.set(document.backup.volid, document.backup);
    }
    for (const [id, set] of this.sets) this.index(id, set.backups.values());
  }

  /** Another number than before: something was listed. */
  get version(): number {
    return this.changes;
  }

  /** A part of a listing came; the last one that was missing replaces what was known. */
  take(agent: AgentId, listing: Backups): void {
    const entity = storageEntityOf(listing, agent.node);
    const id = setKey(agent.cluster, entity);
    const known = this.sets.get(id);
    if (listing.problem !== undefined) {
      if (known !== undefined && known.problem !== listing.problem) this.save(id, { ...known, problem: listing.problem }, []);
      return;
    }
    if (known !== undefined && listing.at < known.listedAt) return;
    const complete = this.parts.add(`${id} ${agent.node}`, listing);
    if (complete === undefined) return;
    const set: MutableSet = {
      cluster: agent.cluster,
      entity,
      storage: listing.storage,
      node: listing.shared ? null : agent.node,
      datastore: listing.datastore ?? null,
      listedAt: listing.at as EpochMs,
      problem: null,
      backups: known?.backups ?? new Map(),
    };
    this.save(id, set, complete);
  }

  allSets(cluster?: string): BackupSet[] {
    return [...this.sets.values()].filter((set) => cluster === undefined || set.cluster === cluster);
  }

  /** Nodes that hold this backup on a storage of their own; undefined: nobody listed it. */
  holders(cluster: string, storage: string, volid: string): NodeName[] | undefined {
    const sets = this.allSets(cluster).filter((set) => set.storage === storage && set.backups.has(volid));
    return sets.length === 0 ? undefined : sets.flatMap(({ node }) => node ?? []);
  }

  find(cluster: string, storage: string, volid: string): Backup | undefined {
    return this.allSets(cluster)
      .find((set) => set.storage === storage && set.backups.has(volid))
      ?.backups.get(volid);
  }

  /** Backups of the guest that has the number now, newest first; those of which nobody can tell are among them. */
  ofGuest(cluster: string, guest: Pick<GuestFacts, "vmid" | "type" | "identity">): { set: BackupSet; backup: Backup }[] {
    const found = [...(this.byGuest.get(`${cluster}/${guest.vmid}`) ?? [])].flatMap((id) => {
      const set = this.sets.get(id);
      return set === undefined ? [] : [...set.backups.values()].map((backup) => ({ set, backup }));
    });
    const mine = found.filter(({ backup }) => backup.vmid === guest.vmid && guestOfBackup(backup, guest) !== "other");
    return mine.sort((a, b) => b.backup.at - a.backup.at);
  }

  private save(id: string, set: MutableSet, complete: readonly Backup[]): void {
    const listed = set.problem === null;
    const after = new Map(complete.map((backup) => [backup.volid, backup]));
    this.state.together(() => {
      const { backups, ...document } = set;
      this.state.put("backupSet", id, document, by);
      if (!listed) return;
      for (const volid of backups.keys()) if (!after.has(volid)) this.state.remove("backup", backupKey(id, volid), by);
      for (const backup of complete) {
        if (JSON.stringify(backups.get(backup.volid)) === JSON.stringify(backup)) continue;
        this.state.put("backup", backupKey(id, backup.volid), { cluster: set.cluster, entity: set.entity, backup }, by);
      }
    });
    this.sets.set(id, listed ? { ...set, backups: after } : set);
    this.index(id, after.values());
    this.changes++;
  }

  private index(id: string, backups: Iterable<Backup>): void {
    const cluster = this.sets.get(id)?.cluster ?? "";
    for (const { vmid } of backups) {
      const key = `${cluster}/${vmid}`;
      const places = this.byGuest.get(key);
      if (places === undefined) this.byGuest.set(key, new Set([id]));
      else places.add(id);
    }
  }
}
