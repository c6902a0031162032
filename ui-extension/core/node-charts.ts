import {
  type ChartLine,
  type ChartSpec,
  gauge,
  latency,
  rate,
  rateOf,
  shownInstances,
  summedRate,
  withoutBand,
} from "./charts.ts";
import { divideColumns, type Grid, sumColumns } from "./columns.ts";
import { pressureChart } from "./pressure-chart.ts";
import type { Translate } from "./text.ts";

/** Bridges, bonds and VLANs carry what physical NICs carried already; device mapper, md and zvols likewise for disks. */
const isPhysicalNic = (name: string) => !/^(vmbr|bond|br|vlan|ovs)|\./.test(name);
const isPhysicalDisk = (name: string) => !/^(dm-|md|zd|loop|ram|nbd)/.test(name);

/** Charts of a node's page, the first ones those that are looked at first. */
export function nodeCharts(entity: string, t: Translate): ChartSpec[] {
  return [...computing(entity, t), ...disks(entity, t), ...network(entity, t), ...housing(entity, t)];
}

function computing(entity: string, t: Translate): ChartSpec[] {
  const group = t("Processor and memory");
  return [
    {
      id: "cpu",
      group,
      title: t("CPU"),
      unit: "percent",
      top: 0.1,
      metrics: ["cpu", "iowait", "steal"],
      lines: (grid) => [
        ...gauge(grid, entity, "cpu", { label: t("in use"), colour: 0, style: "area" }),
        ...gauge(grid, entity, "iowait", { label: t("waiting for I/O"), colour: 1, style: "line" }),
        ...gauge(grid, entity, "steal", { label: t("taken by a hypervisor below"), colour: 2, style: "line" }).filter(hasSome),
      ],
    },
    pressureChart(entity, group, t),
    {
      id: "memory",
      group,
      title: t("Memory"),
      unit: "bytes",
      metrics: ["mem_used", "mem_total", "arc", "swap_used"],
      lines: (grid) => [
        ...gauge(grid, entity, "mem_used", { label: t("used"), colour: 0, style: "area" }),
        ...gauge(grid, entity, "arc", { label: t("ZFS cache (ARC)"), colour: 1, style: "line" }),
        ...gauge(grid, entity, "swap_used", { label: t("swap used"), colour: 2, style: "line" }).filter(hasSome),
        ...gauge(grid, entity, "mem_total", { label: t("installed"), colour: 4, style: "dashed" }).map(withoutBand),
      ],
    },
    {
      id: "load",
      group,
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

/** What is zero all the time says only that it doesn't concern this machine. */
const hasSome = ({ values }: ChartLine) => values.some((value) => value !== null && value > 0);

function disks(entity: string, t: Translate): ChartSpec[] {
  const group = t("Disks");
  const pairs = (grid: Grid, lines: (disk: string, colours: [number, number]) => ChartLine[]) =>
    shownInstances(grid, entity, "disk_writes", isPhysicalDisk, true).flatMap((disk, place) =>
      lines(disk, [place * 2, place * 2 + 1]),
    );
  const words = (disk: string) => ({ read: t("{drive} read", { drive: disk }), write: t("{drive} write", { drive: disk }) });
  return [
    {
      id: "disk",
      group,
      title: t("Disks, all together"),
      unit: "bytesPerSecond",
      metrics: ["disk_read", "disk_written"],
      lines: (grid) => [
        ...summedRate(grid, entity, "disk_read", isPhysicalDisk, { label: t("read"), colour: 0, style: "area" }),
        ...summedRate(grid, entity, "disk_written", isPhysicalDisk, { label: t("written"), colour: 1, style: "line" }),
      ],
    },
    {
      id: "disk-latency",
      group,
      title: t("Latency by disk, mean"),
      unit: "milliseconds",
      metrics: ["disk_read_ms", "disk_reads", "disk_write_ms", "disk_writes"],
      lines: (grid) =>
        pairs(grid, (disk, [a, b]) => [
          ...latency(grid, entity, disk, ["disk_read_ms", "disk_reads"], 1, {
            label: words(disk).read,
            colour: a,
            style: "line",
          }),
          ...latency(grid, entity, disk, ["disk_write_ms", "disk_writes"], 1, {
            label: words(disk).write,
            colour: b,
            style: "line",
          }),
        ]),
    },
    {
      id: "disk-operations",
      group,
      title: t("Operations by disk"),
      unit: "perSecond",
      metrics: ["disk_reads", "disk_writes"],
      lines: (grid) =>
        pairs(grid, (disk, [a, b]) => [
          ...rate(grid, entity, "disk_reads", { label: words(disk).read, colour: a, style: "line" }, { instance: disk }),
          ...rate(grid, entity, "disk_writes", { label: words(disk).write, colour: b, style: "line" }, { instance: disk }),
        ]),
    },
    {
      id: "disk-busy",
      group,
      title: t("Busy by disk: time with a request under way"),
      unit: "percent",
      top: 0.1,
      metrics: ["disk_busy_ms"],
      lines: (grid) =>
        shownInstances(grid, entity, "disk_busy_ms", isPhysicalDisk).flatMap((disk, colour) =>
          rate(grid, entity, "disk_busy_ms", { label: disk, colour, style: "line" }, { factor: 0.001, instance: disk }),
        ),
    },
    {
      id: "arc-hits",
      group,
      title: t("Reads that ZFS' cache answered"),
      unit: "percent",
      top: 1,
      metrics: ["arc_hits", "arc_misses"],
      lines: (grid) => arcHits(grid, entity, t("answered from memory")),
    },
  ];
}

function arcHits(grid: Grid, entity: string, label: string): ChartLine[] {
  const [hits, misses] = [rateOf(grid, entity, "arc_hits", null), rateOf(grid, entity, "arc_misses", null)];
  if (hits === undefined || misses === undefined) return [];
  return [{ label, colour: 0, style: "line", values: divideColumns(hits, sumColumns([hits, misses], grid.at.length), 1) }];
}

function network(entity: string, t: Translate): ChartSpec[] {
  const group = t("Network");
  return [
    {
      id: "network",
      group,
      title: t("Network, all physical NICs"),
      unit: "bytesPerSecond",
      metrics: ["nic_in", "nic_out"],
      lines: (grid) => [
        ...summedRate(grid, entity, "nic_in", isPhysicalNic, { label: t("received"), colour: 0, style: "area" }),
        ...summedRate(grid, entity, "nic_out", isPhysicalNic, { label: t("sent"), colour: 1, style: "line" }),
      ],
    },
    {
      id: "nics",
      group,
      title: t("Network by NIC, bridge and bond"),
      unit: "bytesPerSecond",
      metrics: ["nic_in", "nic_out"],
      lines: (grid) =>
        shownInstances(grid, entity, "nic_in", () => true, true).flatMap((nic, place) => [
          ...rate(
            grid,
            entity,
            "nic_in",
            { label: t("{nic} received", { nic }), colour: place * 2, style: "line" },
            { instance: nic },
          ),
          ...rate(
            grid,
            entity,
            "nic_out",
            { label: t("{nic} sent", { nic }), colour: place * 2 + 1, style: "line" },
            { instance: nic },
          ),
        ]),
    },
  ];
}

function housing(entity: string, t: Translate): ChartSpec[] {
  const group = t("Space and health");
  return [
    {
      id: "root",
      group,
      title: t("Root file system"),
      unit: "bytes",
      metrics: ["root_used", "root_total"],
      lines: (grid) => [
        ...gauge(grid, entity, "root_used", { label: t("used"), colour: 0, style: "area" }),
        ...gauge(grid, entity, "root_total", { label: t("size"), colour: 4, style: "dashed" }).map(withoutBand),
      ],
    },
    {
      id: "temperature",
      group,
      title: t("Temperatures"),
      unit: "celsius",
      top: 40,
      metrics: ["temperature"],
      lines: (grid) =>
        shownInstances(grid, entity, "temperature").flatMap((sensor, colour) =>
          gauge(grid, entity, "temperature", { label: sensor, colour, style: "line" }, { instance: sensor }),
        ),
    },
  ];
}
