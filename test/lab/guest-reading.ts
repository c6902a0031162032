import { between, hash32 } from "./random.ts";
import type { DriveSpec } from "./spec.ts";
import type { GuestLife, RunState } from "./timeline.ts";
import { burst, Wave } from "./wave.ts";

export type DriveReading = {
  reads: number;
  writes: number;
  flushes: number;
  readBytes: number;
  writtenBytes: number;
  readNs: number;
  writeNs: number;
  flushNs: number;
  failed: number;
};

/** What a running guest's process and cgroup show at one instant. Bytes, percent, fractions of its own cores. */
export type GuestReading = {
  uptimeSec: number;
  cpu: number;
  memBytes: number;
  memHostBytes: number;
  /** VMs: part of `memBytes` that is page cache. None by itself: who wants some sets `mem_reclaimable`. */
  pageCacheBytes: number;
  swapBytes: number;
  /** Containers: root file system in use. */
  diskBytes: number;
  drives: Map<string, DriveReading>;
  nics: Map<string, { inBytes: number; outBytes: number }>;
  diskReadBytes: number;
  diskWrittenBytes: number;
  netInBytes: number;
  netOutBytes: number;
  /** cpu some, cpu full, io some, io full, memory some, memory full; two decimals. */
  pressure: [number, number, number, number, number, number];
};

type DriveLoad = {
  id: string;
  read: Wave;
  write: Wave;
  readBytesPerSec: number;
  writeBytesPerSec: number;
  readsPerSec: number;
  writesPerSec: number;
  readLatencyNs: number;
  writeLatencyNs: number;
};
type NicLoad = { id: string; in: Wave; out: Wave; inPerSec: number; outPerSec: number };

const idle: DriveReading = {
  reads: 0,
  writes: 0,
  flushes: 0,
  readBytes: 0,
  writtenBytes: 0,
  readNs: 0,
  writeNs: 0,
  flushNs: 0,
  failed: 0,
};

const cents = (value: number) => Math.round(Math.min(100, Math.max(0, value)) * 100) / 100;

function driveLoad(key: string, drive: DriveSpec): DriveLoad {
  const own = `${key} ${drive.id}`;
  const readsPerSec = between(`${own} reads`, 2, 60);
  const writesPerSec = between(`${own} writes`, 4, 120);
  return {
    id: drive.id,
    read: new Wave(`${own} read`),
    write: new Wave(`${own} write`),
    readsPerSec,
    writesPerSec,
    readBytesPerSec: readsPerSec * between(`${own} read size`, 8192, 65_536),
    writeBytesPerSec: writesPerSec * between(`${own} write size`, 4096, 32_768),
    readLatencyNs: between(`${own} read latency`, 120_000, 2_500_000),
    writeLatencyNs: between(`${own} write latency`, 200_000, 6_000_000),
  };
}

/** The load of one life of a guest. Everything is derived from the seed; only the time changes. */
export class GuestLoad {
  private readonly key: string;
  private readonly cpu: Wave;
  private readonly mem: Wave;
  private readonly drives: DriveLoad[];
  private readonly nics: NicLoad[];
  private readonly cpuMean: number;
  private readonly memShare: number;
  private readonly diskShare: number;
  private readonly diskGrowthPerMs: number;

  constructor(
    seed: string,
    private readonly life: GuestLife,
  ) {
    const { spec } = life;
    this.key = `${seed} guest ${spec.vmid} life ${life.incarnation}`;
    this.cpu = new Wave(`${this.key} cpu`);
    this.mem = new Wave(`${this.key} mem`);
    this.cpuMean = between(`${this.key} cpu mean`, 0.02, 0.28);
    this.memShare = between(`${this.key} mem share`, 0.25, 0.72);
    this.diskShare = between(`${this.key} disk share`, 0.15, 0.6);
    this.diskGrowthPerMs = between(`${this.key} disk growth`, 0.01, 0.25) / (365 * 86_400_000);
    this.drives = spec.drives.map((drive) => driveLoad(this.key, drive));
    this.nics = spec.nics.map((id) => ({
      id,
      in: new Wave(`${this.key} ${id} in`),
      out: new Wave(`${this.key} ${id} out`),
      inPerSec: between(`${this.key} ${id} in mean`, 2_000, 900_000),
      outPerSec: between(`${this.key} ${id} out mean`, 2_000, 1_400_000),
    }));
  }

  /** Containers on ZFS: the cgroup counts no disk I/O there, PVE reports 0 and means "not known" (pve-common, PVE/CGroup.pm). */
  get countsDiskIo(): boolean {
    return this.life.spec.type === "qemu" || this.life.spec.drives[0]?.storage !== "local-zfs";
  }

  /** `state` must be a running one. */
  read(state: RunState, at: number): GuestReading {
    const { spec } = this.life;
    const from = state.startedAt;
    const cpu = state.paused ? 0 : this.cpuMean * this.cpu.rate(at) + 0.35 * burst(this.key, at, 24);
    const drives = this.readDrives(from, at);
    const nics = this.readNics(from, at);
    const memBytes = this.memBytes(from, at);
    const sum = <T>(values: Iterable<T>, of: (value: T) => number) => {
      let total = 0;
      for (const value of values) total += of(value);
      return total;
    };
    const some = cpu * 6;
    const io = 2.4 * this.mem.rate(at) * (drives.size > 1 ? 1.6 : 0.8);
    const memory = memBytes / spec.memBytes > 0.8 ? 0.6 : 0;
    return {
      uptimeSec: Math.floor((at - from) / 1000),
      cpu,
      memBytes,
      memHostBytes: spec.type === "qemu" ? Math.round(memBytes * 0.93 + 180 * 2 ** 20) : 0,
      pageCacheBytes: 0,
      swapBytes: spec.type === "lxc" ? Math.round((spec.swapBytes * 0.12 * this.mem.rate(at)) / 4096) * 4096 : 0,
      diskBytes: spec.type === "lxc" ? this.diskBytes(at) : 0,
      drives,
      nics,
      diskReadBytes: this.countsDiskIo ? sum(drives.values(), (drive) => drive.readBytes) : 0,
      diskWrittenBytes: this.countsDiskIo ? sum(drives.values(), (drive) => drive.writtenBytes) : 0,
      netInBytes: sum(nics.values(), (nic) => nic.inBytes),
      netOutBytes: sum(nics.values(), (nic) => nic.outBytes),
      pressure: [cents(some), cents(some * 0.8), cents(io), cents(io * 0.7), cents(memory), cents(memory * 0.5)],
    };
  }

  private memBytes(from: number, at: number): number {
    // A slow leak since the start of the process, gone after a restart.
    const leak = 0.12 * Math.min(1, (at - from) / (30 * 86_400_000));
    const share = Math.min(0.97, this.memShare + leak + 0.06 * (this.mem.rate(at) - 1));
    return Math.round((this.life.spec.memBytes * share) / 4096) * 4096;
  }

  private diskBytes(at: number): number {
    const share = Math.min(0.97, this.diskShare + this.diskGrowthPerMs * Math.max(0, at - Date.UTC(2026, 0, 1)));
    return Math.round(((this.life.spec.drives[0] as DriveSpec).sizeBytes * share) / 4096) * 4096;
  }

  private readDrives(from: number, at: number): Map<string, DriveReading> {
    const readings = new Map<string, DriveReading>();
    if (this.life.spec.cdrom) readings.set("ide2", { ...idle });
    for (const drive of this.drives) {
      const read = drive.read.since(from, at);
      const write = drive.write.since(from, at);
      const reads = Math.floor(drive.readsPerSec * read);
      const writes = Math.floor(drive.writesPerSec * write);
      const flushes = Math.floor(writes / 7);
      readings.set(drive.id, {
        reads,
        writes,
        flushes,
        // Whole 512 byte sectors, as block devices count.
        readBytes: Math.floor((drive.readBytesPerSec * read) / 512) * 512,
        writtenBytes: Math.floor((drive.writeBytesPerSec * write) / 512) * 512,
        readNs: Math.floor(reads * drive.readLatencyNs),
        writeNs: Math.floor(writes * drive.writeLatencyNs),
        flushNs: Math.floor(flushes * drive.writeLatencyNs * 1.7),
        failed: 0,
      });
    }
    return readings;
  }

  private readNics(from: number, at: number): GuestReading["nics"] {
    const readings: GuestReading["nics"] = new Map();
    for (const nic of this.nics) {
      readings.set(nic.id, {
        inBytes: Math.floor(nic.inPerSec * nic.in.since(from, at)),
        outBytes: Math.floor(nic.outPerSec * nic.out.since(from, at)),
      });
    }
    return readings;
  }
}

/** A process number that belongs to this start of this guest. */
export const pidOf = (vmid: number, startedAt: number) => 1000 + (hash32(`${vmid} ${startedAt}`) % 4_000_000);
