import type { AlertSubject, AlertView, Decision, Suppression } from "#protocol/alerting.ts";
import type { EpochMs } from "#protocol/ids.ts";
import type { NotifyReason } from "#protocol/notifications.ts";
import { type Alert, isFlapping } from "./alert.ts";
import { type AlertRecord, type ToldEpisode, withDecision } from "./alert-record.ts";
import { alertText, endText, isLost, type LostReason, lostText, sameFigure, stateWord, unitOf } from "./alert-text.ts";
import type { Check } from "./evaluate.ts";
import type { EntityFacts } from "./scope.ts";

const finite = (value: number) => (Number.isFinite(value) ? value : null);

/** What becomes of an alert's record when its state changed. A new firing is a new episode: what the one before was told does not count. */
export function changeRecord(
  known: AlertRecord | undefined,
  check: Check,
  before: Alert,
  reason: string,
  facts: EntityFacts,
  subject: AlertSubject,
  now: EpochMs,
): AlertRecord {
  const { alert } = check;
  const isNew = before.state === "inactive" || before.state === "resolved";
  const base: AlertRecord = isNew || known === undefined ? blankRecord(check, subject) : known;
  const flapping = isFlapping(check.fires, now);
  const named = alert.state === "resolved" ? describeEnd(base, check, reason) : describe(base, check, facts, check.value);
  const described = { ...named, alert, fires: [...check.fires], flapping, reason: flapping ? "flapping" : reason };
  return withDecision(described, {
    at: now,
    what: whatOf(before, alert),
    reason,
    value: finite(check.value),
    text: described.text,
  });
}

function whatOf(before: Alert, after: Alert): string {
  if (after.state === "pending") return "pending";
  if (after.state === "resolved") return "resolved";
  if (after.state === "inactive") return "not-fired";
  return before.state === "firing" ? "held-firing" : "fired";
}

function blankRecord({ id, plan }: Check, subject: AlertSubject): AlertRecord {
  return {
    id,
    rule: plan.rule.id,
    ruleName: plan.rule.name,
    severity: plan.severity,
    subject,
    alert: { state: "inactive" },
    reason: "",
    node: null,
    title: "",
    tags: [],
    pool: null,
    value: null,
    valueText: null,
    unit: null,
    threshold: null,
    worst: null,
    text: "",
    remedy: plan.rule.remedy ?? null,
    inhibits: plan.rule.inhibits,
    affected: [],
    fires: [],
    flapping: false,
    acknowledged: null,
    heldBy: null,
    wasHeld: false,
    freedAt: null,
    told: [],
    groups: [],
    decisions: [],
  };
}

/** The record with names, figures and the sentence of now. */
function describe(record: AlertRecord, check: Check, facts: EntityFacts, figure: number): AlertRecord {
  const { plan, alert } = check;
  const value = finite(figure);
  const word = value === null ? null : stateWord(plan, value);
  const node = facts.node ?? null;
  const { instance } = record.subject;
  const activeAt = alert.state === "inactive" ? null : alert.activeAt;
  return {
    ...record,
    ruleName: plan.rule.name,
    severity: plan.severity,
    node,
    title: facts.title,
    tags: [...facts.tags],
    pool: facts.pool ?? null,
    value,
    valueText: word,
    unit: unitOf(plan),
    threshold: plan.threshold,
    worst: finite(check.worst),
    text: alertText(plan, { title: facts.title, node, instance, value, valueText: word, activeAt }),
  };
}

/** The record of an episode that is over: names as they were, the figure of now, and the sentence of its end. */
function describeEnd(record: AlertRecord, { plan, value: figure, worst: reached }: Check, reason: string): AlertRecord {
  const known = isLost(reason) ? record.value : finite(figure);
  const [value, worst] = [known, finite(reached) ?? record.worst];
  const text = endText(plan, { reason, title: record.title, instance: record.subject.instance, value, worst });
  return { ...record, value, worst, valueText: value === null ? null : stateWord(plan, value), text };
}

export type EndedRecord = AlertRecord & { alert: Alert & { state: "resolved" } };

/** The record of a firing alert whose rule or entity is no more; undefined where it did not fire. */
export function endRecord(record: AlertRecord, reason: LostReason, now: EpochMs): EndedRecord | undefined {
  const { alert, ruleName, title, subject } = record;
  if (alert.state !== "firing") return undefined;
  const { activeAt, firedAt } = alert;
  const text = lostText(reason, ruleName, title, subject.instance);
  return { ...record, reason, text, alert: { state: "resolved", activeAt, firedAt, resolvedAt: now } };
}

/** For showing: the newest figure, where it is on record that the alert fires. An alert without data keeps its last one. */
export function currentRecord(record: AlertRecord, check: Check, value: number, facts: EntityFacts): AlertRecord {
  const figure = Number.isNaN(value) ? (record.value ?? Number.NaN) : value;
  const { severity, threshold } = check.plan;
  const isSame =
    sameFigure(record.value, finite(figure)) &&
    record.worst === finite(check.worst) &&
    record.node === (facts.node ?? null) &&
    record.severity === severity &&
    record.threshold === threshold;
  return isSame ? record : describe(record, check, facts, figure);
}

export function sameHold(a: Suppression | null, b: Suppression | null): boolean {
  return a === b || (a !== null && b !== null && a.by === b.by && a.id === b.id && a.until === b.until);
}

/** Something holds the alert back now, or lets it go. */
export function withHold(record: AlertRecord, hold: Suppression | null, now: EpochMs): AlertRecord {
  const decision: Decision =
    hold === null
      ? { at: now, what: "let-go", reason: record.heldBy?.by ?? "", value: record.value, text: "Nothing holds it back any more" }
      : { at: now, what: "held-back", reason: hold.by, value: record.value, text: hold.text };
  const before = record.heldBy?.by;
  const freed = (before === "snooze" || before === "silence") && hold?.by !== before;
  const freedAt = freed ? now : record.freedAt;
  return withDecision(
    { ...record, freedAt, heldBy: hold, wasHeld: record.wasHeld || (hold !== null && record.alert.state === "firing") },
    decision,
  );
}

/** A receiver is told of it. */
export function markTold(record: AlertRecord, group: string, receiver: string, reason: NotifyReason, now: EpochMs): AlertRecord {
  const isNew = !record.told.some((one) => one.receiver === receiver);
  const told = isNew ? [...record.told, { receiver, at: now }] : record.told;
  const groups = record.groups.includes(group) ? record.groups : [...record.groups, group];
  const text = `${receiver} is told: ${reason}`;
  return withDecision({ ...record, told, groups }, { at: now, what: "notified", reason, value: record.value, text });
}

/** How an episode ended, for a message; its alert may fire again already. */
export function resolvedView(view: AlertView, episode: ToldEpisode, now: EpochMs): AlertView {
  const { firedAt, resolvedAt, endText: text } = episode;
  const end = { state: "resolved", firedAt, resolvedAt: resolvedAt ?? now, suppressedBy: null, disposition: null } as const;
  return { ...view, ...end, text: text ?? view.text };
}

/** Somebody takes care of it, or no longer does: nobody is reminded while he does. */
export function withAcknowledgement(record: AlertRecord, acknowledged: AlertRecord["acknowledged"], now: EpochMs): AlertRecord {
  const { by = "" } = acknowledged ?? record.acknowledged ?? {};
  const what = acknowledged === null ? "unacknowledged" : "acknowledged";
  return withDecision(
    { ...record, acknowledged },
    { at: now, what, reason: what, value: record.value, text: `${what} by ${by}` },
  );
}

/** Quiet hours of its route keep it from being told. */
export function withQuiet(record: AlertRecord, route: string, now: EpochMs): AlertRecord {
  const text = `Quiet hours of the route ${route}`;
  return withDecision(
    { ...record, wasHeld: true },
    { at: now, what: "held-back", reason: "quiet-hours", value: record.value, text },
  );
}
