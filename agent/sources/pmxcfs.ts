import { type EntityKey, guestKey, type NodeName, type Vmid } from "#protocol/ids.ts";
import type { GuestFacts, StorageFacts } from "#protocol/inventory.ts";
import type { ReadText } from "../ports.ts";
import * as config from "./cluster-config.ts";
import { fileProblem, isJson } from "./files.ts";
import { type GuestConfig, parseGuestConfig } from "./guest-config.ts";

/** A guest of this node. `config` is undefined while it could not be read. */
export type LocalGuest = { vmid: Vmid; key: EntityKey; type: "qemu" | "lxc"; version: number; config?: GuestConfig };

// Another process' stat may regenerate a generated file between two reads of ours (pmxcfs.c): what is then cut in half is read again.
const readAttempts = 3;

/**
 * The cluster file system, /etc/pve. One `refresh` costs two reads while nothing changed; files are read again only when their counter in
 * `.version` moved, guest configurations when their own version in `.vmlist` did. What can't be read keeps its newest known content.
 */
export class PmxcfsSource {
  members: config.Members | undefined;
  guests: ReadonlyMap<Vmid, LocalGuest> = new Map();
  storages: readonly StorageFacts[] = [];
  /** Grows when something that `facts` or `storages` say may have changed. */
  version = 0;
  problem: string | undefined;
  /** The newest `.version`: a counter for each file, and pmxcfs' `starttime`. Empty until it was read. */
  counters: ReadonlyMap<string, number> = new Map();

  /** As the hub says. */
  speakers: readonly string[] | undefined;

  private looking: Promise<void> | undefined;
  private seen = new Map<string, number>();
  private entries: readonly config.VmlistEntry[] = [];
  private pools: ReadonlyMap<Vmid, string> = new Map();
  private membersText = "";
  private storagesById: ReadonlyMap<string, StorageFacts> = new Map();
  private clusterName: string | undefined;
  private caPem: string | undefined;

  constructor(private readonly read: ReadText) {}

  /** False until .vmlist was read once: then nothing is known about guests, not even that there are none. */
  guestsKnown = false;

  /** Who asks while a look is under way waits for the same one: at the start the link and the sampler do, and there is much to read. */
  refresh(): Promise<void> {
    this.looking ??= this.look().finally(() => {
      this.looking = undefined;
    });
    return this.looking;
  }

  private async look(): Promise<void> {
    this.problem = undefined;
    const [version, members] = await Promise.all([
      this.readParsed("/etc/pve/.version", config.parseVersion),
      this.read("/etc/pve/.members", undefined, isJson),
    ]);
    if (version === undefined) return;
    this.counters = version;
    if (version.get("starttime") !== this.seen.get("starttime")) this.forgetVersions();
    this.takeMembers(members);
    await this.whenChanged(version, "vmlist", () => this.refreshGuests());
    await this.whenChanged(version, "storage.cfg", () => this.refreshStorages());
    await this.whenChanged(version, "user.cfg", () => this.refreshPools());
    await this.whenChanged(version, "corosync.conf", () => this.refreshClusterName());
    this.seen.set("starttime", version.get("starttime") ?? 0);
  }

  /** Who this node is; undefined while that can't be said. */
  async identify() {
    await this.refresh();
    const { members } = this;
    if (members === undefined) return undefined;
    // Before corosync runs .members tells of no cluster: without its configuration nobody knows whether this node stands alone.
    if (this.clusterName === undefined && members.clusterName === undefined && !this.seen.has("corosync.conf")) return undefined;
    if (this.caPem === undefined) {
      const ca = await this.read("/etc/pve/pve-root-ca.pem");
      if (!ca.ok) this.problem = fileProblem("/etc/pve/pve-root-ca.pem", ca.code);
      else this.caPem = ca.text;
    }
    const clusterName = this.clusterName ?? members.clusterName;
    const clusterId = this.caPem === undefined ? undefined : config.clusterIdOf(clusterName ?? members.node, this.caPem);
    if (clusterId === undefined) {
      this.caPem = undefined;
      this.problem ??= "/etc/pve/pve-root-ca.pem: not a certificate";
      return undefined;
    }
    return { node: members.node, clusterId, ...(clusterName === undefined ? {} : { clusterName }) };
  }

  get name(): string | undefined {
    return this.clusterName ?? this.members?.clusterName;
  }

  /** `more`: what other sources know of the guest. */
  facts(more: (guest: LocalGuest) => Partial<GuestFacts>): GuestFacts[] {
    return [...this.guests.values()].map((guest) => {
      const { vmid, type, config: known } = guest;
      const pool = this.pools.get(vmid);
      return {
        vmid,
        type,
        ...(known?.name === undefined ? {} : { name: known.name }),
        identity: [...(known?.identity ?? [])],
        template: known?.template ?? false,
        tags: [...(known?.tags ?? [])],
        ...(known?.lock === undefined ? {} : { lock: known.lock }),
        onboot: known?.onboot ?? false,
        ...(pool === undefined ? {} : { pool }),
        configured: known !== undefined,
        ...(known === undefined
          ? {}
          : { storages: [...known.storages], unprotected: [...known.unprotected], snapshots: [...known.snapshots] }),
        ...(known?.bound === undefined ? {} : { bound: [...known.bound] }),
        ...more(guest),
      };
    });
  }

  /** The cluster's members, and whose agents are there. */
  get company(): config.Company | undefined {
    return this.members && { ...this.members, ...(this.speakers && { speakers: this.speakers }) };
  }

  storageType(id: string): string | undefined {
    return this.storagesById.get(id)?.type;
  }

  /** See speaksFor. */
  speaksFor(storage: string, hasDuty: boolean): boolean {
    return config.speaksFor(this.storagesById.get(storage)?.nodes ?? [], this.company, hasDuty);
  }

  /** A pmxcfs that began again counts its files and its guests' versions from 0 (`vminfo_version_counter` in pve-cluster's status.c). */
  private forgetVersions(): void {
    this.seen = new Map();
    this.guests = new Map([...this.guests].map(([vmid, guest]) => [vmid, { ...guest, version: Number.NaN }]));
  }

  /** Runs `refresh` when the counter moved, and remembers it only when that worked. */
  private async whenChanged(version: ReadonlyMap<string, number>, file: string, refresh: () => Promise<boolean>): Promise<void> {
    const counter = version.get(file) ?? 0;
    if (this.seen.get(file) === counter) return;
    if (!(await refresh())) return;
    this.seen.set(file, counter);
    this.version++;
  }

  // Its counter `clinfo` does not move with the quorum.
  private takeMembers(file: Awaited<ReturnType<ReadText>>): void {
    if (!file.ok) this.problem = fileProblem("/etc/pve/.members", file.code);
    if (!file.ok || file.text === this.membersText) return;
    const members = config.parseMembers(file.text);
    if (members === undefined) {
      this.problem = "/etc/pve/.members: not understood";
      return;
    }
    this.membersText = file.text;
    if (members.node !== this.members?.node) this.seen.delete("vmlist");
    this.members = members;
    this.version++;
  }

  private async refreshGuests(): Promise<boolean> {
    const entries = await this.readParsed("/etc/pve/.vmlist", config.parseVmlist);
    if (entries === undefined) return false;
    this.entries = entries;
    this.guestsKnown = true;
    return await this.refreshConfigs(this.members?.node);
  }

  /** False when one could not be read: then it is tried again. A guest that has just moved away has no file here any more. */
  private async refreshConfigs(node: NodeName | undefined): Promise<boolean> {
    const guests = new Map<Vmid, LocalGuest>();
    let complete = node !== undefined;
    for (const { vmid, type, version, node: home } of this.entries) {
      if (home !== node) continue;
      const known = this.guests.get(vmid);
      if (known?.config !== undefined && known.version === version && known.type === type) {
        guests.set(vmid, known);
        continue;
      }
      const key = guestKey(vmid);
      const path = `/etc/pve/nodes/${node}/${type === "qemu" ? "qemu-server" : "lxc"}/${vmid}.conf`;
      const file = await this.read(path, 1 << 20);
      if (file.ok) guests.set(vmid, { vmid, key, type, version, config: parseGuestConfig(file.text, type) });
      else {
        if (file.code !== "ENOENT") this.problem = fileProblem(path, file.code);
        complete = false;
        guests.set(vmid, known?.type === type ? known : { vmid, key, type, version });
      }
    }
    this.guests = guests;
    return complete;
  }

  private async refreshStorages(): Promise<boolean> {
    const file = await this.optional("/etc/pve/storage.cfg");
    if (file === undefined) return false;
    this.storages = config.parseStorageConfig(file);
    this.storagesById = new Map(this.storages.map((facts) => [facts.storage, facts]));
    return true;
  }

  private async refreshPools(): Promise<boolean> {
    const file = await this.optional("/etc/pve/user.cfg");
    if (file === undefined) return false;
    this.pools = config.parsePools(file);
    return true;
  }

  private async refreshClusterName(): Promise<boolean> {
    const file = await this.optional("/etc/pve/corosync.conf");
    if (file === undefined) return false;
    this.clusterName = config.parseClusterName(file);
    return true;
  }

  /** A file that need not exist: its absence is an empty one. Undefined: it could not be read. */
  private async optional(path: string): Promise<string | undefined> {
    const file = await this.read(path);
    if (file.ok) return file.text;
    if (file.code === "ENOENT") return "";
    this.problem = fileProblem(path, file.code);
    return undefined;
  }

  private async readParsed<T>(path: string, parse: (text: string) => T | undefined): Promise<T | undefined> {
    for (let attempt = 0; attempt < readAttempts; attempt++) {
      const file = await this.read(path, undefined, isJson);
      if (!file.ok) {
        this.problem = fileProblem(path, file.code);
        return undefined;
      }
      const parsed = parse(file.text);
      if (parsed !== undefined) return parsed;
    }
    this.problem = `${path}: not understood`;
    return undefined;
  }
}
