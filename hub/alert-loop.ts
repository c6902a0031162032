import type { AlertView, Rule } from "#protocol/alerting.ts";
import type { EntityKey, EpochMs } from "#protocol/ids.ts";
import { AlertBook } from "./alert-book.ts";
import { AlertHolds } from "./alert-holds.ts";
import type { Dispatcher } from "./alert-ports.ts";
import { AlertSubjects, type Watched } from "./alert-subjects.ts";
import { AlertTeller } from "./alert-teller.ts";
import { episodeOf } from "./core/alert.ts";
import type { AlertRecord } from "./core/alert-record.ts";
import { changeRecord, currentRecord, withAcknowledgement } from "./core/alert-steps.ts";
import { alertView } from "./core/alert-view.ts";
import { DueTimes } from "./core/backup-due.ts";
import type { ClusterPicture } from "./core/cluster.ts";
import { datastoreBehind, entitiesOf } from "./core/entity-facts.ts";
import { type Change, type Check, Evaluator } from "./core/evaluate.ts";
import { factSamplesOf } from "./core/fact-samples.ts";
import { isFresh } from "./core/freshness.ts";
import { affectedBy, dependenciesOf, subjectKey } from "./core/inhibit.ts";
import type { Source } from "./core/rule.ts";
import { RuleBook } from "./core/rule-set.ts";
import type { EntityFacts } from "./core/scope.ts";
import type { AgentId, LiveTable, SeriesReader } from "./core/series.ts";
import { SkewCorrection } from "./core/skew-correction.ts";
import type { TaskMemory } from "./core/task-memory.ts";
import type { Clock } from "./ports.ts";
import { StoredRunMemory } from "./run-memory.ts";
import type { Actor, StateStore } from "./store/state.ts";

export type AlertLoopPorts = {
  state: StateStore;
  reader: SeriesReader;
  live: LiveTable;
  clock: Clock;
  pictures(): ClusterPicture[];
  tasks: TaskMemory;
  /** The hub can't store samples now. */
  refusing(): boolean;
  dispatcher: Dispatcher;
  /** Tells the event history: an alert began or ended. */
  tell(what: "firing" | "resolved", record: AlertRecord): void;
  /** Of the nodes, for calendars that are theirs. */
  timezone: string;
};

/** Facts are looked at this often, entities and rules followed this often. */
const factsEveryMs = 5000;
const rebuildEveryMs = 30_000;
/** A step of the wall clock that differs so much from the monotonic one was a setting of the clock. */
const jumpMs = 2000;
const historyMs = 400 * 86_400_000;

type Frame = { agent: AgentId; at: EpochMs; entities: readonly EntityKey[] };

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
  private frames: Frame[] = [];
  private pictures: readonly ClusterPicture[] = [];
  private readonly skews = new SkewCorrection();
  private readonly due: DueTimes;
  private readonly ran: StoredRunMemory;
  private factsAt = Number.NEGATIVE_INFINITY;
  private rebuiltAt = Number.NEGATIVE_INFINITY;
  private clocks: { wall: number; monotonic: number };
  private readonly stopFrames: () => void;

  constructor(private readonly ports: AlertLoopPorts) {
    const { state, clock, reader, live, timezone } = ports;
    this.book = new AlertBook(state);
    this.due = new DueTimes(timezone);
    this.ran = new StoredRunMemory(state);
    this.clocks = { wall: clock.now(), monotonic: clock.monotonicMs() };
    const firesOf = (id: string) => this.book.recentFires.get(id) ?? [];
    this.evaluator = new Evaluator(clock.now(), (change) => this.changed(change), firesOf);
    this.subjects = new AlertSubjects({
      reader,
      live,
      evaluator: this.evaluator,
      opened: (watched, now) => this.adopt(watched, now),
    });
    this.teller = new AlertTeller({
      book: this.book,
      holds: this.holds,
      dispatcher: ports.dispatcher,
      factsOf: (record) => this.factsOf(record),
      view: (record) => this.view(record),
      holdMsOf: (record) => this.checkOf(record)?.check.plan.forMs ?? 0,
      holdAnew: (record, now) => this.holdAnew(record, now),
    });
    this.reload();
    this.stopFrames = live.onFrame((frame) => this.frames.push(frame));
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
    this.rebuiltAt = Number.NEGATIVE_INFINITY;
  }

  /** One pass: after each frame, and every second. */
  pass(): void {
    const now = this.ports.clock.now();
    this.followClock(now);
    const monotonic = this.ports.clock.monotonicMs();
    if (monotonic - this.factsAt >= factsEveryMs || this.rebuiltAt === Number.NEGATIVE_INFINITY) {
      this.factsAt = monotonic;
      this.pictures = this.ports.pictures().map((picture) => this.skews.correct(picture));
      if (monotonic - this.rebuiltAt >= rebuildEveryMs) {
        this.rebuiltAt = monotonic;
        this.rebuild(now);
      }
      this.sampleFacts(now);
    }
    for (const frame of this.frames.splice(0)) this.judgeFrame(frame, now);
    this.evaluator.tick(now);
    if (this.book.hasChanges) this.book.commit();
    this.teller.tell(now);
  }

  stop(): void {
    this.stopFrames();
  }

  /** As it is now, figures included. */
  view(record: AlertRecord): AlertView {
    const now = this.ports.clock.now();
    return alertView(this.current(record), this.teller.placements.get(record.id), now);
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
    this.book.prune((now - historyMs) as EpochMs);
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
  }

  private rebuild(now: EpochMs): void {
    const { reader } = this.ports;
    const entities = this.pictures.flatMap((picture) =>
      entitiesOf(picture, (entity) => reader.incarnationOf(picture.cluster, entity), now),
    );
    const pictureOf = new Map(this.pictures.map((picture) => [picture.cluster as string, picture]));
    const behind = (cluster: string, storage: string) => {
      const picture = pictureOf.get(cluster);
      return picture === undefined ? undefined : datastoreBehind(picture, storage);
    };
    this.holds.dependOn(dependenciesOf(entities, behind));
    this.subjects.rebuild(entities, this.ruleBook, now);
    this.endOrphans(now);
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
      if (rules.has(record.rule) && !gone) continue;
      this.end(record, gone ? "gone" : "rule-changed", now);
    }
  }

  private end(record: AlertRecord, reason: string, now: EpochMs): void {
    const { alert } = record;
    if (alert.state !== "firing") {
      this.book.remove(record, false);
      return;
    }
    const { activeAt, firedAt } = alert;
    this.book.put({ ...record, reason, alert: { state: "resolved", activeAt, firedAt, resolvedAt: now } });
    this.markResolved(record.id, firedAt, now);
  }

  private sampleFacts(now: EpochMs): void {
    this.holds.stepAutomatic(this.pictures, now);
    for (const picture of this.pictures) {
      const sight = { reader: this.ports.reader, live: this.ports.live, now };
      const { tasks } = this.ports;
      const sources = { sight, picture, tasks, due: this.due, refusing: this.ports.refusing(), ran: this.ran };
      for (const { entity, name, value, instance } of factSamplesOf(sources)) {
        this.subjects.sample(picture.cluster, entity, name, instance, value, now);
      }
    }
  }

  /** What an agent sends after it was away is history, not news. */
  private judgeFrame({ agent, at, entities }: Frame, now: EpochMs): void {
    const picture = this.pictures.find(({ cluster }) => cluster === agent.cluster);
    const skewMs = picture?.agents.get(agent.node)?.clockSkewMs ?? 0;
    if (isFresh(at, now, skewMs)) this.subjects.sampleFrame(agent.cluster, entities, skewMs, now);
  }

  /** Takes up alerts of an earlier life of the hub for a slot that was opened. */
  private adopt({ slot, set, subject }: Watched, now: EpochMs): void {
    for (const plan of [...set.above, ...set.below, ...set.states, ...set.absences, ...set.windowed]) {
      const id = `${plan.rule.id}@${subject.cluster}/${subject.entity}#${subject.incarnation}`;
      const record = this.book.records.get(subject.instance === null ? id : `${id}!${subject.instance}`);
      if (record === undefined || record.alert.state === "resolved") continue;
      this.evaluator.restore(slot, plan.rule.id, record.alert, record.fires, record.value ?? Number.NaN, now);
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
    const inhibits = fired && record.inhibits;
    this.book.put(inhibits ? { ...record, affected: this.affected(record) } : record);
    if (fired) this.ports.tell("firing", record);
    if (record.alert.state === "resolved") {
      this.markResolved(record.id, record.alert.firedAt, now);
      this.ports.tell("resolved", record);
    }
  }

  private affected({ subject }: AlertRecord): string[] {
    const title = (key: string) => {
      const [cluster = "", entity = ""] = key.split(" ", 2);
      const facts = this.subjects.entityOf(cluster, entity);
      return facts?.kind === "guest" ? facts.title : undefined;
    };
    return affectedBy(subjectKey(subject.cluster, subject.entity), this.holds.dependencyFacts, title);
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

  /** Groups that told of an episode note when it ended. */
  private markResolved(id: string, firedAt: EpochMs, now: EpochMs): void {
    const key = episodeOf(id, firedAt);
    for (const groupId of this.book.records.get(id)?.groups ?? []) {
      const group = this.book.groups.get(groupId);
      if (group === undefined) continue;
      const told = Object.entries(group.told).map(([receiver, one]) => {
        const episodes = one.episodes.map((episode) => (episode.key === key ? { ...episode, resolvedAt: now } : episode));
        return [receiver, { ...one, episodes }] as const;
      });
      this.book.putGroup({ ...group, told: Object.fromEntries(told) });
    }
  }

  private factsOf({ subject }: AlertRecord): EntityFacts | undefined {
    return this.subjects.entityOf(subject.cluster, subject.entity);
  }
}
