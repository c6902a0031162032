import { guestStatusCodes } from "#protocol/metrics.ts";
import type { SampleTable } from "../core/table.ts";
import { asNumber, asObject, asText, type JsonObject } from "../core/values.ts";
import { idsOf } from "./metric-ids.ts";

const ids = idsOf("guest");
const source = "pve-metrics";

/** PVE's `qmpstatus` (or `status`) as one of guestStatusCodes; what is none of them (`internal-error`, `postmigrate` …) is `other`. */
export function guestStatusCode(status: string): number {
  const code = (guestStatusCodes as readonly string[]).indexOf(status);
  return code < 0 ? guestStatusCodes.indexOf("other") : code;
}

const pressures = [
  [ids.psi_cpu_some, "pressurecpusome"],
  [ids.psi_cpu_full, "pressurecpufull"],
  [ids.psi_io_some, "pressureiosome"],
  [ids.psi_io_full, "pressureiofull"],
  [ids.psi_mem_some, "pressurememorysome"],
  [ids.psi_mem_full, "pressurememoryfull"],
] as const;

const driveCounters = [
  [ids.drive_reads, "rd_operations"],
  [ids.drive_writes, "wr_operations"],
  [ids.drive_flushes, "flush_operations"],
  [ids.drive_read, "rd_bytes"],
  [ids.drive_written, "wr_bytes"],
  [ids.drive_read_ns, "rd_total_time_ns"],
  [ids.drive_write_ns, "wr_total_time_ns"],
  [ids.drive_flush_ns, "flush_total_time_ns"],
] as const;

/** Where one guest's values go. */
export type Target = { table: SampleTable; entity: number };

/** One entry of the `qemu` section: `vmstatus` in qemu-server `PVE/QemuServer.pm`. A stopped guest has its status and its sizes only. */
export function putQemu(to: Target, vmid: string, entry: JsonObject): void {
  const { table, entity } = to;
  if (!putState(to, entry)) return;
  putNumber(to, ids.net_in, entry.netin);
  putNumber(to, ids.net_out, entry.netout);
  putNumber(to, ids.disk_read, entry.diskread);
  putNumber(to, ids.disk_written, entry.diskwrite);
  // `mem` is the balloon driver's total − free where the guest's driver tells both, else the host's view of the process.
  const ballooned = Number.isFinite(asNumber(entry.freemem));
  table.put(entity, ids.mem_used, ballooned ? "balloon" : "host", asNumber(entry.mem));
  putNumber(to, ids.mem_host, entry.memhost);
  const drives = asObject(entry.blockstat);
  for (const drive in drives) putDrive(to, drive, drives[drive]);
  const nics = asObject(entry.nics);
  const tapPrefix = `tap${vmid}i`;
  for (const tap in nics) {
    const nic = asObject(nics[tap]);
    if (nic === undefined || !tap.startsWith(tapPrefix)) continue;
    const instance = `net${tap.slice(tapPrefix.length)}`;
    table.put(entity, ids.nic_in, source, asNumber(nic.netin), instance);
    table.put(entity, ids.nic_out, source, asNumber(nic.netout), instance);
  }
}

/** One entry of the `lxc` section: `vmstatus` in pve-container `PVE/LXC.pm`. `countsIo`: its root disk's storage has I/O counters (ZFS has none). */
export function putLxc(to: Target, entry: JsonObject, countsIo: boolean): void {
  if (!putState(to, entry)) return;
  putNumber(to, ids.net_in, entry.netin);
  putNumber(to, ids.net_out, entry.netout);
  if (countsIo) {
    putNumber(to, ids.disk_read, entry.diskread);
    putNumber(to, ids.disk_written, entry.diskwrite);
  }
  to.table.put(to.entity, ids.mem_used, "cgroup", asNumber(entry.mem));
  putNumber(to, ids.swap_used, entry.swap);
  putNumber(to, ids.disk_used, entry.disk);
}

/** NICs of containers stand in the node's section, as the host's end sees them: what the guest receives, its veth transmits. */
export function putVeth(to: Target, instance: string, device: JsonObject): void {
  to.table.put(to.entity, ids.nic_in, source, asNumber(device.transmit), instance);
  to.table.put(to.entity, ids.nic_out, source, asNumber(device.receive), instance);
}

/** What every guest has; true while it runs (or is paused), so that the rest means something. */
function putState(to: Target, entry: JsonObject): boolean {
  const status = asText(entry.status) ?? "other";
  to.table.put(to.entity, ids.status, source, guestStatusCode(asText(entry.qmpstatus) ?? status));
  putNumber(to, ids.cpus, entry.cpus);
  putPositive(to, ids.mem_max, entry.maxmem);
  putPositive(to, ids.disk_max, entry.maxdisk);
  if (status === "stopped") return false;
  putNumber(to, ids.uptime, entry.uptime);
  putNumber(to, ids.cpu, entry.cpu);
  for (const [metric, key] of pressures) putNumber(to, metric, entry[key]);
  return true;
}

function putDrive(to: Target, drive: string, value: unknown): void {
  const stats = asObject(value);
  if (stats === undefined || drive === "") return;
  for (const [metric, key] of driveCounters) to.table.put(to.entity, metric, source, asNumber(stats[key]), drive);
  const failed =
    asNumber(stats.failed_rd_operations) + asNumber(stats.failed_wr_operations) + asNumber(stats.failed_flush_operations);
  to.table.put(to.entity, ids.drive_failed, source, failed, drive);
}

const putNumber = (to: Target, metric: number, value: unknown) => to.table.put(to.entity, metric, source, asNumber(value));

// A size of 0 is PVE's way to say that it does not know (a VM without a boot disk, a container not yet measured).
function putPositive(to: Target, metric: number, value: unknown): void {
  const number = asNumber(value);
  if (number > 0) to.table.put(to.entity, metric, source, number);
}
