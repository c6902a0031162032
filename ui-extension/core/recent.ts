import type { SeriesAnswer, SeriesSelector } from "#protocol/api.ts";
import type { TopAnswer } from "#protocol/class-queries.ts";
import type { EntityView } from "#protocol/entities.ts";
import type { MetricName } from "#protocol/metrics.ts";
import type { DiskLoad, Neighbour, Waits } from "./bottleneck.ts";
import type { Instances } from "./charts.ts";

/** What is asked to find a bottleneck: the mean of the last five minutes. */
export const recentMs = 300_000;

const guestMetrics: readonly MetricName[] = [
  "cpu",
  "mem_used",
  "mem_max",
  "psi_cpu_some",
  "psi_io_some",
  "psi_mem_some",
  "drive_reads",
  "drive_writes",
  "drive_read_ns",
  "drive_write_ns",
];
const nodeMetrics: readonly MetricName[] = [
  "cpu",
  "iowait",
  "steal",
  "mem_used",
  "mem_total",
  "psi_cpu_some",
  "psi_io_some",
  "psi_mem_some",
  "disk_reads",
  "disk_writes",
  "disk_read_ms",
  "disk_write_ms",
  "disk_busy_ms",
];

/** Series that `waitsOf` wants of a guest or a node. */
export function waitSelectors(entity: string, cluster: string, instances: Instances): SeriesSelector[] {
  const metrics = entity.startsWith("node/") ? nodeMetrics : guestMetrics;
  return metrics.flatMap((metric): SeriesSelector[] => {
    const about = { cluster, entity, metric };
    const hasInstances = /^(drive|disk)_/.test(metric);
    return hasInstances ? (instances.get(metric) ?? []).map((instance) => ({ ...about, instance })) : [about];
  });
}

type Read = (metric: MetricName, instance?: string) => number | undefined;

/** The mean of what each step of an answer says, by metric and instance. */
function readerOf(answer: SeriesAnswer, entity: string): Read {
  return (metric, instance) => {
    const series = answer.series.find(
      (one) => one.entity === entity && one.metric === metric && (one.instance ?? undefined) === instance,
    );
    const values = (series?.columns.avg ?? series?.columns.rate ?? []).filter((value) => value !== null);
    return values.length === 0 ? undefined : values.reduce((a, b) => a + b, 0) / values.length;
  };
}

const divided = (a: number | undefined, b: number | undefined, factor = 1) =>
  a === undefined || b === undefined || b <= 0 ? undefined : (a / b) * factor;

/** Sums that are unknown only where both are. */
const sumKnown = (a: number | undefined, b: number | undefined) =>
  a === undefined && b === undefined ? undefined : (a ?? 0) + (b ?? 0);

/** What a guest or a node waits for, out of a query's answer. */
export function waitsOf(answer: SeriesAnswer, entity: string): Waits {
  const read = readerOf(answer, entity);
  const isNode = entity.startsWith("node/");
  return {
    cpu: read("cpu"),
    memory: divided(read("mem_used"), read(isNode ? "mem_total" : "mem_max")),
    pressure: {
      cpu: divided(read("psi_cpu_some"), 100),
      io: divided(read("psi_io_some"), 100),
      memory: divided(read("psi_mem_some"), 100),
    },
    iowait: read("iowait"),
    steal: read("steal"),
    disks: isNode ? physicalDisks(answer, entity, read) : virtualDrives(answer, entity, read),
  };
}

const instancesIn = (answer: SeriesAnswer, entity: string, metric: MetricName) =>
  answer.series.flatMap((one) => (one.entity === entity && one.metric === metric && one.instance !== null ? [one.instance] : []));

function virtualDrives(answer: SeriesAnswer, entity: string, read: Read): DiskLoad[] {
  return instancesIn(answer, entity, "drive_reads").map((name) => {
    const [reads, writes] = [read("drive_reads", name), read("drive_writes", name)];
    return {
      name,
      readMs: divided(read("drive_read_ns", name), reads, 1e-6),
      writeMs: divided(read("drive_write_ns", name), writes, 1e-6),
      perSecond: sumKnown(reads, writes),
    };
  });
}

/** Device mapper, md and zvols show what the disks below them show already. */
const isPhysical = (name: string) => !/^(dm-|md|zd|loop|ram|nbd)/.test(name);

function physicalDisks(answer: SeriesAnswer, entity: string, read: Read): DiskLoad[] {
  return instancesIn(answer, entity, "disk_reads")
    .filter(isPhysical)
    .map((name) => {
      const [reads, writes] = [read("disk_reads", name), read("disk_writes", name)];
      return {
        name,
        readMs: divided(read("disk_read_ms", name), reads),
        writeMs: divided(read("disk_write_ms", name), writes),
        perSecond: sumKnown(reads, writes),
        // ms with a request under way, per second.
        busy: divided(read("disk_busy_ms", name), 1000),
      };
    });
}

/** Guests with what they read and write, out of a ranking and the list of guests; without `except`. */
export function neighboursOf(top: TopAnswer, guests: readonly EntityView[], except: string): Neighbour[] {
  const byEntity = new Map(guests.map((guest) => [`${guest.cluster} ${guest.entity}`, guest]));
  return top.series.flatMap(({ entity, cluster, name, columns }): Neighbour[] => {
    const value = (columns.rate ?? columns.avg)?.[0];
    if (entity === except || value === null || value === undefined) return [];
    const title = `${entity.replace("guest/", "")} ${name}`;
    return [{ title, bytesPerSecond: value, storages: byEntity.get(`${cluster} ${entity}`)?.storages ?? [] }];
  });
}
