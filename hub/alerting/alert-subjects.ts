import type { AlertSubject } from "#protocol/alerting.ts";
import type { ClusterId, EntityKey, EpochMs } from "#protocol/ids.ts";
import { limits } from "#protocol/limits.ts";
import type { Evaluator, Sampled } from "../core/evaluate.ts";
import { isFresh } from "../core/freshness.ts";
import type { Source } from "../core/rule.ts";
import type { RuleBook, RuleSet } from "../core/rule-set.ts";
import type { EntityFacts } from "../core/scope.ts";
import type { Latest, LiveTable, SeriesInfo, SeriesReader } from "../core/series.ts";

/** One source of one subject, with the slot that judges it. */
export type Watched = {
  slot: number;
  facts: EntityFacts;
  subject: AlertSubject;
  sourceKey: string;
  source: Source | undefined;
  set: RuleSet;
  /** Several where a metric comes from several sources: the newest sample counts. */
  series: readonly SeriesInfo[];
  per: readonly SeriesInfo[];
};

export type SubjectPorts = {
  reader: SeriesReader;
  live: LiveTable;
  evaluator: Evaluator;
  /** A slot was opened: alerts of an earlier life are taken up. */
  opened(watched: Watched, now: EpochMs): void;
  /** When no hub watched, before this one did. */
  unseen: { since: number; until: number };
};

/** Derived figures (forecasts, baselines) are worked out every hour. */
const derivedStaleMs = 3 * 3_600_000;
/** Facts are told at least twice a minute (AlertFacts); what is not told any more is unknown. */
const factStaleMs = 45_000;

/** Of a window its beginning is looked for so much earlier: nobody may have sampled for a long weekend, and the last one before it counts. */
const awayMaxMs = 7 * 86_400_000;
const earlierStepMs = 15 * 60_000;

/** Entities, or slots, of one piece of a rebuild. */
const pieceSize = 500;

/** What an agent of a version before tells instead of a metric, so that nobody is silent until all agents are upgraded. */
const formerMetric: { readonly [name: string]: string } = { vdev_errors: "checksum_errors" };

/**
 * One entity. `watched`: by source each of its instances; an incarnation that ends stands beside the next until it is closed. `facts` undefined:
 * the entity is gone, and what was watched of it is about to be closed.
 */
type Place = { facts: EntityFacts | undefined; watched: Map<string, Watched[]> };
type Places = Map<string, Map<string, Place>>;

/** Which series and facts the rules watch: opens, changes and closes the evaluator's slots as entities and rules come and go. */
export class AlertSubjects {
  /** By cluster and entity: found without making a string of what names one, as facts of each guest are told several times a minute. */
  private places: Places = new Map();
  private readonly slots: (Watched | undefined)[] = [];
  private book: RuleBook | undefined;
  /** What has series among the entities of a list, which is the same one for all frames of a schema: looked up once. */
  private sampled = new WeakMap<readonly EntityKey[], readonly Watched[]>();

  constructor(private readonly ports: SubjectPorts) {}

  entityOf(cluster: string, entity: string): EntityFacts | undefined {
    return this.places.get(cluster)?.get(entity)?.facts;
  }

  *all(): Iterable<EntityFacts> {
    for (const places of this.places.values()) for (const { facts } of places.values()) if (facts !== undefined) yield facts;
  }

  of({ cluster, entity, incarnation, instance }: AlertSubject, source: string): Watched | undefined {
    const place = this.places.get(cluster)?.get(entity);
    return place && watchedIn(place, source, incarnation, instance);
  }

  bySlot(slot: number): Watched | undefined {
    return this.slots[slot];
  }

  /** Other instances of what a slot is about. */
  siblingsOf(slot: number): Watched[] {
    const one = this.slots[slot];
    if (one === undefined) return [];
    const { cluster, entity, incarnation } = one.subject;
    const list = this.places.get(cluster)?.get(entity)?.watched.get(one.sourceKey) ?? [];
    return list.filter((other) => other !== one && other.subject.incarnation === incarnation);
  }

  /** All that is watched of an entity. */
  *ofEntity(cluster: string, entity: string): Iterable<Watched> {
    for (const list of this.places.get(cluster)?.get(entity)?.watched.values() ?? []) yield* list;
  }

  /** Follows entities and rules as they are now, in pieces of a few milliseconds: frames may come between them. */
  *rebuild(entities: readonly EntityFacts[], book: RuleBook, now: EpochMs): Generator<void, void> {
    this.book = book;
    this.places = placesOf(entities, this.places);
    yield;
    for (const [index, facts] of entities.entries()) {
      if (index % pieceSize === pieceSize - 1) yield;
      this.watchSeries(facts, book, now);
    }
    for (const [index, one] of this.slots.entries()) {
      if (index % pieceSize === pieceSize - 1) yield;
      if (one !== undefined) this.keepOrClose(one, book, now);
    }
    this.sampled = new WeakMap();
  }

  /** Judges the newest samples of what a frame is about. `skewMs`: its agent's clock minus the hub's. */
  sampleFrame(cluster: ClusterId, entities: readonly EntityKey[], skewMs: number, now: EpochMs): void {
    let watched = this.sampled.get(entities);
    if (watched === undefined) {
      watched = entities.flatMap((entity) => [...this.ofEntity(cluster, entity)]).filter(({ series }) => series.length > 0);
      this.sampled.set(entities, watched);
    }
    for (const one of watched) this.sampleSeries(one, skewMs, now);
  }

  /** A fact, or a derived figure. Its slot is opened with the first one. */
  sample(cluster: ClusterId, entity: EntityKey, source: string, instance: string | null, value: number, now: EpochMs): void {
    const place = this.places.get(cluster)?.get(entity);
    const facts = place?.facts;
    if (place === undefined || facts === undefined || this.book === undefined) return;
    const known = watchedIn(place, source, facts.incarnation, instance);
    if (known !== undefined) {
      this.ports.evaluator.sample(known.slot, value, now);
      return;
    }
    const set = this.book.setFor(source, facts, instance);
    if (set === undefined) return;
    const subject = { cluster, entity, incarnation: facts.incarnation, instance };
    const staleMs = source.includes(":") ? derivedStaleMs : factStaleMs;
    const one = this.open(facts, subject, source, undefined, set, staleMs, now);
    this.ports.evaluator.sample(one.slot, value, now);
  }

  /** Stored samples of what a slot is about, for a window of `ms`: the newest of each quarter of an hour. */
  earlierOf(slot: number, ms: number, now: EpochMs): Sampled[] {
    const range = { from: (now - ms - awayMaxMs) as EpochMs, to: now, stepMs: earlierStepMs, aggregates: ["last"] as const };
    for (const info of this.slots[slot]?.series ?? []) {
      const [read] = this.ports.reader.read([info], range).series;
      const values = read?.columns.last;
      const found = [...(read?.at ?? [])].map((at, index) => ({ at, value: values?.[index] ?? Number.NaN }));
      const known = found.filter(({ value }) => !Number.isNaN(value));
      if (known.length > 0) return this.asWatched(known);
    }
    return [];
  }

  /** What agents kept for a hub that was away comes with its own times, and may be too old for the window by then: it counts as of now. */
  private asWatched(known: readonly Sampled[]): Sampled[] {
    const { since, until } = this.ports.unseen;
    const isAfter = known.findIndex(({ at }) => at > since);
    return known.filter(({ at }, index) => isAfter < 1 || index < isAfter || at > until);
  }

  private watchSeries(facts: EntityFacts, book: RuleBook, now: EpochMs): void {
    const sources = book.sourcesOf(facts.kind);
    if (sources.length === 0) return;
    const infos = this.ports.reader.seriesOf(facts.cluster, facts.entity, facts.incarnation);
    for (const [key, source] of sources) {
      if (source.kind !== "signal" || source.signal.kind !== "metric") continue;
      const { metric, per } = source.signal;
      const former = formerMetric[metric.name];
      const partly = former === undefined ? [] : byInstance(infos, former);
      for (const [instance, series] of new Map([...partly, ...byInstance(infos, metric.name)])) {
        const divisors = per === undefined ? [] : (byInstance(infos, per.name).get(instance) ?? []);
        if (per !== undefined && divisors.length === 0) continue;
        this.watch(facts, book, key, source, instance, series, divisors, now);
      }
    }
  }

  private watch(
    facts: EntityFacts,
    book: RuleBook,
    key: string,
    source: Source,
    instance: string | null,
    series: readonly SeriesInfo[],
    per: readonly SeriesInfo[],
    now: EpochMs,
  ): void {
    const { cluster, entity, incarnation } = facts;
    const subject = { cluster, entity, incarnation, instance };
    let one = this.of(subject, key);
    if (one === undefined) {
      const set = book.setFor(key, facts, instance);
      if (set === undefined) return;
      one = this.open(facts, subject, key, source, set, limits.staleAfterMs, now);
    }
    // Another metric's count is no growth of this one: an agent was upgraded.
    if (one.series[0] !== undefined && one.series[0].metric.id !== series[0]?.metric.id) this.ports.evaluator.countAnew(one.slot);
    one.series = series;
    one.per = per;
  }

  private keepOrClose(one: Watched, book: RuleBook, now: EpochMs): void {
    const facts = this.entityOf(one.facts.cluster, one.facts.entity);
    const gone = facts === undefined || facts.incarnation !== one.subject.incarnation;
    const set = gone ? undefined : book.setFor(one.sourceKey, facts, one.subject.instance);
    if (gone || set === undefined) {
      this.ports.evaluator.close(one.slot, gone ? "gone" : "rule-changed", now);
      this.slots[one.slot] = undefined;
      this.leave(one);
      return;
    }
    one.facts = facts;
    if (set !== one.set) this.ports.evaluator.change(one.slot, set, now);
    one.set = set;
  }

  private leave(one: Watched): void {
    const places = this.places.get(one.facts.cluster);
    const place = places?.get(one.facts.entity);
    if (place === undefined) return;
    const others = (place.watched.get(one.sourceKey) ?? []).filter((other) => other !== one);
    if (others.length > 0) place.watched.set(one.sourceKey, others);
    else place.watched.delete(one.sourceKey);
    if (place.watched.size === 0 && place.facts === undefined) places?.delete(one.facts.entity);
  }

  private open(
    facts: EntityFacts,
    subject: AlertSubject,
    key: string,
    source: Source | undefined,
    set: RuleSet,
    staleMs: number,
    now: EpochMs,
  ): Watched {
    const slot = this.ports.evaluator.open(subject, set, staleMs, now);
    const one: Watched = { slot, facts, subject, sourceKey: key, source, set, series: [], per: [] };
    this.slots[slot] = one;
    const { watched } = placeIn(this.places, facts.cluster, facts.entity);
    const others = watched.get(key);
    if (others === undefined) watched.set(key, [one]);
    else others.push(one);
    this.ports.opened(one, now);
    return one;
  }

  private sampleSeries(one: Watched, skewMs: number, now: EpochMs): void {
    if (one.source?.kind !== "signal") return;
    const latest = this.newest(one.series);
    if (latest === undefined || !isFresh(latest.at, now, skewMs)) return;
    const isRate = one.series[0]?.metric.kind === "counter" && !one.source.raw;
    const value = isRate ? latest.rate : latest.value;
    if (one.per.length === 0) this.ports.evaluator.sample(one.slot, value, now);
    else {
      const whole = this.newest(one.per)?.value ?? Number.NaN;
      if (whole > 0) this.ports.evaluator.sample(one.slot, value / whole, now);
    }
  }

  private newest(series: readonly SeriesInfo[]): Latest | undefined {
    const [only] = series;
    if (only !== undefined && series.length === 1) return this.ports.live.latest(only.id);
    let best: Latest | undefined;
    for (const { id } of series) {
      const latest = this.ports.live.latest(id);
      if (latest !== undefined && (best === undefined || latest.at > best.at)) best = latest;
    }
    return best;
  }
}

const none: readonly Watched[] = [];

function placeIn(places: Places, cluster: string, entity: string): Place {
  const ofCluster: Map<string, Place> = places.get(cluster) ?? new Map();
  places.set(cluster, ofCluster);
  const place: Place = ofCluster.get(entity) ?? { facts: undefined, watched: new Map() };
  ofCluster.set(entity, place);
  return place;
}

/** Of these entities, and of those before of which something is still watched. */
function placesOf(entities: readonly EntityFacts[], before: Places): Places {
  const places: Places = new Map();
  for (const facts of entities) placeIn(places, facts.cluster, facts.entity).facts = facts;
  for (const [cluster, known] of before) {
    for (const [entity, { watched }] of known) if (watched.size > 0) placeIn(places, cluster, entity).watched = watched;
  }
  return places;
}

function watchedIn({ watched }: Place, source: string, incarnation: number, instance: string | null): Watched | undefined {
  for (const one of watched.get(source) ?? none) {
    if (one.subject.instance === instance && one.subject.incarnation === incarnation) return one;
  }
  return undefined;
}

function byInstance(infos: readonly SeriesInfo[], metric: string): Map<string | null, SeriesInfo[]> {
  const found = new Map<string | null, SeriesInfo[]>();
  for (const info of infos) {
    if (info.metric.name !== metric) continue;
    const instance = info.instance ?? null;
    const others = found.get(instance);
    if (others === undefined) found.set(instance, [info]);
    else others.push(info);
  }
  return found;
}
