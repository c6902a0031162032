import { guestStatusCodes } from "#protocol/metrics.ts";
import type { NumberRows } from "../core/number-rows.ts";
import type { SampleTable } from "../core/table.ts";
import { idsOf } from "./metric-ids.ts";
import { columnOf, deviceColumns, driveColumns, type GuestRows, guestColumns, tapColumns } from "./metrics-line.ts";

const ids = idsOf("guest");
const source = "pve-metrics";
const of = columnOf(guestColumns);
const ofDrive = columnOf(driveColumns);
const ofTap = columnOf(tapColumns);
const ofDevice = columnOf(deviceColumns);

/** PVE's `qmpstatus` (or `status`) as one of guestStatusCodes; what is none of them (`internal-error`, `postmigrate` …) is `other`. */
export function guestStatusCode(status: string): number {
  const code = (guestStatusCodes as readonly string[]).indexOf(status);
  return code < 0 ? guestStatusCodes.indexOf("other") : code;
}

const [stopped, running] = [guestStatusCode("stopped"), guestStatusCode("running")];

type Puts = readonly { metric: number; column: number }[];

const sizes: Puts = [{ metric: ids.cpus, column: of.cpus }];
const ofRunning: Puts = [
  { metric: ids.uptime, column: of.uptime },
  { metric: ids.cpu, column: of.cpu },
  { metric: ids.psi_cpu_some, column: of.pressurecpusome },
  { metric: ids.psi_cpu_full, column: of.pressurecpufull },
  { metric: ids.psi_io_some, column: of.pressureiosome },
  { metric: ids.psi_io_full, column: of.pressureiofull },
  { metric: ids.psi_mem_some, column: of.pressurememorysome },
  { metric: ids.psi_mem_full, column: of.pressurememoryfull },
  { metric: ids.net_in, column: of.netin },
  { metric: ids.net_out, column: of.netout },
];
const diskCounters: Puts = [
  { metric: ids.disk_read, column: of.diskread },
  { metric: ids.disk_written, column: of.diskwrite },
];
const ofContainer: Puts = [
  { metric: ids.swap_used, column: of.swap },
  { metric: ids.disk_used, column: of.disk },
];
const ofDrives: Puts = [
  { metric: ids.drive_reads, column: ofDrive.rd_operations },
  { metric: ids.drive_writes, column: ofDrive.wr_operations },
  { metric: ids.drive_flushes, column: ofDrive.flush_operations },
  { metric: ids.drive_read, column: ofDrive.rd_bytes },
  { metric: ids.drive_written, column: ofDrive.wr_bytes },
  { metric: ids.drive_read_ns, column: ofDrive.rd_total_time_ns },
  { metric: ids.drive_write_ns, column: ofDrive.wr_total_time_ns },
  { metric: ids.drive_flush_ns, column: ofDrive.flush_total_time_ns },
];

/** Where one guest's values go. */
export type Target = { table: SampleTable; entity: number };

/** True when pvestatd says that it runs; `qmpstatus` is the closer word. */
export function runs(guests: GuestRows, row: number): boolean {
  return statusOf(guests, row) === running;
}

/** One VM's row. A stopped guest has its status and its sizes only. */
export function putQemu(to: Target, guests: GuestRows, row: number): void {
  if (!putState(to, guests, row)) return;
  putAll(to, guests.rows, row, diskCounters);
  // `mem` is the balloon driver's total − free where the guest's driver tells both, else the host's view of the process.
  const ballooned = Number.isFinite(guests.rows.get(row, of.freemem));
  to.table.put(to.entity, ids.mem_used, ballooned ? "balloon" : "host", guests.rows.get(row, of.mem));
  to.table.put(to.entity, ids.mem_host, source, guests.rows.get(row, of.memhost));
}

/** One container's row. `countsIo`: its root disk's storage has I/O counters (ZFS has none). */
export function putLxc(to: Target, guests: GuestRows, row: number, countsIo: boolean): void {
  if (!putState(to, guests, row)) return;
  if (countsIo) putAll(to, guests.rows, row, diskCounters);
  to.table.put(to.entity, ids.mem_used, "cgroup", guests.rows.get(row, of.mem));
  putAll(to, guests.rows, row, ofContainer);
}

/** False for a guest that does not run: what it once read and sent means nothing any more. */
export const hasCounters = (guests: GuestRows, row: number) => guests.rows.get(row, of.status) !== stopped;

export function putDrive(to: Target, drives: NumberRows, row: number): void {
  const name = drives.names[row] as string;
  if (name === "") return;
  putAll(to, drives, row, ofDrives, name);
  const failed =
    drives.get(row, ofDrive.failed_rd_operations) +
    drives.get(row, ofDrive.failed_wr_operations) +
    drives.get(row, ofDrive.failed_flush_operations);
  to.table.put(to.entity, ids.drive_failed, source, failed, name);
}

/** A VM's NIC, as PVE has already turned it round: `netin` is what the guest receives. */
export function putTap(to: Target, taps: NumberRows, row: number, instance: string): void {
  to.table.put(to.entity, ids.nic_in, source, taps.get(row, ofTap.netin), instance);
  to.table.put(to.entity, ids.nic_out, source, taps.get(row, ofTap.netout), instance);
}

/** NICs of containers stand in the node's section, as the host's end sees them: what the guest receives, its veth transmits. */
export function putVeth(to: Target, devices: NumberRows, row: number, instance: string): void {
  to.table.put(to.entity, ids.nic_in, source, devices.get(row, ofDevice.transmit), instance);
  to.table.put(to.entity, ids.nic_out, source, devices.get(row, ofDevice.receive), instance);
}

/** The host's end of a guest's NIC: `tap100i0`, `veth200i1`. */
export type GuestNic = { vmid: string; instance: string };

/** Names of network devices as guests' NICs. Each is looked at once. */
export class GuestNics {
  private readonly known = new Map<string, GuestNic | undefined>();

  constructor(private readonly pattern: RegExp) {}

  of(device: string): GuestNic | undefined {
    if (this.known.has(device)) return this.known.get(device);
    const match = this.pattern.exec(device);
    const nic = match === null ? undefined : { vmid: match[1] as string, instance: `net${match[2]}` };
    if (this.known.size > 16_384) this.known.clear();
    this.known.set(device, nic);
    return nic;
  }
}

function statusOf({ rows }: GuestRows, row: number): number {
  const status = rows.get(row, of.qmpstatus);
  return Number.isNaN(status) ? rows.get(row, of.status) : status;
}

/** What every guest has; true while it runs (or is paused), so that the rest means something. */
function putState(to: Target, guests: GuestRows, row: number): boolean {
  const { rows } = guests;
  to.table.put(to.entity, ids.status, source, statusOf(guests, row));
  putAll(to, rows, row, sizes);
  putPositive(to, ids.mem_max, rows.get(row, of.maxmem));
  putPositive(to, ids.disk_max, rows.get(row, of.maxdisk));
  if (!hasCounters(guests, row)) return false;
  putAll(to, rows, row, ofRunning);
  return true;
}

function putAll(to: Target, rows: NumberRows, row: number, puts: Puts, instance?: string): void {
  const { table, entity } = to;
  for (const { metric, column } of puts) table.put(entity, metric, source, rows.get(row, column), instance);
}

// A size of 0 is PVE's way to say that it does not know (a VM without a boot disk, a container not yet measured).
function putPositive(to: Target, metric: number, value: number): void {
  if (value > 0) to.table.put(to.entity, metric, source, value);
}
