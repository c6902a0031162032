import type { Condition, ConditionKind, Rule, Scope, SignalView } from "#protocol/alerting.ts";
import { formatFigure } from "./alert-figures.ts";
import type { Translate } from "./text.ts";
import { formatDuration } from "./units.ts";

export const conditionKinds = [
  "threshold",
  "state",
  "absence",
  "age",
  "rate-of-change",
  "increase",
  "forecast",
  "baseline",
] as const satisfies readonly ConditionKind[];

/** What a scope's fields are called in sentences; English, to be translated. */
const scopeWordsOf: [field: Exclude<keyof Scope, "except" | "expression">, words: string][] = [
  ["clusters", "in cluster {list}"],
  ["nodes", "on {list}"],
  ["guests", "guests {list}"],
  ["storages", "storages {list}"],
  ["tags", "with tag {list}"],
  ["pools", "in pool {list}"],
  ["types", "of type {list}"],
  ["entities", "{list}"],
  ["instances", "for {list}"],
];

/** `everything`, or `on pve1, with tag prod, except guests 100`. */
export function scopeText(scope: Scope, t: Translate): string {
  const parts = fieldsText(scope, t);
  const except = scope.except === undefined ? [] : fieldsText(scope.except, t);
  const words = parts.length === 0 ? t("everything") : parts.join(", ");
  return except.length === 0 ? words : t("{scope}, except {except}", { scope: words, except: except.join(", ") });
}

function fieldsText(scope: Omit<Scope, "except">, t: Translate): string[] {
  const named = scopeWordsOf.flatMap(([field, words]) => {
    const list = scope[field];
    return list === undefined ? [] : [t(words, { list: list.join(", ") })];
  });
  return scope.expression === undefined ? named : [...named, t("where {expression}", { expression: scope.expression })];
}

/** Unit of a rule's figures; null: a plain number. */
export function unitOf(rule: Pick<Rule, "entity" | "condition">, signals: readonly SignalView[]): string | null {
  const { entity, condition } = rule;
  if (condition.kind === "age") return "seconds";
  if (condition.kind === "baseline") return "mads";
  if (condition.kind === "forecast") return "days";
  if (condition.kind === "absence") return "seconds";
  const found = (name: string) => signals.find((one) => one.entity === entity && one.signal === name);
  const signal = found(condition.signal);
  const unit = signal?.unit ?? null;
  const per = "per" in condition && condition.per !== undefined ? found(condition.per) : undefined;
  if (per !== undefined && per.unit === unit) return "ratio";
  if (unit === null || condition.kind === "increase") return unit;
  if (condition.kind === "rate-of-change") return `${unit}/h`;
  return signal?.counter === true ? `${unit}/s` : unit;
}

/** What it looks at, and in parts of what; empty where its kind says it. */
function signalName(condition: Condition): string {
  if (!("signal" in condition)) return "";
  return "per" in condition && condition.per ? `${condition.signal} / ${condition.per}` : condition.signal;
}

/** A condition in one line. */
export function conditionText(rule: Pick<Rule, "entity" | "condition">, signals: readonly SignalView[], t: Translate): string {
  const { condition } = rule;
  const figure = (value: number) => formatFigure(value, unitOf(rule, signals));
  const name = signalName(condition);
  switch (condition.kind) {
    case "threshold": {
      const values = { name, trigger: figure(condition.trigger), clear: figure(condition.clear) };
      return condition.direction === "above"
        ? t("{name} above {trigger}, over at {clear}", values)
        : t("{name} below {trigger}, over at {clear}", values);
    }
    case "rate-of-change":
      return t("{name} changes by more than {trigger}", { name, trigger: figure(condition.trigger) });
    case "absence":
      return t("no {name} for {time}", { name, time: formatDuration(condition.absentSec) });
    case "state":
      return t("{name} is {states}", { name, states: condition.is.join(", ") });
    case "age":
      return ageText(condition, t);
    case "forecast":
      return t("{name} is full within {days} days", { name, days: condition.withinDays });
    case "increase":
      return t("{name} grows by {by} within {time}", {
        name,
        by: figure(condition.by),
        time: formatDuration(condition.windowSec),
      });
    case "baseline":
      return t("{name} is unlike this hour of the week", { name });
  }
}

function ageText({ of, maxSec }: Condition & { kind: "age" }, t: Translate): string {
  if (maxSec === "schedule") return t("newest {of} is later than its own calendar says", { of: t(of) });
  const values = { of: t(of), time: formatDuration(maxSec) };
  return of === "certificate" ? t("certificate ends within {time}", values) : t("newest {of} is older than {time}", values);
}

/** A condition of another kind about the same signal, to begin with. */
export function blankCondition(kind: ConditionKind, signal: string): Condition {
  switch (kind) {
    case "threshold":
      return { kind, signal, direction: "above", trigger: 0.9, clear: 0.8 };
    case "rate-of-change":
      return { kind, signal, direction: "above", trigger: 0.1, clear: 0.05, windowSec: 3600 };
    case "absence":
      return { kind, signal, absentSec: 300 };
    case "state":
      return { kind, signal, is: [""] };
    case "age":
      return { kind, of: "backup", maxSec: "schedule", graceSec: 21_600 };
    case "forecast":
      return { kind, signal, capacity: 1, withinDays: 7 };
    case "increase":
      return { kind, signal, by: 1, windowSec: 86_400 };
    case "baseline":
      return { kind, signal, mads: 6 };
  }
}

/** A new rule to be filled in. */
export const blankRule = (): Rule => ({
  id: "",
  name: "",
  enabled: true,
  severity: "warning",
  entity: "guest",
  scope: {},
  condition: blankCondition("threshold", "cpu"),
  forSec: 300,
  clearForSec: 60,
  inhibits: false,
  overrides: [],
  shipped: false,
});

/** An id made of a name: `Web server busy!` becomes `web-server-busy`. */
export const slugOf = (name: string): string =>
  name
    .toLowerCase()
    .normalize("NFD")
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 64);

/** A list typed with commas; undefined: nothing is there. */
export function parseList(text: string): string[] | undefined {
  const words = text
    .split(/[,\n]/)
    .map((word) => word.trim())
    .filter((word) => word !== "");
  return words.length === 0 ? undefined : words;
}

export type ScopeField = "nodes" | "guests" | "storages" | "tags" | "pools" | "types" | "instances" | "expression";

/** A scope with one of its fields as it was typed; an empty text takes the field out. */
export function withScopeField(scope: Scope, field: ScopeField, typed: string): Scope {
  const { [field]: _, ...rest } = scope;
  if (field === "expression") return typed.trim() === "" ? rest : { ...rest, expression: typed.trim() };
  const words = parseList(typed);
  if (words === undefined) return rest;
  return { ...rest, [field]: field === "guests" ? words.map(Number) : words };
}

export const scopeFieldText = (scope: Omit<Scope, "except">, field: ScopeField): string => {
  const value = scope[field];
  return typeof value === "string" ? value : (value ?? []).join(", ");
};
