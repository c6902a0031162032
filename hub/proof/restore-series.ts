import { type RestoreMetricName, restoreMetrics } from "#protocol/guest-metrics.ts";
import type { ClusterId, EntityKey, EpochMs, Vmid } from "#protocol/ids.ts";
import { guestKey, vmidOfKey } from "#protocol/ids.ts";
import type { Metric } from "#protocol/metrics.ts";
import { isOfGuest } from "../core/proof.ts";
import { historyOf, type RestoreFigure, type RestoreHistory } from "../core/restore-figures.ts";
import type { Run } from "../core/run-record.ts";
import { Buckets, scaledDown, Track } from "../core/sampling.ts";
import type {
  PackedColumns,
  Ranked,
  SeriesColumns,
  SeriesInfo,
  SeriesRange,
  SeriesRanker,
  SeriesReader,
} from "../core/series.ts";
import type { RunBook } from "./run-book.ts";

export type RestoreSeriesPorts = {
  /** Series that agents' samples make. */
  store: SeriesReader & SeriesRanker;
  book: Pick<RunBook, "testsOf" | "testedGuests" | "proof">;
  /** What tells a guest from another that had its number; undefined: no inventory has it. */
  identityOf(cluster: ClusterId, vmid: Vmid): readonly string[] | undefined;
};

const restoreIds: ReadonlyMap<number, RestoreMetricName> = new Map(restoreMetrics.map(({ id, name }) => [id, name]));
const restoreNames: ReadonlySet<string> = new Set(restoreIds.values());
const source = "restore-test";

/**
 * The store's series, and beside them those of restore tests: they are made of the tests' records, which are kept as long as rollups, so that no
 * figure stands in two places. A guest whose number is used again begins without any.
 */
export class RestoreSeries implements SeriesReader, SeriesRanker {
  /** By the list of tests that they were made of: it is another one after each test. */
  private readonly known = new WeakMap<readonly Run[], { identity: readonly string[]; history: RestoreHistory }>();
  /** Below zero: the store's own begin at one. */
  private readonly firstIds = new Map<string, number>();

  constructor(private readonly ports: RestoreSeriesPorts) {}

  find(selector: Parameters<SeriesReader["find"]>[0]): SeriesInfo | undefined {
    const { cluster, entity, metric, instance, incarnation } = selector;
    if (!restoreNames.has(metric)) return this.ports.store.find(selector);
    if (instance !== undefined) return undefined;
    return this.own(cluster, entity, incarnation).find((info) => info.metric.name === metric);
  }

  seriesOf(cluster: ClusterId, entity: EntityKey, incarnation?: number): readonly SeriesInfo[] {
    const own = this.own(cluster, entity, incarnation);
    const stored = this.ports.store.seriesOf(cluster, entity, incarnation);
    return own.length === 0 ? stored : [...stored.filter(({ metric }) => !restoreIds.has(metric.id)), ...own];
  }

  incarnationOf(cluster: ClusterId, entity: EntityKey): number | undefined {
    return this.ports.store.incarnationOf(cluster, entity);
  }

  read(series: readonly SeriesInfo[], range: SeriesRange): ReturnType<SeriesReader["read"]> {
    const stored = series.filter(({ id }) => id >= 0);
    const answer = this.ports.store.read(stored, range);
    if (stored.length === series.length) return answer;
    const columns = answer.series[Symbol.iterator]();
    const all = series.map((info) => (info.id >= 0 ? columns.next().value : columnsOf(info, this.figuresOf(info), range)));
    return { tier: answer.tier, series: all.filter((one) => one !== undefined) };
  }

  readPacked(series: readonly SeriesInfo[], range: SeriesRange): PackedColumns[] | undefined {
    return series.every(({ id }) => id >= 0) ? this.ports.store.readPacked?.(series, range) : undefined;
  }

  top(selector: Parameters<SeriesRanker["top"]>[0]): Ranked[] {
    const { cluster, metric, from, to, count, lowest = false } = selector;
    if (!restoreIds.has(metric.id)) return this.ports.store.top(selector);
    const ranked = [...this.ports.book.testedGuests()].flatMap((guest): Ranked[] => {
      if (cluster !== undefined && guest.cluster !== cluster) return [];
      if (this.ports.identityOf(guest.cluster, guest.vmid as Vmid) === undefined) return [];
      const series = this.find({ cluster: guest.cluster, entity: guestKey(guest.vmid as Vmid), metric: metric.name });
      const within = series === undefined ? [] : this.figuresOf(series).filter(({ at }) => at >= from && at < to);
      if (series === undefined || within.length === 0) return [];
      return [{ series, value: within.reduce((sum, { value }) => sum + value, 0) / within.length }];
    });
    return ranked.sort((a, b) => (lowest ? a.value - b.value : b.value - a.value)).slice(0, count ?? ranked.length);
  }

  /** Tests of the guest that has the number now, by metric. `now`: what it is known by; default: as the inventory has it. */
  historyOf(cluster: ClusterId, vmid: Vmid, now = this.ports.identityOf(cluster, vmid)): RestoreHistory {
    const tests = this.ports.book.testsOf(cluster, vmid);
    if (tests.length === 0) return none;
    const identity = this.everKnownBy(cluster, vmid, now);
    const known = this.known.get(tests);
    if (known?.identity === identity) return known.history;
    const history = historyOf(tests.filter(({ guest }) => guest !== null && isOfGuest(guest, identity)));
    this.known.set(tests, { identity, history });
    return history;
  }

  /** With what the guest was known by at its tests: a card that was replaced makes it no other guest. */
  private everKnownBy(cluster: ClusterId, vmid: Vmid, now: readonly string[] | undefined): readonly string[] {
    const proof = this.ports.book.proof(cluster, vmid);
    if (proof === undefined) return now ?? nothing;
    return now === undefined || isOfGuest(proof, now) ? proof.identity : now;
  }

  private own(cluster: ClusterId, entity: EntityKey, incarnation: number | undefined): SeriesInfo[] {
    const vmid = vmidOfKey(entity);
    const history = vmid === undefined ? none : this.historyOf(cluster, vmid);
    if (history.size === 0) return [];
    const newest = this.ports.store.incarnationOf(cluster, entity) ?? 1;
    if (incarnation !== undefined && incarnation !== newest) return [];
    const firstId = this.firstIdOf(cluster, entity);
    return restoreMetrics.flatMap((metric: Metric & { name: RestoreMetricName }, index) =>
      history.has(metric.name)
        ? [{ id: firstId - index, cluster, entity, incarnation: newest, metric, instance: undefined, source }]
        : [],
    );
  }

  private figuresOf({ cluster, entity, metric }: SeriesInfo): readonly RestoreFigure[] {
    const vmid = vmidOfKey(entity);
    const name = restoreIds.get(metric.id);
    return vmid === undefined || name === undefined ? [] : (this.historyOf(cluster, vmid).get(name) ?? []);
  }

  private firstIdOf(cluster: ClusterId, entity: EntityKey): number {
    const key = `${cluster} ${entity}`;
    const id = this.firstIds.get(key) ?? -1 - this.firstIds.size * restoreMetrics.length;
    this.firstIds.set(key, id);
    return id;
  }
}

const none: RestoreHistory = new Map();
const nothing: readonly string[] = [];

/** Single values have no rate. */
function columnsOf({ metric }: SeriesInfo, figures: readonly RestoreFigure[], range: SeriesRange): SeriesColumns {
  const { from, to, stepMs, aggregates } = range;
  const within = figures.filter(({ at }) => at >= from && at < to);
  const track = trackOf(within, metric);
  if (stepMs !== undefined) return steppedColumns(track, metric, range, stepMs);
  const values = scaledDown(track.values, 0, track.length, metric.scale);
  const nothing = new Float64Array(track.length).fill(Number.NaN);
  const columns = Object.fromEntries(aggregates.map((aggregate) => [aggregate, aggregate === "rate" ? nothing : values]));
  return { at: track.at.slice(0, track.length), columns };
}

function trackOf(figures: readonly RestoreFigure[], { scale }: Metric): Track {
  const track = new Track(figures.length);
  const times = Float64Array.from(figures, ({ at }) => at);
  track.add(
    times,
    Float64Array.from(figures, ({ value }) => Math.round(value * scale)),
    0,
    figures.length,
  );
  return track;
}

function steppedColumns(track: Track, metric: Metric, { from, to, aggregates }: SeriesRange, stepMs: number): SeriesColumns {
  const start = (Math.floor(from / stepMs) * stepMs) as EpochMs;
  const count = Math.ceil((to - start) / stepMs);
  const buckets = new Buckets(start, stepMs, count);
  buckets.addSamples(track, 0, track.length, undefined, false);
  const columns: SeriesColumns["columns"] = {};
  for (const aggregate of aggregates) columns[aggregate] = buckets.column(aggregate, metric);
  return { at: Float64Array.from({ length: count }, (_, index) => start + index * stepMs), columns };
}
