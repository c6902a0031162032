import type { Condition, FieldProblem, Rule, Scope, Severity } from "#protocol/alerting.ts";
import type { EntityKind } from "#protocol/ids.ts";
import { type Metric, metricByName, metrics } from "#protocol/metrics.ts";
import { parseExpression } from "./scope-expression.ts";
import { factSignals, type Signal, signalKey, signalOf } from "./signals.ts";

/** Where a rule's values come from. Forecasts are days until full, baselines are distances in MADs: both are worked out now and then. */
export type Source =
  /** `raw`: a counter as it stands, not its rate. */
  | { kind: "signal"; signal: Signal; raw: boolean }
  | { kind: "forecast"; metric: Metric; capacity: Metric | number }
  | { kind: "baseline"; metric: Metric; per: Metric | undefined };

export type Test =
  /** Breached strictly beyond `trigger`, over at `clear`; between them what was stays. */
  | { kind: "bound"; direction: "above" | "below"; trigger: number; clear: number }
  /** `unknown`: the state's own word for that nobody can tell; undefined: it has none, or the rule is about it. */
  | { kind: "state"; codes: ReadonlySet<number>; unknown: number | undefined }
  | { kind: "absence"; absentMs: number };

export type WindowKind = "avg" | "min" | "max" | "per-hour" | "increase";

/** A rule as it counts for some entities: overrides applied, names resolved. */
export type Plan = {
  rule: Rule;
  /** Plans of one rule differ by the override that made them; -1: none. */
  override: number;
  source: Source;
  test: Test;
  window: { kind: WindowKind; ms: number } | undefined;
  forMs: number;
  clearForMs: number;
  severity: Severity;
  /** For messages: the figure that was crossed. */
  threshold: number | null;
};

/** Sources with the same key share one slot per entity. */
export function sourceKey(source: Source): string {
  if (source.kind === "signal") return `${signalKey(source.signal)}${source.raw ? "=raw" : ""}`;
  if (source.kind === "baseline") return `baseline:${source.metric.name}${source.per ? `/${source.per.name}` : ""}`;
  const { capacity } = source;
  return `forecast:${source.metric.name}/${typeof capacity === "number" ? capacity : capacity.name}`;
}

const ageSignals = {
  backup: "backup_age",
  snapshot: "snapshot_age",
  scrub: "scrub_age",
  replication: "replication_age",
  certificate: "certificate_left",
} as const;
const ageEntities: Record<keyof typeof ageSignals, EntityKind> = {
  backup: "guest",
  snapshot: "guest",
  scrub: "zpool",
  replication: "guest",
  certificate: "node",
};
const overdueSignals: Partial<Record<keyof typeof ageSignals, string>> = {
  backup: "backup_overdue",
  replication: "replication_overdue",
};

/** Undefined for a rule that checkRule refuses, and for an override that switches the rule off. `override`: index, -1 for none. */
export function planOf(rule: Rule, override: number): Plan | undefined {
  const change = rule.overrides[override];
  if (!(change?.enabled ?? rule.enabled)) return undefined;
  const condition = change === undefined ? rule.condition : overridden(rule.condition, change.trigger, change.clear);
  const parts = partsOf(rule.entity, condition);
  if (parts === undefined) return undefined;
  const { test } = parts;
  return {
    rule,
    override,
    ...parts,
    forMs: (change?.forSec ?? rule.forSec) * 1000,
    clearForMs: rule.clearForSec * 1000,
    severity: condition.kind === "baseline" ? "info" : (change?.severity ?? rule.severity),
    threshold: test.kind === "bound" ? test.trigger : test.kind === "absence" ? test.absentMs / 1000 : null,
  };
}

function overridden(condition: Condition, trigger: number | undefined, clear: number | undefined): Condition {
  switch (condition.kind) {
    case "threshold":
    case "rate-of-change":
      // A trigger of its own without a clear keeps the rule's distance between them.
      return {
        ...condition,
        trigger: trigger ?? condition.trigger,
        clear: clear ?? condition.clear + ((trigger ?? condition.trigger) - condition.trigger),
      };
    case "absence":
      return { ...condition, absentSec: trigger ?? condition.absentSec };
    case "age":
      return condition.maxSec === "schedule"
        ? { ...condition, graceSec: trigger ?? condition.graceSec ?? 0 }
        : { ...condition, maxSec: trigger ?? condition.maxSec };
    case "forecast":
      return { ...condition, withinDays: trigger ?? condition.withinDays };
    case "increase":
      return { ...condition, by: trigger ?? condition.by };
    case "baseline":
      return { ...condition, mads: trigger ?? condition.mads };
    case "state":
      return condition;
  }
}

type Parts = Pick<Plan, "source" | "test" | "window">;

/** Words of a proof that its `unknown` takes back: a test ran and proved nothing, and no policy calls that late. */
const takenBack: ReadonlySet<string> = new Set(["overdue", "never"]);

function partsOf(entity: EntityKind, condition: Condition): Parts | undefined {
  switch (condition.kind) {
    case "threshold": {
      const { direction, trigger, clear, window } = condition;
      const test: Test = { kind: "bound", direction, trigger, clear };
      return onSignal(entity, condition, test, window && { kind: window.aggregate, ms: window.sec * 1000 });
    }
    case "rate-of-change": {
      const { direction, trigger, clear, windowSec } = condition;
      return onSignal(
        entity,
        condition,
        { kind: "bound", direction, trigger, clear },
        { kind: "per-hour", ms: windowSec * 1000 },
      );
    }
    case "increase": {
      // `at least`, where a bound is crossed only beyond it.
      const trigger = condition.by * (1 - 1e-9);
      const test: Test = { kind: "bound", direction: "above", trigger, clear: 0 };
      return onSignal(entity, condition, test, { kind: "increase", ms: condition.windowSec * 1000 });
    }
    case "absence":
      return onSignal(entity, condition, { kind: "absence", absentMs: condition.absentSec * 1000 });
    case "state": {
      const signal = signalOf(entity, condition.signal);
      const codes = condition.is.map((word) => signal?.values?.indexOf(word) ?? -1);
      if (signal === undefined || codes.some((code) => code < 0)) return undefined;
      const unknown = signal.values?.indexOf("unknown") ?? -1;
      const isKept = unknown >= 0 && !codes.includes(unknown) && !condition.is.every((word) => takenBack.has(word));
      return {
        source: { kind: "signal", signal, raw: false },
        test: { kind: "state", codes: new Set(codes), unknown: isKept ? unknown : undefined },
        window: undefined,
      };
    }
    case "age":
      return agePlan(entity, condition);
    case "forecast":
      return forecastPlan(entity, condition);
    case "baseline": {
      const metric = metricByName(entity, condition.signal);
      const per = condition.per === undefined ? undefined : metricByName(entity, condition.per);
      if (metric === undefined) return undefined;
      const test: Test = { kind: "bound", direction: "above", trigger: condition.mads, clear: condition.mads * 0.75 };
      return { source: { kind: "baseline", metric, per }, test, window: undefined };
    }
  }
}

function onSignal(
  entity: EntityKind,
  { signal: name, per }: { signal: string; per?: string | undefined },
  test: Test,
  window?: Plan["window"],
): Parts | undefined {
  const signal = signalOf(entity, name, per);
  const raw = window?.kind === "increase";
  return signal === undefined ? undefined : { source: { kind: "signal", signal, raw }, test, window };
}

function agePlan(entity: EntityKind, { of, maxSec, graceSec = 0 }: Condition & { kind: "age" }): Parts | undefined {
  if (maxSec === "schedule") {
    const overdue = overdueSignals[of];
    if (overdue === undefined) return undefined;
    return onSignal(entity, { signal: overdue }, { kind: "bound", direction: "above", trigger: graceSec, clear: 0 });
  }
  const direction = of === "certificate" ? "below" : "above";
  return onSignal(entity, { signal: ageSignals[of] }, { kind: "bound", direction, trigger: maxSec, clear: maxSec });
}

function forecastPlan(entity: EntityKind, { signal, capacity, withinDays }: Condition & { kind: "forecast" }): Parts | undefined {
  const metric = metricByName(entity, signal);
  const full = typeof capacity === "number" ? capacity : metricByName(entity, capacity);
  if (metric === undefined || full === undefined) return undefined;
  // A fit moves from hour to hour: it must say a fifth later before it is believed.
  const test: Test = { kind: "bound", direction: "below", trigger: withinDays, clear: withinDays * 1.2 };
  return { source: { kind: "forecast", metric, capacity: full }, test, window: undefined };
}

/** What is wrong with a rule; empty: it can be saved. */
export function checkRule(rule: Rule): FieldProblem[] {
  const problems = checkCondition(rule.entity, rule.condition, "condition");
  problems.push(...checkScope(rule.scope, "scope"));
  if (rule.condition.kind === "baseline" && rule.severity !== "info") {
    problems.push({
      field: "severity",
      problem: "A deviation from the usual is information",
      remedy: "Use info, or a threshold",
    });
  }
  rule.overrides.forEach((override, index) => {
    const field = `overrides.${index}`;
    problems.push(...checkScope(override.scope, `${field}.scope`));
    const changed = overridden(rule.condition, override.trigger, override.clear);
    if (override.trigger !== undefined || override.clear !== undefined) problems.push(...checkSides(changed, field));
  });
  return problems;
}

export function checkScope(scope: Scope, field: string): FieldProblem[] {
  return [scope, ...(scope.except === undefined ? [] : [scope.except])].flatMap(({ expression }, index) => {
    const parsed = expression === undefined ? undefined : parseExpression(expression);
    if (parsed === undefined || parsed.ok) return [];
    const place = index === 0 ? `${field}.expression` : `${field}.except.expression`;
    return [{ field: place, problem: parsed.problem, remedy: "For example: tag=prod and not name=test*" }];
  });
}

function checkCondition(entity: EntityKind, condition: Condition, field: string): FieldProblem[] {
  switch (condition.kind) {
    case "threshold":
    case "rate-of-change":
      return [...checkSignal(entity, condition, field), ...checkSides(condition, field)];
    case "absence":
    case "increase":
      return checkSignal(entity, condition, field);
    case "state":
      return checkStates(entity, condition, field);
    case "age":
      return checkAge(entity, condition, field);
    case "forecast":
    case "baseline": {
      const problems = checkSignal(entity, { signal: condition.signal }, field, "metric");
      const other = condition.kind === "forecast" ? condition.capacity : condition.per;
      const name = condition.kind === "forecast" ? "capacity" : "per";
      if (typeof other !== "string") return problems;
      return [...problems, ...checkSignal(entity, { signal: other }, field, "metric", name)];
    }
  }
}

function checkSignal(
  entity: EntityKind,
  { signal, per }: { signal: string; per?: string | undefined },
  field: string,
  wanted: "any" | "metric" = "any",
  name = "signal",
): FieldProblem[] {
  const found = signalOf(entity, signal);
  if (found === undefined || (wanted === "metric" && found.kind !== "metric")) {
    const known = wanted === "metric" ? metricNames(entity) : [...metricNames(entity), ...factNames(entity)];
    return [{ field: `${field}.${name}`, problem: `A ${entity} has no '${signal}'`, remedy: `One of: ${known.join(", ")}` }];
  }
  if (per === undefined || signalOf(entity, signal, per) !== undefined) return [];
  return [
    { field: `${field}.per`, problem: `A ${entity} has no metric '${per}'`, remedy: `One of: ${metricNames(entity).join(", ")}` },
  ];
}

const metricNames = (entity: EntityKind) => metrics.filter((metric) => metric.entity === entity).map(({ name }) => name);
const factNames = (entity: EntityKind) =>
  Object.entries(factSignals).flatMap(([name, fact]) => (fact.entity === entity ? [name] : []));

function checkSides(condition: Condition, field: string): FieldProblem[] {
  if (condition.kind !== "threshold" && condition.kind !== "rate-of-change") return [];
  const { direction, trigger, clear } = condition;
  const wrong = direction === "above" ? clear > trigger : clear < trigger;
  if (!wrong) return [];
  const side = direction === "above" ? "at or below" : "at or above";
  return [
    {
      field: `${field}.clear`,
      problem: `clear ${clear} is on the wrong side of trigger ${trigger}: the alert would be over before it begins`,
      remedy: `A clear ${side} ${trigger}`,
    },
  ];
}

function checkStates(entity: EntityKind, condition: Condition & { kind: "state" }, field: string): FieldProblem[] {
  const problems = checkSignal(entity, condition, field);
  if (problems.length > 0) return problems;
  const values = signalOf(entity, condition.signal)?.values;
  if (values === undefined) {
    return [{ field: `${field}.signal`, problem: `'${condition.signal}' is a number, not a state`, remedy: "Use a threshold" }];
  }
  const unknown = condition.is.filter((word) => !values.includes(word));
  if (unknown.length === 0) return [];
  return [
    {
      field: `${field}.is`,
      problem: `'${condition.signal}' is never '${unknown.join("', '")}'`,
      remedy: `Any of: ${values.join(", ")}`,
    },
  ];
}

function checkAge(entity: EntityKind, { of, maxSec }: Condition & { kind: "age" }, field: string): FieldProblem[] {
  if (entity !== ageEntities[of]) {
    return [{ field: "entity", problem: `The age of a ${of} is no matter of a ${entity}`, remedy: `Use ${ageEntities[of]}` }];
  }
  if (maxSec !== "schedule" || overdueSignals[of] !== undefined) return [];
  return [{ field: `${field}.maxSec`, problem: `A ${of} has no calendar of its own`, remedy: "Give the seconds" }];
}
