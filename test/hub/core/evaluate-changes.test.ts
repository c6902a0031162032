import assert from "node:assert/strict";
import { test } from "node:test";
import type { Condition, Rule } from "#protocol/alerting.ts";
import type { EpochMs } from "#protocol/ids.ts";
import { Evaluator } from "../../../hub/core/evaluate.ts";
import { RuleBook, type RuleSet } from "../../../hub/core/rule-set.ts";
import type { EntityFacts } from "../../../hub/core/scope.ts";
import { ruleOf } from "../../support/alert-views.ts";

/** What happens around samples: rules that change, subjects that come and go, clocks that are set. */

const at = (sec: number) => (1_700_000_000_000 + sec * 1000) as EpochMs;
const subject = { cluster: "0123456789abcdef", entity: "guest/100", incarnation: 1, instance: null };
const facts = { ...subject, kind: "guest", tags: [], storages: [] } as unknown as EntityFacts;
const hot = (more: Partial<Rule> = {}) => ruleOf({ id: "hot", forSec: 0, clearForSec: 0, ...more });
const silent = (absentSec: number) => hot({ id: "silent", condition: { kind: "absence", signal: "cpu", absentSec } });
const above = (trigger: number, clear: number): Condition => ({
  kind: "threshold",
  signal: "cpu",
  direction: "above",
  trigger,
  clear,
});

function setOf(...rules: Rule[]): RuleSet {
  const set = new RuleBook(rules).setFor("cpu", facts, null);
  assert.ok(set);
  return set;
}

/** An evaluator with one slot; `told` says what changed, as `rule state (reason)`. */
function opened(...rules: Rule[]) {
  const told: string[] = [];
  const evaluator = new Evaluator(at(0), ({ check, reason }) =>
    told.push(`${check.plan.rule.id} ${check.alert.state} (${reason})`),
  );
  const slot = evaluator.open(subject, setOf(...rules), 45_000, at(0));
  return { evaluator, slot, told };
}

test("an alert whose rule is no more resolves, one that was pending comes to nothing, and neither is judged any more", () => {
  const { evaluator, slot, told } = opened(hot(), hot({ id: "slow", forSec: 60 }));
  evaluator.sample(slot, 0.95, at(10));
  evaluator.change(slot, setOf(hot({ id: "other", condition: above(0.99, 0.9) })), at(20));
  evaluator.sample(slot, 0.96, at(30));
  evaluator.tick(at(100));
  assert.deepEqual(told, [
    "hot firing (breach)",
    "slow pending (breach)",
    "hot resolved (rule-changed)",
    "slow inactive (rule-changed)",
  ]);
  assert.equal(evaluator.checkOf(slot, "hot"), undefined);
});

test("an alert whose rule was edited goes on, and ends by the new bounds with the next sample, the same value too", () => {
  const { evaluator, slot, told } = opened(hot());
  evaluator.sample(slot, 0.95, at(10));
  evaluator.change(slot, setOf(hot({ condition: above(0.99, 0.97) })), at(20));
  assert.equal(evaluator.checkOf(slot, "hot")?.plan.threshold, 0.99);
  evaluator.sample(slot, 0.95, at(30));
  assert.deepEqual(told, ["hot firing (breach)", "hot resolved (cleared)"]);
});

test("a rule that comes while its value is over the bound fires with the next sample, though that is the same", () => {
  const { evaluator, slot, told } = opened(hot());
  evaluator.sample(slot, 0.7, at(10));
  evaluator.change(slot, setOf(hot(), hot({ id: "warm", condition: above(0.6, 0.5) })), at(20));
  evaluator.sample(slot, 0.7, at(30));
  assert.deepEqual(told, ["warm firing (breach)"]);
});

test("a hold that was shortened is over by the new one", () => {
  const { evaluator, slot, told } = opened(hot({ forSec: 600 }));
  evaluator.sample(slot, 0.95, at(10));
  evaluator.change(slot, setOf(hot({ forSec: 30 })), at(20));
  evaluator.tick(at(39));
  assert.deepEqual(told, ["hot pending (breach)"]);
  evaluator.tick(at(40));
  assert.deepEqual(told.slice(1), ["hot firing (held)"]);
});

test("a silence is missed by the new rule's time, and once", () => {
  const { evaluator, slot, told } = opened(silent(60));
  evaluator.change(slot, setOf(silent(300)), at(20));
  evaluator.tick(at(299));
  assert.deepEqual(told, []);
  evaluator.tick(at(300));
  evaluator.change(slot, setOf(silent(200)), at(310));
  evaluator.tick(at(900));
  assert.deepEqual(told, ["silent firing (breach)"]);
});

test("what is gone takes its alerts along, and its place is another's: nothing of the old one is left", () => {
  const { evaluator, slot, told } = opened(hot(), silent(60));
  evaluator.sample(slot, 0.95, at(10));
  evaluator.close(slot, "gone", at(20));
  evaluator.close(slot, "gone", at(21));
  assert.deepEqual(told, ["hot firing (breach)", "hot resolved (gone)"]);
  assert.equal(evaluator.heardAt(slot), undefined);
  evaluator.sample(slot, 0.99, at(25));
  assert.equal(evaluator.open({ ...subject, entity: "guest/101" }, setOf(hot()), 45_000, at(30)), slot);
  assert.ok(Number.isNaN(evaluator.valueOf(slot, at(30))));
  evaluator.tick(at(500));
  evaluator.sample(slot, 0.95, at(510));
  assert.deepEqual(told.slice(2), ["hot firing (breach)"]);
});

test("a value counts as known until it is stale", () => {
  const { evaluator, slot } = opened(hot());
  evaluator.sample(slot, 0.5, at(10));
  evaluator.sample(slot, Number.NaN, at(20));
  assert.equal(evaluator.heardAt(slot), at(10));
  assert.equal(evaluator.valueOf(slot, at(54)), 0.5);
  assert.ok(Number.isNaN(evaluator.valueOf(slot, at(55))));
});

test("an alert that is given up ends with its reason, and a breach that is told of again is a new one", () => {
  const { evaluator, slot, told } = opened(hot());
  evaluator.sample(slot, 0.95, at(10));
  evaluator.giveUp(slot, "hot", "untold", at(20));
  evaluator.giveUp(slot, "hot", "untold", at(21));
  evaluator.sample(slot, 0.95, at(30));
  assert.deepEqual(told, ["hot firing (breach)", "hot resolved (untold)", "hot firing (breach)"]);
});

test("an alert of before a restart goes on: the first good sample ends it, and it is taken up once, of rules that count", () => {
  const { evaluator, slot, told } = opened(hot());
  const alert = { state: "firing", activeAt: at(-60), firedAt: at(-60), okSince: null } as const;
  const known = { alert, fires: [at(-60)], value: 0.95, worst: 0.99 };
  assert.equal(evaluator.restore(slot, "other", known, at(0)), false);
  assert.equal(evaluator.restore(slot, "hot", known, at(0)), true);
  assert.equal(evaluator.restore(slot, "hot", known, at(0)), false);
  assert.equal(evaluator.checkOf(slot, "hot")?.worst, 0.99);
  evaluator.sample(slot, 0.5, at(10));
  assert.deepEqual(told, ["hot resolved (cleared)"]);
});

test("a hold that begins anew takes its whole time again; an alert that fires has none", () => {
  const { evaluator, slot, told } = opened(hot({ forSec: 60 }));
  assert.equal(evaluator.holdAnew(slot, "hot", at(5)), undefined);
  evaluator.sample(slot, 0.95, at(10));
  assert.deepEqual(evaluator.holdAnew(slot, "hot", at(50)), { state: "pending", activeAt: at(50) });
  for (let sec = 60; sec < 110; sec += 10) {
    evaluator.tick(at(sec));
    evaluator.sample(slot, 0.95, at(sec));
  }
  assert.deepEqual(told, ["hot pending (breach)"]);
  evaluator.tick(at(110));
  assert.equal(evaluator.holdAnew(slot, "hot", at(120))?.state, "firing");
  assert.deepEqual(told.slice(1), ["hot firing (held)"]);
});

test("a clock that is set an hour ahead ends no hold, makes no value stale and nothing missing", () => {
  const { evaluator, slot, told } = opened(hot({ forSec: 60 }), silent(120));
  const hour = 3600;
  evaluator.sample(slot, 0.95, at(10));
  evaluator.shift(hour * 1000);
  evaluator.tick(at(hour + 40));
  assert.equal(evaluator.valueOf(slot, at(hour + 40)), 0.95);
  assert.deepEqual(told, ["hot pending (breach)"]);
  evaluator.sample(slot, 0.96, at(hour + 50));
  evaluator.tick(at(hour + 70));
  assert.deepEqual(evaluator.checkOf(slot, "hot")?.fires, [at(hour + 70)]);
  evaluator.shift(-hour * 1000);
  assert.deepEqual(evaluator.checkOf(slot, "hot")?.fires, [at(70)]);
  evaluator.tick(at(169));
  assert.deepEqual(told.slice(1), ["hot firing (held)"]);
  evaluator.tick(at(170));
  assert.deepEqual(told.slice(2), ["silent firing (breach)"]);
});

test("the thousandth subject is judged like the first", () => {
  const { evaluator, told } = opened(hot());
  const slots = Array.from({ length: 1000 }, (_, n) =>
    evaluator.open({ ...subject, entity: `guest/${1000 + n}` }, setOf(hot()), 45_000, at(0)),
  );
  for (const slot of slots) evaluator.sample(slot, 0.5, at(10));
  assert.deepEqual(
    slots.filter((slot) => evaluator.valueOf(slot, at(10)) !== 0.5),
    [],
  );
  evaluator.sample(slots[0] as number, 0.95, at(20));
  evaluator.sample(slots[999] as number, 0.95, at(20));
  assert.equal(told.length, 2);
});
