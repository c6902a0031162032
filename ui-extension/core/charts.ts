import type { EntityMetrics, GuestView, SeriesSelector } from "#protocol/api.ts";
import type { MetricName } from "#protocol/metrics.ts";
import { type Column, columnKey, divideColumns, type Grid, sumColumns } from "./columns.ts";
import { groupBy } from "./group.ts";
import { memorySourceText } from "./guests.ts";
import type { Translate } from "./text.ts";
import type { DisplayUnit } from "./units.ts";

/**
 * One drawn line. `band`: minimum and maximum within each step, where the answer has them. `colour`: place in the theme's list of line colours.
 * `before`: a line of an earlier time.
 */
export type ChartLine = {
  label: string;
  colour: number;
  style: "area" | "line" | "dashed" | "before";
  values: Column;
  band?: { min: Column; max: Column };
};

/** What a chart asks of history, and how it makes lines of the answer. A chart whose lines are all empty is not drawn. */
export type ChartSpec = {
  id: string;
  title: string;
  unit: DisplayUnit;
  /** The axis reaches at least so far. */
  top?: number;
  metrics: readonly MetricName[];
  lines(grid: Grid): ChartLine[];
};

type Style = Pick<ChartLine, "label" | "colour" | "style">;

/** Instances by metric: which NICs, disks or drives an entity has samples of. */
export type Instances = ReadonlyMap<string, readonly string[]>;

/** Reads them out of an entity's current metrics. */
export function instancesOf({ metrics }: EntityMetrics): Instances {
  const found = metrics.flatMap(({ metric, instance }) => (instance === null ? [] : [{ metric, instance }]));
  return new Map(
    [...groupBy(found, ({ metric }) => metric)].map(([metric, group]) => [metric, group.map(({ instance }) => instance)]),
  );
}

/** Every series the charts of one entity need, each once. */
export function selectorsOf(
  charts: readonly ChartSpec[],
  entity: string,
  cluster: string,
  instances: Instances,
): SeriesSelector[] {
  const metrics = new Set(charts.flatMap((chart) => chart.metrics));
  return [...metrics].flatMap((metric): SeriesSelector[] => {
    const names = instances.get(metric);
    return names === undefined ? [{ cluster, entity, metric }] : names.map((instance) => ({ cluster, entity, metric, instance }));
  });
}

/** A chart's lines that have a value somewhere: what this entity has no samples of is left out. */
export const knownLines = (lines: readonly ChartLine[]) => lines.filter((line) => line.values.some((value) => value !== null));

function gauge(grid: Grid, entity: string, metric: MetricName, style: Style, factor = 1): ChartLine[] {
  const column = (aggregate: "avg" | "min" | "max" | "last") => {
    const found = grid.columns.get(columnKey(entity, metric, null, aggregate));
    return factor === 1 ? found : found?.map((value) => (value === null ? null : value * factor));
  };
  const values = column("avg") ?? column("last");
  if (values === undefined) return [];
  const [min, max] = [column("min"), column("max")];
  return [{ ...style, values, ...(min !== undefined && max !== undefined ? { band: { min, max } } : {}) }];
}

const rateOf = (grid: Grid, entity: string, metric: MetricName, instance: string | null) =>
  grid.columns.get(columnKey(entity, metric, instance, "rate"));

function rate(grid: Grid, entity: string, metric: MetricName, style: Style): ChartLine[] {
  const values = rateOf(grid, entity, metric, null);
  return values === undefined ? [] : [{ ...style, values }];
}

function summedRate(
  grid: Grid,
  entity: string,
  metric: MetricName,
  counts: (instance: string) => boolean,
  style: Style,
): ChartLine[] {
  const instances = grid.instances.get(`${entity} ${metric}`) ?? [];
  const counted = instances.some(counts) ? instances.filter(counts) : instances;
  const columns = counted.map((instance) => rateOf(grid, entity, metric, instance)).filter((column) => column !== undefined);
  return columns.length === 0 ? [] : [{ ...style, values: sumColumns(columns, grid.at.length) }];
}

/** Bridges, bonds and VLANs carry what physical NICs carried already; device mapper, md and zvols likewise for disks. */
const isPhysicalNic = (name: string) => !/^(vmbr|bond|br|vlan|ovs)|\./.test(name);
const isPhysicalDisk = (name: string) => !/^(dm-|md|zd|loop|ram|nbd)/.test(name);

/** Charts of a node's page. */
export function nodeCharts(entity: string, t: Translate): ChartSpec[] {
  const psi = (grid: Grid, metric: MetricName, label: string, colour: number) =>
    gauge(grid, entity, metric, { label, colour, style: "line" }, 0.01);
  return [
    {
      id: "cpu",
      title: t("CPU"),
      unit: "percent",
      top: 0.1,
      metrics: ["cpu", "iowait"],
      lines: (grid) => [
        ...gauge(grid, entity, "cpu", { label: t("in use"), colour: 0, style: "area" }),
        ...gauge(grid, entity, "iowait", { label: t("waiting for I/O"), colour: 1, style: "line" }),
      ],
    },
    {
      id: "memory",
      title: t("Memory"),
      unit: "bytes",
      metrics: ["mem_used", "mem_total", "arc"],
      lines: (grid) => [
        ...gauge(grid, entity, "mem_used", { label: t("used"), colour: 0, style: "area" }),
        ...gauge(grid, entity, "arc", { label: t("ZFS cache (ARC)"), colour: 1, style: "line" }),
        ...gauge(grid, entity, "mem_total", { label: t("installed"), colour: 4, style: "dashed" }).map(withoutBand),
      ],
    },
    {
      id: "network",
      title: t("Network, all physical NICs"),
      unit: "bytesPerSecond",
      metrics: ["nic_in", "nic_out"],
      lines: (grid) => [
        ...summedRate(grid, entity, "nic_in", isPhysicalNic, { label: t("received"), colour: 0, style: "area" }),
        ...summedRate(grid, entity, "nic_out", isPhysicalNic, { label: t("sent"), colour: 1, style: "line" }),
      ],
    },
    {
      id: "disk",
      title: t("Disks, all together"),
      unit: "bytesPerSecond",
      metrics: ["disk_read", "disk_written"],
      lines: (grid) => [
        ...summedRate(grid, entity, "disk_read", isPhysicalDisk, { label: t("read"), colour: 0, style: "area" }),
        ...summedRate(grid, entity, "disk_written", isPhysicalDisk, { label: t("written"), colour: 1, style: "line" }),
      ],
    },
    {
      id: "pressure",
      title: t("Pressure: time something had to wait"),
      unit: "percent",
      top: 0.1,
      metrics: ["psi_cpu_some", "psi_io_some", "psi_mem_some"],
      lines: (grid) => [
        ...psi(grid, "psi_cpu_some", t("for a CPU"), 0),
        ...psi(grid, "psi_io_some", t("for I/O"), 1),
        ...psi(grid, "psi_mem_some", t("for memory"), 2),
      ],
    },
    {
      id: "load",
      title: t("Load average, one minute"),
      unit: "count",
      top: 1,
      metrics: ["load1", "cpus"],
      lines: (grid) => [
        ...gauge(grid, entity, "load1", { label: t("load"), colour: 0, style: "area" }),
        ...gauge(grid, entity, "cpus", { label: t("host threads"), colour: 4, style: "dashed" }).map(withoutBand),
      ],
    },
  ];
}

function withoutBand({ label, colour, style, values }: ChartLine): ChartLine {
  return { label, colour, style, values };
}

/** Charts of a guest's page. Latency and operations appear where its drives report them. */
export function guestCharts(guest: Pick<GuestView, "entity" | "type" | "memSource">, t: Translate): ChartSpec[] {
  const { entity } = guest;
  const memoryLabel = t(memorySourceText(guest.memSource));
  return [
    {
      id: "cpu",
      title: t("CPU, share of its own cores"),
      unit: "percent",
      top: 0.1,
      metrics: ["cpu"],
      lines: (grid) => gauge(grid, entity, "cpu", { label: t("in use"), colour: 0, style: "area" }),
    },
    {
      id: "memory",
      title: t("Memory"),
      unit: "bytes",
      metrics: ["mem_used", "mem_max", "mem_host"],
      lines: (grid) => [
        ...gauge(grid, entity, "mem_used", { label: memoryLabel, colour: 0, style: "area" }),
        ...gauge(grid, entity, "mem_host", { label: t("cost to the host"), colour: 1, style: "line" }),
        ...gauge(grid, entity, "mem_max", { label: t("given"), colour: 4, style: "dashed" }).map(withoutBand),
      ],
    },
    {
      id: "network",
      title: t("Network"),
      unit: "bytesPerSecond",
      metrics: ["net_in", "net_out"],
      lines: (grid) => [
        ...rate(grid, entity, "net_in", { label: t("into the guest"), colour: 0, style: "area" }),
        ...rate(grid, entity, "net_out", { label: t("out of the guest"), colour: 1, style: "line" }),
      ],
    },
    {
      id: "disk",
      title: t("Disks, all together"),
      unit: "bytesPerSecond",
      metrics: ["disk_read", "disk_written"],
      lines: (grid) => [
        ...rate(grid, entity, "disk_read", { label: t("read"), colour: 0, style: "area" }),
        ...rate(grid, entity, "disk_written", { label: t("written"), colour: 1, style: "line" }),
      ],
    },
    ...(guest.type === "qemu" ? driveCharts(entity, t) : []),
    {
      id: "pressure",
      title: t("Pressure: time something had to wait"),
      unit: "percent",
      top: 0.1,
      metrics: ["psi_cpu_some", "psi_io_some", "psi_mem_some"],
      lines: (grid) => [
        ...gauge(grid, entity, "psi_cpu_some", { label: t("for a CPU"), colour: 0, style: "line" }, 0.01),
        ...gauge(grid, entity, "psi_io_some", { label: t("for I/O"), colour: 1, style: "line" }, 0.01),
        ...gauge(grid, entity, "psi_mem_some", { label: t("for memory"), colour: 2, style: "line" }, 0.01),
      ],
    },
  ];
}

function driveCharts(entity: string, t: Translate): ChartSpec[] {
  const each = (grid: Grid, metric: MetricName, lineOf: (drive: string, place: number) => ChartLine[]) =>
    (grid.instances.get(`${entity} ${metric}`) ?? []).flatMap(lineOf);
  const latency = (grid: Grid, drive: string, time: MetricName, count: MetricName, style: Style): ChartLine[] => {
    const [spent, operations] = [rateOf(grid, entity, time, drive), rateOf(grid, entity, count, drive)];
    if (spent === undefined || operations === undefined) return [];
    // ns spent per operation, shown in ms.
    return [{ ...style, values: divideColumns(spent, operations, 1e-6) }];
  };
  return [
    {
      id: "latency",
      title: t("Latency by drive, mean"),
      unit: "milliseconds",
      metrics: ["drive_read_ns", "drive_reads", "drive_write_ns", "drive_writes"],
      lines: (grid) =>
        each(grid, "drive_reads", (drive, place) => [
          ...latency(grid, drive, "drive_read_ns", "drive_reads", {
            label: t("{drive} read", { drive }),
            colour: place * 2,
            style: "line",
          }),
          ...latency(grid, drive, "drive_write_ns", "drive_writes", {
            label: t("{drive} write", { drive }),
            colour: place * 2 + 1,
            style: "line",
          }),
        ]),
    },
    {
      id: "operations",
      title: t("Operations by drive"),
      unit: "perSecond",
      metrics: ["drive_reads", "drive_writes"],
      lines: (grid) =>
        each(grid, "drive_reads", (drive, place) => {
          const [reads, writes] = [rateOf(grid, entity, "drive_reads", drive), rateOf(grid, entity, "drive_writes", drive)];
          return [
            ...(reads ? [{ label: t("{drive} read", { drive }), colour: place * 2, style: "line" as const, values: reads }] : []),
            ...(writes
              ? [{ label: t("{drive} write", { drive }), colour: place * 2 + 1, style: "line" as const, values: writes }]
              : []),
          ];
        }),
    },
  ];
}

/** The chart of a storage's page. */
export function storageCharts(entity: string, t: Translate): ChartSpec[] {
  return [
    {
      id: "usage",
      title: t("Usage"),
      unit: "bytes",
      metrics: ["used", "total", "avail"],
      lines: (grid) => [
        ...gauge(grid, entity, "used", { label: t("used"), colour: 0, style: "area" }),
        ...gauge(grid, entity, "avail", { label: t("available"), colour: 1, style: "line" }).map(withoutBand),
        ...gauge(grid, entity, "total", { label: t("size"), colour: 4, style: "dashed" }).map(withoutBand),
      ],
    },
  ];
}
