import type { Rule, Severity } from "#protocol/alerting.ts";
import { severities } from "#protocol/alerting.ts";
import type { EntityKey, EpochMs } from "#protocol/ids.ts";
import type { AlertRecord } from "./alert-record.ts";
import type { EntityFacts } from "./scope.ts";

/** What each entity stands on, directly. Keys are `<cluster> <entity>`. */
export type Dependencies = ReadonlyMap<string, readonly string[]>;

export const subjectKey = (cluster: string, entity: string) => `${cluster} ${entity}`;

/**
 * Facts, no guesses: a guest stands on its node and the storages of its volumes; what is local on its node; a storage of a Backup Server on
 * its datastore; everything on its cluster (the hub's own trouble is an alert of the cluster). `datastoreOf`: by storage id.
 */
export function dependenciesOf(
  entities: Iterable<EntityFacts>,
  datastoreOf: (cluster: string, storage: string) => EntityKey | undefined,
): Dependencies {
  const all = new Map<string, EntityFacts>();
  for (const facts of entities) all.set(subjectKey(facts.cluster, facts.entity), facts);
  const dependencies = new Map<string, string[]>();
  for (const [key, { cluster, entity, kind, node, storages }] of all) {
    const on: string[] = kind === "cluster" ? [] : [subjectKey(cluster, "cluster")];
    if (node !== undefined && kind !== "node") on.push(subjectKey(cluster, `node/${node}`));
    for (const storage of storages) {
      const datastore = kind === "storage" ? datastoreOf(cluster, storage) : undefined;
      if (datastore !== undefined) on.push(subjectKey(cluster, datastore));
      if (kind !== "guest") continue;
      const places = [`storage/${storage}`, `storage/${node}/${storage}`].map((place) => subjectKey(cluster, place));
      on.push(...places.filter((place) => all.has(place)));
    }
    if (on.length > 0)
      dependencies.set(
        key,
        on.filter((one) => one !== subjectKey(cluster, entity)),
      );
  }
  return dependencies;
}

/** Everything below, the nearest first. */
function standsOn(key: string, dependencies: Dependencies): ReadonlySet<string> {
  const found = new Set<string>();
  const open = [key];
  for (let next = open.shift(); next !== undefined; next = open.shift()) {
    for (const below of dependencies.get(next) ?? []) {
      if (below === key || found.has(below)) continue;
      found.add(below);
      open.push(below);
    }
  }
  return found;
}

/** Titles of what stands on an entity: what an alert of it takes along. */
export function affectedBy(key: string, dependencies: Dependencies, titleOf: (key: string) => string | undefined): string[] {
  const titles: string[] = [];
  for (const other of dependencies.keys()) {
    if (!standsOn(other, dependencies).has(key)) continue;
    const title = titleOf(other);
    if (title !== undefined) titles.push(title);
  }
  return titles.sort();
}

/** What a node sees of itself: no trouble of the whole cluster is the reason when it is broken. */
const ownHardware: readonly string[] = ["zpool", "disk", "thinpool"];

/**
 * Whether trouble of the whole cluster (no quorum, no agent in sight) can be why a rule's alerts fire: things are away, late or in another
 * state then. Figures that a living node measures and its own hardware are another cause, and told.
 */
export function mayFollowFromCluster({ entity, condition }: Pick<Rule, "entity" | "condition">): boolean {
  if (ownHardware.includes(entity)) return false;
  // Receivers are the hub's, and stand under a cluster only to have a place.
  if (condition.kind === "state" && condition.signal === "receiver_state") return false;
  if (condition.kind === "age") return condition.of === "backup" || condition.of === "replication";
  if (condition.kind === "threshold") return condition.signal === "replication_fails";
  return condition.kind === "state" || condition.kind === "absence";
}

/** Whether one alert can be another's cause by what their rules are about; where their entities stand is judged apart from it. */
export type Explains = (cause: AlertRecord, alert: AlertRecord) => boolean;

const rank = (severity: Severity) => severities.indexOf(severity);
export const isWorse = (a: AlertRecord, b: AlertRecord) => rank(a.severity) > rank(b.severity);
const keyOf = ({ subject }: AlertRecord) => subjectKey(subject.cluster, subject.entity);

/**
 * The pending or firing alert that this one is a consequence of; undefined: none. A cause's entity lies below this one's. On the same entity a
 * worse cause counts (node down above agent silent), or an equally bad one that fired before (node out of sight, then its agent silent): so no
 * two alerts can hold each other back.
 */
export function inhibitorOf(
  alert: AlertRecord,
  causes: ReadonlyMap<string, readonly AlertRecord[]>,
  dependencies: Dependencies,
  explains: Explains,
): AlertRecord | undefined {
  if (causes.size === 0) return undefined;
  const key = keyOf(alert);
  for (const below of standsOn(key, dependencies)) {
    const cause = causes.get(below)?.find((one) => one.id !== alert.id && explains(one, alert));
    if (cause !== undefined) return cause;
  }
  return causes.get(key)?.find((one) => one.id !== alert.id && explains(one, alert) && comesBefore(one, alert));
}

/** Of two alerts of one entity: whether the first can be the other's cause. */
function comesBefore(cause: AlertRecord, alert: AlertRecord): boolean {
  const worse = rank(cause.severity) - rank(alert.severity);
  if (worse !== 0) return worse > 0;
  if (cause.alert.state !== "firing") return false;
  return alert.alert.state !== "firing" || cause.alert.firedAt < alert.alert.firedAt;
}

/** What two thresholds on one figure share: `storage-full` and `storage-nearly-full` are about the same. Undefined: no threshold. */
function figureOf({ entity, condition }: Pick<Rule, "entity" | "condition">): string | undefined {
  if (condition.kind !== "threshold") return undefined;
  const { signal, per = "", direction, window } = condition;
  return `${entity} ${signal}/${per} ${direction} ${JSON.stringify(window ?? null)}`;
}

/** Rules that share their figure with others, with its name. */
export function sharedFigures(rules: readonly Rule[]): ReadonlyMap<string, string> {
  const named = rules.flatMap((rule): [string, string][] => {
    const figure = figureOf(rule);
    return figure === undefined ? [] : [[rule.id, figure]];
  });
  return new Map(named.filter(([id, figure]) => named.some(([other, same]) => other !== id && same === figure)));
}

/** One figure of one subject. */
export const figureKey = ({ subject }: AlertRecord, figure: string) =>
  `${subject.cluster} ${subject.entity}#${subject.incarnation} ${subject.instance ?? ""} ${figure}`;

/** The worst alert that fires on each figure that several rules are about: it says all that a lesser one could. */
export function worstOnFigures(
  alerts: Iterable<AlertRecord>,
  figures: ReadonlyMap<string, string>,
): ReadonlyMap<string, AlertRecord> {
  const worst = new Map<string, AlertRecord>();
  if (figures.size === 0) return worst;
  for (const alert of alerts) {
    const figure = figures.get(alert.rule);
    if (figure === undefined || alert.alert.state !== "firing") continue;
    const key = figureKey(alert, figure);
    const known = worst.get(key);
    if (known === undefined || rank(alert.severity) > rank(known.severity)) worst.set(key, alert);
  }
  return worst;
}

/** Alerts that hold others back, by entity. */
export function causesAmong(alerts: Iterable<AlertRecord>): Map<string, AlertRecord[]> {
  const causes = new Map<string, AlertRecord[]>();
  for (const alert of alerts) {
    if (!alert.inhibits || (alert.alert.state !== "pending" && alert.alert.state !== "firing")) continue;
    const key = keyOf(alert);
    const known = causes.get(key);
    if (known === undefined) causes.set(key, [alert]);
    else known.push(alert);
  }
  return causes;
}

/** After a node or a storage is back, what stood on it needs so long to recover. */
const recoveryMs = 5 * 60_000;
/** One pass of the facts, and one of the samples. */
const lookMs = 15_000;

/**
 * How long an alert stays held back after its cause is over, and whether its own hold (`forMs`) begins anew: so long as it fires only because
 * of the time before, it proves nothing. A cause that never fired itself explains no more than the time it lasted. Undefined: a cause of an
 * earlier life of the hub.
 */
export function graceOf(
  cause: Pick<AlertRecord, "alert"> | undefined,
  forMs: number,
  now: EpochMs,
): { ms: number; anew: boolean } {
  if (cause?.alert.state !== "pending") return { ms: Math.max(recoveryMs, forMs), anew: true };
  return { ms: Math.min(recoveryMs, Math.max(lookMs, now - cause.alert.activeAt)), anew: false };
}
