import type { Scope } from "#protocol/alerting.ts";
import { type ClusterId, type EntityKey, type EntityKind, type NodeName, vmidOfKey } from "#protocol/ids.ts";
import { oncePer } from "./once-per.ts";
import { type Expression, parseExpression } from "./scope-expression.ts";

/** What rules, silences, windows and routes may ask about an entity. */
export type EntityFacts = {
  cluster: ClusterId;
  entity: EntityKey;
  kind: EntityKind;
  /** 1 for what has no incarnations. */
  incarnation: number;
  /** Where it is now; undefined for what belongs to the cluster. */
  node: NodeName | undefined;
  /** `qemu`, `lxc`, a storage's type; empty otherwise. */
  type: string;
  name: string;
  /** `web (VM 100)`: how people call it. */
  title: string;
  tags: readonly string[];
  pool: string | undefined;
  /** Storages it lies on; its own id for a storage. */
  storages: readonly string[];
  /** Of a storage: the thin or ZFS pool whose space it hands out, where that is known. */
  spaceOf?: EntityKey | undefined;
};

export type Matcher = (facts: EntityFacts, instance: string | null) => boolean;

const everything: Matcher = () => true;

/** Compiled once per scope. An expression that doesn't parse matches nothing: validation refuses it before it is stored. */
export const matcherOf = oncePer(({ except, ...fields }: Scope): Matcher => {
  const included = matcherOfFields(fields);
  const excluded = except === undefined ? undefined : matcherOfFields(except);
  return excluded === undefined ? included : (facts, instance) => included(facts, instance) && !excluded(facts, instance);
});

function matcherOfFields(fields: Omit<Scope, "except">): Matcher {
  const tests: Matcher[] = [];
  const { clusters, entities, guests, nodes, storages, tags, pools, types, instances, expression } = fields;
  if (clusters) tests.push((facts) => clusters.includes(facts.cluster));
  if (entities) tests.push((facts) => entities.includes(facts.entity));
  if (guests) {
    const keys = new Set(guests.map((vmid) => `guest/${vmid}`));
    tests.push((facts) => keys.has(facts.entity));
  }
  if (nodes) tests.push((facts) => facts.node !== undefined && nodes.includes(facts.node));
  if (storages) tests.push((facts) => facts.storages.some((storage) => storages.includes(storage)));
  if (tags) tests.push((facts) => facts.tags.some((tag) => tags.some((wanted) => isBelow(tag, wanted, "."))));
  if (pools) tests.push(({ pool }) => pool !== undefined && pools.some((wanted) => isBelow(pool, wanted, "/")));
  if (types) tests.push((facts) => types.includes(facts.type));
  if (instances) {
    const fits = instances.map(globMatcher);
    tests.push((_, instance) => instance !== null && fits.some((fit) => fit(instance)));
  }
  if (expression !== undefined) {
    const parsed = parseExpression(expression);
    tests.push((facts) => parsed.ok && evaluateExpression(parsed.expression, facts));
  }
  const [only] = tests;
  if (only === undefined) return everything;
  return tests.length === 1 ? only : (facts, instance) => tests.every((test) => test(facts, instance));
}

/** Does `name` equal `wanted`, or lie below it? PVE lower-cases tags unless told otherwise: case does not count. */
export function isBelow(name: string, wanted: string, separator: string): boolean {
  const [a, b] = [name.toLowerCase(), wanted.toLowerCase()];
  return a === b || a.startsWith(b + separator);
}

/**
 * Does a text fit, where `*` stands for any text and case does not count? Piece by piece and never back: a regular expression of many `.*`
 * would try every way to share the text among them.
 */
export function globMatcher(glob: string): (text: string) => boolean {
  const pieces = glob.toLowerCase().split("*");
  const [first = "", ...others] = pieces;
  const last = others.pop();
  if (last === undefined) return (text) => text.toLowerCase() === first;
  return (given) => {
    const text = given.toLowerCase();
    const end = text.length - last.length;
    if (end < first.length || !text.startsWith(first) || !text.endsWith(last)) return false;
    let at = first.length;
    for (const piece of others) {
      const found = text.indexOf(piece, at);
      if (found < 0) return false;
      at = found + piece.length;
    }
    return at <= end;
  };
}

function evaluateExpression(expression: Expression, facts: EntityFacts): boolean {
  switch (expression.is) {
    case "and":
      return evaluateExpression(expression.left, facts) && evaluateExpression(expression.right, facts);
    case "or":
      return evaluateExpression(expression.left, facts) || evaluateExpression(expression.right, facts);
    case "not":
      return !evaluateExpression(expression.of, facts);
    case "test":
      return fieldTests[expression.field](facts, expression.value);
  }
}

const same = (value: string | undefined, wanted: string) => value !== undefined && globMatcher(wanted)(value);

const fieldTests: Record<(Expression & { is: "test" })["field"], (facts: EntityFacts, wanted: string) => boolean> = {
  tag: (facts, wanted) => facts.tags.some((tag) => isBelow(tag, wanted, ".") || same(tag, wanted)),
  pool: ({ pool }, wanted) => pool !== undefined && (isBelow(pool, wanted, "/") || same(pool, wanted)),
  node: (facts, wanted) => same(facts.node, wanted),
  name: (facts, wanted) => same(facts.name, wanted),
  type: (facts, wanted) => same(facts.type, wanted),
  kind: (facts, wanted) => same(facts.kind, wanted),
  entity: (facts, wanted) => same(facts.entity, wanted),
  storage: (facts, wanted) => facts.storages.some((storage) => same(storage, wanted)),
  cluster: (facts, wanted) => same(facts.cluster, wanted),
  vmid: (facts, wanted) => {
    const [from, to = from] = wanted.split("..").map(Number);
    const vmid = vmidOfKey(facts.entity) ?? Number.NaN;
    return vmid >= (from ?? Number.NaN) && vmid <= (to ?? Number.NaN);
  },
};
