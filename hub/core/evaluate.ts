import type { AlertSubject } from "#protocol/alerting.ts";
import type { EpochMs } from "#protocol/ids.ts";
import {
  type Alert,
  afterAbsence,
  alertIdOf,
  dueAt,
  type Holds,
  holdsOf,
  inactive,
  type Reading,
  rememberFiring,
  shiftAlert,
  stepAlert,
  unseenMaxMs,
} from "./alert.ts";
import { readingOf, reasonOf, worseOf } from "./reading.ts";
import type { Plan } from "./rule.ts";
import { plansOf, type RuleSet } from "./rule-set.ts";
import { SampleWindow } from "./sample-window.ts";
import { TimerWheel } from "./timer-wheel.ts";

/** One rule about one subject that is not simply quiet. */
export type Check = {
  readonly id: string;
  readonly slot: number;
  plan: Plan;
  alert: Alert;
  /** Of the newest evaluation; NaN: none. */
  value: number;
  /** The worst value since it began; NaN where values have no order. */
  worst: number;
  fires: readonly EpochMs[];
  /** False: the slot or the rule is gone. */
  alive: boolean;
};

/** A check's alert changed its state. `reason`: as `reasonOf` of reading.ts says, or why it ended: `gone`, `rule-changed`, `untold`. */
export type Change = { check: Check; before: Alert; reason: string };

/** A stored sample. */
export type Sampled = { at: number; value: number };

type Timer = { check: Check } | { slot: number; generation: number; plan: Plan };

type Slot = {
  subject: AlertSubject;
  set: RuleSet;
  staleMs: number;
  generation: number;
  /** A sample came since it was opened: until then nothing is known, whatever was known in an earlier life of the hub. */
  isHeard: boolean;
  active: Map<string, Check> | undefined;
  windows: Map<string, SampleWindow> | undefined;
};

/**
 * Judges samples as they come. A slot is one source of one subject; it keeps the open interval around its value in which no rule changes its
 * mind, so that most samples cost two comparisons, however many rules there are. What time alone decides waits in a timer wheel.
 */
export class Evaluator {
  private readonly slots: (Slot | undefined)[] = [];
  private readonly free: number[] = [];
  private last = new Float64Array(64);
  private low = new Float64Array(64);
  private high = new Float64Array(64);
  private heard = new Float64Array(64);
  private readonly wheel: TimerWheel<Timer>;
  private generations = 0;

  constructor(
    now: EpochMs,
    private readonly changed: (change: Change) => void,
    /** Earlier firings of an alert that is quiet now, for flapping. */
    private readonly firesOf: (id: string) => readonly EpochMs[] = () => [],
    /** What was stored of a slot's figure before now, for a window of `ms`, the oldest first. */
    private readonly earlierOf: (slot: number, ms: number, now: EpochMs) => readonly Sampled[] = () => [],
  ) {
    this.wheel = new TimerWheel(now);
  }

  /** `staleMs`: without a sample for so long nothing is known. */
  open(subject: AlertSubject, set: RuleSet, staleMs: number, now: EpochMs): number {
    const slot = this.free.pop() ?? this.slots.length;
    const generation = ++this.generations;
    this.slots[slot] = { subject, set, staleMs, generation, isHeard: false, active: undefined, windows: undefined };
    if (slot >= this.last.length) this.grow();
    this.heard[slot] = now;
    this.forget(slot);
    for (const plan of set.absences) this.awaitAbsence(slot, plan, now);
    return slot;
  }

  /** The rules that count for a slot are others now. What goes on keeps its state. */
  change(slot: number, set: RuleSet, now: EpochMs): void {
    const one = this.slots[slot];
    if (one === undefined || one.set === set) return;
    const plans = new Map(plansOf(set).map((plan) => [plan.rule.id, plan]));
    one.set = set;
    one.generation = ++this.generations;
    for (const check of one.active?.values() ?? []) {
      const plan = plans.get(check.plan.rule.id);
      if (plan === undefined) this.end(one, check, "rule-changed", now);
      else {
        check.plan = plan;
        this.awaitDue(check, now);
      }
    }
    for (const [id, kept] of one.windows ?? []) if (!isFor(kept, plans.get(id))) one.windows?.delete(id);
    for (const plan of set.absences) this.awaitAbsence(slot, plan, now);
    this.forget(slot);
  }

  /** The subject is gone, and its alerts with it. */
  close(slot: number, reason: string, now: EpochMs): void {
    const one = this.slots[slot];
    if (one === undefined) return;
    for (const check of one.active?.values() ?? []) this.end(one, check, reason, now);
    this.slots[slot] = undefined;
    this.free.push(slot);
  }

  /** Takes up an alert of an earlier life of the hub, as far as it counts (afterAbsence). False: no such rule counts for the slot. */
  restore(slot: number, rule: string, known: Pick<Check, "alert" | "fires" | "value" | "worst">, now: EpochMs): boolean {
    const one = this.slots[slot];
    const plan = one && plansOf(one.set).find((candidate) => candidate.rule.id === rule);
    if (one === undefined || plan === undefined || one.active?.has(rule)) return false;
    const alert = afterAbsence(known.alert, plan.forMs, now);
    const check: Check = { id: alertIdOf(rule, one.subject), slot, plan, ...known, alert, alive: true };
    one.active ??= new Map();
    one.active.set(rule, check);
    this.awaitDue(check, now);
    this.forget(slot);
    return true;
  }

  /** An alert ends though no sample says so: nobody tells of it any more. */
  giveUp(slot: number, rule: string, reason: string, now: EpochMs): void {
    const one = this.slots[slot];
    const check = one?.active?.get(rule);
    if (one === undefined || check === undefined) return;
    this.end(one, check, reason, now);
    this.forget(slot);
  }

  /** The slot's figure is another than before: its windows begin anew. */
  countAnew(slot: number): void {
    const one = this.slots[slot];
    if (one === undefined) return;
    one.windows = undefined;
    this.forget(slot);
  }

  /** When a sample came last. */
  heardAt(slot: number): number | undefined {
    return this.slots[slot] === undefined ? undefined : this.heard[slot];
  }

  /** What a pending alert showed until now does not count: its hold begins anew. The same alert where there is nothing to begin. */
  holdAnew(slot: number, rule: string, now: EpochMs): Alert | undefined {
    const check = this.checkOf(slot, rule);
    // Its timer comes too early then, and is set again.
    if (check?.alert.state === "pending") check.alert = { state: "pending", activeAt: now };
    return check?.alert;
  }

  checkOf(slot: number, rule: string): Check | undefined {
    return this.slots[slot]?.active?.get(rule);
  }

  /** Newest value, NaN where none is fresh. */
  valueOf(slot: number, now: EpochMs): number {
    const one = this.slots[slot];
    return one !== undefined && this.isFresh(slot, one, now) ? (this.last[slot] as number) : Number.NaN;
  }

  /** A fresh sample. NaN is none. */
  sample(slot: number, value: number, now: EpochMs): void {
    if (Number.isNaN(value)) return;
    const silentMs = now - (this.heard[slot] as number);
    this.heard[slot] = now;
    if (silentMs >= unseenMaxMs) this.holdUnseenAnew(slot, silentMs, now);
    if (value === this.last[slot] || (value > (this.low[slot] as number) && value < (this.high[slot] as number))) {
      this.last[slot] = value;
      return;
    }
    const one = this.slots[slot];
    if (one !== undefined) this.judge(slot, one, value, now);
  }

  /** When `tick` has something to do without a sample; Infinity: never. */
  get nextAt(): number {
    return this.wheel.nextAt;
  }

  /** What time alone decides: holds that are over, absences. */
  tick(now: EpochMs): void {
    for (const timer of this.wheel.due(now)) {
      if ("check" in timer) this.wake(timer.check, now);
      else this.judgeAbsence(timer.slot, timer.generation, timer.plan, now);
    }
  }

  /** The wall clock was set by `ms`. */
  shift(ms: number): void {
    this.wheel.shift(ms);
    for (let slot = 0; slot < this.slots.length; slot++) {
      this.heard[slot] = (this.heard[slot] as number) + ms;
      for (const window of this.slots[slot]?.windows?.values() ?? []) window.shift(ms);
      for (const check of this.slots[slot]?.active?.values() ?? []) {
        check.alert = shiftAlert(check.alert, ms);
        check.fires = check.fires.map((at) => (at + ms) as EpochMs);
      }
    }
  }

  private judge(slot: number, one: Slot, value: number, now: EpochMs): void {
    const { set } = one;
    this.last[slot] = value;
    one.isHeard = true;
    if (one.active !== undefined) {
      for (const check of one.active.values()) {
        if (check.plan.window === undefined) this.step(one, check, readingOf(check.plan.test, value, true), value, now);
      }
    }
    for (const plan of set.above) {
      if (readingOf(plan.test, value, false) !== "breach") break;
      this.begin(slot, one, plan, value, now);
    }
    for (const plan of set.below) {
      if (readingOf(plan.test, value, false) !== "breach") break;
      this.begin(slot, one, plan, value, now);
    }
    for (const plan of set.states) if (readingOf(plan.test, value, false) === "breach") this.begin(slot, one, plan, value, now);
    for (const plan of set.windowed) this.judgeWindow(slot, one, plan, value, now);
    this.settle(slot, one, value);
  }

  /** A guest that was off for a week with a breach before it has not had it for a week: the sample of now is the first of its hold. */
  private holdUnseenAnew(slot: number, silentMs: number, now: EpochMs): void {
    const one = this.slots[slot];
    if (one === undefined || silentMs < one.staleMs) return;
    for (const { plan } of one.active?.values() ?? [])
      if (silentMs >= plan.forMs && plan.test.kind !== "absence") this.holdAnew(slot, plan.rule.id, now);
  }

  private judgeWindow(slot: number, one: Slot, plan: Plan, value: number, now: EpochMs): void {
    const { window } = plan;
    if (window === undefined) return;
    one.windows ??= new Map();
    let kept = one.windows.get(plan.rule.id);
    if (kept === undefined) {
      kept = new SampleWindow(window.kind, window.ms);
      // What came while the hub was away is told all the same.
      const earlier = window.kind === "increase" ? this.earlierOf(slot, window.ms, now) : [];
      for (const sample of earlier) kept.push(sample.value, sample.at);
      one.windows.set(plan.rule.id, kept);
    }
    const figure = kept.push(value, now);
    const check = one.active?.get(plan.rule.id);
    const isOver = check !== undefined && readingOf(plan.test, figure, true) === "ok";
    if (isOver && !kept.isWhole(now)) return;
    if (check !== undefined) this.step(one, check, readingOf(plan.test, figure, true), figure, now);
    else if (readingOf(plan.test, figure, false) === "breach") this.begin(slot, one, plan, figure, now);
  }

  /** The interval around `value` in which every rule keeps its reading. */
  private settle(slot: number, { set, active }: Slot, value: number): void {
    if (Number.isNaN(value)) {
      this.forget(slot);
      return;
    }
    let [low, high] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
    for (const plan of set.above) {
      if (plan.test.kind !== "bound" || plan.test.trigger < value) continue;
      high = plan.test.trigger;
      break;
    }
    for (const plan of set.below) {
      if (plan.test.kind !== "bound" || plan.test.trigger > value) continue;
      low = plan.test.trigger;
      break;
    }
    for (const { plan, worst } of active?.values() ?? []) {
      if (plan.test.kind !== "bound" || plan.window !== undefined) continue;
      // Beyond the worst one so far there is something to remember.
      const [inner, outer] = [plan.test.clear, Number.isNaN(worst) ? value : worst];
      if (plan.test.direction === "above") [low, high] = [Math.max(low, inner), Math.min(high, outer)];
      else [low, high] = [Math.max(low, outer), Math.min(high, inner)];
    }
    this.low[slot] = set.states.length > 0 ? Number.NaN : low;
    this.high[slot] = high;
    if (set.windowed.length > 0) this.forget(slot);
  }

  /** The next sample is judged, whatever it is. */
  private forget(slot: number): void {
    this.last[slot] = this.low[slot] = this.high[slot] = Number.NaN;
  }

  private begin(slot: number, one: Slot, plan: Plan, value: number, now: EpochMs): void {
    if (one.active?.has(plan.rule.id)) return;
    const id = alertIdOf(plan.rule.id, one.subject);
    const check: Check = { id, slot, plan, alert: inactive, value, worst: Number.NaN, fires: this.firesOf(id), alive: true };
    one.active ??= new Map();
    one.active.set(plan.rule.id, check);
    this.step(one, check, "breach", value, now);
  }

  private step(one: Slot, check: Check, reading: Reading, value: number, now: EpochMs): void {
    const before = check.alert;
    if (!Number.isNaN(value)) {
      check.value = value;
      check.worst = worseOf(check.plan.test, check.worst, value);
    }
    const next = stepAlert(before, reading, this.holds(check, now), now);
    if (next === before) return;
    check.alert = next;
    if (next.state === "firing" && before.state !== "firing") check.fires = rememberFiring(check.fires, now);
    if (next.state === "inactive" || next.state === "resolved") this.drop(one, check, now);
    else this.awaitDue(check, now);
    this.changed({ check, before, reason: reasonOf(before, next) });
  }

  private holds({ plan, fires }: Check, now: EpochMs): Holds {
    return holdsOf(plan, fires, now);
  }

  private end(one: Slot, check: Check, reason: string, now: EpochMs): void {
    const before = check.alert;
    const { activeAt, firedAt } = before.state === "firing" ? before : { activeAt: now, firedAt: now };
    check.alert = before.state === "firing" ? { state: "resolved", activeAt, firedAt, resolvedAt: now } : inactive;
    this.drop(one, check, now);
    this.changed({ check, before, reason });
  }

  private drop(one: Slot, check: Check, now: EpochMs): void {
    check.alive = false;
    one.active?.delete(check.plan.rule.id);
    if (one.active?.size === 0) one.active = undefined;
    if (check.plan.test.kind === "absence") this.awaitAbsence(check.slot, check.plan, now);
  }

  private awaitDue(check: Check, now: EpochMs): void {
    const due = dueAt(check.alert, this.holds(check, now));
    if (due !== undefined) this.wheel.add({ check }, due);
  }

  private wake(check: Check, now: EpochMs): void {
    const one = this.slots[check.slot];
    if (one === undefined || !check.alive) return;
    const due = dueAt(check.alert, this.holds(check, now));
    if (due === undefined) return;
    if (due > now) {
      this.wheel.add({ check }, due);
      return;
    }
    const { test } = check.plan;
    if (test.kind === "absence") {
      const silent = now - (this.heard[check.slot] as number) >= test.absentMs;
      this.step(one, check, silent ? "breach" : "ok", Number.NaN, now);
    } else if (this.isFresh(check.slot, one, now)) {
      const value = check.plan.window === undefined ? (this.last[check.slot] as number) : check.value;
      this.step(one, check, readingOf(test, Number.isNaN(value) ? check.value : value, true), Number.NaN, now);
      if (check.alive) this.settle(check.slot, one, this.last[check.slot] as number);
    }
    // Not fresh: the next sample decides.
    else this.forget(check.slot);
  }

  private awaitAbsence(slot: number, plan: Plan, now: EpochMs): void {
    const one = this.slots[slot];
    if (one === undefined || plan.test.kind !== "absence") return;
    const since = Math.max(this.heard[slot] as number, 0);
    this.wheel.add({ slot, generation: one.generation, plan }, Math.max(since + plan.test.absentMs, now));
  }

  private judgeAbsence(slot: number, generation: number, plan: Plan, now: EpochMs): void {
    const one = this.slots[slot];
    if (one === undefined || one.generation !== generation || plan.test.kind !== "absence") return;
    if (one.active?.has(plan.rule.id)) return;
    if (now - (this.heard[slot] as number) < plan.test.absentMs) {
      this.awaitAbsence(slot, plan, now);
      return;
    }
    this.begin(slot, one, plan, Number.NaN, now);
    this.forget(slot);
  }

  private isFresh(slot: number, { staleMs, isHeard }: Slot, now: EpochMs): boolean {
    return isHeard && now - (this.heard[slot] as number) < staleMs;
  }

  private grow(): void {
    const wider = (old: Float64Array) => {
      const next = new Float64Array(old.length * 2);
      next.set(old);
      return next;
    };
    [this.last, this.low, this.high, this.heard] = [wider(this.last), wider(this.low), wider(this.high), wider(this.heard)];
  }
}

const isFor = ({ kind, ms }: SampleWindow, plan: Plan | undefined) => plan?.window?.kind === kind && plan.window.ms === ms;
