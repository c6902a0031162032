import type { AlertView, Severity } from "#protocol/alerting.ts";
import { severities } from "#protocol/alerting.ts";
import type { EpochMs } from "#protocol/ids.ts";
import type { Notification } from "#protocol/notifications.ts";
import type { Plan } from "./rule.ts";
import { isSame, round } from "./text-numbers.ts";

/** Figures and sentences of alerts: what people read. */

const powers = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

function bytesText(value: number): string {
  let [scaled, power] = [value, 0];
  while (Math.abs(scaled) >= 1024 && power < powers.length - 1) [scaled, power] = [scaled / 1024, power + 1];
  return `${round(scaled)} ${powers[power]}`;
}

/** `45 s`, `12 min`, `3 h 20 min`, `4 d 6 h`. */
export function durationText(ms: number): string {
  const total = Math.round(Math.abs(ms) / 1000);
  const sign = ms < 0 ? "−" : "";
  if (total < 120) return `${sign}${total} s`;
  const minutes = Math.round(total / 60);
  if (minutes < 120) return `${sign}${minutes} min`;
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
  if (hours < 48) return `${sign}${hours} h${rest === 0 ? "" : ` ${rest} min`}`;
  const days = Math.floor(hours / 24);
  return `${sign}${days} d${hours % 24 === 0 ? "" : ` ${hours % 24} h`}`;
}

export function valueText(value: number, unit: string | null): string {
  switch (unit) {
    case "ratio":
      return `${round(value * 100)} %`;
    case "percent":
      return `${round(value)} %`;
    case "bytes":
      return bytesText(value);
    case "bytes/s":
      return `${bytesText(value)}/s`;
    case "seconds":
      return durationText(value * 1000);
    case "milliseconds":
      return `${round(value)} ms`;
    case "celsius":
      return `${round(value)} °C`;
    case "days":
      return `${round(value)} days`;
    case "mads":
      return `${round(value)} × the usual spread`;
    default:
      return unit === null || ["count", "code", "bool", "operations"].includes(unit) ? round(value) : `${round(value)} ${unit}`;
  }
}

/** Unit of a plan's figure; null: it has none. */
export function unitOf({ source, window, test }: Plan): string | null {
  if (test.kind === "absence") return "seconds";
  if (source.kind === "forecast") return "days";
  if (source.kind === "baseline") return "mads";
  const { signal } = source;
  const unit = signal.unit ?? null;
  if (window?.kind === "per-hour") return unit === null ? null : `${unit}/h`;
  const isRate = signal.kind === "metric" && signal.metric.kind === "counter" && window?.kind !== "increase";
  return isRate && unit !== null ? `${unit}/s` : unit;
}

/** A state's word. */
export function stateWord({ source }: Plan, value: number): string | null {
  return source.kind === "signal" ? (source.signal.values?.[value] ?? null) : null;
}

export type TextFacts = {
  title: string;
  node: string | null;
  instance: string | null;
  value: number | null;
  valueText: string | null;
  activeAt: EpochMs | null;
};

/** The sentence of an alert: the rule's own with its placeholders filled, or one made from the condition. */
export function alertText(plan: Plan, facts: TextFacts): string {
  const { rule, threshold, test } = plan;
  const unit = unitOf(plan);
  const value = facts.valueText ?? (facts.value === null ? "unknown" : valueText(facts.value, unit));
  const limit = threshold === null ? "" : valueText(threshold, unit);
  if (rule.text !== undefined) {
    const fill: Record<string, string> = {
      name: facts.title,
      node: facts.node ?? "the cluster",
      value,
      threshold: limit,
      instance: facts.instance ?? "",
      since: facts.activeAt === null ? "" : new Date(facts.activeAt).toISOString(),
    };
    return rule.text.replace(/\{(\w+)\}/g, (all, key: string) => fill[key] ?? all);
  }
  const about = facts.instance === null ? facts.title : `${facts.title}, ${facts.instance}`;
  if (test.kind === "absence") return `${rule.name}: ${about} has sent nothing for ${limit}`;
  if (test.kind === "state") return `${rule.name}: ${about} is ${value}`;
  return `${rule.name}: ${about} is at ${value}, ${test.direction} ${limit}`;
}

const worst = (alerts: readonly Pick<AlertView, "severity">[]): Severity =>
  severities[Math.max(0, ...alerts.map(({ severity }) => severities.indexOf(severity)))] ?? "info";

export function severityOf(alerts: readonly Pick<AlertView, "severity" | "state">[]): Severity {
  const firing = alerts.filter(({ state }) => state === "firing");
  return worst(firing.length > 0 ? firing : alerts);
}

/** First line of a message. */
export function verdictOf(reason: Notification["reason"], alerts: readonly AlertView[], more: number, now: EpochMs): string {
  const [first] = alerts;
  if (first === undefined) return "Nothing is wrong";
  const firing = alerts.filter(({ state }) => state === "firing");
  const others = alerts.length - 1 + more;
  const and = others > 0 ? ` (and ${others} more)` : "";
  const lasted = first.firedAt === null ? "" : durationText((first.resolvedAt ?? now) - first.firedAt);
  const cause = first.affected.length > 0 ? `; takes along ${listText(first.affected)}` : "";
  switch (reason) {
    case "all-resolved":
      return `RESOLVED after ${lasted}: ${first.text}${and}`;
    case "repeat":
      return `STILL ${worst(firing).toUpperCase()} after ${lasted}: ${first.text}${and}${cause}`;
    case "escalation":
      return `ESCALATED, nobody took it for ${lasted}: ${first.text}${and}${cause}`;
    case "catch-up":
      return `CATCHING UP, ${worst(firing).toUpperCase()} for ${lasted}: ${first.text}${and}${cause}`;
    case "test":
      return `TEST: ${first.text}`;
    default:
      return `${worst(firing).toUpperCase()}: ${first.text}${and}${cause}`;
  }
}

/** At most so many names. */
function listText(titles: readonly string[], max = 20): string {
  const shown = titles.slice(0, max).join(", ");
  return titles.length > max ? `${shown} and ${titles.length - max} more` : shown;
}

/** An alert says the same as before when only its figure moved a little: it is not stored again for that. */
export function sameFigure(a: number | null, b: number | null): boolean {
  return a === b || (a !== null && b !== null && isSame(a, b));
}
