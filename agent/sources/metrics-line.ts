import { guestStatusCodes } from "#protocol/metrics.ts";
import { errorCode } from "../core/error.ts";
import { NumberRows } from "../core/number-rows.ts";
import { asFlag, asNumber, asObject, asText, type JsonObject, parseJsonObject } from "../core/values.ts";
import { fileProblem, type NowReader } from "./files.ts";

/**
 * pvestatd's whole status, written every ~10 s: `/run/pve/metrics`, line-delimited JSON, newest line first, half an hour of them (PullMetric.pm
 * in pve-manager `PVE/`). Private to PVE, so every section is checked for its shape, and who finds it changed reads `.rrd` instead.
 */
export const metricsPath = "/run/pve/metrics";

export const metricsSections = ["qemu", "lxc", "storage", "node"] as const;
export type MetricsSectionName = (typeof metricsSections)[number];

const newline = 10;
const lineMaxBytes = 64 << 20;

/** What `vmstatus` says of a guest, of those keys we know (qemu-server `PVE/QemuServer.pm`, pve-container `PVE/LXC.pm`), by column. */
export const guestColumns = [
  "status",
  "qmpstatus",
  "cpus",
  "maxmem",
  "maxdisk",
  "uptime",
  "cpu",
  "pressurecpusome",
  "pressurecpufull",
  "pressureiosome",
  "pressureiofull",
  "pressurememorysome",
  "pressurememoryfull",
  "netin",
  "netout",
  "diskread",
  "diskwrite",
  "mem",
  "memhost",
  "freemem",
  "swap",
  "disk",
] as const;
export const driveColumns = [
  "rd_operations",
  "wr_operations",
  "flush_operations",
  "rd_bytes",
  "wr_bytes",
  "rd_total_time_ns",
  "wr_total_time_ns",
  "flush_total_time_ns",
  "failed_rd_operations",
  "failed_wr_operations",
  "failed_flush_operations",
] as const;
/** `netin`, `netout`: of VMs, what the guest receives and sends. `receive`, `transmit`: of the node's own devices, as the node sees them. */
export const tapColumns = ["netin", "netout"] as const;
export const deviceColumns = ["receive", "transmit"] as const;
export const storageColumns = ["type", "active", "enabled", "shared", "total", "used", "avail"] as const;
export const rootColumns = ["blocks", "bfree", "bavail"] as const;

/** Column by name: `columnOf(guestColumns).maxmem`. */
export function columnOf<const T extends readonly string[]>(columns: T): Readonly<Record<T[number], number>> {
  return Object.fromEntries(columns.map((name, index) => [name, index])) as Record<T[number], number>;
}

const guest = columnOf(guestColumns);
const storage = columnOf(storageColumns);
const otherStatus = guestStatusCodes.indexOf("other");

/** Guests of one type, a row each by the key they have in the line; drives and NICs belong to a row of theirs. */
export class GuestRows {
  readonly rows = new NumberRows(guestColumns.length);
  readonly drives = new NumberRows(driveColumns.length);
  readonly taps = new NumberRows(tapColumns.length);

  clear(): void {
    for (const rows of [this.rows, this.drives, this.taps]) rows.clear();
  }
}

/**
 * The newest line in columns: filled anew by each `parse`, so that of what JSON.parse makes of a line nothing outlives it. Of `status` and
 * `qmpstatus` the columns hold guestStatusCodes; a storage's `type` is 0 when it has one.
 */
export class MetricsLine {
  readonly qemu = new GuestRows();
  readonly lxc = new GuestRows();
  readonly storages = new NumberRows(storageColumns.length);
  /** All network devices of the node. */
  readonly devices = new NumberRows(deviceColumns.length);
  /** Its root file system: one row, or none. */
  readonly root = new NumberRows(rootColumns.length);
  private readonly times = new Map<MetricsSectionName, number>();
  private readonly strange = new Set<MetricsSectionName>();

  /** When pvestatd gathered this section; undefined: it is not there, or looks otherwise than in PVE 9. */
  atMs(section: MetricsSectionName): number | undefined {
    return this.times.get(section);
  }

  /** Sections that are there but do not look as they did in PVE 9: nobody should guess what their values mean. */
  get changed(): MetricsSectionName[] {
    return metricsSections.filter((name) => this.strange.has(name));
  }

  /** Reads the newest line only: the file grows to tens of MB. Returns why it could not. */
  read(files: NowReader): string | undefined {
    try {
      const { bytes, length } = files.readBytes(metricsPath, lineMaxBytes, newline);
      return this.parse(bytes, length);
    } catch (error) {
      const code = errorCode(error);
      const hint = code === "ENOENT" ? ", is pvestatd running?" : "";
      return `${fileProblem(metricsPath, code)}${hint}`;
    }
  }

  /** Takes the first `length` bytes. Returns why they are of no use. */
  parse(bytes: Buffer, length: number): string | undefined {
    for (const rows of [this.qemu, this.lxc, this.storages, this.devices, this.root]) rows.clear();
    this.times.clear();
    this.strange.clear();
    const line = parseJsonObject(bytes.toString("utf8", 0, length));
    if (line === undefined) return `${metricsPath}: the first line is not JSON`;
    for (const name of metricsSections) if (line[name] !== undefined) this.takeSection(name, asObject(line[name]));
    return this.times.size + this.strange.size === 0 ? `${metricsPath}: none of the known sections` : undefined;
  }

  private takeSection(name: MetricsSectionName, section: JsonObject | undefined): void {
    const data = asObject(section?.data);
    const atSec = asNumber(section?.timestamp);
    if (data !== undefined && Number.isFinite(atSec) && this.takeData(name, data)) this.times.set(name, atSec * 1000);
    else this.strange.add(name);
  }

  private takeData(section: MetricsSectionName, data: JsonObject): boolean {
    if (section === "node") return this.takeNode(data);
    for (const name of Object.keys(data)) {
      const entry = asObject(data[name]);
      if (entry === undefined) return false;
      if (!(section === "storage" ? this.takeStorage(name, entry) : takeGuest(this[section], name, entry))) return false;
    }
    return true;
  }

  private takeStorage(id: string, entry: JsonObject): boolean {
    const { storages } = this;
    const row = storages.add(id);
    storages.take(row, storageColumns, entry);
    storages.set(row, storage.type, asText(entry.type) === undefined ? Number.NaN : 0);
    storages.set(row, storage.enabled, asFlag(entry.enabled) ? 1 : 0);
    storages.set(row, storage.shared, asFlag(entry.shared) ? 1 : 0);
    return !Number.isNaN(storages.get(row, storage.type)) && Number.isFinite(storages.get(row, storage.active));
  }

  private takeNode(data: JsonObject): boolean {
    takeRows(this.devices, deviceColumns, data.nics);
    const root = asObject(data.blockstat);
    if (root !== undefined) this.root.take(this.root.add("/"), rootColumns, root);
    return true;
  }
}

function takeGuest({ rows, drives, taps }: GuestRows, id: string, entry: JsonObject): boolean {
  const row = rows.add(id);
  rows.take(row, guestColumns, entry);
  rows.set(row, guest.status, statusOf(entry.status));
  rows.set(row, guest.qmpstatus, statusOf(entry.qmpstatus));
  takeRows(drives, driveColumns, entry.blockstat, row);
  takeRows(taps, tapColumns, entry.nics, row);
  return Number.isFinite(rows.get(row, guest.maxmem)) && !Number.isNaN(rows.get(row, guest.status));
}

/** A row for each object in an object. */
function takeRows(rows: NumberRows, columns: readonly string[], value: unknown, owner = 0): void {
  const entries = asObject(value);
  if (entries === undefined) return;
  for (const name of Object.keys(entries)) {
    const entry = asObject(entries[name]);
    if (entry !== undefined) rows.take(rows.add(name, owner), columns, entry);
  }
}

/** PVE's states that are none of guestStatusCodes (`internal-error`, `postmigrate` …) are `other`; NaN: no text. */
function statusOf(value: unknown): number {
  const status = asText(value);
  if (status === undefined) return Number.NaN;
  const code = (guestStatusCodes as readonly string[]).indexOf(status);
  return code < 0 ? otherStatus : code;
}
