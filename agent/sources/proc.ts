import type { CpuTicks } from "../core/counters.ts";

/** Pure parsers of /proc. Each takes any text, and says NaN or nothing for what it does not find. */

const fields = (line: string) => line.trim().split(/\s+/);
const number = (text: string | undefined) => (text !== undefined && /^[0-9]+(\.[0-9]+)?$/.test(text) ? Number(text) : Number.NaN);

export type ProcStat = {
  ticks: CpuTicks | undefined;
  /** Threads online. */
  cpus: number;
  /** Seconds since the epoch. */
  bootedAtSec: number;
};

/** /proc/stat. `intr` and `softirq` can be very long lines: only the ones needed are split. */
export function parseProcStat(text: string): ProcStat {
  const stat: ProcStat = { ticks: undefined, cpus: 0, bootedAtSec: Number.NaN };
  for (const line of text.split("\n")) {
    if (line.startsWith("cpu ")) stat.ticks = parseCpuLine(line);
    else if (line.startsWith("cpu")) stat.cpus++;
    else if (line.startsWith("btime ")) stat.bootedAtSec = number(line.slice(6).trim());
  }
  return stat;
}

function parseCpuLine(line: string): CpuTicks | undefined {
  const [user, nice, system, idle, iowait, irq, softirq, steal] = fields(line).slice(1, 9).map(number) as number[];
  const ticks = { user, nice, system, idle, iowait, irq, softirq, steal };
  return Object.values(ticks).every((value) => Number.isFinite(value)) ? (ticks as CpuTicks) : undefined;
}

/** /proc/meminfo in bytes, by the kernel's names (`MemTotal`, `MemAvailable`, `SwapTotal`, `SwapFree`). */
export function parseMeminfo(text: string): Map<string, number> {
  const memory = new Map<string, number>();
  for (const line of text.split("\n")) {
    const match = /^(Mem\w+|Swap\w+):\s+([0-9]+) kB$/.exec(line);
    if (match !== null) memory.set(match[1] as string, Number(match[2]) * 1024);
  }
  return memory;
}

/** First field of /proc/loadavg (one minute) or of /proc/uptime (seconds). */
export function parseFirstNumber(text: string): number {
  return number(fields(text)[0]);
}

export type Pressure = { some: number; full: number };

/** avg10 of /proc/pressure/*, in percent. */
export function parsePressure(text: string): Pressure {
  const avg10 = (kind: string) => number(new RegExp(`^${kind} avg10=([0-9.]+) `, "m").exec(text)?.[1]);
  return { some: avg10("some"), full: avg10("full") };
}

export type DiskCounters = {
  disk: string;
  reads: number;
  readBytes: number;
  readMs: number;
  writes: number;
  writtenBytes: number;
  writeMs: number;
  busyMs: number;
};

// Whole devices only. ZFS volumes (zd), device mapper, loops and partitions would count the same bytes again.
const wholeDisk = /^(sd[a-z]+|vd[a-z]+|xvd[a-z]+|hd[a-z]|nvme[0-9]+n[0-9]+|mmcblk[0-9]+)$/;
const sectorBytes = 512; // the unit of /proc/diskstats, whatever the disk's own

/** /proc/diskstats, whole disks (kernel documentation: admin-guide/iostats). */
export function parseDiskstats(text: string): DiskCounters[] {
  const disks: DiskCounters[] = [];
  for (const line of text.split("\n")) {
    const parts = fields(line);
    const disk = parts[2];
    if (disk === undefined || !wholeDisk.test(disk)) continue;
    const at = (index: number) => number(parts[index]);
    disks.push({
      disk,
      reads: at(3),
      readBytes: at(5) * sectorBytes,
      readMs: at(6),
      writes: at(7),
      writtenBytes: at(9) * sectorBytes,
      writeMs: at(10),
      busyMs: at(12),
    });
  }
  return disks;
}

export type NicCounters = { nic: string; receivedBytes: number; sentBytes: number };

// A name with a dot is a VLAN of a NIC that is listed itself. The guests' ends (tap, veth) are the guests' own series; fwbr, fwpr and fwln are PVE's firewall plumbing between them and the bridge.
const hostNic = /^(?!tap|veth|fw|lo$|docker|br-|virbr|dummy|ifb|wg|tun)[a-zA-Z0-9_-]+$/;

/** /proc/net/dev: physical NICs, bonds and bridges, with what the host received and sent. */
export function parseNetDev(text: string): NicCounters[] {
  const nics: NicCounters[] = [];
  // Not by `split`: a node has two or three lines of a guest for each of its own.
  for (let from = 0, end = 0; from < text.length; from = end + 1) {
    const newline = text.indexOf("\n", from);
    end = newline < 0 ? text.length : newline;
    const colon = text.indexOf(":", from);
    if (colon < 0) break;
    if (colon > end) continue;
    const nic = text.slice(from, colon).trim();
    if (!hostNic.test(nic)) continue;
    const parts = fields(text.slice(colon + 1, end));
    nics.push({ nic, receivedBytes: number(parts[0]), sentBytes: number(parts[8]) });
  }
  return nics;
}

/** Bytes and reads; NaN for what is not there. */
export type ArcStats = { size: number; max: number; hits: number; misses: number };

/** /proc/spl/kstat/zfs/arcstats: lines `name type data`. */
export function parseArcstats(text: string): ArcStats {
  const of = (name: string) => number(new RegExp(`^${name}\\s+\\d+\\s+(\\d+)\\s*$`, "m").exec(text)?.[1]);
  return { size: of("size"), max: of("c_max"), hits: of("hits"), misses: of("misses") };
}

/** First `model name` of /proc/cpuinfo. */
export function parseCpuModel(text: string): string | undefined {
  return /^model name\s*:\s*(\S.*)$/m.exec(text)?.[1]?.trim();
}

/** The release in /proc/version: `Linux version 6.17.2-1-pve (…)`. */
export function parseKernelVersion(text: string): string | undefined {
  return /^Linux version (\S+)/.exec(text)?.[1];
}
