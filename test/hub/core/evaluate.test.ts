import assert from "node:assert/strict";
import { test } from "node:test";
import type { Condition, Rule } from "#protocol/alerting.ts";
import type { EpochMs } from "#protocol/ids.ts";
import { type Change, Evaluator } from "../../../hub/core/evaluate.ts";
import { RuleBook, type RuleSet } from "../../../hub/core/rule-set.ts";
import type { EntityFacts } from "../../../hub/core/scope.ts";
import { fc } from "../../support/property.ts";

const at = (sec: number) => (1_700_000_000_000 + sec * 1000) as EpochMs;
const subject = (entity: string) => ({ cluster: "0123456789abcdef", entity, incarnation: 1, instance: null });
const node = {
  cluster: "0123456789abcdef",
  entity: "node/pve1",
  kind: "node",
  incarnation: 1,
  tags: [],
  storages: [],
} as unknown as EntityFacts;

function rule(id: string, condition: Condition, more: Partial<Rule> = {}): Rule {
  const base = {
    name: id,
    enabled: true,
    severity: "warning",
    entity: "node",
    scope: {},
    overrides: [],
    shipped: false,
  } as const;
  return { ...base, id, condition, overrides: [], forSec: 0, clearForSec: 0, inhibits: false, ...more };
}
const bound = (direction: "above" | "below", trigger: number, clear: number): Condition => ({
  kind: "threshold",
  signal: "cpu",
  direction,
  trigger,
  clear,
});

function setOf(rules: readonly Rule[], source = "cpu"): RuleSet {
  const facts = rules[0]?.entity === "guest" ? { ...node, entity: "guest/100", kind: "guest" as const } : node;
  const set = new RuleBook(rules).setFor(source, facts as EntityFacts, null);
  assert.ok(set);
  return set;
}

/** Feeds one series; says what changed, `rule:state` by second. */
function story(
  rules: readonly Rule[],
  samples: readonly [sec: number, value: number | "none"][],
  until = 0,
  source = "cpu",
): string[] {
  const told: string[] = [];
  let now = 0;
  const evaluator = new Evaluator(at(0), ({ check }) => told.push(`${now} ${check.plan.rule.id} ${check.alert.state}`));
  const slot = evaluator.open(subject("node/pve1"), setOf(rules, source), 45_000, at(0));
  const waiting = [...samples];
  for (; now <= Math.max(until, samples.at(-1)?.[0] ?? 0); now++) {
    while (waiting[0]?.[0] === now) {
      const value = waiting.shift()?.[1];
      if (typeof value === "number") evaluator.sample(slot, value, at(now));
    }
    evaluator.tick(at(now));
  }
  return told;
}

/** A sample every ten seconds. */
const steady = (from: number, to: number, value: number): [number, number][] =>
  Array.from({ length: Math.floor((to - from) / 10) + 1 }, (_, index) => [from + index * 10, value]);

test("it fires when the breach has lasted, between samples too", () => {
  const told = story([rule("hot", bound("above", 0.9, 0.8), { forSec: 25 })], steady(10, 60, 0.95));
  assert.deepEqual(told, ["10 hot pending", "35 hot firing"]);
});

test("between clear and trigger what was goes on, and nothing begins", () => {
  const told = story(
    [rule("hot", bound("above", 0.9, 0.8))],
    [
      [10, 0.85],
      [20, 0.95],
      [30, 0.85],
      [40, 0.8],
    ],
  );
  assert.deepEqual(told, ["20 hot firing", "40 hot resolved"]);
});

test("without samples a hold does not end, and an alert does not either", () => {
  const hot = rule("hot", bound("above", 0.9, 0.8), { forSec: 100 });
  assert.deepEqual(story([hot], steady(10, 40, 0.95), 600), ["10 hot pending"]);
  assert.deepEqual(story([rule("hot", bound("above", 0.9, 0.8))], [[10, 0.95]], 600), ["10 hot firing"]);
});

test("the first sample after a silence ends the hold that was over in it", () => {
  const hot = rule("hot", bound("above", 0.9, 0.8), { forSec: 100 });
  assert.deepEqual(story([hot], [...steady(10, 40, 0.95), [300, 0.95]]), ["10 hot pending", "300 hot firing"]);
});

test("a state that becomes unknown ends nothing: a dead node that nobody sees has not recovered", () => {
  const down = rule("down", { kind: "state", signal: "node_state", is: ["offline"] });
  const blind = rule("blind", { kind: "state", signal: "node_state", is: ["unknown"] });
  const states: [number, number][] = [
    [10, 0],
    [20, 1],
    [30, 2],
    [40, 1],
    [50, 0],
  ]; // online, offline, unknown, offline, online
  assert.deepEqual(story([down, blind], states, 0, "node_state"), [
    "20 down firing",
    "30 blind firing",
    "40 blind resolved",
    "50 down resolved",
  ]);
});

test("a guest that no policy holds any more is not overdue, though its last test was interrupted; a failed one is no better by that", () => {
  const ofGuest = { entity: "guest" } as const;
  const overdue = rule("overdue", { kind: "state", signal: "proof", is: ["overdue"] }, ofGuest);
  const failed = rule("failed", { kind: "state", signal: "proof", is: ["failed"] }, ofGuest);
  const states: [number, number][] = [
    [10, 2],
    [20, 4],
    [30, 1],
    [40, 4],
    [50, 0],
  ]; // overdue, unknown, failed, unknown, proven
  assert.deepEqual(story([overdue, failed], states, 0, "proof"), [
    "10 overdue firing",
    "20 overdue resolved",
    "30 failed firing",
    "50 failed resolved",
  ]);
});

test("a breach before a long silence and one after it are two: its hold begins anew", () => {
  const hot = rule("hot", bound("above", 0.9, 0.8), { forSec: 100 });
  const told = story([hot], [...steady(10, 40, 0.95), ...steady(4000, 4060, 0.95), [4070, 0.5], ...steady(9000, 9110, 0.95)]);
  assert.deepEqual(told, ["10 hot pending", "4070 hot inactive", "9000 hot pending", "9100 hot firing"]);
});

test("it is resolved only when its end has lasted", () => {
  const hot = rule("hot", bound("above", 0.9, 0.8), { clearForSec: 60 });
  const told = story([hot], [...steady(10, 20, 0.95), ...steady(30, 50, 0.5), ...steady(60, 70, 0.95), ...steady(80, 160, 0.5)]);
  assert.deepEqual(told, ["10 hot firing", "30 hot firing", "60 hot firing", "80 hot firing", "140 hot resolved"]);
});

test("what sends nothing is missed after its time, and back with one sample", () => {
  const silent = rule("silent", { kind: "absence", signal: "cpu", absentSec: 120 });
  assert.deepEqual(story([silent], [...steady(10, 100, 0.5), [400, 0.5]], 560), [
    "220 silent firing",
    "400 silent resolved",
    "520 silent firing",
  ]);
});

test("an increase counts growth within its window, over resets of the counter", () => {
  const errors = rule("errors", { kind: "increase", signal: "cpu", by: 3, windowSec: 100 });
  const told = story(
    [errors],
    [[0, 7], [10, 8], [20, 9], [30, 0], [40, 1], ...steady(50, 200, 1)] as [number, number][],
    200,
    "cpu=raw",
  );
  assert.deepEqual(told, ["40 errors firing", "140 errors resolved"]);
});

const errorsRule = (windowSec: number) => rule("errors", { kind: "increase", signal: "cpu", by: 3, windowSec });

test("what grew while the hub was away is told, from what was stored before", () => {
  const told: string[] = [];
  const earlier = [
    { at: at(-4000), value: 1 },
    { at: at(-3000), value: 2 },
  ];
  const evaluator = new Evaluator(
    at(0),
    ({ check }) => told.push(`${check.alert.state} ${check.value}`),
    () => [],
    () => earlier,
  );
  const slot = evaluator.open(subject("node/pve1"), setOf([errorsRule(100)], "cpu=raw"), 45_000, at(0));
  evaluator.sample(slot, 7, at(10));
  assert.deepEqual(told, ["firing 5"]);
});

test("an increase that fired before a restart is over when a whole window saw no more of it", () => {
  const told: string[] = [];
  const evaluator = new Evaluator(at(0), ({ check }) => told.push(`${now} ${check.alert.state}`));
  const slot = evaluator.open(subject("node/pve1"), setOf([errorsRule(100)], "cpu=raw"), 45_000, at(0));
  const alert = { state: "firing", activeAt: at(-50), firedAt: at(-50), okSince: null } as const;
  evaluator.restore(slot, "errors", { alert, fires: [], value: 3, worst: 3 }, at(0));
  let now = 0;
  for (; now <= 200; now += 10) evaluator.sample(slot, 9, at(now));
  assert.deepEqual(told, ["100 resolved"]);
});

test("a window that was edited counts from its new length", () => {
  const told: string[] = [];
  const evaluator = new Evaluator(at(0), ({ check }) => told.push(`${now} ${check.alert.state}`));
  const slot = evaluator.open(subject("node/pve1"), setOf([errorsRule(1000)], "cpu=raw"), 45_000, at(0));
  let now = 0;
  for (; now <= 50; now += 10) evaluator.sample(slot, now < 30 ? 0 : 5, at(now));
  evaluator.change(slot, setOf([errorsRule(100)], "cpu=raw"), at(60));
  for (; now <= 300; now += 10) evaluator.sample(slot, 5, at(now));
  assert.deepEqual(told, ["30 firing", "160 resolved"]);
});

test("an average needs half of its window, and smooths a spike away", () => {
  const window = { aggregate: "avg" as const, sec: 100 };
  const busy = rule("busy", { ...bound("above", 0.8, 0.5), window } as Condition);
  const spike: [number, number][] = [...steady(0, 90, 0.2), [100, 1], ...steady(110, 200, 0.2)];
  assert.deepEqual(story([busy], spike), []);
  assert.deepEqual(story([busy], steady(0, 100, 0.9)), ["50 busy firing"]);
});

test("many rules on one series: quick answers are those of judging each rule at each sample", () => {
  const bounds = fc.record({
    direction: fc.constantFrom("above" as const, "below" as const),
    trigger: fc.integer({ min: 0, max: 20 }),
    gap: fc.nat(5),
  });
  fc.assert(
    fc.property(
      fc.array(bounds, { minLength: 1, maxLength: 8 }),
      fc.array(fc.integer({ min: -2, max: 22 }), { maxLength: 60 }),
      (specs, values) => {
        const rules = specs.map(({ direction, trigger, gap }, index) =>
          rule(`r${index}`, bound(direction, trigger, direction === "above" ? trigger - gap : trigger + gap)),
        );
        const firing = new Set<string>();
        const evaluator = new Evaluator(at(0), ({ check: { alert, plan } }: Change) => {
          if (alert.state === "firing") firing.add(plan.rule.id);
          else firing.delete(plan.rule.id);
        });
        const slot = evaluator.open(subject("node/pve1"), setOf(rules), 45_000, at(0));
        const expected = new Set<string>();
        values.forEach((value, index) => {
          evaluator.sample(slot, value, at(index * 10));
          specs.forEach(({ direction, trigger, gap }, number) => {
            const [id, up] = [`r${number}`, direction === "above"];
            const was = expected.has(id);
            const clear = up ? trigger - gap : trigger + gap;
            const is = up ? value > (was ? clear : trigger) : value < (was ? clear : trigger);
            if (is) expected.add(id);
            else expected.delete(id);
          });
          assert.deepEqual([...firing].sort(), [...expected].sort());
        });
      },
    ),
  );
});

test("ten thousand rules on ten thousand series need less than a tenth of a core at a sample every ten seconds", () => {
  const rules = Array.from({ length: 10_000 }, (_, index) =>
    rule(`r${index}`, bound("above", 0.5 + index / 20_001, 0.45 + index / 20_001)),
  );
  let changes = 0;
  const evaluator = new Evaluator(at(0), () => changes++);
  const set = setOf(rules);
  const slots = Array.from({ length: 10_000 }, (_, index) => evaluator.open(subject(`node/n${index}`), set, 45_000, at(0)));
  const startedAt = process.cpuUsage();
  const rounds = 20;
  for (let round = 1; round <= rounds; round++) {
    for (const slot of slots) evaluator.sample(slot, 0.2 + ((slot * 7 + round * 13) % 29) / 100, at(round * 10));
    evaluator.tick(at(round * 10));
  }
  const { user, system } = process.cpuUsage(startedAt);
  const share = (user + system) / 1e6 / (rounds * 10);
  assert.equal(changes, 0);
  assert.ok(share < 0.1, `${(share * 100).toFixed(2)} % of a core`);
});
