import type { Rule } from "#protocol/alerting.ts";
import type { EpochMs } from "#protocol/ids.ts";
import type { Plan } from "./rule.ts";
import { isSame, round } from "./text-numbers.ts";
import { untoldMs } from "./untold.ts";

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

/** An alert's sentence: the first line of its text. What stands below it, as the end of a log, belongs in no title. */
export const headlineOf = (text: string): string => text.split("\n", 1)[0] ?? "";

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

/** `{name}`, or `{value:sector|sectors}`: with the noun that goes with one or with several. */
const placeholder = /\{(\w+)(?::([^{}|]*)\|([^{}|]*))?\}/g;

/** Names come from guests: none begins a line of its own. */
const withoutBreaks = (name: string): string => name.replace(/[\n\r\u0085\u2028\u2029]+/g, " ");

type Age = Extract<Rule["condition"], { kind: "age" }>;
const aged: Record<Age["of"], (time: string) => string> = {
  backup: (time) => `has had no good backup for ${time}`,
  snapshot: (time) => `has a snapshot that is ${time} old`,
  scrub: (time) => `was not scrubbed for ${time}`,
  replication: (time) => `was not replicated for ${time}`,
  certificate: (time) => `has a certificate that ends in ${time}`,
};

/** `time`: since then, or past what its own calendar says. */
const agedText = ({ of, maxSec }: Age, time: string): string =>
  maxSec === "schedule" ? `misses a ${of} that was due ${time} ago` : aged[of](time);

/** The sentence of an alert: the rule's own with its placeholders filled, or one made from the condition. */
export function alertText(plan: Plan, given: TextFacts): string {
  const { rule, threshold, test } = plan;
  const facts = { ...given, title: withoutBreaks(given.title), instance: given.instance && withoutBreaks(given.instance) };
  const unit = unitOf(plan);
  const value = facts.valueText ?? (facts.value === null ? "unknown" : valueText(facts.value, unit));
  const limit = threshold === null ? "" : valueText(threshold, unit);
  if (rule.text !== undefined) {
    const fill = new Map<string, string>(
      Object.entries({
        name: facts.title,
        node: facts.node ?? "the cluster",
        value,
        threshold: limit,
        instance: facts.instance ?? "",
        since: facts.activeAt === null ? "" : new Date(facts.activeAt).toISOString(),
      }),
    );
    return rule.text.replace(placeholder, (all, key: string, one?: string, many?: string) => {
      const filled = fill.get(key);
      return filled === undefined || many === undefined ? (filled ?? all) : `${filled} ${filled === "1" ? one : many}`;
    });
  }
  const about = facts.instance === null ? facts.title : `${facts.title}, ${facts.instance}`;
  if (test.kind === "absence") return `${rule.name}: ${about} has sent nothing for ${limit}`;
  if (test.kind === "state") return `${rule.name}: ${about} is ${value}`;
  if (rule.condition.kind === "age") return `${rule.name}: ${about} ${agedText(rule.condition, value)}`;
  return `${rule.name}: ${about} is at ${value}, ${test.direction} ${limit}`;
}

/** Words that say nothing without their question. */
const bareWords = new Set(["yes", "no"]);

export type EndFacts = { reason: string; title: string; instance: string | null; value: number | null; worst: number | null };

const aboutText = (ruleName: string, title: string, instance: string | null) =>
  `${ruleName}, ${title}${instance === null ? "" : `, ${instance}`}`;

/** Why an alert ends that nobody judges any more. */
const lostReasons = {
  gone: "it is no more",
  "rule-changed": "its rule was changed",
  untold: `nobody has told of it for ${durationText(untoldMs)}`,
};
export type LostReason = keyof typeof lostReasons;
export const isLost = (reason: string): reason is LostReason => Object.hasOwn(lostReasons, reason);

/** The sentence of an alert that ended because nobody looks any more. */
export function lostText(reason: LostReason, ruleName: string, title: string, instance: string | null): string {
  return `${aboutText(ruleName, title, instance)}: ${lostReasons[reason]}`;
}

/** The sentence of an alert that is over: what it was, how it is now and how bad it got. Nothing is said of figures that nobody has. */
export function endText(plan: Plan, { reason, title, instance, value, worst }: EndFacts): string {
  if (isLost(reason)) return lostText(reason, plan.rule.name, title, instance);
  const about = aboutText(plan.rule.name, title, instance);
  const unit = unitOf(plan);
  if (plan.test.kind === "absence") return `${about}: sends again`;
  if (plan.test.kind === "state") {
    const word = value === null ? null : stateWord(plan, value);
    return word === null || bareWords.has(word) ? about : `${about}: ${word} again`;
  }
  const again = value === null || (value === 0 && unit === "seconds") ? undefined : valueText(value, unit);
  const reached = worst === null ? undefined : valueText(worst, unit);
  const figures = [
    ...(again === undefined ? [] : [`${again} again`]),
    ...(reached === undefined || reached === again ? [] : [`worst ${reached}`]),
  ];
  return figures.length === 0 ? about : `${about}: ${figures.join(", ")}`;
}

/** An alert says the same as before when only its figure moved a little: it is not stored again for that. */
export function sameFigure(a: number | null, b: number | null): boolean {
  return a === b || (a !== null && b !== null && isSame(a, b));
}
