import { between } from "./random.ts";
import type { DiskSpec, NodeSpec } from "./spec.ts";
import { burst, Wave } from "./wave.ts";

/** Jiffies since boot, summed over all threads, as the first line of /proc/stat counts them. */
export type Jiffies = {
  user: number;
  nice: number;
  system: number;
  idle: number;
  iowait: number;
  irq: number;
  softirq: number;
  steal: number;
  guest: number;
  guestNice: number;
};

export type BlockReading = {
  reads: number;
  writes: number;
  sectorsRead: number;
  sectorsWritten: number;
  readMs: number;
  writeMs: number;
  busyMs: number;
};

/** What /proc of a node shows at one instant. Bytes are multiples of 1024 where /proc says kB. */
export type NodeReading = {
  uptimeSec: number;
  jiffies: Jiffies;
  load: [number, number, number];
  memTotal: number;
  memFree: number;
  memAvailable: number;
  arcBytes: number;
  arcMax: number;
  swapTotal: number;
  swapFree: number;
  psiCpu: number;
  psiIoSome: number;
  psiIoFull: number;
  psiMemSome: number;
  psiMemFull: number;
  rootTotal: number;
  rootUsed: number;
  rootAvail: number;
  nics: Map<string, { inBytes: number; outBytes: number }>;
  disks: Map<string, BlockReading>;
};

const hundredHz = 100;
const cents = (value: number) => Math.round(Math.min(100, Math.max(0, value)) * 100) / 100;
const wholeKiB = (bytes: number) => Math.round(bytes / 1024) * 1024;

type DiskLoad = {
  read: Wave;
  write: Wave;
  readsPerSec: number;
  writesPerSec: number;
  bytesPerRead: number;
  bytesPerWrite: number;
};

/** The load of one node: its own, not the sum of its guests. */
export class NodeLoad {
  private readonly key: string;
  private readonly waves = { user: new Wave(""), system: new Wave(""), iowait: new Wave(""), mem: new Wave("") };
  private readonly nics: { id: string; in: Wave; out: Wave; inPerSec: number; outPerSec: number }[];
  private readonly disks: Map<string, DiskLoad>;
  private readonly userShare: number;
  private readonly memShare: number;
  private readonly rootShare: number;

  constructor(
    seed: string,
    readonly spec: NodeSpec,
  ) {
    this.key = `${seed} node ${spec.name}`;
    for (const name of ["user", "system", "iowait", "mem"] as const) this.waves[name] = new Wave(`${this.key} ${name}`);
    this.userShare = between(`${this.key} user`, 0.08, 0.3);
    this.memShare = between(`${this.key} mem`, 0.4, 0.7);
    this.rootShare = between(`${this.key} root`, 0.2, 0.5);
    const inPerSec = between(`${this.key} nic in`, 2e6, 2e7);
    this.nics = ["eno1", "vmbr0"].map((id) => ({
      id,
      in: new Wave(`${this.key} ${id} in`),
      out: new Wave(`${this.key} ${id} out`),
      inPerSec: id === "eno1" ? inPerSec : inPerSec / 9,
      outPerSec: (id === "eno1" ? inPerSec : inPerSec / 9) * 1.3,
    }));
    this.disks = new Map(spec.disks.map((disk) => [disk.name, this.diskLoad(disk)]));
  }

  private diskLoad({ name, kind }: DiskSpec): DiskLoad {
    const own = `${this.key} ${name}`;
    const scale = kind === "nvme" ? 3 : 1;
    return {
      read: new Wave(`${own} read`),
      write: new Wave(`${own} write`),
      readsPerSec: scale * between(`${own} reads`, 20, 90),
      writesPerSec: scale * between(`${own} writes`, 40, 200),
      bytesPerRead: between(`${own} read size`, 12_288, 65_536),
      bytesPerWrite: between(`${own} write size`, 8192, 40_960),
    };
  }

  jiffies(bootedAt: number, at: number): Jiffies {
    const perSec = this.spec.cpus * hundredHz;
    const since = (wave: Wave, share: number) => Math.floor(perSec * share * wave.since(bootedAt, at));
    const guest = since(this.waves.user, this.userShare * 0.7);
    const user = guest + since(this.waves.user, this.userShare * 0.3);
    const system = since(this.waves.system, 0.04);
    const iowait = since(this.waves.iowait, 0.012);
    const softirq = since(this.waves.system, 0.004);
    const nice = since(this.waves.system, 0.001);
    const total = Math.floor((perSec * (at - bootedAt)) / 1000);
    const idle = Math.max(0, total - user - nice - system - iowait - softirq);
    return { user, nice, system, idle, iowait, irq: 0, softirq, steal: 0, guest, guestNice: 0 };
  }

  read(bootedAt: number, at: number): NodeReading {
    const { spec } = this;
    const memRate = this.waves.mem.rate(at);
    const memTotal = wholeKiB(spec.memBytes);
    const memUsed = wholeKiB(memTotal * Math.min(0.96, this.memShare + 0.05 * (memRate - 1)));
    const swapUsed = wholeKiB(spec.swapBytes * 0.03 * memRate);
    const load = spec.cpus * this.userShare * this.waves.user.rate(at) * 1.2;
    const io = 1.8 * this.waves.iowait.rate(at) + 9 * burst(this.key, at, 30);
    const days = Math.max(0, at - Date.UTC(2026, 0, 1)) / 86_400_000;
    const rootUsed = Math.round((spec.rootBytes * Math.min(0.93, this.rootShare + 0.0004 * days)) / 4096) * 4096;
    return {
      uptimeSec: Math.floor((at - bootedAt) / 1000),
      jiffies: this.jiffies(bootedAt, at),
      load: [cents(load), cents(load * 0.97), cents(load * 0.95)],
      memTotal,
      memFree: wholeKiB((memTotal - memUsed) * 0.6),
      memAvailable: memTotal - memUsed,
      arcBytes: wholeKiB(memTotal * 0.08 * (0.8 + 0.2 * memRate)),
      arcMax: wholeKiB(memTotal * 0.1),
      swapTotal: spec.swapBytes,
      swapFree: spec.swapBytes - swapUsed,
      psiCpu: cents(1.1 * this.waves.user.rate(at)),
      psiIoSome: cents(io),
      psiIoFull: cents(io * 0.8),
      psiMemSome: cents(0.04 * memRate),
      psiMemFull: cents(0.02 * memRate),
      rootTotal: spec.rootBytes,
      rootUsed,
      // ext4 keeps 5 % for root.
      rootAvail: Math.max(0, spec.rootBytes - rootUsed - Math.round(spec.rootBytes / 20 / 4096) * 4096),
      nics: this.readNics(bootedAt, at),
      disks: this.readDisks(bootedAt, at),
    };
  }

  private readNics(from: number, at: number): NodeReading["nics"] {
    return new Map(
      this.nics.map(({ id, in: inbound, out, inPerSec, outPerSec }) => [
        id,
        { inBytes: Math.floor(inPerSec * inbound.since(from, at)), outBytes: Math.floor(outPerSec * out.since(from, at)) },
      ]),
    );
  }

  private readDisks(from: number, at: number): NodeReading["disks"] {
    const readings: NodeReading["disks"] = new Map();
    for (const [name, load] of this.disks) {
      const read = load.read.since(from, at);
      const write = load.write.since(from, at);
      const reads = Math.floor(load.readsPerSec * read);
      const writes = Math.floor(load.writesPerSec * write);
      const readMs = Math.floor(reads * 0.31);
      const writeMs = Math.floor(writes * 0.42);
      readings.set(name, {
        reads,
        writes,
        sectorsRead: Math.floor((load.readsPerSec * load.bytesPerRead * read) / 512),
        sectorsWritten: Math.floor((load.writesPerSec * load.bytesPerWrite * write) / 512),
        readMs,
        writeMs,
        busyMs: Math.floor((readMs + writeMs) * 0.3),
      });
    }
    return readings;
  }
}

/** Busy, waiting and stolen shares between two counts, as PVE's read_proc_stat: iowait is not busy (pve-common, PVE/ProcFSTools.pm). */
export function cpuShares(before: Jiffies, after: Jiffies): { cpu: number; iowait: number; steal: number } {
  const used = (j: Jiffies) => j.user + j.nice + j.system + j.irq + j.softirq + j.steal;
  const total = (j: Jiffies) => used(j) + j.idle + j.iowait;
  const elapsed = total(after) - total(before);
  if (elapsed <= 0) return { cpu: 0, iowait: 0, steal: 0 };
  return {
    cpu: (used(after) - used(before)) / elapsed,
    iowait: (after.iowait - before.iowait) / elapsed,
    steal: (after.steal - before.steal) / elapsed,
  };
}
