import { guestStatusCodes } from "#protocol/metrics.ts";
import type { NumberRows } from "../core/number-rows.ts";
import type { RowPuts, SampleTable } from "../core/table.ts";
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

const puts = (...pairs: readonly (readonly [metric: number, column: number])[]): RowPuts => ({
  metrics: pairs.map(([metric]) => metric),
  columns: pairs.map(([, column]) => column),
});

const sizes = puts([ids.cpus, of.cpus]);
const ofRunning = puts(
  [ids.uptime, of.uptime],
  [ids.cpu, of.cpu],
  [ids.psi_cpu_some, of.pressurecpusome],
  [ids.psi_cpu_full, of.pressurecpufull],
  [ids.psi_io_some, of.pressureiosome],
  [ids.psi_io_full, of.pressureiofull],
  [ids.psi_mem_some, of.pressurememorysome],
  [ids.psi_mem_full, of.pressurememoryfull],
  [ids.net_in, of.netin],
  [ids.net_out, of.netout],
);
const diskCounters = puts([ids.disk_read, of.diskread], [ids.disk_written, of.diskwrite]);
const ofContainer = puts([ids.swap_used, of.swap], [ids.disk_used, of.disk]);
const ofDrives = puts(
  [ids.drive_reads, ofDrive.rd_operations],
  [ids.drive_writes, ofDrive.wr_operations],
  [ids.drive_flushes, ofDrive.flush_operations],
  [ids.drive_read, ofDrive.rd_bytes],
  [ids.drive_written, ofDrive.wr_bytes],
  [ids.drive_read_ns, ofDrive.rd_total_time_ns],
  [ids.drive_write_ns, ofDrive.wr_total_time_ns],
  [ids.drive_flush_ns, ofDrive.flush_total_time_ns],
);
const ofTaps = puts([ids.nic_in, ofTap.netin], [ids.nic_out, ofTap.netout]);
/** What the guest receives, its host's end transmits. */
const ofVeths = puts([ids.nic_in, ofDevice.transmit], [ids.nic_out, ofDevice.receive]);

/** Where one guest's values go. */
export type Target = { table: SampleTable; entity: number };

/** True when pvestatd says that it runs; `qmpstatus` is the closer word. */
export function runs(guests: GuestRows, row: number): boolean {
  return statusOf(guests, row) === running;
}

/** True where the guest's balloon driver tells what is in use: then `mem` is its total − free, else the host's view of the process. */
export const isBallooned = (guests: GuestRows, row: number) => Number.isFinite(guests.rows.get(row, of.freemem));
export const uptimeOf = (guests: GuestRows, row: number) => guests.rows.get(row, of.uptime);
export const memoryOf = (guests: GuestRows, row: number) => guests.rows.get(row, of.mem);

/**
 * One VM's row. A stopped guest has its status and its sizes only. `reclaimable`: bytes that the balloon driver's figure counts as used and the
 * guest could take back at once; undefined: nobody knows.
 */
export function putQemu(to: Target, guests: GuestRows, row: number, reclaimable: number | undefined): void {
  if (!putState(to, guests, row)) return;
  to.table.putRow(to.entity, diskCounters, source, guests.rows, row);
  const used = memoryOf(guests, row);
  if (reclaimable === undefined) to.table.put(to.entity, ids.mem_used, isBallooned(guests, row) ? "balloon" : "host", used);
  else to.table.put(to.entity, ids.mem_used, "agent", Math.max(0, used - reclaimable));
  to.table.put(to.entity, ids.mem_host, source, guests.rows.get(row, of.memhost));
  if (reclaimable !== undefined) to.table.put(to.entity, ids.mem_reclaimable, "agent", reclaimable);
}

/** One container's row. `countsIo`: its root disk's storage has I/O counters (ZFS has none). */
export function putLxc(to: Target, guests: GuestRows, row: number, countsIo: boolean): void {
  if (!putState(to, guests, row)) return;
  if (countsIo) to.table.putRow(to.entity, diskCounters, source, guests.rows, row);
  to.table.put(to.entity, ids.mem_used, "cgroup", guests.rows.get(row, of.mem));
  to.table.putRow(to.entity, ofContainer, source, guests.rows, row);
}

/** False for a guest that does not run: what it once read and sent means nothing any more. */
export const hasCounters = (guests: GuestRows, row: number) => guests.rows.get(row, of.status) !== stopped;

export function putDrive(to: Target, drives: NumberRows, row: number): void {
  const name = drives.names[row] as string;
  if (name === "") return;
  to.table.putRow(to.entity, ofDrives, source, drives, row, name);
  const failed =
    drives.get(row, ofDrive.failed_rd_operations) +
    drives.get(row, ofDrive.failed_wr_operations) +
    drives.get(row, ofDrive.failed_flush_operations);
  to.table.put(to.entity, ids.drive_failed, source, failed, name);
}

/** A VM's NIC, as PVE has already turned it round: `netin` is what the guest receives. */
export function putTap(to: Target, taps: NumberRows, row: number, instance: string): void {
  to.table.putRow(to.entity, ofTaps, source, taps, row, instance);
}

/** NICs of containers stand in the node's section, as the host's end sees them. */
export function putVeth(to: Target, devices: NumberRows, row: number, instance: string): void {
  to.table.putRow(to.entity, ofVeths, source, devices, row, instance);
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
  to.table.putRow(to.entity, sizes, source, rows, row);
  putPositive(to, ids.mem_max, rows.get(row, of.maxmem));
  putPositive(to, ids.disk_max, rows.get(row, of.maxdisk));
  if (!hasCounters(guests, row)) return false;
  to.table.putRow(to.entity, ofRunning, source, rows, row);
  return true;
}

// A size of 0 is PVE's way to say that it does not know (a VM without a boot disk, a container not yet measured).
function putPositive(to: Target, metric: number, value: number): void {
  if (value > 0) to.table.put(to.entity, metric, source, value);
}
