import type { EntityMetrics, SeriesSelector } from "#protocol/api.ts";
import type { MetricName } from "#protocol/metrics.ts";
import { type Column, columnKey, divideColumns, type Grid, meanOf, sumColumns } from "./columns.ts";
import { groupBy } from "./group.ts";
import type { DisplayUnit } from "./units.ts";

/**
 * One drawn line; `dots`: of single values with nothing between them. `band`: minimum and maximum within each step, where the answer has them. `colour`: place in the theme's list of line colours.
 * `before`: a line of an earlier time.
 */
export type ChartLine = {
  label: string;
  colour: number;
  style: "area" | "line" | "dashed" | "before" | "dots";
  values: Column;
  band?: { min: Column; max: Column };
};

/** What a chart asks of history, and how it makes lines of the answer. A chart whose lines are all empty is not drawn. */
export type ChartSpec = {
  id: string;
  title: string;
  /** Heading of the charts it stands with. */
  group: string;
  unit: DisplayUnit;
  /** The axis reaches at least so far. */
  top?: number;
  metrics: readonly MetricName[];
  lines(grid: Grid): ChartLine[];
};

export type Style = Pick<ChartLine, "label" | "colour" | "style">;

/** Instances by metric: which NICs, disks or drives an entity has samples of. */
export type Instances = ReadonlyMap<string, readonly string[]>;

/** Reads them out of an entity's current metrics. */
export function instancesOf({ metrics }: Pick<EntityMetrics, "metrics">): Instances {
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

/** Line of a gauge with its band; empty where nothing is known of it. */
export function gauge(
  grid: Grid,
  entity: string,
  metric: MetricName,
  style: Style,
  { factor = 1, instance = null }: { factor?: number; instance?: string | null } = {},
): ChartLine[] {
  const column = (aggregate: "avg" | "min" | "max" | "last") => {
    const found = grid.columns.get(columnKey(entity, metric, instance, aggregate));
    return factor === 1 ? found : found?.map((value) => (value === null ? null : value * factor));
  };
  const values = column("avg") ?? column("last");
  if (values === undefined) return [];
  const [min, max] = [column("min"), column("max")];
  return [{ ...style, values, ...(min !== undefined && max !== undefined ? { band: { min, max } } : {}) }];
}

export function withoutBand({ label, colour, style, values }: ChartLine): ChartLine {
  return { label, colour, style, values };
}

export const rateOf = (grid: Grid, entity: string, metric: MetricName, instance: string | null) =>
  grid.columns.get(columnKey(entity, metric, instance, "rate"));

/** Line of a counter's rate, times `factor`. */
export function rate(
  grid: Grid,
  entity: string,
  metric: MetricName,
  style: Style,
  { factor = 1, instance = null }: { factor?: number; instance?: string | null } = {},
): ChartLine[] {
  const values = rateOf(grid, entity, metric, instance);
  if (values === undefined) return [];
  return [{ ...style, values: factor === 1 ? values : values.map((value) => (value === null ? null : value * factor)) }];
}

/** One line of what several instances have together. */
export function summedRate(
  grid: Grid,
  entity: string,
  metric: MetricName,
  counts: (instance: string) => boolean,
  style: Style,
): ChartLine[] {
  const instances = instancesIn(grid, entity, metric);
  const counted = instances.some(counts) ? instances.filter(counts) : instances;
  const columns = counted.map((instance) => rateOf(grid, entity, metric, instance)).filter((column) => column !== undefined);
  return columns.length === 0 ? [] : [{ ...style, values: sumColumns(columns, grid.at.length) }];
}

/** Mean time of one request, ms: time spent by requests made. `factor`: ms in the unit of `time`. */
export function latency(
  grid: Grid,
  entity: string,
  instance: string,
  [time, count]: readonly [time: MetricName, count: MetricName],
  factor: number,
  style: Style,
): ChartLine[] {
  const [spent, operations] = [rateOf(grid, entity, time, instance), rateOf(grid, entity, count, instance)];
  if (spent === undefined || operations === undefined) return [];
  return [{ ...style, values: divideColumns(spent, operations, factor) }];
}

const instancesIn = (grid: Grid, entity: string, metric: MetricName): readonly string[] =>
  grid.instances.get(`${entity} ${metric}`) ?? [];

/** More than so many lines of one kind nobody can tell apart. */
const instancesMax = 6;

/**
 * Instances worth a line: all where they are few, else those with the largest mean, in the order of their names. `pairs`: each has two lines,
 * so half as many have room.
 */
export function shownInstances(
  grid: Grid,
  entity: string,
  metric: MetricName,
  counts: (instance: string) => boolean = () => true,
  pairs = false,
): string[] {
  const all = instancesIn(grid, entity, metric);
  const counted = all.some(counts) ? all.filter(counts) : [...all];
  const room = pairs ? instancesMax / 2 : instancesMax;
  if (counted.length <= room) return [...counted];
  const size = (instance: string) =>
    meanOf(rateOf(grid, entity, metric, instance) ?? grid.columns.get(columnKey(entity, metric, instance, "avg")) ?? []) ?? 0;
  const largest = new Set(counted.toSorted((a, b) => size(b) - size(a)).slice(0, room));
  return counted.filter((instance) => largest.has(instance));
}
