import type { Recurrence, Rule, Silence, Suppression, Window } from "#protocol/alerting.ts";
import { clusterKey, type EpochMs } from "#protocol/ids.ts";
import type { AlertRecord } from "../core/alert-record.ts";
import { type AutomaticWindow, automaticWindowsOf, covers, type Versions } from "../core/automatic-window.ts";
import type { ClusterPicture } from "../core/cluster.ts";
import {
  causesAmong,
  type Dependencies,
  figureKey,
  graceOf,
  inhibitorOf,
  isWorse,
  mayFollowFromCluster,
  sharedFigures,
  subjectKey,
  worstOnFigures,
} from "../core/inhibit.ts";
import { isAboutSpace, noPools, type PoolSpace, spaceCauseOf, spaceCausesAmong } from "../core/pool-space.ts";
import { type EntityFacts, matcherOf } from "../core/scope.ts";
import { silenceState, silences } from "../core/silence.ts";
import { recurrenceSpan, SpanCache, windowSpan } from "../core/window.ts";
import type { AutomaticLeases } from "./automatic-leases.ts";

export type HoldInput = { silences: readonly Silence[]; windows: readonly Window[]; rules: readonly Rule[] };

/** What holds an alert back. `anew`: its own hold counts from now on, because what happened while its cause fired proves nothing. */
export type Hold = { suppression: Suppression | null; anew: boolean };

/** What keeps alerts from being told: silences, maintenance windows, alerts that are the cause of others. */
export class AlertHolds {
  private input: HoldInput = { silences: [], windows: [], rules: [] };
  private readonly followers = new Map<string, boolean>();
  private automatic = new Map<string, AutomaticWindow>();
  private readonly versions: Versions = new Map();
  private readonly windowSpans = new SpanCache<Window>(windowSpan);
  private readonly times = new SpanCache<Recurrence>(recurrenceSpan);
  private causes = new Map<string, AlertRecord[]>();
  /** By rule: the figure that it shares with others; and the worst alert that fires on each. */
  private figures: ReadonlyMap<string, string> = new Map();
  private worst: ReadonlyMap<string, AlertRecord> = new Map();
  /** Causes of this round and of the one before, by id. */
  private known: ReadonlyMap<string, AlertRecord> = new Map();
  private before: ReadonlyMap<string, AlertRecord> = new Map();
  private dependencies: Dependencies = new Map();
  private pools: PoolSpace = noPools;
  /** Rules about space that runs out; and the alert that tells it of each pool. */
  private aboutSpace: ReadonlySet<string> = new Set();
  private spaceCauses: ReadonlyMap<string, AlertRecord> = new Map();
  private now = 0 as EpochMs;

  /** Decisions of people changed. */
  use(input: HoldInput): void {
    this.input = input;
    this.windowSpans.clear();
    this.times.clear();
    this.followers.clear();
    this.figures = sharedFigures(input.rules);
    this.aboutSpace = new Set(input.rules.filter(isAboutSpace).map(({ id }) => id));
    for (const rule of input.rules) this.followers.set(rule.id, mayFollowFromCluster(rule));
  }

  dependOn(dependencies: Dependencies, pools: PoolSpace): void {
    this.dependencies = dependencies;
    this.pools = pools;
  }

  /** Titles of the storages that fill with the pool an alert tells of; undefined: it is not about that. */
  storagesFilling({ rule, subject }: AlertRecord): readonly string[] | undefined {
    return this.aboutSpace.has(rule) ? this.pools.storagesOf.get(subjectKey(subject.cluster, subject.entity)) : undefined;
  }

  get dependencyFacts(): Dependencies {
    return this.dependencies;
  }

  /** Facts may have opened or closed windows. */
  stepAutomatic(pictures: readonly ClusterPicture[], leases: AutomaticLeases, now: EpochMs): void {
    const before = leases.before();
    const open = pictures.flatMap((picture) => automaticWindowsOf(picture, before, this.versions, now));
    leases.keep(open, now);
    this.automatic = new Map(open.map((window) => [window.id, window]));
  }

  /** Those whose lease is not over. */
  automaticWindows(): AutomaticWindow[] {
    return [...this.automatic.values()].filter(({ until }) => this.now < until);
  }

  /** Is this repeated time now? */
  isOn(times: Recurrence): boolean {
    return this.times.at(times, this.now).active;
  }

  /** Before a round of `holdOf`. */
  begin(records: Iterable<AlertRecord>, now: EpochMs): void {
    this.now = now;
    const all = [...records];
    this.causes = causesAmong(all);
    this.worst = worstOnFigures(all, this.figures);
    this.before = this.known;
    this.spaceCauses = spaceCausesAmong(all, this.aboutSpace, this.pools);
    const known = [...this.causes.values(), [...this.worst.values()], [...this.spaceCauses.values()]].flat();
    this.known = new Map(known.map((cause) => [cause.id, cause]));
  }

  /** The first instant after this round at which time alone may end a hold or begin one, or quiet hours; Infinity: never. */
  nextAt(): number {
    const { now } = this;
    let next = Math.min(this.windowSpans.nextAt(now), this.times.nextAt(now));
    for (const { startsAt, endsAt } of this.input.silences) {
      if (startsAt > now) next = Math.min(next, startsAt);
      else if (endsAt > now) next = Math.min(next, endsAt);
    }
    for (const { until } of this.automatic.values()) if (until > now) next = Math.min(next, until);
    return next;
  }

  /**
   * Why an alert is not told now. Somebody's silence comes first, then windows, then causes. A pending alert is held back by causes alone.
   * `forMs`: its rule's hold.
   */
  holdOf(record: AlertRecord, facts: EntityFacts, forMs: number): Hold {
    const inhibition = this.inhibition(record, forMs);
    if (record.alert.state === "pending") return inhibition;
    const byPeople = this.silenceOf(record, facts) ?? this.windowOf(record, facts);
    return byPeople === null ? inhibition : { suppression: byPeople, anew: false };
  }

  private silenceOf(record: AlertRecord, facts: EntityFacts): Suppression | null {
    for (const silence of this.input.silences) {
      if (silenceState(silence, this.now) !== "active") continue;
      const alert = { id: record.id, rule: record.rule, instance: record.subject.instance, facts };
      if (!silences(silence, alert)) continue;
      const text = `${silence.kind === "snooze" ? "Snoozed" : "Silenced"} by ${silence.createdBy}: ${silence.comment}`;
      return { by: silence.kind, id: silence.id, until: silence.endsAt, text };
    }
    return null;
  }

  private windowOf(record: AlertRecord, facts: EntityFacts): Suppression | null {
    for (const window of this.input.windows) {
      const { active, until } = this.windowSpans.at(window, this.now);
      if (!active || !matcherOf(window.scope)(facts, record.subject.instance)) continue;
      return { by: "window", id: window.id, until, text: `Maintenance window ${window.name}` };
    }
    for (const window of this.automatic.values()) {
      if (this.now >= window.until || !covers(window, facts.cluster, facts.entity, facts.node)) continue;
      return { by: "window", id: window.id, until: window.until, text: window.text };
    }
    return null;
  }

  /** An alert about the same figure that says worse of it. */
  private worseOf(record: AlertRecord): AlertRecord | undefined {
    const figure = this.figures.get(record.rule);
    const worst = figure === undefined ? undefined : this.worst.get(figureKey(record, figure));
    return worst === undefined || !isWorse(worst, record) ? undefined : worst;
  }

  /** An alert that tells the same trouble. */
  private sameTrouble(record: AlertRecord): AlertRecord | undefined {
    const ofPool = this.aboutSpace.has(record.rule) ? spaceCauseOf(record, this.spaceCauses, this.pools) : undefined;
    return ofPool ?? this.worseOf(record);
  }

  private inhibition(record: AlertRecord, forMs: number): Hold {
    const explains = (cause: AlertRecord) => cause.subject.entity !== clusterKey || (this.followers.get(record.rule) ?? true);
    const cause = inhibitorOf(record, this.causes, this.dependencies, explains) ?? this.sameTrouble(record);
    if (cause !== undefined) {
      return { suppression: { by: "inhibited", id: cause.id, until: null, text: `Follows from: ${cause.text}` }, anew: false };
    }
    const { heldBy } = record;
    if (heldBy?.by !== "inhibited") return { suppression: null, anew: false };
    // The cause is over: its consequences get some time to be over, too.
    const grace = graceOf(this.before.get(heldBy.id), forMs, this.now);
    const until = heldBy.until ?? this.now + grace.ms;
    return { suppression: this.now < until ? { ...heldBy, until } : null, anew: heldBy.until === null && grace.anew };
  }
}
