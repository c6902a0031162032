import type { AlertSubject, Decision, Why } from "#protocol/alerting.ts";
import type { EpochMs } from "#protocol/ids.ts";
import type { AlertRecord } from "./alert-record.ts";
import { stateWord, unitOf, valueText } from "./alert-text.ts";
import { readingOf } from "./reading.ts";
import type { Plan } from "./rule.ts";

/** One evaluation in words. `active`: the breach was on. */
function explain(plan: Plan, value: number, active: boolean, at: number): Decision {
  const { test } = plan;
  const decision = (reason: string, text: string): Decision => ({
    at,
    what: "evaluated",
    reason,
    value: Number.isNaN(value) ? null : value,
    text,
  });
  const shown = Number.isNaN(value) ? "" : (stateWord(plan, value) ?? valueText(value, unitOf(plan)));
  if (Number.isNaN(value)) return decision("no-data", "No fresh value: nothing is known, the state stays");
  if (test.kind === "absence") return decision("sample", "A sample came");
  if (test.kind === "state") {
    const breached = test.codes.has(value);
    return decision(
      breached ? "in-state" : "other-state",
      `It is ${shown}, ${breached ? "one of" : "none of"} the rule's states`,
    );
  }
  const unit = unitOf(plan);
  const limits = `trigger ${valueText(test.trigger, unit)}, clear ${valueText(test.clear, unit)}`;
  const beyond = readingOf(test, value, false) === "breach";
  if (beyond) return decision(`${test.direction}-trigger`, `${shown} is ${test.direction} the trigger (${limits})`);
  if (readingOf(test, value, true) === "ok") return decision("cleared", `${shown} is clear of it (${limits})`);
  return decision(
    "between-clear-and-trigger",
    `${shown} is between clear and trigger (${limits}): ${active ? "it goes on" : "it does not begin"}`,
  );
}

/** Evaluations and decisions of one rule about one subject, the newest first. `values`: of the last minutes, oldest first. */
export function whyOf(
  plan: Plan,
  subject: AlertSubject,
  record: AlertRecord | undefined,
  values: readonly { at: number; value: number }[],
): Why {
  let active = false;
  const evaluations = values.map(({ at, value }) => {
    const decision = explain(plan, value, active, at);
    const reading = readingOf(plan.test, value, active);
    if (reading !== "absent") active = reading === "breach";
    return decision;
  });
  const { test } = plan;
  return {
    rule: plan.rule.id,
    subject,
    state: record?.alert.state ?? "inactive",
    applies: true,
    effective: {
      trigger: plan.threshold,
      clear: test.kind === "bound" ? test.clear : null,
      forSec: plan.forMs / 1000,
      severity: plan.severity,
    },
    decisions: [...evaluations, ...(record?.decisions ?? [])].sort((a, b) => b.at - a.at),
  };
}

/** A rule that does not count here, and why. */
export function whyNot(rule: string, subject: AlertSubject, reason: string, text: string, now: EpochMs): Why {
  return {
    rule,
    subject,
    state: "inactive",
    applies: false,
    effective: { trigger: null, clear: null, forSec: 0, severity: "info" },
    decisions: [{ at: now, what: "not-evaluated", reason, value: null, text }],
  };
}
