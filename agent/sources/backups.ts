import { createHash } from "node:crypto";
import type { Backups } from "#protocol/backups.ts";
import type { StorageFacts } from "#protocol/inventory.ts";
import { limits } from "#protocol/limits.ts";
import { type BackupSet, splitBackups } from "../core/backup-parts.ts";
import type { BackupGuests } from "./backup-guests.ts";
import { type ListingDeps, listDatastore, listStorage } from "./backup-listing.ts";
import { speaksFor } from "./cluster-config.ts";
import type { NewArchives } from "./new-archives.ts";
import { counted, hourMs, minuteMs, type NodeSight, type SlowSource } from "./slow-source.ts";

const listEveryMs = 10 * minuteMs;
/** While there are backups that nobody has looked into. */
const hurryMs = minuteMs;
/** A set that did not change is told all the same. */
const tellAgainMs = 6 * hourMs;
const lookForMs = 30_000;
const partMaxBytes = limits.messageMaxBytes / 2;

/** Takes one message; false: it could not be sent. */
export type BackupListener = (part: Backups) => boolean;

export type BackupDeps = ListingDeps & { guests: BackupGuests; archives: NewArchives };

/**
 * The catalogue of backups: every storage that holds some, its own of this node, shared ones where this agent has the duty for them. Works only
 * while somebody listens, and keeps no backups in memory, only whether a set is still the one that was told.
 */
export class BackupSource implements SlowSource {
  readonly name = "backups";
  readonly version = 0;
  readonly lendMs = listEveryMs;
  readonly patienceMs = 10 * minuteMs;
  problem: string | undefined;
  private listener: BackupListener | undefined;
  private told = new Map<string, { storage: string; hash: string; atMs: number }>();
  private counts = { storages: 0, backups: 0 };
  /** Storages that were listed, or could not be, since this listener came. */
  private looked = new Set<string>();
  /** When to list again, if sooner than usual. */
  private soonMs: number | undefined;

  constructor(private readonly deps: BackupDeps) {}

  /** Undefined: nobody listens any more. A new listener is told everything. */
  listen(listener: BackupListener | undefined): void {
    this.listener = listener;
    this.told = new Map();
    this.looked = new Set();
  }

  everyMs(sight: NodeSight): number | undefined {
    if (this.listener === undefined) return undefined;
    const storages = mine(sight);
    this.forgetAllBut(storages);
    if (storages.length === 0) return undefined;
    // Shared ones come with a duty, which may come later than the listener.
    if (storages.some(({ storage }) => !this.looked.has(storage))) return 0;
    return this.soonMs ?? listEveryMs;
  }

  put(): void {
    // Its values are no samples.
  }

  found(): string {
    const { storages, backups } = this.counts;
    return `${counted(backups, "backup")} on ${counted(storages, "storage")}`;
  }

  close(): void {
    this.deps.archives.close();
  }

  async refresh(sight: NodeSight): Promise<void> {
    this.soonMs = undefined;
    const storages = mine(sight);
    this.looked = new Set(storages.map(({ storage }) => storage));
    const done = new Set<string>();
    const problems: string[] = [];
    let [backups, left] = [0, false];
    for (const storage of storages) {
      const place = sight.files.pbs.find((each) => each.storage === storage.storage);
      const sets =
        place === undefined
          ? [await listStorage(this.deps, sight.node, storage)]
          : await listDatastore(this.deps, sight.node, storage, place, done);
      for (const set of sets) {
        backups += set.backups.length;
        if (set.problem !== undefined) problems.push(`${storage.storage}: ${set.problem}`);
        left = (await this.take(set, sight, place?.namespace)) || left;
      }
    }
    this.counts = { storages: storages.length, backups };
    this.problem = problems[0];
    if (left) this.soonMs ??= hurryMs;
  }

  /** Tells the set, then finds out what is not known of it. `restorable`: namespace of the storage itself. True: some is left to find out. */
  private async take(set: BackupSet, { node }: NodeSight, restorable: string | undefined): Promise<boolean> {
    const { guests, archives } = this.deps;
    // What lies in another namespace PVE has no name for: the same one names a backup in the storage's own.
    if (set.datastore !== undefined && set.datastore.namespace !== restorable) {
      this.tell({ ...set, foreign: true });
      return false;
    }
    if (!this.tell(this.withKnowledge(set)) || set.problem !== undefined) return false;
    const volids = new Set(set.backups.map(({ volid }) => volid));
    guests.keepOnly(set.storage, volids);
    archives.keepOnly(set.storage, volids);
    archives.start(node, set.backups, () => {
      this.soonMs ??= hurryMs;
    });
    const unknown = set.backups.filter(({ volid }) => guests.of(volid) === undefined).length;
    const left = await guests.look(node, [...set.backups], lookForMs);
    const after = set.backups.filter(({ volid }) => guests.of(volid) === undefined).length;
    if (after < unknown) this.tell(this.withKnowledge(set));
    return left;
  }

  private withKnowledge(set: BackupSet): BackupSet {
    const backups = set.backups.map((backup) => {
      const [guest, sha256] = [this.deps.guests.of(backup.volid), this.deps.archives.of(backup.volid)];
      return { ...backup, ...(sha256 && { sha256 }), ...(guest && { guest: [...guest] }) };
    });
    return { ...set, backups };
  }

  /** When it is news, or was told long ago. False: nobody heard it. */
  private tell(set: BackupSet): boolean {
    const { listener } = this;
    if (listener === undefined) return false;
    const key = JSON.stringify([set.storage, set.datastore]);
    const hash = createHash("sha256")
      .update(JSON.stringify({ ...set, at: 0 }))
      .digest("base64");
    const [before, nowMs] = [this.told.get(key), this.deps.clock.monotonicMs()];
    if (before?.hash === hash && nowMs - before.atMs < tellAgainMs) return true;
    if (!splitBackups(set, partMaxBytes).every((part) => listener(part))) return false;
    this.told.set(key, { storage: set.storage, hash, atMs: nowMs });
    return true;
  }

  /** The hub forgets what lies on a storage that is gone, and takes for old what lies on one that is off: should it come back, it is news. */
  private forgetAllBut(storages: readonly StorageFacts[]): void {
    const present = new Set(storages.map(({ storage }) => storage));
    for (const storage of this.looked) if (!present.has(storage)) this.looked.delete(storage);
    for (const [key, { storage }] of this.told) if (!present.has(storage)) this.told.delete(key);
  }
}

/** Of the storages with backups those that this agent lists. */
function mine({ node, files, duties, members }: NodeSight): StorageFacts[] {
  return files.backupStorages.filter(({ nodes, shared }) => {
    const here = nodes.length === 0 || nodes.includes(node);
    return here && (!shared || speaksFor(nodes, members, duties.has("backup-jobs")));
  });
}
