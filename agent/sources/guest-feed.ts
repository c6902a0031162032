import { statSync } from "node:fs";
import type { NodeName, Vmid } from "#protocol/ids.ts";
import { nodeKey, parseStorageId, parseVmid, storageKey } from "#protocol/ids.ts";
import { FeedAge, feedMaxAgeMs } from "../core/feed.ts";
import type { ReclaimableMemory } from "../core/guest-memory.ts";
import type { SampleTable } from "../core/table.ts";
import type { Clock, Log } from "../ports.ts";
import { below, type NowReader } from "./files.ts";
import {
  GuestNics,
  hasCounters,
  isBallooned,
  memoryOf,
  putDrive,
  putLxc,
  putQemu,
  putTap,
  putVeth,
  runs,
  type Target,
  uptimeOf,
} from "./guest-samples.ts";
import { idsOf } from "./metric-ids.ts";
import {
  columnOf,
  type GuestRows,
  MetricsLine,
  type MetricsSectionName,
  metricsPath,
  rootColumns,
  storageColumns,
} from "./metrics-line.ts";
import type { LocalGuest, PmxcfsSource } from "./pmxcfs.ts";
import { putRrdGuest, type Rrd } from "./rrd.ts";

const storageIds = idsOf("storage");
const nodeIds = idsOf("node");
const feeds = ["qemu", "lxc", "storage", "node"] as const;
const ofStorage = columnOf(storageColumns);
const ofRoot = columnOf(rootColumns);

/** Guests and storages: from the metrics line while it is fresh and looks as known, each section by itself; else from `.rrd`. */
export class GuestFeed {
  /** Why something comes from `.rrd`; undefined: all from the metrics line. */
  problem: string | undefined;
  private stamp = "";
  private readonly line = new MetricsLine();
  private lineProblem: string | undefined = "not read yet";
  private readonly ages: Record<MetricsSectionName, FeedAge> = {
    qemu: new FeedAge(),
    lxc: new FeedAge(),
    storage: new FeedAge(),
    node: new FeedAge(),
  };
  private readonly logged = new Map<MetricsSectionName, string>();
  private readonly fresh = new Set<MetricsSectionName>();
  /** Rows of the VMs that run. */
  private readonly running = new Map<Vmid, number>();
  private readonly taps = new GuestNics(/^tap([^i]*)i(.*)$/);
  private readonly veths = new GuestNics(/^veth([0-9]+)i([0-9]+)$/);
  /** Guests by the row of their type, as the newest `putGuests` found them. */
  private readonly owners: (Target | undefined)[] = [];

  constructor(
    private readonly root: string,
    private readonly files: NowReader,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /** True: some section must come from `.rrd`. */
  get needsRrd(): boolean {
    return !(this.fresh.has("qemu") && this.fresh.has("lxc") && this.fresh.has("storage"));
  }

  /** Looks at the metrics line. */
  refresh(now: number): void {
    const stamp = this.readStamp();
    if (stamp === undefined || stamp !== this.stamp) {
      this.lineProblem = this.line.read(this.files);
      this.stamp = stamp ?? "";
    }
    this.fresh.clear();
    this.problem = undefined;
    const changed = this.line.changed;
    for (const name of feeds) {
      const why = this.reasonAgainst(name, changed, now);
      if (why === undefined) this.fresh.add(name);
      this.problem ??= why;
      this.tell(name, why);
    }
    this.noteRunning();
  }

  /** True when pvestatd says, and not too long ago, that this VM runs. */
  isRunning(vmid: Vmid): boolean {
    return this.running.has(vmid);
  }

  /** As NodeSight says. */
  balloonUptime(vmid: Vmid): number | undefined {
    const row = this.running.get(vmid);
    return row !== undefined && isBallooned(this.line.qemu, row) ? uptimeOf(this.line.qemu, row) : undefined;
  }

  /** `rrd`: undefined when it was not needed or could not be read. `memory`: what VMs' own agents said of theirs. */
  putGuests(table: SampleTable, pmxcfs: PmxcfsSource, rrd: Rrd | undefined, now: number, memory: ReclaimableMemory): void {
    for (const type of ["qemu", "lxc"] as const) {
      if (this.fresh.has(type)) this.putSection(table, pmxcfs, type, memory);
      else if (rrd !== undefined) putFromRrd(table, pmxcfs, type, rrd, now);
    }
    if (this.fresh.has("lxc")) this.putContainerNics(table, pmxcfs);
  }

  /** `shared`: this agent has the duty for shared storages. */
  putStorages(
    table: SampleTable,
    pmxcfs: PmxcfsSource,
    node: NodeName,
    shared: boolean,
    rrd: Rrd | undefined,
    now: number,
  ): void {
    if (!this.fresh.has("storage")) {
      if (rrd !== undefined) putStoragesFromRrd(table, pmxcfs, node, shared, rrd, now);
      return;
    }
    const { storages } = this.line;
    for (let row = 0; row < storages.count; row++) {
      const storage = parseStorageId(storages.names[row]);
      if (storage === undefined || storages.get(row, ofStorage.enabled) !== 1) continue;
      const isShared = storages.get(row, ofStorage.shared) === 1;
      if (isShared && !pmxcfs.speaksFor(storage, shared)) continue;
      const entity = table.entity(storageKey(storage, isShared ? undefined : node));
      const active = storages.get(row, ofStorage.active) === 1;
      table.put(entity, storageIds.active, "pve-metrics", active ? 1 : 0);
      if (!active) continue;
      table.put(entity, storageIds.total, "pve-metrics", storages.get(row, ofStorage.total));
      table.put(entity, storageIds.used, "pve-metrics", storages.get(row, ofStorage.used));
      table.put(entity, storageIds.avail, "pve-metrics", storages.get(row, ofStorage.avail));
    }
  }

  /** The root file system as PVE says it: blocks − bfree. False: nothing fresh is known. */
  putRoot(table: SampleTable, node: NodeName): boolean {
    const { root } = this.line;
    if (!this.fresh.has("node") || root.count === 0) return false;
    const [blocks, free, available] = [root.get(0, ofRoot.blocks), root.get(0, ofRoot.bfree), root.get(0, ofRoot.bavail)];
    const entity = table.entity(nodeKey(node));
    table.put(entity, nodeIds.root_total, "pve-metrics", blocks);
    table.put(entity, nodeIds.root_used, "pve-metrics", blocks - free);
    table.put(entity, nodeIds.fs_total, "pve-metrics", blocks, "/");
    table.put(entity, nodeIds.fs_used, "pve-metrics", blocks - free, "/");
    table.put(entity, nodeIds.fs_avail, "pve-metrics", available, "/");
    return true;
  }

  private noteRunning(): void {
    this.running.clear();
    const { qemu } = this.line;
    if (!this.fresh.has("qemu")) return;
    for (let row = 0; row < qemu.rows.count; row++) {
      const vmid = parseVmid(qemu.rows.names[row]);
      if (vmid !== undefined && runs(qemu, row)) this.running.set(vmid, row);
    }
  }

  private putSection(table: SampleTable, pmxcfs: PmxcfsSource, type: "qemu" | "lxc", memory: ReclaimableMemory): void {
    const nowMs = this.clock.monotonicMs();
    const guests = this.line[type];
    const { owners } = this;
    for (let row = 0; row < guests.rows.count; row++) {
      const guest = ownGuest(pmxcfs, parseVmid(guests.rows.names[row]), type);
      const to = guest === undefined ? undefined : targetOf(table, guest);
      if (guest !== undefined && to !== undefined) {
        if (type === "qemu") putQemu(to, guests, row, reclaimableOf(memory, guest, guests, row, nowMs));
        else putLxc(to, guests, row, countsIo(pmxcfs, guest));
      }
      owners[row] = type === "qemu" && hasCounters(guests, row) ? to : undefined;
    }
    if (type === "qemu") this.putDevicesOfVms();
  }

  private putDevicesOfVms(): void {
    const { rows, drives, taps } = this.line.qemu;
    for (let row = 0; row < drives.count; row++) {
      const to = this.owners[drives.owners[row] as number];
      if (to !== undefined) putDrive(to, drives, row);
    }
    for (let row = 0; row < taps.count; row++) {
      const owner = taps.owners[row] as number;
      const to = this.owners[owner];
      const nic = this.taps.of(taps.names[row] as string);
      if (to !== undefined && nic !== undefined && nic.vmid === rows.names[owner]) putTap(to, taps, row, nic.instance);
    }
  }

  private putContainerNics(table: SampleTable, pmxcfs: PmxcfsSource): void {
    const { devices } = this.line;
    if (!this.fresh.has("node")) return;
    for (let row = 0; row < devices.count; row++) {
      const nic = this.veths.of(devices.names[row] as string);
      const guest = nic === undefined ? undefined : ownGuest(pmxcfs, parseVmid(nic.vmid), "lxc");
      if (nic !== undefined && guest !== undefined) putVeth(targetOf(table, guest), devices, row, nic.instance);
    }
  }

  private reasonAgainst(name: MetricsSectionName, changed: readonly MetricsSectionName[], now: number): string | undefined {
    if (this.lineProblem !== undefined) return this.lineProblem;
    if (changed.includes(name)) return `${metricsPath}: section ${name} looks other than in PVE 9`;
    const atMs = this.line.atMs(name);
    if (atMs === undefined) return `${metricsPath}: no section ${name}`;
    const ageMs = this.ages[name].ageMs(atMs, now, this.clock.monotonicMs());
    if (ageMs <= feedMaxAgeMs) return undefined;
    return `${metricsPath}: section ${name} is older than ${feedMaxAgeMs / 1000} s, does pvestatd hang?`;
  }

  private tell(name: MetricsSectionName, why: string | undefined): void {
    if (this.logged.get(name) === why) return;
    if (why === undefined) this.log(5, `${name}: values come from ${metricsPath} again`);
    else this.log(4, `${name}: values come from ${name === "node" ? "/proc alone" : "/etc/pve/.rrd"} (${why})`);
    if (why === undefined) this.logged.delete(name);
    else this.logged.set(name, why);
  }

  private readStamp(): string | undefined {
    try {
      const { ino, mtimeMs, size } = statSync(below(this.root, metricsPath));
      return `${ino} ${mtimeMs} ${size}`;
    } catch {
      return undefined;
    }
  }
}

function reclaimableOf(memory: ReclaimableMemory, guest: LocalGuest, guests: GuestRows, row: number, nowMs: number) {
  if (guest.config === undefined || !isBallooned(guests, row)) return undefined;
  const run = { vmid: guest.vmid, identity: guest.config.identity, uptimeSec: uptimeOf(guests, row) };
  return memory.of(run, memoryOf(guests, row), nowMs);
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
    if (facts.shared && !pmxcfs.speaksFor(entry.storage, shared)) continue;
    const entity = table.entity(storageKey(entry.storage, facts.shared ? undefined : node));
    table.put(entity, storageIds.active, "rrd", 1);
    table.put(entity, storageIds.total, "rrd", entry.total);
    table.put(entity, storageIds.used, "rrd", entry.used);
  }
}
