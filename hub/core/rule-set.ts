import type { Rule, Scope } from "#protocol/alerting.ts";
import { type Plan, planOf, type Source, sourceKey } from "./rule.ts";
import { type EntityFacts, type Matcher, matcherOf } from "./scope.ts";

/** The plans that judge one slot, sorted so that a value passes only those it crosses. One object serves all slots with the same plans. */
export type RuleSet = {
  /** By rising trigger. */
  above: readonly Plan[];
  /** By falling trigger. */
  below: readonly Plan[];
  states: readonly Plan[];
  absences: readonly Plan[];
  windowed: readonly Plan[];
};

/** All plans that read one source. */
type SourceRules = {
  source: Source;
  rules: { rule: Rule; plans: (Plan | undefined)[]; scope: number; overrides: readonly number[] }[];
  /** Of all scopes that these rules have, each once. */
  scopes: Set<number>;
  /** What counts where these of the scopes hold, by a mark for each. */
  found: Map<string, RuleSet | undefined>;
};

/** Compiles rules, and says which of them count for an entity. */
export class RuleBook {
  private readonly matchers: Matcher[] = [];
  private readonly matcherIds = new Map<string, number>();
  private readonly byKind = new Map<string, Map<string, SourceRules>>();
  /** Of each kind that was asked for: rules are all added by then. */
  private readonly listed = new Map<string, readonly (readonly [key: string, source: Source])[]>();
  private readonly sets = new Map<string, RuleSet>();
  private readonly planIds = new Map<Plan, number>();

  constructor(rules: readonly Rule[]) {
    for (const rule of rules) this.add(rule);
  }

  /** Sources that rules about this kind of entity read, by key. */
  sourcesOf(kind: string): readonly (readonly [key: string, source: Source])[] {
    const known = this.listed.get(kind);
    if (known !== undefined) return known;
    const listed = [...(this.byKind.get(kind) ?? [])].map(([key, { source }]) => [key, source] as const);
    this.listed.set(kind, listed);
    return listed;
  }

  /** Asks about many entities: each scope is looked at once, however many rules have it, and what follows from them is worked out once. */
  setFor(key: string, facts: EntityFacts, instance: string | null): RuleSet | undefined {
    const found = this.byKind.get(facts.kind)?.get(key);
    if (found === undefined) return undefined;
    const held = new Set<number>();
    for (const id of found.scopes) if (this.matchers[id]?.(facts, instance)) held.add(id);
    const mark = [...held].join(" ");
    if (found.found.has(mark)) return found.found.get(mark);
    const plans = found.rules.flatMap(({ plans: variants, scope, overrides }): Plan[] => {
      // Index 0 is the rule itself.
      const plan = held.has(scope) ? variants[overrides.findIndex((id) => held.has(id)) + 1] : undefined;
      return plan === undefined ? [] : [plan];
    });
    const set = plans.length === 0 ? undefined : this.intern(plans);
    found.found.set(mark, set);
    return set;
  }

  /** Whether a rule counts for an entity, whatever it reads. */
  counts(rule: string, facts: EntityFacts, instance: string | null): boolean {
    return this.sourcesOf(facts.kind).some(([key]) => {
      const set = this.setFor(key, facts, instance);
      return set !== undefined && plansOf(set).some((plan) => plan.rule.id === rule);
    });
  }

  private add(rule: Rule): void {
    const variants = [-1, ...rule.overrides.keys()].map((override) => planOf(rule, override));
    const sample = variants.find((plan) => plan !== undefined);
    if (sample === undefined) return;
    const sources = this.byKind.get(rule.entity) ?? new Map<string, SourceRules>();
    this.byKind.set(rule.entity, sources);
    const key = sourceKey(sample.source);
    const entry: SourceRules = sources.get(key) ?? {
      source: sample.source,
      rules: [],
      scopes: new Set<number>(),
      found: new Map(),
    };
    sources.set(key, entry);
    for (const plan of variants) if (plan !== undefined) this.planIds.set(plan, this.planIds.size);
    const scope = this.matcher(rule.scope);
    const overrides = rule.overrides.map((override) => this.matcher(override.scope));
    for (const id of [scope, ...overrides]) entry.scopes.add(id);
    entry.rules.push({ rule, plans: variants, scope, overrides });
  }

  private matcher(scope: Scope): number {
    const text = JSON.stringify(scope);
    const known = this.matcherIds.get(text);
    if (known !== undefined) return known;
    this.matcherIds.set(text, this.matchers.length);
    return this.matchers.push(matcherOf(scope)) - 1;
  }

  private intern(plans: readonly Plan[]): RuleSet {
    const key = plans.map((plan) => this.planIds.get(plan)).join(" ");
    const known = this.sets.get(key);
    if (known !== undefined) return known;
    const set = setOf(plans);
    this.sets.set(key, set);
    return set;
  }
}

export const plansOf = (set: RuleSet): Plan[] => [...set.above, ...set.below, ...set.states, ...set.absences, ...set.windowed];

const triggerOf = (plan: Plan) => (plan.test.kind === "bound" ? plan.test.trigger : 0);

function setOf(plans: readonly Plan[]): RuleSet {
  const plain = plans.filter((plan) => plan.window === undefined);
  const bounds = (direction: string) => plain.filter(({ test }) => test.kind === "bound" && test.direction === direction);
  return {
    above: bounds("above").sort((a, b) => triggerOf(a) - triggerOf(b)),
    below: bounds("below").sort((a, b) => triggerOf(b) - triggerOf(a)),
    states: plain.filter(({ test }) => test.kind === "state"),
    absences: plain.filter(({ test }) => test.kind === "absence"),
    windowed: plans.filter((plan) => plan.window !== undefined),
  };
}
