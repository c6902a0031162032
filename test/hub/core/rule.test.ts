import assert from "node:assert/strict";
import { test } from "node:test";
import { type Condition, type Rule, ruleSchema } from "#protocol/alerting.ts";
import { type Route, routeSchema } from "#protocol/notifications.ts";
import { defaultRoute, defaultRules } from "../../../hub/core/default-rules.ts";
import { checkRoute } from "../../../hub/core/route.ts";
import { checkRule, planOf } from "../../../hub/core/rule.ts";
import { type EntityFacts, matcherOf } from "../../../hub/core/scope.ts";
import { checkWindow } from "../../../hub/core/window.ts";

const rule = (condition: Condition, more: Partial<Rule> = {}): Rule => ({
  id: "r",
  name: "r",
  enabled: true,
  severity: "warning",
  entity: "node",
  scope: {},
  condition,
  forSec: 0,
  clearForSec: 0,
  inhibits: false,
  overrides: [],
  shipped: false,
  ...more,
});
const cpu = (trigger: number, clear: number): Condition => ({
  kind: "threshold",
  signal: "cpu",
  direction: "above",
  trigger,
  clear,
});

test("every shipped rule is a valid rule of known signals", () => {
  assert.ok(defaultRules.length >= 40);
  for (const one of defaultRules) {
    assert.deepEqual(ruleSchema.parse(one), one);
    assert.deepEqual(checkRule(one), [], one.id);
    assert.ok(planOf(one, -1) !== undefined, one.id);
  }
  assert.equal(new Set(defaultRules.map(({ id }) => id)).size, defaultRules.length);
  routeSchema.parse(defaultRoute);
});

const refused: [name: string, rule: Rule, field: string, problem: RegExp][] = [
  ["an unknown metric", rule({ ...cpu(1, 1), signal: "cpuu" } as Condition), "condition.signal", /no 'cpuu'/],
  ["a metric of another kind of entity", rule(cpu(1, 1), { entity: "storage" }), "condition.signal", /storage has no 'cpu'/],
  ["a clear on the wrong side", rule(cpu(0.8, 0.9)), "condition.clear", /wrong side of trigger 0.8/],
  ["an unknown divisor", rule({ ...cpu(1, 1), per: "cores" } as Condition), "condition.per", /no metric 'cores'/],
  ["a word no state has", rule({ kind: "state", signal: "node_state", is: ["dead"] }), "condition.is", /never 'dead'/],
  ["a number as a state", rule({ kind: "state", signal: "cpu", is: ["hot"] }), "condition.signal", /not a state/],
  ["a deviation that would page", rule({ kind: "baseline", signal: "cpu", mads: 5 }), "severity", /information/],
  ["the age of something it has not", rule({ kind: "age", of: "backup", maxSec: 3600 }), "entity", /no matter of a node/],
  [
    "a calendar that is none",
    rule({ kind: "age", of: "scrub", maxSec: "schedule" }, { entity: "zpool" }),
    "condition.maxSec",
    /no calendar/,
  ],
  [
    "an expression that does not parse",
    rule(cpu(1, 1), { scope: { expression: "tag=a and" } }),
    "scope.expression",
    /ends where/,
  ],
  [
    "an override across its clear",
    rule(cpu(0.9, 0.8), { overrides: [{ scope: {}, trigger: 0.5, clear: 0.7 }] }),
    "overrides.0.clear",
    /wrong side/,
  ],
];
for (const [name, bad, field, problem] of refused) {
  test(`refused with field and remedy: ${name}`, () => {
    const [first] = checkRule(bad);
    assert.equal(first?.field, field);
    assert.match(first?.problem ?? "", problem);
    assert.ok((first?.remedy.length ?? 0) > 3);
  });
}

test("an override's trigger moves the clear with it", () => {
  const plan = planOf(rule(cpu(0.9, 0.8), { overrides: [{ scope: {}, trigger: 0.5 }] }), 0);
  assert.ok(plan?.test.kind === "bound");
  assert.equal(plan.test.trigger, 0.5);
  assert.ok(Math.abs(plan.test.clear - 0.4) < 1e-9);
});

test("an override can switch a rule off, and on where it is off elsewhere", () => {
  const off = rule(cpu(1, 1), { overrides: [{ scope: {}, enabled: false }] });
  assert.equal(planOf(off, 0), undefined);
  const on = rule(cpu(1, 1), { enabled: false, overrides: [{ scope: {}, enabled: true }] });
  assert.equal(planOf(on, -1), undefined);
  assert.ok(planOf(on, 0) !== undefined);
});

const web = {
  cluster: "0123456789abcdef",
  entity: "guest/100",
  kind: "guest",
  node: "pve1",
  type: "qemu",
  name: "web",
  tags: ["prod.web"],
  pool: "clients/acme",
  storages: ["nfs1"],
} as unknown as EntityFacts;
const scopes: [scope: Parameters<typeof matcherOf>[0], holds: boolean][] = [
  [{}, true],
  [{ tags: ["prod"] }, true],
  [{ tags: ["pro"] }, false],
  [{ pools: ["clients"] }, true],
  [{ guests: [101, 100], nodes: ["pve1"] }, true],
  [{ nodes: ["pve2"] }, false],
  [{ storages: ["nfs1"], types: ["lxc"] }, false],
  [{ tags: ["prod"], except: { guests: [100] } }, false],
  [{ expression: "tag=prod and not (name=test* or vmid=900..999)" }, true],
  [{ expression: "vmid=100..199 and node=pve2 or pool=clients" }, true],
];
for (const [scope, holds] of scopes) {
  test(`scope ${JSON.stringify(scope)} ${holds ? "holds" : "does not hold"} web`, () =>
    assert.equal(matcherOf(scope)(web, null), holds));
}

test("routes that stand in for each other in a circle are refused, with the way", () => {
  const route = (id: string, otherwise: string): Route => ({ ...defaultRoute, id, otherwise, receivers: ["nodes"] });
  const [problem] = checkRoute(route("a", "b"), [route("b", "c"), route("c", "a")], [{ id: "nodes" }]);
  assert.equal(problem?.field, "otherwise");
  assert.match(problem?.problem ?? "", /a → b → c → a/);
});

test("a route to nobody is refused", () => {
  const [problem] = checkRoute({ ...defaultRoute, receivers: ["gone"] }, [], [{ id: "nodes" }]);
  assert.equal(problem?.field, "receivers");
});

test("a window at an impossible time is refused, naming the part", () => {
  const window = { id: "w", name: "w", enabled: true, scope: {}, once: null, adjusted: null, comment: "" };
  const recurrence = { calendar: "*-2-30 3:00", timezone: "Europe/Rome", durationSec: 3600 };
  const [problem] = checkWindow({ ...window, recurrence });
  assert.equal(problem?.field, "recurrence.calendar");
  assert.match(problem?.problem ?? "", /never comes/);
  assert.equal(
    checkWindow({ ...window, recurrence: { ...recurrence, calendar: "3:00", timezone: "Rome" } })[0]?.field,
    "recurrence.timezone",
  );
});
