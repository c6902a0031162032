import type { DriveReading, GuestReading } from "./guest-reading.ts";
import type { Jiffies, NodeReading } from "./node-reading.ts";
import type { PoolReading, StorageReading } from "./storage-reading.ts";

/** A value that a test put in place of the model's, from a time on. `value` null: the model's again. Counters: `value` is a rate per second. */
export type Override = { metric: string; instance: string | undefined; from: number; value: number | null };

type Slot<T> = { get(reading: T): number | undefined; set(reading: T, value: number): void; counter?: boolean };

function field<T extends Record<K, number>, K extends keyof T>(key: K, counter = false): Slot<T> {
  return {
    get: (reading) => reading[key],
    set: (reading, value) => {
      reading[key] = value as T[K];
    },
    counter,
  };
}

const pressure = (index: 0 | 1 | 2 | 3 | 4 | 5): Slot<GuestReading> => ({
  get: (reading) => reading.pressure[index],
  set: (reading, value) => {
    reading.pressure[index] = value;
  },
});

const guestSlots: Record<string, Slot<GuestReading>> = {
  cpu: field("cpu"),
  mem_used: field("memBytes"),
  mem_host: field("memHostBytes"),
  mem_reclaimable: field("pageCacheBytes"),
  swap_used: field("swapBytes"),
  disk_used: field("diskBytes"),
  net_in: field("netInBytes", true),
  net_out: field("netOutBytes", true),
  disk_read: field("diskReadBytes", true),
  disk_written: field("diskWrittenBytes", true),
  psi_cpu_some: pressure(0),
  psi_cpu_full: pressure(1),
  psi_io_some: pressure(2),
  psi_io_full: pressure(3),
  psi_mem_some: pressure(4),
  psi_mem_full: pressure(5),
};

const driveFields: Record<string, keyof DriveReading> = {
  drive_reads: "reads",
  drive_writes: "writes",
  drive_flushes: "flushes",
  drive_read: "readBytes",
  drive_written: "writtenBytes",
  drive_read_ns: "readNs",
  drive_write_ns: "writeNs",
  drive_flush_ns: "flushNs",
  drive_failed: "failed",
};

function guestSlot(metric: string, instance: string | undefined): Slot<GuestReading> | undefined {
  const plain = guestSlots[metric];
  if (plain !== undefined || instance === undefined) return plain;
  const driveField = driveFields[metric];
  if (driveField !== undefined) {
    return {
      get: (reading) => reading.drives.get(instance)?.[driveField],
      set: (reading, value) => {
        const drive = reading.drives.get(instance);
        if (drive !== undefined) drive[driveField] = value;
      },
      counter: true,
    };
  }
  if (metric !== "nic_in" && metric !== "nic_out") return undefined;
  const key = metric === "nic_in" ? "inBytes" : "outBytes";
  return {
    get: (reading) => reading.nics.get(instance)?.[key],
    set: (reading, value) => {
      const nic = reading.nics.get(instance);
      if (nic !== undefined) nic[key] = value;
    },
    counter: true,
  };
}

const nodeSlots: Record<string, Slot<NodeReading>> = {
  load1: {
    get: (reading) => reading.load[0],
    set: (reading, value) => {
      reading.load[0] = value;
    },
  },
  mem_used: {
    get: (reading) => reading.memTotal - reading.memAvailable,
    set: (reading, value) => {
      reading.memAvailable = reading.memTotal - value;
      reading.memFree = Math.min(reading.memFree, reading.memAvailable);
    },
  },
  swap_used: {
    get: (reading) => reading.swapTotal - reading.swapFree,
    set: (reading, value) => {
      reading.swapFree = reading.swapTotal - value;
    },
  },
  arc: field("arcBytes"),
  psi_cpu_some: field("psiCpu"),
  psi_io_some: field("psiIoSome"),
  psi_io_full: field("psiIoFull"),
  psi_mem_some: field("psiMemSome"),
  psi_mem_full: field("psiMemFull"),
  root_used: {
    get: (reading) => reading.rootUsed,
    set: (reading, value) => {
      reading.rootUsed = value;
      reading.rootAvail = Math.max(0, Math.floor(reading.rootTotal * 0.95) - value);
    },
  },
};

const storageSlots: Record<string, Slot<StorageReading>> = {
  total: field("total"),
  used: {
    get: (reading) => reading.used,
    set: (reading, value) => {
      reading.used = value;
      reading.avail = reading.total - value;
    },
  },
  avail: field("avail"),
};

const poolSlots: Record<string, Slot<PoolReading>> = {
  allocated: {
    get: (reading) => reading.allocated,
    set: (reading, value) => {
      reading.allocated = value;
      reading.free = reading.size - value;
    },
  },
  fragmentation: field("fragmentation"),
  read_errors: field("readErrors"),
  write_errors: field("writeErrors"),
  checksum_errors: field("checksumErrors"),
};

/** Newest override of each series that holds at `at`. */
function current(overrides: readonly Override[], at: number): Override[] {
  const newest = new Map<string, Override>();
  for (const override of overrides) {
    if (override.from <= at) newest.set(`${override.metric} ${override.instance ?? ""}`, override);
  }
  return [...newest.values()];
}

/** `before(from)`: the reading at that time without overrides; a counter goes on from there. */
function apply<T>(
  slotOf: (metric: string, instance: string | undefined) => Slot<T> | undefined,
  reading: T,
  overrides: readonly Override[],
  at: number,
  before: (from: number) => T | undefined,
): void {
  for (const { metric, instance, from, value } of current(overrides, at)) {
    const slot = slotOf(metric, instance);
    if (slot === undefined || value === null) continue;
    if (slot.counter !== true) slot.set(reading, value);
    else {
      const old = before(from);
      slot.set(reading, ((old && slot.get(old)) ?? 0) + Math.floor((value * (at - from)) / 1000));
    }
  }
}

type Before<T> = (from: number) => T | undefined;
export const overrideGuest = (reading: GuestReading, overrides: readonly Override[], at: number, before: Before<GuestReading>) =>
  apply(guestSlot, reading, overrides, at, before);
export const overrideNode = (reading: NodeReading, overrides: readonly Override[], at: number) =>
  apply(
    (metric) => nodeSlots[metric],
    reading,
    overrides,
    at,
    () => undefined,
  );
export const overrideStorage = (reading: StorageReading, overrides: readonly Override[], at: number) =>
  apply(
    (metric) => storageSlots[metric],
    reading,
    overrides,
    at,
    () => undefined,
  );
export const overridePool = (reading: PoolReading, overrides: readonly Override[], at: number) =>
  apply(
    (metric) => poolSlots[metric],
    reading,
    overrides,
    at,
    () => undefined,
  );

/** Whether `set metric` can change this one. */
export function canOverride(kind: string, metric: string, instance: string | undefined): boolean {
  if (kind === "guest") return guestSlot(metric, instance) !== undefined;
  if (kind === "node") return metric === "cpu" || nodeSlots[metric] !== undefined;
  if (kind === "storage") return storageSlots[metric] !== undefined;
  return kind === "zpool" && poolSlots[metric] !== undefined;
}

/** Jiffies with the node's `cpu` held at a share from a time on. `plain` gives the model's. */
export function overrideJiffies(plain: (at: number) => Jiffies, overrides: readonly Override[], at: number): Jiffies {
  const model = plain(at);
  const held = current(overrides, at).find(({ metric }) => metric === "cpu");
  if (held === undefined || held.value === null) return model;
  const base = plain(held.from);
  const total = (j: Jiffies) => j.user + j.nice + j.system + j.idle + j.iowait + j.irq + j.softirq + j.steal;
  const elapsed = total(model) - total(base);
  const busy = Math.round(elapsed * Math.min(1, Math.max(0, held.value)));
  return { ...base, user: base.user + busy, idle: base.idle + elapsed - busy };
}
