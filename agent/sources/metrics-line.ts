import { guestStatusCodes } from "#protocol/metrics.ts";
import { MalformedError } from "#protocol/varint.ts";
import { errorCode } from "../core/error.ts";
import { JsonCursor, Names } from "../core/json-cursor.ts";
import { NumberRows } from "../core/number-rows.ts";
import { WordTable } from "../core/word-table.ts";
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
const storageFlags: ReadonlySet<number> = new Set([storage.enabled, storage.shared]);
const [nicsWord, blockstatWord] = [0, 1];
const nested = new WordTable(["nics", "blockstat"]);
const sectionWords = new WordTable(metricsSections);
const sectionKeys = new WordTable(["data", "timestamp"]);
const guestWords = new WordTable(guestColumns);
const driveWords = new WordTable(driveColumns);
const tapWords = new WordTable(tapColumns);
const deviceWords = new WordTable(deviceColumns);
const storageWords = new WordTable(storageColumns);
const rootWords = new WordTable(rootColumns);
const statusWords = new WordTable(guestStatusCodes);
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
 * The newest line, read where it lies: what is needed of it stands in columns, everything else is only checked to be JSON. Filled anew by each
 * `parse`, so that a tick makes no objects. Of `status` and `qmpstatus` the columns hold guestStatusCodes; a storage's `type` is 0 when it has one.
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
  private readonly cursor = new JsonCursor();
  private readonly names = new Names();

  /** When pvestatd gathered this section; undefined: it is not there, or looks otherwise than in PVE 9. */
  atMs(section: MetricsSectionName): number | undefined {
    return this.strange.has(section) ? undefined : this.times.get(section);
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
  parse(bytes: Uint8Array, length: number): string | undefined {
    const { cursor } = this;
    for (const rows of [this.qemu, this.lxc, this.storages, this.devices, this.root]) rows.clear();
    this.times.clear();
    this.strange.clear();
    cursor.start(bytes, length);
    try {
      if (!cursor.enter()) return `${metricsPath}: the first line is not JSON`;
      for (let first = true; cursor.nextKey(first); first = false) this.takeSection(metricsSections[cursor.word(sectionWords)]);
      cursor.finish();
    } catch (error) {
      if (error instanceof MalformedError) return `${metricsPath}: the first line is not JSON`;
      throw error;
    }
    return this.times.size + this.strange.size === 0 ? `${metricsPath}: none of the known sections` : undefined;
  }

  private takeSection(name: MetricsSectionName | undefined): void {
    const { cursor } = this;
    if (name === undefined) {
      cursor.skip();
      return;
    }
    let looksRight = false;
    let atSec = Number.NaN;
    if (cursor.enter()) {
      for (let first = true; cursor.nextKey(first); first = false) {
        const key = cursor.word(sectionKeys);
        if (key === 0) looksRight = this.takeData(name);
        else if (key === 1) atSec = cursor.takeNumber();
        else cursor.skip();
      }
    }
    if (looksRight && Number.isFinite(atSec)) this.times.set(name, atSec * 1000);
    else this.strange.add(name);
  }

  private takeData(section: MetricsSectionName): boolean {
    if (!this.cursor.enter()) return false;
    if (section === "node") return this.takeNode();
    let looksRight = true;
    for (let first = true; this.cursor.nextKey(first); first = false) {
      const name = this.cursor.name(this.names);
      const entry = section === "storage" ? this.takeStorage(name) : this.takeGuest(this[section], name);
      looksRight = entry && looksRight;
    }
    return looksRight;
  }

  private takeGuest(guests: GuestRows, id: string): boolean {
    const { cursor } = this;
    const row = guests.rows.add(id);
    if (!cursor.enter()) return false;
    for (let first = true; cursor.nextKey(first); first = false) {
      const column = cursor.word(guestWords);
      if (column === guest.status || column === guest.qmpstatus) guests.rows.set(row, column, this.takeStatus());
      else if (column >= 0) guests.rows.set(row, column, cursor.takeNumber());
      else this.takeNested(guests, row, cursor.word(nested));
    }
    return Number.isFinite(guests.rows.get(row, guest.maxmem)) && !Number.isNaN(guests.rows.get(row, guest.status));
  }

  private takeNested(guests: GuestRows, owner: number, word: number): void {
    if (word === blockstatWord) this.takeRows(guests.drives, driveWords, owner);
    else if (word === nicsWord) this.takeRows(guests.taps, tapWords, owner);
    else this.cursor.skip();
  }

  /** A row for each object in an object. */
  private takeRows(rows: NumberRows, words: WordTable, owner = 0): void {
    const { cursor } = this;
    if (!cursor.enter()) return;
    for (let first = true; cursor.nextKey(first); first = false) {
      const name = cursor.name(this.names);
      if (cursor.enter()) this.takeNumbers(rows, rows.add(name, owner), words);
    }
  }

  /** The numbers of an object that was entered. */
  private takeNumbers(rows: NumberRows, row: number, words: WordTable): void {
    const { cursor } = this;
    for (let first = true; cursor.nextKey(first); first = false) {
      const column = cursor.word(words);
      if (column >= 0) rows.set(row, column, cursor.takeNumber());
      else cursor.skip();
    }
  }

  /** PVE's states that are none of guestStatusCodes (`internal-error`, `postmigrate` …) are `other`; NaN: no text. */
  private takeStatus(): number {
    if (!this.cursor.takeText()) return Number.NaN;
    const code = this.cursor.word(statusWords);
    return code < 0 ? otherStatus : code;
  }

  private takeStorage(id: string): boolean {
    const { cursor, storages } = this;
    const row = storages.add(id);
    if (!cursor.enter()) return false;
    for (let first = true; cursor.nextKey(first); first = false) {
      const column = cursor.word(storageWords);
      if (column === storage.type) storages.set(row, column, cursor.takeText() ? 0 : Number.NaN);
      else if (storageFlags.has(column)) storages.set(row, column, cursor.takeFlag() ? 1 : 0);
      else if (column >= 0) storages.set(row, column, cursor.takeNumber());
      else cursor.skip();
    }
    return !Number.isNaN(storages.get(row, storage.type)) && Number.isFinite(storages.get(row, storage.active));
  }

  private takeNode(): boolean {
    const { cursor } = this;
    for (let first = true; cursor.nextKey(first); first = false) {
      const word = cursor.word(nested);
      if (word === nicsWord) this.takeRows(this.devices, deviceWords);
      else if (word !== blockstatWord) cursor.skip();
      else if (cursor.enter()) this.takeNumbers(this.root, this.root.add("/"), rootWords);
    }
    return true;
  }
}
