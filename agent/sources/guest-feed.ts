import { statSync } from "node:fs";
import { join } from "node:path";
import type { NodeName, Vmid } from "#protocol/ids.ts";
import { nodeKey, parseStorageId, parseVmid, storageKey } from "#protocol/ids.ts";
import { FeedAge, feedMaxAgeMs } from "../core/feed.ts";
import type { SampleTable } from "../core/table.ts";
import { asFlag, asNumber, asObject, asText, type JsonObject } from "../core/values.ts";
import type { Clock, Log } from "../ports.ts";
import type { NowReader } from "./files.ts";
import { putLxc, putQemu, putVeth, type Target } from "./guest-samples.ts";
import { idsOf } from "./metric-ids.ts";
import { type MetricsRead, type MetricsSection, metricsPath, readMetricsLine } from "./metrics-line.ts";
import type { LocalGuest, PmxcfsSource } from "./pmxcfs.ts";
import { putRrdGuest, type Rrd } from "./rrd.ts";

const storageIds = idsOf("storage");
const nodeIds = idsOf("node");
const feeds = ["qemu", "lxc", "storage", "node"] as const;
type FeedName = (typeof feeds)[number];

/** Guests and storages: from the metrics line while it is fresh and looks as known, each section by itself; else from `.rrd`. */
export class GuestFeed {
  /** Why something comes from `.rrd`; undefined: all from the metrics line. */
  problem: string | undefined;
  private stamp = "";
  private newest: MetricsRead = { ok: false, problem: "not read yet" };
  private readonly ages: Record<FeedName, FeedAge> = {
    qemu: new FeedAge(),
    lxc: new FeedAge(),
    storage: new FeedAge(),
    node: new FeedAge(),
  };
  private readonly logged = new Map<FeedName, string>();
  private fresh: Partial<Record<FeedName, MetricsSection>> = {};

  constructor(
    private readonly root: string,
    private readonly files: NowReader,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /** True: some section must come from `.rrd`. */
  get needsRrd(): boolean {
    return this.fresh.qemu === undefined || this.fresh.lxc === undefined || this.fresh.storage === undefined;
  }

  /** Looks at the metrics line. */
  refresh(now: number): void {
    const stamp = this.readStamp();
    if (stamp === undefined || stamp !== this.stamp) {
      this.newest = readMetricsLine(this.files);
      this.stamp = stamp ?? "";
    }
    this.fresh = {};
    this.problem = undefined;
    for (const name of feeds) {
      const section = this.newest.ok ? this.newest.line[name] : undefined;
      const why = this.reasonAgainst(name, section, now);
      if (why === undefined && section !== undefined) this.fresh[name] = section;
      this.problem ??= why;
      this.tell(name, why);
    }
  }

  /** True when pvestatd says, and not too long ago, that this VM runs. */
  isRunning(vmid: Vmid): boolean {
    const entry = asObject(this.fresh.qemu?.data[vmid]);
    return (asText(entry?.qmpstatus) ?? entry?.status) === "running";
  }

  /** `rrd`: undefined when it was not needed or could not be read. */
  putGuests(table: SampleTable, pmxcfs: PmxcfsSource, rrd: Rrd | undefined, now: number): void {
    for (const type of ["qemu", "lxc"] as const) {
      const section = this.fresh[type];
      if (section !== undefined) this.putSection(table, pmxcfs, type, section.data);
      else if (rrd !== undefined) putFromRrd(table, pmxcfs, type, rrd, now);
    }
    if (this.fresh.lxc !== undefined) this.putContainerNics(table, pmxcfs);
  }

  /** `shared`: this agent has the duty to report shared storages. */
  putStorages(
    table: SampleTable,
    pmxcfs: PmxcfsSource,
    node: NodeName,
    shared: boolean,
    rrd: Rrd | undefined,
    now: number,
  ): void {
    if (this.fresh.storage === undefined) {
      if (rrd !== undefined) putStoragesFromRrd(table, pmxcfs, node, shared, rrd, now);
      return;
    }
    const { data } = this.fresh.storage;
    for (const id in data) {
      const storage = parseStorageId(id);
      const entry = asObject(data[id]);
      if (storage === undefined || entry === undefined || !asFlag(entry.enabled)) continue;
      const isShared = asFlag(entry.shared);
      if (isShared && !shared) continue;
      const entity = table.entity(storageKey(storage, node, isShared));
      const active = asFlag(entry.active);
      table.put(entity, storageIds.active, "pve-metrics", active ? 1 : 0);
      if (!active) continue;
      table.put(entity, storageIds.total, "pve-metrics", asNumber(entry.total));
      table.put(entity, storageIds.used, "pve-metrics", asNumber(entry.used));
      table.put(entity, storageIds.avail, "pve-metrics", asNumber(entry.avail));
    }
  }

  /** The root file system as PVE says it: blocks − bfree. False: nothing fresh is known. */
  putRoot(table: SampleTable, node: NodeName): boolean {
    const root = asObject(this.fresh.node?.data.blockstat);
    if (root === undefined) return false;
    const entity = table.entity(nodeKey(node));
    table.put(entity, nodeIds.root_total, "pve-metrics", asNumber(root.blocks));
    table.put(entity, nodeIds.root_used, "pve-metrics", asNumber(root.blocks) - asNumber(root.bfree));
    table.put(entity, nodeIds.fs_total, "pve-metrics", asNumber(root.blocks), "/");
    table.put(entity, nodeIds.fs_used, "pve-metrics", asNumber(root.blocks) - asNumber(root.bfree), "/");
    table.put(entity, nodeIds.fs_avail, "pve-metrics", asNumber(root.bavail), "/");
    return true;
  }

  private putSection(table: SampleTable, pmxcfs: PmxcfsSource, type: "qemu" | "lxc", data: JsonObject): void {
    for (const id in data) {
      const entry = asObject(data[id]);
      const guest = ownGuest(pmxcfs, parseVmid(id), type);
      if (entry === undefined || guest === undefined) continue;
      const to = targetOf(table, guest);
      if (type === "qemu") putQemu(to, id, entry);
      else putLxc(to, entry, countsIo(pmxcfs, guest));
    }
  }

  private putContainerNics(table: SampleTable, pmxcfs: PmxcfsSource): void {
    const nics = asObject(this.fresh.node?.data.nics);
    for (const name in nics) {
      const match = name.startsWith("veth") ? /^veth([0-9]+)i([0-9]+)$/.exec(name) : null;
      const device = asObject(nics[name]);
      const guest = ownGuest(pmxcfs, parseVmid(match?.[1]), "lxc");
      if (match === null || device === undefined || guest === undefined) continue;
      putVeth(targetOf(table, guest), `net${match[2]}`, device);
    }
  }

  private reasonAgainst(name: FeedName, section: MetricsSection | undefined, now: number): string | undefined {
    if (!this.newest.ok) return this.newest.problem;
    if (this.newest.changed.includes(name)) return `${metricsPath}: section ${name} looks other than in PVE 9`;
    if (section === undefined) return `${metricsPath}: no section ${name}`;
    const ageMs = this.ages[name].ageMs(section.atMs, now, this.clock.monotonicMs());
    if (ageMs <= feedMaxAgeMs) return undefined;
    return `${metricsPath}: section ${name} is older than ${feedMaxAgeMs / 1000} s, does pvestatd hang?`;
  }

  private tell(name: FeedName, why: string | undefined): void {
    if (this.logged.get(name) === why) return;
    if (why === undefined) this.log(5, `${name}: values come from ${metricsPath} again`);
    else this.log(4, `${name}: values come from ${name === "node" ? "/proc alone" : "/etc/pve/.rrd"} (${why})`);
    if (why === undefined) this.logged.delete(name);
    else this.logged.set(name, why);
  }

  private readStamp(): string | undefined {
    try {
      const { ino, mtimeMs, size } = statSync(join(this.root, metricsPath));
      return `${ino} ${mtimeMs} ${size}`;
    } catch {
      return undefined;
    }
  }
}

// While a guest migrates both nodes see it: .vmlist says whose it is. Without its configuration nobody could tell which guest of that vmid it is.
function ownGuest(pmxcfs: PmxcfsSource, vmid: Vmid | undefined, type: "qemu" | "lxc"): LocalGuest | undefined {
  const guest = vmid === undefined ? undefined : pmxcfs.guests.get(vmid);
  return guest?.type === type && guest.config !== undefined ? guest : undefined;
}

function targetOf(table: SampleTable, guest: LocalGuest): Target {
  return { table, entity: table.entity(guest.key, guest.config?.identity) };
}

/** PVE says 0 for containers on ZFS, which has no I/O counters in its cgroup; an unknown storage is no reason to believe a 0 either. */
function countsIo(pmxcfs: PmxcfsSource, guest: LocalGuest): boolean {
  if (guest.type === "qemu") return true;
  const type = guest.config?.rootfsStorage === undefined ? undefined : pmxcfs.storageType(guest.config.rootfsStorage);
  return type !== undefined && type !== "zfspool";
}

function putFromRrd(table: SampleTable, pmxcfs: PmxcfsSource, type: "qemu" | "lxc", rrd: Rrd, now: number): void {
  for (const entry of rrd.guests.values()) {
    const guest = ownGuest(pmxcfs, entry.vmid, type);
    if (guest === undefined || Math.abs(now - entry.atMs) > feedMaxAgeMs) continue;
    putRrdGuest(targetOf(table, guest), type, entry, countsIo(pmxcfs, guest));
  }
}

// A storage that is not active has no line; that there is none may have other reasons too, so then nothing is said.
function putStoragesFromRrd(
  table: SampleTable,
  pmxcfs: PmxcfsSource,
  node: NodeName,
  shared: boolean,
  rrd: Rrd,
  now: number,
): void {
  for (const entry of rrd.storages) {
    const facts = pmxcfs.storages.find(({ storage }) => storage === entry.storage);
    if (entry.node !== node || facts === undefined || Math.abs(now - entry.atMs) > feedMaxAgeMs) continue;
    if (facts.shared && !shared) continue;
    const entity = table.entity(storageKey(entry.storage, node, facts.shared));
    table.put(entity, storageIds.active, "rrd", 1);
    table.put(entity, storageIds.total, "rrd", entry.total);
    table.put(entity, storageIds.used, "rrd", entry.used);
  }
}
