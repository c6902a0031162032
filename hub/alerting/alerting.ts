import { isDeepStrictEqual } from "node:util";
import type { AlertView, Rule, Why } from "#protocol/alerting.ts";
import type { EpochMs } from "#protocol/ids.ts";
import { alertIdOf } from "../core/alert.ts";
import type { AlertRecord } from "../core/alert-record.ts";
import { sameView } from "../core/alert-view.ts";
import { defaultReceiver, defaultRoute, defaultRules } from "../core/default-rules.ts";
import { planOf, sourceKey } from "../core/rule.ts";
import { RuleBook } from "../core/rule-set.ts";
import { TaskMemory } from "../core/task-memory.ts";
import { whyNot, whyOf } from "../core/why.ts";
import { DerivedFigures } from "../derived-figures.ts";
import type { History } from "../store/history.ts";
import type { StateStore } from "../store/state.ts";
import { AlertLoop, type AlertLoopPorts } from "./alert-loop.ts";
import type { AlertingPorts, WhyQuestion } from "./alerting-ports.ts";
import { runBacktest } from "./backtest-run.ts";

const shipped = { actor: "hub", reason: "comes with Proven" };
/** Tasks looked at when starting: enough for weekly backup jobs. */
const tasksMax = 20_000;
const tasksMs = 40 * 86_400_000;
/** Between two pieces of the work on forecasts and baselines. */
const derivedEveryMs = 1000;
/** What changed by samples is shown together so much later. */
const shownWithinMs = 1000;
/** A pass takes so much of a turn of the event loop: agents and panels come in between. */
const turnMs = 8;
/** How far back evaluations are shown. */
const whyMs = 10 * 60_000;

const bettered = { actor: "hub", reason: "this version of Proven ships it so, and nobody had changed it" };

/**
 * Rules that are new in this version, or new in what they say and still as an earlier version shipped them; and, where nobody ever chose, a route
 * to the nodes' own outlets.
 */
export function seedAlerting(state: StateStore, rules: readonly Rule[] = defaultRules): void {
  state.together(() => {
    const known = new Map(state.list("rule").map(({ id, document }) => [id, document]));
    for (const rule of rules) {
      const [present, before] = [known.get(rule.id), state.get("shippedRule", rule.id)];
      if (present === undefined) state.put("rule", rule.id, rule, shipped);
      else if (isDeepStrictEqual(before, present) && !isDeepStrictEqual(present, rule))
        state.put("rule", rule.id, rule, bettered);
      if (!isDeepStrictEqual(before, rule)) state.put("shippedRule", rule.id, rule, shipped);
    }
    if (known.size > 0 || state.list("route").length > 0 || state.list("receiver").length > 0) return;
    state.put("receiver", defaultReceiver.id, defaultReceiver, shipped);
    state.put("route", defaultRoute.id, defaultRoute, shipped);
  });
}

/** What tasks of the last weeks tell. */
export function rememberTasks(history: History, now: EpochMs): TaskMemory {
  const memory = new TaskMemory();
  let cursor: number | undefined;
  for (let seen = 0; seen < tasksMax; ) {
    const page = history.tasks({ since: now - tasksMs }, { limit: 1000, cursor });
    for (const task of page.items) memory.add(task);
    seen += page.items.length;
    if (page.next === null || page.items.length === 0) break;
    cursor = page.next;
  }
  return memory;
}

/** The alert engine as the hub runs it and the API asks it. */
export class Alerting implements AlertingPorts {
  readonly loop: AlertLoop;
  private readonly derived: DerivedFigures;
  private readonly listeners = new Set<(changed: AlertView[]) => void>();
  private shown = new Map<string, { record: AlertRecord; view: AlertView }>();
  /** Samples came since alerts were last shown. */
  private isOutdated = false;

  constructor(private readonly ports: AlertLoopPorts) {
    seedAlerting(ports.state);
    this.loop = new AlertLoop(ports);
    this.derived = new DerivedFigures({
      reader: ports.reader,
      live: ports.live,
      sample: (...figure) => this.loop.subjects.sample(...figure),
    });
  }

  /** A piece of the pass after frames came: judges them, and tells at once what is due. Returns whether there is more of it. */
  step(): boolean {
    this.isOutdated = true;
    return this.loop.step();
  }

  /** In how many ms `tick` is due where no frame comes. */
  dueInMs(): number {
    const isShown = !this.isOutdated || (!this.loop.hasAlerts && this.shown.size === 0);
    return Math.min(this.loop.dueInMs(), isShown ? Number.POSITIVE_INFINITY : shownWithinMs);
  }

  /** `wake` is called when a tick is due within so many ms, earlier than `tick` said. */
  onWork(wake: (withinMs: number) => void): void {
    this.loop.onWork(wake);
  }

  /** All that is due by time, some ms of it: 0 means there is more. Returns in how many ms the next one is due at the latest. */
  tick(): number {
    const { clock } = this.ports;
    const startedMs = clock.monotonicMs();
    while (this.loop.step()) if (clock.monotonicMs() - startedMs >= turnMs) return 0;
    const now = this.ports.clock.now();
    this.derived.step(() => this.loop.derivedSources(), now);
    this.tellChanged();
    this.isOutdated = false;
    return Math.min(this.loop.dueInMs(), Math.max(derivedEveryMs, this.derived.dueInMs(now)));
  }

  stop(): void {
    this.loop.stop();
  }

  views(): AlertView[] {
    return this.loop.views();
  }

  acknowledge(...args: Parameters<AlertingPorts["acknowledge"]>): AlertView | undefined {
    return this.loop.acknowledge(...args);
  }

  reload(): void {
    this.loop.reload();
  }

  automaticWindows() {
    return this.loop.holds.automaticWindows();
  }

  onAlerts(listener: (changed: AlertView[]) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  backtest: AlertingPorts["backtest"] = (request) => {
    const { routes, receivers } = this.loop.routing;
    return runBacktest({ reader: this.ports.reader, entities: [...this.loop.subjects.all()], routes, receivers }, request);
  };

  why({ rule: id, cluster, entity, instance, incarnation }: WhyQuestion): Why | undefined {
    const now = this.ports.clock.now();
    const rule = this.ports.state.get("rule", id);
    const facts = this.loop.subjects.entityOf(cluster, entity);
    const subject = { cluster, entity, incarnation: incarnation ?? facts?.incarnation ?? 1, instance };
    const record = this.loop.book.records.get(alertIdOf(id, subject));
    if (rule === undefined || (facts === undefined && record === undefined)) return undefined;
    if (facts === undefined) return whyNot(id, subject, "gone", "The entity is no more", now);
    if (facts.kind !== rule.entity) return whyNot(id, subject, "other-kind", `The rule is about a ${rule.entity}`, now);
    const found = planFor(rule, facts, instance);
    if (found === undefined) {
      const [reason, text] = rule.enabled
        ? ["out-of-scope", "The rule's scope does not hold it"]
        : ["disabled", "The rule is switched off"];
      return whyNot(id, subject, reason, text, now);
    }
    const watched = this.loop.subjects.of(subject, sourceKey(found.source));
    const values =
      watched === undefined
        ? []
        : this.recent(watched.slot, watched.series.length === 1 && watched.per.length === 0 ? watched.series : [], now);
    const why = whyOf(found, subject, record, values);
    if (watched !== undefined) return why;
    return {
      ...why,
      applies: false,
      decisions: [...whyNot(id, subject, "no-data", "Nothing of it was ever sampled", now).decisions, ...why.decisions],
    };
  }

  /** Raw samples of the last minutes where one series is judged as it is; else the newest figure. */
  private recent(
    slot: number,
    series: Parameters<AlertLoopPorts["reader"]["read"]>[0],
    now: EpochMs,
  ): { at: number; value: number }[] {
    const [info] = series;
    const newest = { at: now, value: this.loop.evaluator.valueOf(slot, now) };
    if (info === undefined || info.metric.kind === "counter") return [newest];
    const from = (now - whyMs) as EpochMs;
    const [read] = this.ports.reader.read(series, {
      from,
      to: (now + 1) as EpochMs,
      stepMs: undefined,
      aggregates: ["last"],
    }).series;
    const values = read?.columns.last;
    if (read === undefined || values === undefined || values.length === 0) return [newest];
    return [...read.at].map((at, index) => ({ at, value: values[index] as number }));
  }

  private tellChanged(): void {
    if (this.listeners.size === 0) return;
    const changed: AlertView[] = [];
    const next: typeof this.shown = new Map();
    for (const record of this.loop.book.records.values()) {
      const view = this.loop.view(record);
      const before = this.shown.get(record.id);
      const isSame = before !== undefined && sameView(before.view, view);
      next.set(record.id, isSame && before.record === record ? before : { record, view });
      if (!isSame) changed.push(view);
    }
    for (const [id, { record }] of this.shown) {
      if (next.has(id)) continue;
      const now = this.ports.clock.now();
      const over = record.alert.state === "firing" || record.alert.state === "resolved";
      changed.push({
        ...this.loop.view(record),
        state: over ? "resolved" : "inactive",
        resolvedAt: over ? now : null,
        disposition: null,
      });
    }
    this.shown = next;
    if (changed.length > 0) for (const listener of this.listeners) listener(changed);
  }
}

function planFor(rule: Rule, facts: Parameters<RuleBook["setFor"]>[1], instance: string | null) {
  const book = new RuleBook([rule]);
  const [source] = book.sourcesOf(rule.entity);
  const set = source === undefined ? undefined : book.setFor(source[0], facts, instance);
  const plans = set === undefined ? [] : [...set.above, ...set.below, ...set.states, ...set.absences, ...set.windowed];
  return plans[0] ?? (set === undefined ? undefined : planOf(rule, -1));
}
