import type { FieldProblem, Silence } from "#protocol/alerting.ts";
import type { EpochMs } from "#protocol/ids.ts";
import { checkScope } from "./rule.ts";
import { type EntityFacts, matcherOf } from "./scope.ts";

/** Follows from the times alone. */
export function silenceState(
  { startsAt, endsAt }: Pick<Silence, "startsAt" | "endsAt">,
  now: EpochMs,
): "pending" | "active" | "expired" {
  if (now < startsAt) return "pending";
  return now < endsAt ? "active" : "expired";
}

/** What may be silenced: an alert's id, rule and subject. */
export type Silenceable = { id: string; rule: string; instance: string | null; facts: EntityFacts | undefined };

/** Of alerts by id, or of what the scope and the rules both hold; a silence of nothing silences nothing. */
export function silences(silence: Silence, alert: Silenceable): boolean {
  if (silence.alerts.includes(alert.id)) return true;
  const { scope, rules } = silence;
  if (scope === null && rules.length === 0) return false;
  if (rules.length > 0 && !rules.includes(alert.rule)) return false;
  return scope === null || (alert.facts !== undefined && matcherOf(scope)(alert.facts, alert.instance));
}

export function checkSilence(silence: Silence): FieldProblem[] {
  const problems = silence.scope === null ? [] : checkScope(silence.scope, "scope");
  if (silence.endsAt <= silence.startsAt) {
    problems.push({ field: "endsAt", problem: "It ends before it begins", remedy: "A time after startsAt" });
  }
  if (silence.alerts.length === 0 && silence.scope === null && silence.rules.length === 0) {
    problems.push({ field: "alerts", problem: "It would silence nothing", remedy: "Give alerts, rules or a scope" });
  }
  return problems;
}
