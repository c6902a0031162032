import type { AlertView, Rule } from "#protocol/alerting.ts";
import type { EpochMs } from "#protocol/ids.ts";
import { episodeOf } from "../core/alert.ts";
import type { AlertRecord } from "../core/alert-record.ts";
import { changeRecord, currentRecord, endRecord, withAcknowledgement } from "../core/alert-steps.ts";
import { type LostReason, sameFigure } from "../core/alert-text.ts";
import { alertView } from "../core/alert-view.ts";
import { type ClusterPicture, nodesSeenOffline } from "../core/cluster.ts";
import { datastoresBehind, entitiesOf, sameEntities } from "../core/entity-facts.ts";
import { type Change, type Check, Evaluator } from "../core/evaluate.ts";
import type { ProofFacts } from "../core/fact-samples.ts";
import { isFresh } from "../core/freshness.ts";
import { dependenciesOf } from "../core/inhibit.ts";
import { namesOfClusters } from "../core/notification.ts";
import { poolSpaceOf } from "../core/pool-space.ts";
import type { BackupKnowledge } from "../core/protection.ts";
import type { Source } from "../core/rule.ts";
import { plansOf, RuleBook } from "../core/rule-set.ts";
import type { EntityFacts } from "../core/scope.ts";
import type { FrameNews, LiveTable, SeriesReader } from "../core/series.ts";
import { SkewCorrection } from "../core/skew-correction.ts";
import type { Clock } from "../ports.ts";
import { StoredRunMemory } from "../proof/run-memory.ts";
import type { Actor, StateStore } from "../store/state.ts";
import { affectedTitles, takesAlong } from "./affected.ts";
import { AlertBook } from "./alert-book.ts";
import { AlertFacts } from "./alert-facts.ts";
import { AlertHolds } from "./alert-holds.ts";
import { AlertPace, type Rebuild } from "./alert-pace.ts";
import type { Dispatcher } from "./alert-ports.ts";
import { AlertSubjects, type Watched } from "./alert-subjects.ts";
import { AlertTeller } from "./alert-teller.ts";
import { AutomaticLeases } from "./automatic-leases.ts";
import { UntoldAlerts } from "./untold-alerts.ts";

export type AlertLoopPorts = {
  state: StateStore;
  reader: SeriesReader;
  live: LiveTable;
  clock: Clock;
  pictures(): ClusterPicture[];
  /** What tasks and storages tell of backups. */
  backups: BackupKnowledge;
  /** What restore tests tell, and what an alert about one should say of it beside its sentence. */
  proofs?: (ProofFacts & { note(record: AlertRecord): string | undefined }) | undefined;
  /** The hub can't store samples now. */
  refusing(): boolean;
  dispatcher: Dispatcher;
  /** Tells the event history: an alert began or ended. */
  tell(what: "firing" | "resolved", record: AlertRecord): void;
  /** Counts changes of who and what there is. Absent: nobody counts. */
  version?: () => number;
};

/** What could not be stored is tried again. */
const againMs = 1000;
/** A step of the wall clock that differs so much from the monotonic one was a setting of the clock. */
const jumpMs = 2000;
/** After a start agents come back one by one: nobody is reminded of what may have ended while the hub was away. */
const settlingMs = 3 * 60_000;
const historyMs = 400 * 86_400_000;

/**
 * Samples and facts in, messages out. One pass: judge what is new, make what changed durable, find what is due to be told, hand it over and
 * record it as told in one transaction. Everything that lasts has its times in the store, so that a restart goes on where it was.
 */
export class AlertLoop {
  readonly book: AlertBook;
  readonly holds = new AlertHolds();
  readonly subjects: AlertSubjects;
  readonly evaluator: Evaluator;
  private rules: readonly Rule[] = [];
  private ruleBook = new RuleBook([]);
  private readonly teller: AlertTeller;
  private readonly untold: UntoldAlerts;
  /** The pass that was begun. */
  private underWay: Generator<void, void> | undefined;
  private frames: FrameNews[] = [];
  private pictures: readonly ClusterPicture[] = [];
  /** As of the newest time they were others than before. */
  private entities: readonly EntityFacts[] = [];
  private readonly skews = new SkewCorrection();
  private readonly facts: AlertFacts;
  private readonly ran: StoredRunMemory;
  private readonly leases: AutomaticLeases;
  private readonly pace = new AlertPace();
  private wake: (withinMs: number) => void = () => undefined;
  /** Monotonic. */
  private readonly startedAt: number;
  private clocks: { wall: number; monotonic: number };
  private readonly stopFrames: () => void;

  constructor(private readonly ports: AlertLoopPorts) {
    const { state, clock, reader, live } = ports;
    this.book = new AlertBook(state, clock.now());
    // The clock was set back while the hub was away: what lasts would begin only when the time of then comes again.
    const newestAheadMs = this.book.newestAt() - clock.now();
    const aheadMs = newestAheadMs >= jumpMs ? newestAheadMs : 0;
    if (aheadMs > 0) this.book.shift(-aheadMs);
    this.ran = new StoredRunMemory(state, clock.now(), aheadMs);
    this.leases = new AutomaticLeases(state, clock.now(), aheadMs);
    this.clocks = { wall: clock.now(), monotonic: clock.monotonicMs() };
    this.startedAt = this.clocks.monotonic;
    const firesOf = (id: string) => this.book.recentFires.get(id) ?? [];
    this.evaluator = new Evaluator(
      clock.now(),
      (change) => this.changed(change),
      firesOf,
      (...window) => this.subjects.earlierOf(...window),
    );
    this.subjects = new AlertSubjects({
      reader,
      live,
      evaluator: this.evaluator,
      opened: (watched, now) => this.adopt(watched, now),
      unseen: { since: state.get("keptTime", "all")?.at ?? clock.now(), until: clock.now() },
    });
    this.facts = new AlertFacts({
      reader,
      live,
      backups: ports.backups,
      ran: this.ran,
      proofs: ports.proofs,
      refusing: () => ports.refusing(),
      receivers: () => ports.dispatcher.standings?.() ?? [],
      sample: (cluster, entity, name, instance, value, now) => this.subjects.sample(cluster, entity, name, instance, value, now),
    });
    this.teller = new AlertTeller({
      book: this.book,
      holds: this.holds,
      dispatcher: ports.dispatcher,
      factsOf: (record) => this.factsOf(record),
      view: (record) => this.view(record),
      names: () => namesOfClusters(this.pictures),
      holdMsOf: (record) => this.checkOf(record)?.check.plan.forMs ?? 0,
      holdAnew: (record, now) => this.holdAnew(record, now),
    });
    this.untold = new UntoldAlerts({
      book: this.book,
      evaluator: this.evaluator,
      subjects: this.subjects,
      watchedOf: (record) => this.checkOf(record)?.watched,
      end: (record, why) => this.end(record, why, clock.now()),
    });
    this.reload();
    this.stopFrames = live.onFrame((frame) => this.take(frame));
  }

  /** `wake` is called when a pass is due within so many ms, earlier than `dueInMs` said. */
  onWork(wake: (withinMs: number) => void): void {
    this.wake = wake;
  }

  /** In how many ms the next pass is due where no frame comes. */
  dueInMs(): number {
    const { clock } = this.ports;
    const factsInMs = this.pace.factsInMs(clock.monotonicMs(), this.hasAlerts);
    const storesInMs = this.book.hasChanges ? againMs : Number.POSITIVE_INFINITY;
    const nextAt = Math.min(this.evaluator.nextAt, this.teller.nextAt);
    return Math.max(0, Math.min(factsInMs, storesInMs, nextAt - clock.now()));
  }

  /** Pending, firing, or not told as over yet. */
  get hasAlerts(): boolean {
    return this.book.records.size > 0 || this.book.groups.size > 0;
  }

  /** Decisions of people changed in the store: rules, silences, windows, routes, receivers. */
  reload(): void {
    const { state } = this.ports;
    const list = <K extends "rule" | "silence" | "window" | "route" | "receiver">(kind: K) =>
      state.list(kind).map(({ document }) => document);
    this.rules = list("rule");
    this.ruleBook = new RuleBook(this.rules);
    this.teller.use(list("route"), list("receiver"));
    this.holds.use({ silences: list("silence"), windows: list("window"), rules: this.rules });
    this.pace.reset();
    this.wake(0);
  }

  /** One pass: when `dueInMs` is over. */
  pass(): void {
    while (this.underWay !== undefined) this.step();
    while (this.step());
  }

  /** The next piece of a pass, the first one of the next pass where none is under way. Returns whether there is more of it. */
  step(): boolean {
    const pieces = this.underWay ?? this.pieces();
    this.underWay = undefined; // also where the piece throws
    if (pieces.next().done === true) return false;
    this.underWay = pieces;
    return true;
  }

  private *pieces(): Generator<void, void> {
    const now = this.ports.clock.now();
    this.followClock(now);
    const monotonic = this.ports.clock.monotonicMs();
    if (this.pace.takeFacts(monotonic)) {
      const version = this.ports.version?.();
      this.pictures = this.ports.pictures().map((picture) => this.skews.correct(picture));
      const rebuild = this.pace.takeRebuild(monotonic, version);
      const isRebuilt = rebuild !== undefined && (yield* this.rebuild(rebuild, now));
      if (isRebuilt) yield;
      this.holds.stepAutomatic(this.pictures, this.leases, now);
      const isNews = this.pace.takeNews(version);
      yield* this.facts.tell(this.pictures, isNews || isRebuilt, now, monotonic);
      if (isRebuilt) yield;
    }
    for (const frame of this.frames.splice(0)) this.judgeFrame(frame, now);
    this.evaluator.tick(now);
    if (this.book.hasChanges) {
      this.book.commit();
      yield;
    }
    this.teller.tell(now, this.startedAt + settlingMs - monotonic);
  }

  private take(frame: FrameNews): void {
    this.frames.push(frame);
    this.pace.frameCame(frame);
    this.facts.frameCame(frame);
  }

  stop(): void {
    this.stopFrames();
  }

  /** As it is now, figures included. */
  view(record: AlertRecord): AlertView {
    const now = this.ports.clock.now();
    const view = alertView(this.current(record), this.teller.placements.get(record.id), now);
    const note = view.state === "firing" ? this.ports.proofs?.note(record) : undefined;
    return note === undefined ? view : { ...view, text: `${view.text}: ${note}` };
  }

  views(): AlertView[] {
    return [...this.book.records.values()].map((record) => this.view(record));
  }

  get routing(): AlertTeller["routing"] {
    return this.teller.routing;
  }

  /** Forecasts and baselines that rules are about. */
  *derivedSources(): Iterable<{ facts: EntityFacts; source: Source }> {
    for (const facts of this.subjects.all()) {
      for (const [, source] of this.ruleBook.sourcesOf(facts.kind)) if (source.kind !== "signal") yield { facts, source };
    }
  }

  prune(now: EpochMs): void {
    this.book.prune((now - historyMs) as EpochMs, now);
  }

  /** Null takes an acknowledgement back. Durable at once, with who did it. Undefined: this alert doesn't fire. */
  acknowledge(id: string, acknowledged: AlertRecord["acknowledged"], by: Actor): AlertView | undefined {
    const record = this.book.records.get(id);
    if (record === undefined || record.alert.state !== "firing") return undefined;
    const next = withAcknowledgement(record, acknowledged, this.ports.clock.now());
    const key = episodeOf(id, record.alert.firedAt);
    this.book.put(next);
    this.book.commit(() => {
      if (acknowledged === null) this.ports.state.remove("acknowledgement", key, by);
      else this.ports.state.put("acknowledgement", key, acknowledged, by);
    });
    this.wake(0);
    return this.view(next);
  }

  private followClock(now: EpochMs): void {
    const monotonic = this.ports.clock.monotonicMs();
    const jump = now - this.clocks.wall - (monotonic - this.clocks.monotonic);
    this.clocks = { wall: now, monotonic };
    if (Math.abs(jump) < jumpMs) return;
    this.skews.jumped(this.ports.pictures(), jump);
    this.evaluator.shift(jump);
    this.book.shift(jump);
    this.ran.shift(jump);
    this.leases.shift(jump);
  }

  /** Returns whether what is watched may be another. */
  private *rebuild(what: Rebuild, now: EpochMs): Generator<void, boolean> {
    const { reader } = this.ports;
    const entities = this.pictures.flatMap((picture) =>
      entitiesOf(picture, (entity) => reader.incarnationOf(picture.cluster, entity), now),
    );
    const isNew = what === "all" || !sameEntities(entities, this.entities);
    if (isNew) yield* this.follow(entities, now);
    this.endOrphans(now);
    this.untold.look(this.rules, this.pictures, now, this.ports.clock.monotonicMs());
    this.noteWorst();
    return isNew;
  }

  private *follow(entities: readonly EntityFacts[], now: EpochMs): Generator<void, void> {
    this.entities = entities;
    yield;
    this.holds.dependOn(dependenciesOf(entities, datastoresBehind(this.pictures)), poolSpaceOf(entities));
    yield;
    yield* this.subjects.rebuild(entities, this.ruleBook, now);
  }

  /** The worst figures survive a restart, and how bad a rule is now is how bad its alerts are. */
  private noteWorst(): void {
    for (const record of this.book.records.values()) {
      const check = record.alert.state === "firing" ? this.checkOf(record)?.check : undefined;
      if (check === undefined) continue;
      const { severity, rule } = check.plan;
      const isChanged = record.severity !== severity || record.inhibits !== rule.inhibits;
      const isWorst = Number.isFinite(check.worst) && !sameFigure(record.worst, check.worst);
      const worst = isWorst ? check.worst : record.worst;
      if (isWorst || isChanged) this.book.put({ ...record, worst, severity, inhibits: rule.inhibits });
    }
  }

  /** Stored alerts whose rule or entity is no more. */
  private endOrphans(now: EpochMs): void {
    const rules = new Set(
      this.rules.filter((rule) => rule.enabled || rule.overrides.some(({ enabled }) => enabled)).map(({ id }) => id),
    );
    for (const record of this.book.records.values()) {
      const { subject, alert } = record;
      if (alert.state !== "pending" && alert.state !== "firing") continue;
      const known = this.subjects.entityOf(subject.cluster, subject.entity);
      const gone = this.pictures.length > 0 && known?.incarnation !== subject.incarnation;
      if (rules.has(record.rule) && !gone && this.isJudged(record, known)) continue;
      this.end(record, gone ? "gone" : "rule-changed", now);
    }
  }

  /** False: its rule was given another scope, or is about something else, before an earlier life of the hub could follow. */
  private isJudged(record: AlertRecord, facts: EntityFacts | undefined): boolean {
    if (facts === undefined || this.checkOf(record) !== undefined) return true;
    return this.ruleBook.counts(record.rule, facts, record.subject.instance);
  }

  private end(record: AlertRecord, reason: LostReason, now: EpochMs): void {
    const ended = endRecord(record, reason, now);
    if (ended === undefined) {
      this.book.remove(record, false);
      return;
    }
    this.book.put(ended);
    this.book.noteEnd(ended.id, ended.alert.firedAt, now);
  }

  /** What an agent sends after it was away is history, not news. */
  private judgeFrame({ agent, at, entities }: FrameNews, now: EpochMs): void {
    const picture = this.pictures.find(({ cluster }) => cluster === agent.cluster);
    const skewMs = picture?.agents.get(agent.node)?.clockSkewMs ?? 0;
    if (isFresh(at, now, skewMs)) this.subjects.sampleFrame(agent.cluster, entities, skewMs, now);
  }

  /** Takes up alerts of an earlier life of the hub for a slot that was opened. */
  private adopt({ slot, set, subject }: Watched, now: EpochMs): void {
    for (const plan of plansOf(set)) {
      const id = `${plan.rule.id}@${subject.cluster}/${subject.entity}#${subject.incarnation}`;
      const record = this.book.records.get(subject.instance === null ? id : `${id}!${subject.instance}`);
      if (record === undefined || record.alert.state === "resolved") continue;
      const { alert, fires, value, worst } = record;
      this.evaluator.restore(slot, plan.rule.id, { alert, fires, value: value ?? Number.NaN, worst: worst ?? Number.NaN }, now);
      const taken = this.evaluator.checkOf(slot, plan.rule.id)?.alert ?? alert;
      if (taken !== alert) this.book.put({ ...record, alert: taken });
    }
  }

  private changed({ check, before, reason }: Change): void {
    const now = this.ports.clock.now();
    const known = this.book.records.get(check.id);
    const watched = this.subjects.bySlot(check.slot);
    if (watched === undefined) return;
    if (known?.alert.state === "resolved" && check.alert.state !== "resolved") this.book.remove(known, true);
    const record = changeRecord(known, check, before, reason, watched.facts, watched.subject, now);
    if (record.alert.state === "inactive") {
      if (known !== undefined) this.book.remove(record, false);
      return;
    }
    const fired = record.alert.state === "firing" && before.state !== "firing";
    const filling = fired ? this.holds.storagesFilling(record) : undefined;
    if (filling !== undefined) this.book.put({ ...record, affected: [...filling] });
    else this.book.put(fired && takesAlong(check.plan) ? { ...record, affected: this.affected(record, now) } : record);
    if (fired) this.ports.tell("firing", record);
    if (record.alert.state === "resolved") {
      this.book.noteEnd(record.id, record.alert.firedAt, now);
      this.ports.tell("resolved", record);
    }
  }

  private affected(record: AlertRecord, now: EpochMs): string[] {
    const { reader, live } = this.ports;
    const picture = this.pictures.find(({ cluster }) => cluster === record.subject.cluster);
    const offline = picture === undefined ? new Set<string>() : nodesSeenOffline(picture, now);
    return affectedTitles(record, { subjects: this.subjects, dependencies: this.holds.dependencyFacts, offline, reader, live });
  }

  private current(record: AlertRecord): AlertRecord {
    const found = this.checkOf(record);
    if (found === undefined) return record;
    const { check, watched } = found;
    const value = check.plan.window === undefined ? this.evaluator.valueOf(watched.slot, this.ports.clock.now()) : check.value;
    return currentRecord(record, check, value, watched.facts);
  }

  private checkOf({ id, rule, subject }: AlertRecord): { check: Check; watched: Watched } | undefined {
    for (const watched of this.subjects.ofEntity(subject.cluster, subject.entity)) {
      const check = this.evaluator.checkOf(watched.slot, rule);
      if (check?.id === id) return { check, watched };
    }
    return undefined;
  }

  private holdAnew(record: AlertRecord, now: EpochMs): AlertRecord {
    const found = this.checkOf(record);
    const alert = found && this.evaluator.holdAnew(found.watched.slot, record.rule, now);
    return alert === undefined ? record : { ...record, alert };
  }

  private factsOf({ subject }: AlertRecord): EntityFacts | undefined {
    return this.subjects.entityOf(subject.cluster, subject.entity);
  }
}
