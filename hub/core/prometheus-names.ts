import type { InstanceKind, Metric, Unit } from "#protocol/metrics.ts";

export type Family = { name: string; type: "gauge" | "counter"; help: string };
/** In the order they are written; names are unique. */
export type Labels = readonly (readonly [name: string, value: string])[];
/** One family a catalogue metric is written to; the catalogue's value divided by `divisor`. `exporter`: the name and ids are prometheus-pve-exporter's. */
export type Expression = { family: Family; divisor: number; exporter: boolean };

type ExporterFamily = { help: string; counter?: { name: string; help: string } };

const sent = "The amount of traffic in bytes that was sent";
const since = "since it was started. (for types 'qemu' and 'lxc')";
const blocks =
  "its block devices since the guest was started. This info is not available for all storage types. (for types 'qemu' and 'lxc')";
const netOut = `${sent} from the guest over the network ${since}`;
const netIn = `${sent} to the guest over the network ${since}`;
const written = `The amount of bytes the guest wrote to ${blocks}`;
const read = `The amount of bytes the guest read from ${blocks}`;
const kept = (help: string, counter: string): ExporterFamily => ({
  help: `${help} DEPRECATED: Use ${counter} instead.`,
  counter: { name: counter, help },
});

/**
 * Families of prometheus-pve-exporter 3.10 that hold a number of the catalogue, with its help texts: `ClusterResourcesCollector` in its
 * `collector/cluster.py`. It keeps the old names of what became counters, as gauges; so do we.
 */
const exporterFamilies: Readonly<Record<string, ExporterFamily>> = {
  pve_cpu_usage_ratio: { help: "CPU utilization (for types 'node', 'qemu' and 'lxc')." },
  pve_cpu_usage_limit: { help: "Number of available CPUs (for types 'node', 'qemu' and 'lxc')." },
  pve_memory_usage_bytes: { help: "Used memory in bytes (for types 'node', 'qemu' and 'lxc')." },
  pve_memory_size_bytes: { help: "Number of available memory in bytes (for types 'node', 'qemu' and 'lxc')." },
  pve_disk_usage_bytes: {
    help: "Used disk space in bytes (for type 'storage'), used root image space for VMs (for types 'qemu' and 'lxc').",
  },
  pve_disk_size_bytes: {
    help: "Storage size in bytes (for type 'storage'), root image size for VMs (for types 'qemu' and 'lxc').",
  },
  pve_uptime_seconds: { help: "Uptime of node or virtual guest in seconds (for types 'node', 'qemu' and 'lxc')." },
  pve_network_transmit_bytes: kept(netOut, "pve_network_transmit_bytes_total"),
  pve_network_receive_bytes: kept(netIn, "pve_network_receive_bytes_total"),
  pve_disk_write_bytes: kept(written, "pve_disk_written_bytes_total"),
  pve_disk_read_bytes: kept(read, "pve_disk_read_bytes_total"),
};

/** Prometheus' base units: what our units are written as. */
const baseUnits: Readonly<Record<Unit, { suffix: string; divisor: number }>> = {
  ratio: { suffix: "_ratio", divisor: 1 },
  percent: { suffix: "_ratio", divisor: 100 },
  bytes: { suffix: "_bytes", divisor: 1 },
  "bytes/s": { suffix: "_bytes_per_second", divisor: 1 },
  "operations/s": { suffix: "_per_second", divisor: 1 },
  seconds: { suffix: "_seconds", divisor: 1 },
  milliseconds: { suffix: "_seconds", divisor: 1e3 },
  nanoseconds: { suffix: "_seconds", divisor: 1e9 },
  celsius: { suffix: "_celsius", divisor: 1 },
  count: { suffix: "", divisor: 1 },
  operations: { suffix: "", divisor: 1 },
  bool: { suffix: "", divisor: 1 },
  code: { suffix: "", divisor: 1 },
};

/** `proven_<entity>_<name>` in base units and with their suffix; counters end in `_total`. */
function ownExpression(metric: Metric): Expression {
  const { suffix, divisor } = baseUnits[metric.unit];
  const stem = metric.name.replace(/_(ms|ns)$/, "");
  const unit = stem.endsWith(suffix) ? "" : suffix;
  const total = metric.kind === "counter" ? "_total" : "";
  // `_total` says counter: nodes_total, a gauge, becomes nodes.
  const bare = unit === "" && metric.kind === "gauge" ? stem.replace(/_total$/, "") : stem;
  const name = `proven_${metric.entity}_${bare}${unit}${total}`;
  return { family: { name, type: metric.kind, help: metric.help }, divisor, exporter: false };
}

function exporterExpressions(name: string, metric: Metric): Expression[] {
  const known = exporterFamilies[name];
  if (known === undefined) return [{ family: { name, type: metric.kind, help: metric.help }, divisor: 1, exporter: true }];
  const plain: Expression = { family: { name, type: "gauge", help: known.help }, divisor: 1, exporter: true };
  if (known.counter === undefined) return [plain];
  return [plain, { family: { ...known.counter, type: "counter" }, divisor: 1, exporter: true }];
}

const expressions = new Map<number, readonly Expression[]>();

/** The families a metric is written to. The last one is the one to read back from: of the exporter's two names of a counter the lasting one. */
export function expressionsOf(metric: Metric): readonly Expression[] {
  let found = expressions.get(metric.id);
  if (found === undefined) {
    found = metric.prometheus === undefined ? [ownExpression(metric)] : exporterExpressions(metric.prometheus, metric);
    expressions.set(metric.id, found);
  }
  return found;
}

/** What `instance` is called as a label. */
export const instanceLabels: Readonly<Record<InstanceKind, string>> = {
  drive: "drive",
  nic: "nic",
  disk: "disk",
  filesystem: "mountpoint",
  sensor: "sensor",
  certificate: "file",
  replication: "job",
  namespace: "namespace",
};
