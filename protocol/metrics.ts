import type { EntityKind } from "./ids.ts";

/**
 * Units as stored. `ratio`: 0 … 1 (a guest's cpu: of its own cores, may exceed 1). `percent`: 0 … 100, as the kernel's PSI says it.
 * `code`: a number of the table named in the help text.
 */
export type Unit =
  | "ratio"
  | "percent"
  | "bytes"
  | "seconds"
  | "milliseconds"
  | "nanoseconds"
  | "count"
  | "operations"
  | "celsius"
  | "bool"
  | "code";

/** What `instance` names: a virtual drive (`scsi0`), a NIC (`net0`, `eno1`), a block device (`sda`), a mount point (`/`). */
export type InstanceKind = "drive" | "nic" | "disk" | "filesystem";

export type Metric = {
  /** Stored for ever with the series: never change it and never use it again. */
  id: number;
  name: string;
  entity: EntityKind;
  instance?: InstanceKind;
  unit: Unit;
  /** A counter grows until its source restarts; it is stored as it is, rates are made when reading. */
  kind: "gauge" | "counter";
  /** The store holds integers: value × scale, rounded. */
  scale: number;
  /** Name in the Prometheus exposition where prometheus-pve-exporter has one; else `proven_<entity>_<name>` with its base unit (hub/core/prometheus-names.ts). */
  prometheus?: string;
  help: string;
};

const ratio = { unit: "ratio", kind: "gauge", scale: 10_000 } as const;
const percent = { unit: "percent", kind: "gauge", scale: 100 } as const;
const bytes = { unit: "bytes", kind: "gauge", scale: 1 } as const;
const byteCounter = { unit: "bytes", kind: "counter", scale: 1 } as const;
const operations = { unit: "operations", kind: "counter", scale: 1 } as const;
// Kept in µs: summed latencies of a busy drive pass 2^53 ns within months.
const nanoseconds = { unit: "nanoseconds", kind: "counter", scale: 0.001 } as const;
const seconds = { unit: "seconds", kind: "gauge", scale: 1 } as const;
const count = { unit: "count", kind: "gauge", scale: 1 } as const;
const bool = { unit: "bool", kind: "gauge", scale: 1 } as const;
const code = { unit: "code", kind: "gauge", scale: 1 } as const;

/** Every metric there is. Agent, store, API, rules and panel know no other. */
export const metrics = [
  {
    id: 1,
    name: "cpu",
    entity: "node",
    ...ratio,
    prometheus: "pve_cpu_usage_ratio",
    help: "Share of all host threads that was not idle",
  },
  { id: 2, name: "iowait", entity: "node", ...ratio, help: "Share of time threads were idle with I/O outstanding" },
  { id: 3, name: "steal", entity: "node", ...ratio, help: "Share of time a hypervisor below ran something else" },
  { id: 4, name: "cpus", entity: "node", ...count, prometheus: "pve_cpu_usage_limit", help: "Host threads" },
  { id: 5, name: "load1", entity: "node", unit: "count", kind: "gauge", scale: 100, help: "Load average over one minute" },
  { id: 6, name: "mem_total", entity: "node", ...bytes, prometheus: "pve_memory_size_bytes", help: "Installed memory" },
  {
    id: 7,
    name: "mem_used",
    entity: "node",
    ...bytes,
    prometheus: "pve_memory_usage_bytes",
    help: "MemTotal − MemAvailable, as PVE counts it",
  },
  { id: 8, name: "mem_available", entity: "node", ...bytes, help: "MemAvailable of /proc/meminfo" },
  { id: 9, name: "arc", entity: "node", ...bytes, help: "Size of ZFS' cache (part of mem_used); absent without ZFS" },
  { id: 10, name: "swap_total", entity: "node", ...bytes, help: "Swap space" },
  { id: 11, name: "swap_used", entity: "node", ...bytes, help: "Swap in use" },
  { id: 12, name: "psi_cpu_some", entity: "node", ...percent, help: "Time some task waited for a CPU, avg10" },
  { id: 13, name: "psi_io_some", entity: "node", ...percent, help: "Time some task waited for I/O, avg10" },
  { id: 14, name: "psi_io_full", entity: "node", ...percent, help: "Time all tasks waited for I/O, avg10" },
  { id: 15, name: "psi_mem_some", entity: "node", ...percent, help: "Time some task waited for memory, avg10" },
  { id: 16, name: "psi_mem_full", entity: "node", ...percent, help: "Time all tasks waited for memory, avg10" },
  { id: 17, name: "uptime", entity: "node", ...seconds, prometheus: "pve_uptime_seconds", help: "Time since boot" },
  {
    id: 18,
    name: "root_total",
    entity: "node",
    ...bytes,
    prometheus: "pve_disk_size_bytes",
    help: "Size of the root file system",
  },
  {
    id: 19,
    name: "root_used",
    entity: "node",
    ...bytes,
    prometheus: "pve_disk_usage_bytes",
    help: "Used on the root file system (blocks − bfree)",
  },
  {
    id: 20,
    name: "nic_in",
    entity: "node",
    instance: "nic",
    ...byteCounter,
    help: "Bytes received by a physical NIC, bridge or bond",
  },
  {
    id: 21,
    name: "nic_out",
    entity: "node",
    instance: "nic",
    ...byteCounter,
    help: "Bytes sent by a physical NIC, bridge or bond",
  },
  { id: 22, name: "disk_reads", entity: "node", instance: "disk", ...operations, help: "Reads completed by a block device" },
  { id: 23, name: "disk_writes", entity: "node", instance: "disk", ...operations, help: "Writes completed by a block device" },
  { id: 24, name: "disk_read", entity: "node", instance: "disk", ...byteCounter, help: "Bytes read from a block device" },
  { id: 25, name: "disk_written", entity: "node", instance: "disk", ...byteCounter, help: "Bytes written to a block device" },
  {
    id: 26,
    name: "disk_read_ms",
    entity: "node",
    instance: "disk",
    unit: "milliseconds",
    kind: "counter",
    scale: 1,
    help: "Time spent reading, summed over requests",
  },
  {
    id: 27,
    name: "disk_write_ms",
    entity: "node",
    instance: "disk",
    unit: "milliseconds",
    kind: "counter",
    scale: 1,
    help: "Time spent writing, summed over requests",
  },
  {
    id: 28,
    name: "disk_busy_ms",
    entity: "node",
    instance: "disk",
    unit: "milliseconds",
    kind: "counter",
    scale: 1,
    help: "Time with at least one request under way",
  },

  {
    id: 40,
    name: "status",
    entity: "guest",
    ...code,
    help: "guestStatusCodes: 0 stopped, 1 running, 2 paused, 3 suspended, 4 prelaunch, 5 io-error, 6 other",
  },
  {
    id: 41,
    name: "uptime",
    entity: "guest",
    ...seconds,
    prometheus: "pve_uptime_seconds",
    help: "Age of the guest's process; starts anew after a live migration",
  },
  {
    id: 42,
    name: "cpu",
    entity: "guest",
    ...ratio,
    prometheus: "pve_cpu_usage_ratio",
    help: "Share of the guest's own cores; may exceed 1",
  },
  {
    id: 43,
    name: "cpus",
    entity: "guest",
    unit: "count",
    kind: "gauge",
    scale: 100,
    prometheus: "pve_cpu_usage_limit",
    help: "The guest's cores (containers: may be fractional)",
  },
  {
    id: 44,
    name: "mem_used",
    entity: "guest",
    ...bytes,
    prometheus: "pve_memory_usage_bytes",
    help: "As the series' source says: guest agent, balloon driver, or the host's view",
  },
  { id: 45, name: "mem_max", entity: "guest", ...bytes, prometheus: "pve_memory_size_bytes", help: "Memory given to the guest" },
  { id: 46, name: "mem_host", entity: "guest", ...bytes, help: "What the guest costs the host; virtual machines only" },
  { id: 47, name: "swap_used", entity: "guest", ...bytes, help: "Swap in use; containers only" },
  {
    id: 48,
    name: "disk_used",
    entity: "guest",
    ...bytes,
    prometheus: "pve_disk_usage_bytes",
    help: "Root file system in use; containers only (PVE says 0 for virtual machines: absent here)",
  },
  {
    id: 49,
    name: "disk_max",
    entity: "guest",
    ...bytes,
    prometheus: "pve_disk_size_bytes",
    help: "Boot disk or root file system",
  },
  {
    id: 50,
    name: "net_in",
    entity: "guest",
    ...byteCounter,
    prometheus: "pve_network_receive_bytes",
    help: "Bytes into the guest (what its taps transmit)",
  },
  {
    id: 51,
    name: "net_out",
    entity: "guest",
    ...byteCounter,
    prometheus: "pve_network_transmit_bytes",
    help: "Bytes out of the guest (what its taps receive)",
  },
  {
    id: 52,
    name: "disk_read",
    entity: "guest",
    ...byteCounter,
    prometheus: "pve_disk_read_bytes",
    help: "Bytes read from all drives",
  },
  {
    id: 53,
    name: "disk_written",
    entity: "guest",
    ...byteCounter,
    prometheus: "pve_disk_write_bytes",
    help: "Bytes written to all drives",
  },
  { id: 54, name: "psi_cpu_some", entity: "guest", ...percent, help: "Time some task of the guest waited for a CPU, avg10" },
  { id: 55, name: "psi_cpu_full", entity: "guest", ...percent, help: "Time all tasks of the guest waited for a CPU, avg10" },
  { id: 56, name: "psi_io_some", entity: "guest", ...percent, help: "Time some task of the guest waited for I/O, avg10" },
  { id: 57, name: "psi_io_full", entity: "guest", ...percent, help: "Time all tasks of the guest waited for I/O, avg10" },
  { id: 58, name: "psi_mem_some", entity: "guest", ...percent, help: "Time some task of the guest waited for memory, avg10" },
  { id: 59, name: "psi_mem_full", entity: "guest", ...percent, help: "Time all tasks of the guest waited for memory, avg10" },
  { id: 60, name: "drive_reads", entity: "guest", instance: "drive", ...operations, help: "Reads completed by a virtual drive" },
  {
    id: 61,
    name: "drive_writes",
    entity: "guest",
    instance: "drive",
    ...operations,
    help: "Writes completed by a virtual drive",
  },
  {
    id: 62,
    name: "drive_flushes",
    entity: "guest",
    instance: "drive",
    ...operations,
    help: "Flushes completed by a virtual drive",
  },
  { id: 63, name: "drive_read", entity: "guest", instance: "drive", ...byteCounter, help: "Bytes read from a virtual drive" },
  { id: 64, name: "drive_written", entity: "guest", instance: "drive", ...byteCounter, help: "Bytes written to a virtual drive" },
  {
    id: 65,
    name: "drive_read_ns",
    entity: "guest",
    instance: "drive",
    ...nanoseconds,
    help: "Time spent reading, summed over requests",
  },
  {
    id: 66,
    name: "drive_write_ns",
    entity: "guest",
    instance: "drive",
    ...nanoseconds,
    help: "Time spent writing, summed over requests",
  },
  {
    id: 67,
    name: "drive_flush_ns",
    entity: "guest",
    instance: "drive",
    ...nanoseconds,
    help: "Time spent flushing, summed over requests",
  },
  {
    id: 68,
    name: "drive_failed",
    entity: "guest",
    instance: "drive",
    ...operations,
    help: "Failed reads, writes and flushes of a virtual drive",
  },
  { id: 69, name: "nic_in", entity: "guest", instance: "nic", ...byteCounter, help: "Bytes into the guest through one NIC" },
  { id: 70, name: "nic_out", entity: "guest", instance: "nic", ...byteCounter, help: "Bytes out of the guest through one NIC" },

  { id: 90, name: "total", entity: "storage", ...bytes, prometheus: "pve_disk_size_bytes", help: "Size of the storage" },
  { id: 91, name: "used", entity: "storage", ...bytes, prometheus: "pve_disk_usage_bytes", help: "Used on the storage" },
  {
    id: 92,
    name: "avail",
    entity: "storage",
    ...bytes,
    help: "What PVE calls available (less than total − used where blocks are reserved)",
  },
  { id: 93, name: "active", entity: "storage", ...bool, help: "1 where at least one reporting node has it active" },

  { id: 110, name: "size", entity: "zpool", ...bytes, help: "zpool SIZE" },
  { id: 111, name: "allocated", entity: "zpool", ...bytes, help: "zpool ALLOC" },
  { id: 112, name: "free", entity: "zpool", ...bytes, help: "zpool FREE" },
  { id: 113, name: "fragmentation", entity: "zpool", ...ratio, help: "zpool FRAG" },
  {
    id: 114,
    name: "health",
    entity: "zpool",
    ...code,
    help: "zpoolHealthCodes: 0 ONLINE, 1 DEGRADED, 2 FAULTED, 3 OFFLINE, 4 UNAVAIL, 5 REMOVED, 6 SUSPENDED",
  },
  { id: 115, name: "read_errors", entity: "zpool", ...operations, help: "Read errors of the pool's root vdev" },
  { id: 116, name: "write_errors", entity: "zpool", ...operations, help: "Write errors of the pool's root vdev" },
  { id: 117, name: "checksum_errors", entity: "zpool", ...operations, help: "Checksum errors, summed over the pool's vdevs" },

  { id: 130, name: "quorate", entity: "cluster", ...bool, help: "1 with quorum; a standalone node is always quorate" },
  { id: 131, name: "nodes_online", entity: "cluster", ...count, help: "Members corosync sees" },
  { id: 132, name: "nodes_total", entity: "cluster", ...count, help: "Members of the cluster" },
] as const satisfies readonly Metric[];

export type MetricId = (typeof metrics)[number]["id"];
/** `cpu`, `mem_used` …: unique together with the kind of entity. */
export type MetricName = (typeof metrics)[number]["name"];

const byId = new Map<number, Metric>(metrics.map((metric) => [metric.id, metric]));
const byName = new Map<string, Metric>(metrics.map((metric) => [`${metric.entity} ${metric.name}`, metric]));

export function metricById(id: number): Metric | undefined {
  return byId.get(id);
}

export function metricByName(entity: EntityKind, name: string): Metric | undefined {
  return byName.get(`${entity} ${name}`);
}

export const guestStatusCodes = ["stopped", "running", "paused", "suspended", "prelaunch", "io-error", "other"] as const;
export type GuestRunState = (typeof guestStatusCodes)[number];
export const zpoolHealthCodes = ["ONLINE", "DEGRADED", "FAULTED", "OFFLINE", "UNAVAIL", "REMOVED", "SUSPENDED"] as const;
