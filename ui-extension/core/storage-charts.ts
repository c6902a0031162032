import type { MetricName } from "#protocol/metrics.ts";
import { type ChartSpec, gauge, rate, shownInstances, withoutBand } from "./charts.ts";
import type { Translate } from "./text.ts";

/** The chart of what is used of a size; all that hold data have one. */
function usage(entity: string, title: string, t: Translate, used: MetricName, total: MetricName, avail?: MetricName): ChartSpec {
  return {
    id: "usage",
    group: t("Space"),
    title,
    unit: "bytes",
    metrics: avail === undefined ? [used, total] : [used, total, avail],
    lines: (grid) => [
      ...gauge(grid, entity, used, { label: t("used"), colour: 0, style: "area" }),
      ...(avail === undefined
        ? []
        : gauge(grid, entity, avail, { label: t("available"), colour: 1, style: "line" }).map(withoutBand)),
      ...gauge(grid, entity, total, { label: t("size"), colour: 4, style: "dashed" }).map(withoutBand),
    ],
  };
}

/** The chart of a storage's page. */
export const storageCharts = (entity: string, t: Translate): ChartSpec[] => [
  usage(entity, t("Usage"), t, "used", "total", "avail"),
];

/** Charts of a ZFS pool's page. Errors are shown as they grow: what they amount to since the pool's import says nothing of now. */
export function zpoolCharts(entity: string, t: Translate): ChartSpec[] {
  return [
    usage(entity, t("Allocated"), t, "allocated", "size"),
    {
      id: "fragmentation",
      group: t("Space"),
      title: t("Fragmentation of the free space"),
      unit: "percent",
      top: 0.5,
      metrics: ["fragmentation"],
      lines: (grid) => gauge(grid, entity, "fragmentation", { label: t("fragmentation"), colour: 0, style: "area" }),
    },
    {
      id: "errors",
      group: t("Health"),
      title: t("New errors, per second"),
      unit: "perSecond",
      top: 0.01,
      metrics: ["read_errors", "write_errors", "checksum_errors"],
      lines: (grid) => [
        ...rate(grid, entity, "read_errors", { label: t("reading"), colour: 0, style: "line" }),
        ...rate(grid, entity, "write_errors", { label: t("writing"), colour: 1, style: "line" }),
        ...rate(grid, entity, "checksum_errors", { label: t("checksums"), colour: 2, style: "line" }),
      ],
    },
  ];
}

/** Charts of a thin pool's page: data and metadata on one axis, as either one stops all writes when it is full. */
export function thinpoolCharts(entity: string, t: Translate): ChartSpec[] {
  return [
    {
      id: "usage",
      group: t("Space"),
      title: t("Data and metadata in use"),
      unit: "percent",
      top: 1,
      metrics: ["data", "metadata"],
      lines: (grid) => [
        ...gauge(grid, entity, "data", { label: t("data"), colour: 0, style: "area" }),
        ...gauge(grid, entity, "metadata", { label: t("metadata"), colour: 2, style: "line" }),
      ],
    },
    {
      id: "provisioned",
      group: t("Space"),
      title: t("Promised to volumes"),
      unit: "bytes",
      metrics: ["provisioned", "size"],
      lines: (grid) => [
        ...gauge(grid, entity, "provisioned", { label: t("promised"), colour: 0, style: "area" }),
        ...gauge(grid, entity, "size", { label: t("size"), colour: 4, style: "dashed" }).map(withoutBand),
      ],
    },
  ];
}

/** Charts of a Backup Server's datastore. */
export function datastoreCharts(entity: string, t: Translate): ChartSpec[] {
  return [
    usage(entity, t("Usage"), t, "used", "total", "avail"),
    {
      id: "snapshots",
      group: t("Backups"),
      title: t("Backups by namespace"),
      unit: "count",
      metrics: ["snapshots"],
      lines: (grid) =>
        shownInstances(grid, entity, "snapshots").flatMap((namespace, colour) =>
          gauge(grid, entity, "snapshots", { label: namespace, colour, style: "line" }, { instance: namespace }),
        ),
    },
    {
      id: "dedup",
      group: t("Backups"),
      title: t("Deduplication factor"),
      unit: "count",
      top: 1,
      metrics: ["dedup_factor"],
      lines: (grid) =>
        gauge(grid, entity, "dedup_factor", { label: t("bytes backed up per byte stored"), colour: 0, style: "area" }),
    },
  ];
}
