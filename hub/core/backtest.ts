import type { AlertSubject, Rule } from "#protocol/alerting.ts";
import type { BacktestAnswer } from "#protocol/backtest.ts";
import type { EpochMs } from "#protocol/ids.ts";
import type { Route } from "#protocol/notifications.ts";
import { episodeOf } from "./alert.ts";
import type { AlertGroup, AlertRecord } from "./alert-record.ts";
import { changeRecord, markTold } from "./alert-steps.ts";
import { type Change, Evaluator } from "./evaluate.ts";
import { planTellings } from "./group.ts";
import { afterTelling } from "./notify.ts";
import type { RuleSet } from "./rule-set.ts";
import type { EntityFacts } from "./scope.ts";

/** One subject's stored values, on the replay's steps; NaN: none in that step. */
export type Replayed = { facts: EntityFacts; subject: AlertSubject; set: RuleSet; values: Float64Array };

export type ReplayInput = {
  rule: Rule;
  subjects: readonly Replayed[];
  from: EpochMs;
  stepMs: number;
  steps: number;
  routes: readonly Route[];
  receivers: ReadonlyMap<string, { enabled: boolean }>;
};

type Outcome = Pick<BacktestAnswer, "episodes" | "notifications">;

/**
 * What a rule would have done: stored values through the same evaluator, alerts and notification decisions as live ones. Quiet hours and
 * routes' times, silences and windows are left out: they are about when people want to hear. Call `run` until it says that it is done.
 */
export class Backtest {
  private readonly records = new Map<string, AlertRecord>();
  private readonly groups = new Map<string, AlertGroup>();
  private readonly outcome: Outcome = { episodes: [], notifications: [] };
  private readonly peaks = new Map<string, number>();
  private readonly slots: { slot: number; replayed: Replayed }[];
  private readonly bySlot = new Map<number, Replayed>();
  private readonly checks = new Map<string, Change["check"]>();
  private readonly fires = new Map<string, readonly EpochMs[]>();
  private readonly evaluator: Evaluator;
  private step = 0;
  private now: EpochMs;

  constructor(private readonly input: ReplayInput) {
    this.now = input.from;
    this.evaluator = new Evaluator(
      input.from,
      (change) => this.changed(change),
      (id) => this.fires.get(id) ?? [],
    );
    const staleMs = Math.max(input.stepMs * 2, 45_000);
    this.slots = input.subjects.map((replayed) => {
      const slot = this.evaluator.open(replayed.subject, replayed.set, staleMs, input.from);
      this.bySlot.set(slot, replayed);
      return { slot, replayed };
    });
  }

  /** Replays at most `steps` more. True: it is done. */
  run(steps: number): boolean {
    const end = Math.min(this.input.steps, this.step + steps);
    for (; this.step < end; this.step++) {
      this.now = (this.input.from + this.step * this.input.stepMs) as EpochMs;
      for (const { slot, replayed } of this.slots) this.evaluator.sample(slot, replayed.values[this.step] as number, this.now);
      this.evaluator.tick(this.now);
      if (this.records.size > 0 || this.groups.size > 0) this.tell();
    }
    return this.step === this.input.steps;
  }

  /** Episodes in the order they fired; those that go on at the end have no end. */
  result(): Outcome {
    const open = [...this.records.values()].flatMap((record) => (record.alert.state === "firing" ? [this.episode(record)] : []));
    const episodes = [...this.outcome.episodes, ...open].sort((a, b) => a.firedAt - b.firedAt);
    return { episodes, notifications: this.outcome.notifications };
  }

  private changed({ check, before, reason }: Change): void {
    const replayed = this.bySlot.get(check.slot);
    if (replayed === undefined) return;
    const known = this.records.get(check.id);
    const record = changeRecord(known, check, before, reason, replayed.facts, replayed.subject, this.now);
    this.fires.set(check.id, check.fires);
    this.checks.set(check.id, check);
    this.notePeak(record);
    if (record.alert.state === "pending" || record.alert.state === "firing") {
      this.records.set(record.id, record);
      return;
    }
    this.records.delete(record.id);
    if (record.alert.state === "resolved") this.outcome.episodes.push(this.episode(record));
  }

  private tell(): void {
    const { routes, receivers } = this.input;
    const alerts = [...this.records.values()].filter(({ alert }) => alert.state === "firing");
    for (const record of alerts) this.notePeak(record);
    const factsOf = () => undefined;
    const { due } = planTellings({
      alerts,
      groups: this.groups,
      routes,
      receivers,
      factsOf,
      isOn: () => false,
      reminds: true,
      now: this.now,
    });
    for (const { group: planned, receiver, step, telling } of due) {
      const group = this.groups.get(planned.id) ?? planned;
      const told = afterTelling(group.told[receiver], telling, step, this.now);
      const next = { ...group, told: { ...group.told, [receiver]: told } };
      if (Object.values(next.told).every(({ episodes }) => episodes.length === 0)) this.groups.delete(next.id);
      else this.groups.set(next.id, next);
      for (const { alert } of telling.firing) {
        const record = this.records.get(alert);
        if (record !== undefined) this.records.set(alert, markTold(record, next.id, receiver, telling.reason, this.now));
      }
      const alertCount = telling.firing.length + telling.over.length;
      this.outcome.notifications.push({ at: this.now, kind: telling.reason, receiver, alerts: alertCount });
    }
  }

  private notePeak({ id, alert }: AlertRecord): void {
    const check = this.checks.get(id);
    if (alert.state !== "firing" || check === undefined) return;
    const value = check.plan.window === undefined ? this.evaluator.valueOf(check.slot, this.now) : check.value;
    if (Number.isNaN(value)) return;
    const key = episodeOf(id, alert.firedAt);
    const known = this.peaks.get(key);
    const { condition } = this.input.rule;
    const isLow = "direction" in condition && condition.direction === "below";
    const further = isLow ? Math.min : Math.max;
    this.peaks.set(key, further(known ?? value, value));
  }

  private episode({ id, subject, title, alert }: AlertRecord): Outcome["episodes"][number] {
    const { activeAt, firedAt } = alert.state === "firing" || alert.state === "resolved" ? alert : { activeAt: 0, firedAt: 0 };
    const resolvedAt = alert.state === "resolved" ? alert.resolvedAt : null;
    const peak = this.peaks.get(`${id}~${firedAt}`) ?? null;
    return { ...subject, title, activeAt, firedAt, resolvedAt, peak };
  }
}
