import type { Outlook } from "#protocol/entities.ts";
import { type ClusterId, type EntityKey, type EntityKind, type EpochMs, entityKind } from "#protocol/ids.ts";
import type { MetricName } from "#protocol/metrics.ts";
import { type Forecast, forecastFull, type Point } from "./forecast.ts";
import type { LiveTable, SeriesInfo, SeriesReader } from "./series.ts";

/** What fills, and what it may grow to: a number, or the metric that says it. */
type Filling = { metric: MetricName; capacity: MetricName | number };

const fillings: Partial<Record<EntityKind, readonly Filling[]>> = {
  node: [
    { metric: "root_used", capacity: "root_total" },
    { metric: "fs_used", capacity: "fs_total" },
  ],
  guest: [{ metric: "fs_used", capacity: "fs_total" }],
  storage: [{ metric: "used", capacity: "total" }],
  zpool: [{ metric: "allocated", capacity: "size" }],
  thinpool: [
    { metric: "data", capacity: 1 },
    { metric: "metadata", capacity: 1 },
  ],
  datastore: [{ metric: "used", capacity: "total" }],
};

const dayMs = 86_400_000;
const spanMs = 90 * dayMs;
const stepMs = dayMs / 4;
/** File systems of one guest or node that are looked at: a fit costs about a millisecond. */
const seriesMax = 24;

type Ports = { reader: SeriesReader; live: LiveTable };

/** When each thing of an entity that fills will be full, from its last 90 days. Empty: nothing of it fills, or nothing is known. */
export function outlooksOf(ports: Ports, cluster: ClusterId, entity: EntityKey, now: EpochMs): Outlook[] {
  const all = ports.reader.seriesOf(cluster, entity);
  const newest = (metric: string, instance: string | undefined) => {
    const info = all.find((one) => one.metric.name === metric && one.instance === instance);
    return info === undefined ? undefined : ports.live.latest(info.id)?.value;
  };
  const wanted = (fillings[entityKind(entity)] ?? []).flatMap(({ metric, capacity }) =>
    all.filter((info) => info.metric.name === metric).map((info) => ({ info, capacity })),
  );
  return wanted.slice(0, seriesMax).flatMap(({ info, capacity }) => {
    const full = typeof capacity === "number" ? capacity : newest(capacity, info.instance);
    if (full === undefined || full <= 0) return [];
    return [outlookOf(info, full, forecastFull(pointsOf(ports.reader, info, now), full))];
  });
}

function pointsOf(reader: SeriesReader, info: SeriesInfo, now: EpochMs): Point[] {
  const from = (Math.floor((now - spanMs) / stepMs) * stepMs) as EpochMs;
  const [read] = reader.read([info], { from, to: now, stepMs, aggregates: ["avg"] }).series;
  const values = read?.columns.avg;
  if (read === undefined || values === undefined) return [];
  return [...read.at]
    .map((at, index) => ({ at, value: values[index] ?? Number.NaN }))
    .filter(({ value }) => Number.isFinite(value));
}

function outlookOf({ metric, instance }: SeriesInfo, capacity: number, fit: Forecast): Outlook {
  const about = { metric: metric.name, instance: instance ?? null, capacity };
  const finite = (days: number) => (Number.isFinite(days) ? days : null);
  if (fit.trend === "none") {
    return { ...about, trend: "none", why: fit.why, perDay: null, days: null, daysEarliest: null, daysLatest: null, since: null };
  }
  return {
    ...about,
    trend: "growing",
    why: null,
    perDay: fit.perDay,
    days: finite(fit.days),
    daysEarliest: finite(fit.daysEarliest),
    daysLatest: finite(fit.daysLatest),
    since: fit.from,
  };
}
