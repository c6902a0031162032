import type { ClusterId, EntityKey, EpochMs } from "#protocol/ids.ts";
import { entityKind } from "#protocol/ids.ts";
import { metricByName } from "#protocol/metrics.ts";
import type { AgentId, Latest, LiveTable, SeriesInfo, SeriesReader } from "../../hub/core/series.ts";

export const cluster = "5ce7a71000000001" as ClusterId;

/** Newest samples and series, nothing more: history is not asked here. */
export class WorldSeries {
  private readonly infos = new Map<string, SeriesInfo[]>();
  private readonly latest = new Map<number, Latest>();
  private readonly newest = new Map<string, EpochMs>();
  private readonly incarnations = new Map<string, number>();
  private readonly listeners = new Set<Parameters<LiveTable["onFrame"]>[0]>();
  private ids = 0;

  put(entity: EntityKey, incarnation: number, metric: string, instance: string | undefined, at: number, value: number): void {
    const info = this.declare(entity, incarnation, metric, instance);
    const before = this.latest.get(info.id);
    const rate = before === undefined ? Number.NaN : ((value - before.value) * 1000) / (at - before.at);
    this.latest.set(info.id, { at: at as EpochMs, value, rate: rate < 0 ? Number.NaN : rate });
  }

  frame(agent: AgentId, at: number, entities: readonly EntityKey[]): void {
    this.newest.set(agent.node, at as EpochMs);
    for (const listener of this.listeners) listener({ agent, at: at as EpochMs, entities, turned: entities });
  }

  readonly reader: SeriesReader = {
    find: ({ entity, metric, instance }) =>
      this.seriesOf(entity).find((info) => info.metric.name === metric && info.instance === instance),
    seriesOf: (_, entity, incarnation) => this.seriesOf(entity, incarnation),
    incarnationOf: (_, entity) => this.incarnations.get(entity),
    read: () => ({ tier: "raw", series: [] }),
  };

  readonly live: LiveTable = {
    latest: (id) => this.latest.get(id),
    newestFrame: ({ node }) => this.newest.get(node),
    newestFrameOfAll: () => undefined,
    onFrame: (listener) => {
      this.listeners.add(listener);
      return () => this.listeners.delete(listener);
    },
  };

  private seriesOf(entity: EntityKey, incarnation = this.incarnations.get(entity) ?? 1): SeriesInfo[] {
    return this.infos.get(`${entity}#${incarnation}`) ?? [];
  }

  private declare(entity: EntityKey, incarnation: number, name: string, instance: string | undefined): SeriesInfo {
    this.incarnations.set(entity, incarnation);
    const key = `${entity}#${incarnation}`;
    const known = this.infos.get(key) ?? [];
    const found = known.find((info) => info.metric.name === name && info.instance === instance);
    if (found !== undefined) return found;
    const metric = metricByName(entityKind(entity), name);
    if (metric === undefined) throw new Error(`${entity} has no metric ${name}`);
    const info = { id: ++this.ids, cluster, entity, incarnation, metric, instance, source: "world" };
    this.infos.set(key, [...known, info]);
    return info;
  }
}
