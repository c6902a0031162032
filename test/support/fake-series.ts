import type { Aggregate } from "#protocol/api.ts";
import type { EntityKey, EpochMs } from "#protocol/ids.ts";
import { entityKind } from "#protocol/ids.ts";
import { limits } from "#protocol/limits.ts";
import { type Metric, metricById, metricByName } from "#protocol/metrics.ts";
import { decodeFrame, decodeSchema, type FrameState, parseRecordHead, type Schema, stateFor } from "#protocol/records.ts";
import type { OpenSeries } from "../../hub/assembly.ts";
import type {
  AgentId,
  Latest,
  LiveTable,
  RecordStream,
  SeriesColumns,
  SeriesInfo,
  SeriesRanker,
  SeriesReader,
} from "../../hub/core/series.ts";

const keyOf = ({ cluster, node }: AgentId) => `${cluster}/${node}`;

/** A series store in memory: decodes real records, makes them durable when the test says so, reads what it has as raw samples. */
export class FakeSeries implements OpenSeries {
  readonly counters = { records: 0, samples: 0, duplicates: 0 };
  /** False: records wait until `commit`. */
  durableAtOnce = true;
  /** Set: the disk refuses with this. */
  diskProblem: string | undefined;
  closed = false;
  isWhole = true;
  private readonly infos: SeriesInfo[] = [];
  private readonly samples = new Map<number, { at: number; value: number }[]>();
  private readonly newest = new Map<string, EpochMs>();
  private readonly lastSeqs = new Map<string, number>();
  private readonly listeners = new Set<Parameters<LiveTable["onFrame"]>[0]>();
  private waiting: (() => void)[] = [];

  /** Puts one sample as if an agent had sent it, in the metric's unit. */
  put(
    agent: AgentId,
    entity: EntityKey,
    metric: string,
    at: number,
    value: number,
    options: { source?: string; instance?: string } = {},
  ): void {
    const row = metricByName(entityKind(entity), metric);
    if (row === undefined) throw new Error(`no metric ${metric}`);
    this.samplesOf(this.declare(agent, entity, row, options.source ?? "test", options.instance)).push({ at, value });
    this.frameCame(agent, at as EpochMs, [entity]);
  }

  /** A frame without any value: the agent speaks. */
  frameCame(agent: AgentId, at: EpochMs, entities: readonly EntityKey[] = []): void {
    this.newest.set(keyOf(agent), Math.max(at, this.newest.get(keyOf(agent)) ?? 0) as EpochMs);
    for (const listener of this.listeners) listener({ agent, at, entities, turned: entities });
  }

  /** What waits becomes durable. */
  commit(): void {
    for (const resolve of this.waiting.splice(0)) resolve();
  }

  readonly reader: SeriesReader & SeriesRanker = {
    find: ({ cluster, entity, metric, instance }) =>
      this.infos.find(
        (info) =>
          info.cluster === cluster &&
          info.entity === entity &&
          info.metric.name === metric &&
          (info.instance ?? undefined) === instance,
      ),
    seriesOf: (cluster, entity) => this.infos.filter((info) => info.cluster === cluster && info.entity === entity),
    incarnationOf: (cluster, entity) =>
      this.infos.some((info) => info.cluster === cluster && info.entity === entity) ? 1 : undefined,
    read: (series, { from, to, stepMs, aggregates }) => ({
      tier: "raw",
      series: series.map((info) => {
        const found = this.samplesOf(info).filter(({ at }) => at >= from && at < to);
        if (stepMs !== undefined) return stepped(found, from, to, stepMs, aggregates);
        const values = Float64Array.from(found, ({ value }) => value);
        return {
          at: Float64Array.from(found, ({ at }) => at),
          columns: Object.fromEntries(aggregates.map((name) => [name, values])),
        };
      }),
    }),
    top: ({ cluster, metric, from, to, count, lowest = false }) =>
      this.infos
        .filter((info) => info.metric.id === metric.id && (cluster === undefined || info.cluster === cluster))
        .map((series) => {
          const found = this.samplesOf(series).filter(({ at }) => at >= from && at < to);
          return { series, value: found.reduce((sum, { value }) => sum + value, 0) / found.length };
        })
        .filter(({ value }) => !Number.isNaN(value))
        .sort((a, b) => (lowest ? a.value - b.value : b.value - a.value))
        .slice(0, count),
  };

  readonly live: LiveTable = {
    latest: (id): Latest | undefined => {
      const [last, before] = (this.samples.get(id) ?? []).slice(-2).reverse();
      if (last === undefined) return undefined;
      const rate = before === undefined ? Number.NaN : ((last.value - before.value) / (last.at - before.at)) * 1000;
      return { at: last.at as EpochMs, value: last.value, rate: rate < 0 ? Number.NaN : rate };
    },
    newestFrame: (agent) => this.newest.get(keyOf(agent)),
    newestFrameOfAll: () => {
      const all = [...this.newest.values()];
      return all.length === 0 ? undefined : (Math.max(...all) as EpochMs);
    },
    onFrame: (listener) => {
      this.listeners.add(listener);
      return () => this.listeners.delete(listener);
    },
  };

  readonly sink = {
    counters: this.counters,
    lastSeq: (agent: AgentId, stream: string) => this.lastSeqs.get(`${keyOf(agent)} ${stream}`) ?? 0,
    open: (agent: AgentId, stream: string): RecordStream => this.openStream(agent, stream),
  };

  async maintain(): Promise<{ due: boolean }> {
    return { due: false };
  }

  warm(): boolean {
    return false;
  }

  problem(): string | undefined {
    return undefined;
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  private openStream(agent: AgentId, stream: string): RecordStream {
    let schema: Schema | undefined;
    let state: FrameState | undefined;
    return {
      accept: (record) => {
        const head = parseRecordHead(record);
        if (!head.ok) return head;
        const { seq, kind } = head.value;
        if (kind === "schema") {
          const decoded = decodeSchema(record, limits.seriesPerAgent);
          if (!decoded.ok) return decoded;
          schema = decoded.value.schema;
          state = stateFor(schema);
        } else {
          if (schema === undefined || state === undefined) return { ok: false, problem: "frame before schema" };
          const frame = decodeFrame(record, state);
          if (!frame.ok) return frame;
          this.take(agent, schema, state, frame.value.at);
        }
        this.counters.records++;
        return { ok: true, value: { durable: this.store(`${keyOf(agent)} ${stream}`, seq) } };
      },
    };
  }

  private take(agent: AgentId, schema: Schema, state: FrameState, at: EpochMs): void {
    schema.series.forEach((series, index) => {
      const entity = schema.entities[series.entity]?.key;
      if (entity === undefined || state.present[index] !== 1) return;
      const row = metricOf(entity, series.metric);
      const value = (state.values[index] ?? 0) / row.scale;
      this.samplesOf(this.declare(agent, entity, row, series.source, series.instance)).push({ at, value });
      this.counters.samples++;
    });
    this.frameCame(
      agent,
      at,
      schema.entities.map((entity) => entity.key),
    );
  }

  private store(stream: string, seq: number): Promise<number> {
    if (this.diskProblem !== undefined) return Promise.reject(new Error(this.diskProblem));
    const durable = () => {
      this.lastSeqs.set(stream, seq);
      return seq;
    };
    if (this.durableAtOnce) return Promise.resolve(durable());
    return new Promise((resolve) => this.waiting.push(() => resolve(durable())));
  }

  private declare(agent: AgentId, entity: EntityKey, metric: Metric, source: string, instance: string | undefined): SeriesInfo {
    const known = this.infos.find(
      (info) =>
        info.cluster === agent.cluster &&
        info.entity === entity &&
        info.metric.id === metric.id &&
        info.instance === instance &&
        info.source === source,
    );
    if (known !== undefined) return known;
    const info = { id: this.infos.length + 1, cluster: agent.cluster, entity, incarnation: 1, metric, instance, source };
    this.infos.push(info);
    return info;
  }

  private samplesOf({ id }: SeriesInfo): { at: number; value: number }[] {
    const known = this.samples.get(id) ?? [];
    this.samples.set(id, known);
    return known;
  }
}

/** Whole steps of [from, to); a rate is the average of what was put in. */
function stepped(
  samples: readonly { at: number; value: number }[],
  from: number,
  to: number,
  stepMs: number,
  aggregates: readonly Aggregate[],
): SeriesColumns {
  const start = Math.floor(from / stepMs) * stepMs;
  const at = Float64Array.from({ length: Math.ceil((to - start) / stepMs) }, (_, i) => start + i * stepMs);
  const average = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const kinds: Record<Aggregate, (values: readonly number[]) => number> = {
    avg: average,
    rate: average,
    min: (values) => Math.min(...values),
    max: (values) => Math.max(...values),
    last: (values) => values.at(-1) ?? Number.NaN,
  };
  const column = (aggregate: Aggregate) =>
    at.map((time) => {
      const values = samples.filter((sample) => sample.at >= time && sample.at < time + stepMs).map(({ value }) => value);
      return values.length === 0 ? Number.NaN : kinds[aggregate](values);
    });
  return { at, columns: Object.fromEntries(aggregates.map((name) => [name, column(name)])) };
}

function metricOf(entity: EntityKey, id: number): Metric {
  const row = metricById(id);
  if (row === undefined || row.entity !== entityKind(entity)) throw new Error(`metric ${id} is none of ${entity}`);
  return row;
}
