import type { EntityKey } from "#protocol/ids.ts";
import { type CpuTicks, cpuShares } from "../core/counters.ts";
import { errorCode } from "../core/error.ts";
import type { SampleTable } from "../core/table.ts";
import { fileProblem, type NowReader } from "./files.ts";
import { idsOf } from "./metric-ids.ts";
import * as proc from "./proc.ts";

const ids = idsOf("node");
const source = "proc";

/** The node's own figures from /proc, read on the calling thread: the kernel's files never wait. */
export class HostSource {
  private ticks: CpuTicks | undefined;
  /** Newest problem; undefined: works. */
  problem: string | undefined;
  cpus = 0;

  constructor(private readonly files: NowReader) {}

  /** Puts what could be read. Shares of cpu time need two calls. */
  put(table: SampleTable, key: EntityKey): void {
    const node = table.entity(key);
    this.problem = undefined;
    this.putCpu(table, node);
    this.putMemory(table, node);
    this.putPressure(table, node);
    const load = this.files.tryRead("/proc/loadavg");
    if (load !== undefined) table.put(node, ids.load1, source, proc.parseFirstNumber(load));
    const uptime = this.files.tryRead("/proc/uptime");
    if (uptime !== undefined) table.put(node, ids.uptime, source, proc.parseFirstNumber(uptime));
    this.putDisks(table, node);
    this.putNics(table, node);
    const arc = this.files.tryRead("/proc/spl/kstat/zfs/arcstats");
    if (arc === undefined) return;
    const cache = proc.parseArcstats(arc);
    table.put(node, ids.arc, source, cache.size);
    table.put(node, ids.arc_max, source, cache.max);
    table.put(node, ids.arc_hits, source, cache.hits);
    table.put(node, ids.arc_misses, source, cache.misses);
  }

  private putCpu(table: SampleTable, node: number): void {
    const stat = this.need("/proc/stat");
    if (stat === undefined) return;
    const { ticks, cpus } = proc.parseProcStat(stat);
    this.cpus = cpus;
    if (cpus > 0) table.put(node, ids.cpus, source, cpus);
    if (ticks === undefined) {
      this.problem = "/proc/stat: no cpu line";
      return;
    }
    const shares = cpuShares(this.ticks, ticks);
    this.ticks = ticks;
    table.put(node, ids.cpu, source, shares.cpu);
    table.put(node, ids.iowait, source, shares.iowait);
    table.put(node, ids.steal, source, shares.steal);
  }

  private putMemory(table: SampleTable, node: number): void {
    const text = this.need("/proc/meminfo");
    if (text === undefined) return;
    const memory = proc.parseMeminfo(text);
    const of = (name: string) => memory.get(name) ?? Number.NaN;
    table.put(node, ids.mem_total, source, of("MemTotal"));
    table.put(node, ids.mem_available, source, of("MemAvailable"));
    table.put(node, ids.mem_used, source, of("MemTotal") - of("MemAvailable"));
    table.put(node, ids.swap_total, source, of("SwapTotal"));
    table.put(node, ids.swap_used, source, of("SwapTotal") - of("SwapFree"));
  }

  // A kernel with psi=0 has no such files; then the series are absent, which is no fault.
  private putPressure(table: SampleTable, node: number): void {
    const read = (what: string) => proc.parsePressure(this.files.tryRead(`/proc/pressure/${what}`) ?? "");
    const [cpu, io, memory] = [read("cpu"), read("io"), read("memory")];
    table.put(node, ids.psi_cpu_some, source, cpu.some);
    table.put(node, ids.psi_io_some, source, io.some);
    table.put(node, ids.psi_io_full, source, io.full);
    table.put(node, ids.psi_mem_some, source, memory.some);
    table.put(node, ids.psi_mem_full, source, memory.full);
  }

  private putDisks(table: SampleTable, node: number): void {
    const text = this.files.tryRead("/proc/diskstats");
    if (text === undefined) return;
    for (const disk of proc.parseDiskstats(text)) {
      table.put(node, ids.disk_reads, source, disk.reads, disk.disk);
      table.put(node, ids.disk_writes, source, disk.writes, disk.disk);
      table.put(node, ids.disk_read, source, disk.readBytes, disk.disk);
      table.put(node, ids.disk_written, source, disk.writtenBytes, disk.disk);
      table.put(node, ids.disk_read_ms, source, disk.readMs, disk.disk);
      table.put(node, ids.disk_write_ms, source, disk.writeMs, disk.disk);
      table.put(node, ids.disk_busy_ms, source, disk.busyMs, disk.disk);
    }
  }

  private putNics(table: SampleTable, node: number): void {
    const text = this.need("/proc/net/dev");
    if (text === undefined) return;
    for (const nic of proc.parseNetDev(text)) {
      table.put(node, ids.nic_in, source, nic.receivedBytes, nic.nic);
      table.put(node, ids.nic_out, source, nic.sentBytes, nic.nic);
    }
  }

  private need(path: string): string | undefined {
    try {
      return this.files.read(path);
    } catch (error) {
      this.problem = fileProblem(path, errorCode(error));
      return undefined;
    }
  }
}
