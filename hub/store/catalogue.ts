import { type ClusterId, type EntityKey, type EpochMs, entityKind, type NodeName } from "#protocol/ids.ts";
import { type Metric, metricById, metricByName } from "#protocol/metrics.ts";
import type { Schema, SchemaEntity } from "#protocol/records.ts";
import { type Incarnation, resolveIncarnation } from "../core/incarnation.ts";
import type { AgentId, SeriesInfo } from "../core/series.ts";
import { columnFinder } from "./column-finder.ts";
import { agentKey, currentKey, dayMs, entityDocKey, groupDocKey } from "./keys.ts";
import type { SeriesEnv } from "./series-env.ts";

/** One incarnation of an entity as stored: its series, and the groups that hold their samples (one for each agent that reported it). */
export type EntityDoc = {
  identity: string[];
  groups: { group: number; agent: number }[];
  series: { id: number; metric: number; instance?: string; source: string }[];
  /** Last day (since the epoch) with samples, as far as rolled up; of a new one the day it came. */
  lastDay: number;
};

type AgentDoc = { ref: number; group: number; used: number };
/** Members of a group, as keys of their EntityDoc. */
export type GroupDoc = { agent: number; members: string[] };

/** What one schema means here: column i of its frames is series ids[i], whose samples go to groups[i]. */
export type Layout = {
  ids: Uint32Array;
  groups: Uint32Array;
  entities: readonly EntityKey[];
  docs: readonly string[];
  /** Of each column: its metric's scale, and 1 for counters. */
  scales: Float64Array;
  counters: Uint8Array;
  /** Guests with a status, and the column of each one's. */
  statuses: { entities: readonly EntityKey[]; columns: Uint32Array };
  /** Column of a series, −1: not of this layout. */
  columnOf(id: number): number;
};

function statusesOf({ entities, series }: Schema): Layout["statuses"] {
  const status = metricByName("guest", "status")?.id;
  const columns = [...series.keys()].filter((column) => series[column]?.metric === status);
  const owners = columns.map((column) => entities[series[column]?.entity ?? -1]?.key as EntityKey); // a schema's series name its entities
  return { entities: owners, columns: Uint32Array.from(columns) };
}

type KnownIncarnation = Incarnation & { doc: EntityDoc };

/** Series of a group: blocks of 100 to 200 series were measured to be small and still quick to read one column of. */
const groupSeries = 150;
/** Incarnations of a vmid that are compared with a guest's identity. */
const incarnationsCompared = 16;

/**
 * Which series there are. Only what live agents report is kept in memory; everything else is read where asked for. Changes are collected
 * and written with the next commit (`flush`), before anything that refers to them.
 */
export class Catalogue {
  private readonly active = new Map<string, { doc: EntityDoc; users: number }>();
  /** `key`: of its EntityDoc. */
  private readonly current = new Map<string, { incarnation: number; key: string; users: number }>();
  private readonly agents = new Map<string, AgentDoc>();
  private readonly dirty = new Map<string, unknown>();
  private changes = 0;

  constructor(private readonly env: SeriesEnv) {}

  /** Another number than before: series or what reports them may have changed. */
  get version(): number {
    return this.changes;
  }

  /** Queues all changes into the running batch. Returns what to call when that is durable. */
  flush(): () => void {
    const written = [...this.dirty];
    for (const [key, value] of written) void this.env.catalogue.put(key, value);
    return () => {
      for (const [key, value] of written) if (this.dirty.get(key) === value) this.dirty.delete(key);
    };
  }

  private get<T>(key: string): T | undefined {
    return (this.dirty.get(key) ?? this.env.catalogue.get(key)) as T | undefined;
  }

  private next(counter: "series" | "group" | "agent"): number {
    const number = (this.get<number>(`next ${counter}`) ?? 1) as number;
    this.dirty.set(`next ${counter}`, number + 1);
    return number;
  }

  /** The store's number for an agent, a new one at first sight. */
  agentRef({ cluster, node }: AgentId): number {
    return this.agent(cluster, node).ref;
  }

  /** Who has this number. Throws where the store never gave it: then it is damaged. */
  agentByRef(ref: number): AgentId {
    for (const key of this.env.catalogue.getKeys({ start: "agent ", end: "agent ~" })) {
      if (this.get<AgentDoc>(key)?.ref !== ref) continue;
      const [, cluster, node] = key.split(" ");
      return { cluster: cluster as ClusterId, node: node as NodeName };
    }
    throw new Error(`the series store has frames of agent ${ref}, which it doesn't know`);
  }

  private agent(cluster: ClusterId, node: NodeName): AgentDoc {
    const key = agentKey(cluster, node);
    let doc = this.agents.get(key) ?? this.get<AgentDoc>(key);
    if (doc === undefined) {
      doc = { ref: this.next("agent"), group: 0, used: groupSeries };
      this.dirty.set(key, doc);
    }
    this.agents.set(key, doc);
    return doc;
  }

  /** Ids and places for all series of a schema; new ones are made. The layout counts as used until it is released. */
  resolve(agent: AgentId, schema: Schema, now: EpochMs): Layout {
    const ids = new Uint32Array(schema.series.length);
    const groups = new Uint32Array(schema.series.length);
    const wanted = schema.entities.map(() => [] as number[]);
    for (const [column, { entity }] of schema.series.entries()) wanted[entity]?.push(column);
    const docs = schema.entities.map((entity, index) => {
      const columns = wanted[index] as number[];
      const { key, doc } = this.entityFor(agent.cluster, entity, Math.floor(now / dayMs));
      const group = this.place(agent, key, doc, columns.length);
      let isNews = false;
      for (const column of columns) {
        const series = this.seriesFor(doc, schema.series[column] as Schema["series"][number]);
        ids[column] = series.id;
        groups[column] = group;
        isNews ||= series.isNews;
      }
      if (isNews) this.touch(key, doc);
      return key;
    });
    const metrics = schema.series.map(({ metric }) => metricById(metric));
    return {
      ids,
      groups,
      docs,
      entities: schema.entities.map(({ key }) => key),
      scales: Float64Array.from(metrics, (metric) => metric?.scale ?? 1),
      counters: Uint8Array.from(metrics, (metric) => (metric?.kind === "counter" ? 1 : 0)),
      statuses: statusesOf(schema),
      columnOf: columnFinder(ids),
    };
  }

  /** Series of a released layout leave the memory unless another one has them. */
  release({ docs }: Layout): void {
    this.changes++;
    for (const key of docs) {
      const entry = this.active.get(key);
      if (entry && --entry.users === 0) this.active.delete(key);
      const name = key.slice("entity ".length, key.lastIndexOf(" "));
      const present = this.current.get(name);
      if (present && --present.users === 0) this.current.delete(name);
    }
  }

  private entityFor(cluster: ClusterId, { key: entity, identity }: SchemaEntity, today: number): { key: string; doc: EntityDoc } {
    const name = `${cluster} ${entity}`;
    const now = this.incarnationOf(cluster, entity);
    const known = entityKind(entity) === "guest" ? this.knownIncarnations(cluster, entity, now, identity) : undefined;
    const found = known !== undefined ? resolveIncarnation(known, identity) : { number: 1, identity: [], why: "untold" as const };
    const key = entityDocKey(cluster, entity, found.number);
    const stored = known?.find(({ number }) => number === found.number)?.doc ?? this.entityDoc(key);
    const doc = stored ?? { identity: [], groups: [], series: [], lastDay: today };
    if (found.why === "grown" || doc.series.length === 0) {
      doc.identity = [...found.identity];
      this.touch(key, doc);
    }
    if (now !== found.number) this.dirty.set(currentKey(cluster, entity), found.number);
    this.changes++;
    const present = this.current.get(name);
    this.current.set(name, { incarnation: found.number, key, users: (present?.users ?? 0) + 1 });
    const entry = this.active.get(key);
    this.active.set(key, { doc, users: (entry?.users ?? 0) + 1 });
    return { key, doc };
  }

  /** The present one first. Where that is who is asked about, or nothing tells, the older ones make no difference, and are not read. */
  private knownIncarnations(
    cluster: ClusterId,
    entity: EntityKey,
    now: number | undefined,
    identity: readonly string[],
  ): KnownIncarnation[] {
    if (now === undefined) return [];
    const known: KnownIncarnation[] = [];
    const add = (number: number) => {
      const doc = this.entityDoc(entityDocKey(cluster, entity, number));
      if (doc) known.push({ number, identity: doc.identity, doc });
    };
    add(now);
    const isTold = identity.length === 0 || known[0]?.identity.some((string) => identity.includes(string));
    if (known.length > 0 && isTold) return known;
    const highest = this.get<number>(`highest ${cluster} ${entity}`) ?? now;
    for (let number = highest; number >= 1 && known.length < incarnationsCompared; number--) if (number !== now) add(number);
    return known;
  }

  private touch(key: string, doc: EntityDoc): void {
    this.changes++;
    // A copy: what is being written must not change, and `flush` tells by identity whether it changed again.
    this.dirty.set(key, { ...doc, groups: [...doc.groups], series: [...doc.series] });
    const [, cluster, ...rest] = key.split(" ");
    const number = Number(rest.at(-1));
    const name = `highest ${cluster} ${rest.slice(0, -1).join(" ")}`;
    if (number > 1 && number > (this.get<number>(name) ?? 1)) this.dirty.set(name, number);
  }

  /** The group of this agent that holds the entity's samples. An entity that moved gets one there too. */
  private place({ cluster, node }: AgentId, key: string, doc: EntityDoc, series: number): number {
    const agent = this.agent(cluster, node);
    const here = doc.groups.find((one) => one.agent === agent.ref);
    if (here) return here.group;
    if (agent.group === 0 || (agent.used > 0 && agent.used + series > groupSeries)) {
      agent.group = this.next("group");
      agent.used = 0;
    }
    agent.used += series;
    this.dirty.set(agentKey(cluster, node), { ...agent });
    const members = this.groupDoc(agent.group)?.members ?? [];
    this.dirty.set(groupDocKey(agent.group), { agent: agent.ref, members: [...members, key] } satisfies GroupDoc);
    doc.groups.push({ group: agent.group, agent: agent.ref });
    this.touch(key, doc);
    return agent.group;
  }

  /** `isNews`: the document was changed. */
  private seriesFor(doc: EntityDoc, row: Schema["series"][number]): { id: number; isNews: boolean } {
    const { metric, instance, source } = row;
    const known = doc.series.find((one) => one.metric === metric && one.instance === instance);
    if (known?.source === source) {
      known.source = source; // the very string that the other series of this schema have
      return { id: known.id, isNews: false };
    }
    if (known) doc.series[doc.series.indexOf(known)] = { ...known, source };
    const id = known?.id ?? this.next("series");
    if (!known) doc.series.push({ id, metric, source, ...(instance === undefined ? {} : { instance }) });
    return { id, isNews: true };
  }

  groupDoc(group: number): GroupDoc | undefined {
    return this.get<GroupDoc>(groupDocKey(group));
  }

  entityDoc(key: string): EntityDoc | undefined {
    return this.active.get(key)?.doc ?? this.get<EntityDoc>(key);
  }

  isActive(key: string): boolean {
    return this.active.has(key);
  }

  /** Entities in memory: for the size report and the tests of churn. */
  get activeEntities(): number {
    return this.active.size;
  }

  /** Notes that an entity had samples on a day. */
  sawDay(key: string, day: number): void {
    const doc = this.entityDoc(key);
    if (doc === undefined || doc.lastDay >= day) return;
    doc.lastDay = day;
    this.touch(key, doc);
  }

  incarnationOf(cluster: ClusterId, entity: EntityKey): number | undefined {
    return this.current.get(`${cluster} ${entity}`)?.incarnation ?? this.get<number>(currentKey(cluster, entity));
  }

  /** An incarnation's document; default: the present one's. */
  private incarnation(cluster: ClusterId, entity: EntityKey, wanted?: number): { number: number; doc: EntityDoc } | undefined {
    const present = this.current.get(`${cluster} ${entity}`);
    const number = wanted ?? present?.incarnation ?? this.get<number>(currentKey(cluster, entity));
    if (number === undefined) return undefined;
    const doc = this.entityDoc(number === present?.incarnation ? present.key : entityDocKey(cluster, entity, number));
    return doc && { number, doc };
  }

  /** The series of a metric's name and instance, of an incarnation (default: the present one). */
  find(
    cluster: ClusterId,
    entity: EntityKey,
    metric: string,
    instance: string | undefined,
    incarnation?: number,
  ): SeriesInfo | undefined {
    const found = this.incarnation(cluster, entity, incarnation);
    if (found === undefined) return undefined;
    const { number, doc } = found;
    for (const series of doc.series) {
      if (series.instance !== instance) continue;
      const row = metricById(series.metric);
      if (row?.name !== metric) continue;
      return { id: series.id, cluster, entity, incarnation: number, metric: row, instance, source: series.source };
    }
    return undefined;
  }

  /** Series of an incarnation (default: the present one). */
  seriesOf(cluster: ClusterId, entity: EntityKey, incarnation?: number): SeriesInfo[] {
    const known = this.incarnation(cluster, entity, incarnation);
    if (known === undefined) return [];
    const found: SeriesInfo[] = [];
    for (const { id, metric: row, instance, source } of known.doc.series) {
      const metric = metricById(row);
      // A metric that this program no longer knows: its samples stay, nothing can show them.
      if (metric !== undefined) found.push({ id, cluster, entity, incarnation: known.number, metric, instance, source });
    }
    return found;
  }

  /** All series of a metric over the entities in memory, and where their samples are: what can be ranked. */
  activeSeries(cluster: ClusterId | undefined, metric: Metric): { series: SeriesInfo; groups: EntityDoc["groups"] }[] {
    const found: { series: SeriesInfo; groups: EntityDoc["groups"] }[] = [];
    for (const [name, { incarnation }] of this.current) {
      const space = name.indexOf(" ");
      const owner = name.slice(0, space) as ClusterId;
      const entity = name.slice(space + 1) as EntityKey;
      if ((cluster !== undefined && owner !== cluster) || entityKind(entity) !== metric.entity) continue;
      const doc = this.active.get(entityDocKey(owner, entity, incarnation))?.doc;
      for (const { id, metric: row, instance, source } of doc?.series ?? []) {
        if (doc === undefined || row !== metric.id) continue;
        found.push({ series: { id, cluster: owner, entity, incarnation, metric, instance, source }, groups: doc.groups });
      }
    }
    return found;
  }

  /** Where a series' samples are. */
  placesOf(series: SeriesInfo): EntityDoc["groups"] {
    return this.entityDoc(entityDocKey(series.cluster, series.entity, series.incarnation))?.groups ?? [];
  }

  /** Removes entities (keys of their docs) from the store: their samples are gone already. Groups lose them too. */
  forget(keys: readonly string[]): void {
    this.changes++;
    for (const key of keys) {
      const doc = this.entityDoc(key);
      if (doc === undefined || this.active.has(key)) continue;
      this.dirty.delete(key);
      void this.env.catalogue.remove(key);
      for (const { group } of doc.groups) this.leaveGroup(group, key);
    }
  }

  private leaveGroup(group: number, key: string): void {
    const doc = this.groupDoc(group);
    if (doc === undefined) return;
    const members = doc.members.filter((member) => member !== key);
    if (members.length > 0 || [...this.agents.values()].some((agent) => agent.group === group)) {
      this.dirty.set(groupDocKey(group), { ...doc, members });
      return;
    }
    this.dirty.delete(groupDocKey(group));
    void this.env.catalogue.remove(groupDocKey(group));
  }
}
