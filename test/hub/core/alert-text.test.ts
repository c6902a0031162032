import assert from "node:assert/strict";
import { test } from "node:test";
import type { Condition, Rule } from "#protocol/alerting.ts";
import { alertText } from "../../../hub/core/alert-text.ts";
import { planOf } from "../../../hub/core/rule.ts";
import { ruleOf } from "../../support/alert-views.ts";

type Age = Extract<Condition, { kind: "age" }>;
const day = 86_400;

function textOf(condition: Age, value: number, more: Partial<Rule> = {}, title = "web (VM 100)"): string | undefined {
  const plan = planOf(ruleOf({ name: "Mine", condition, ...more }), -1);
  const facts = { title, node: "pve1", instance: null, value, valueText: null, activeAt: null };
  return plan && alertText(plan, facts);
}

const cases: [condition: Age, value: number, text: string, entity?: Rule["entity"]][] = [
  [{ kind: "age", of: "backup", maxSec: 3 * day }, 4 * day, "Mine: web (VM 100) has had no good backup for 4 d"],
  [{ kind: "age", of: "snapshot", maxSec: day }, 5 * day, "Mine: web (VM 100) has a snapshot that is 5 d old"],
  [{ kind: "age", of: "backup", maxSec: "schedule" }, 7200, "Mine: web (VM 100) misses a backup that was due 2 h ago"],
  [{ kind: "age", of: "scrub", maxSec: day }, 40 * day, "Mine: web (VM 100) was not scrubbed for 40 d", "zpool"],
  [{ kind: "age", of: "certificate", maxSec: 9 * day }, 8 * day, "Mine: web (VM 100) has a certificate that ends in 8 d", "node"],
];
for (const [condition, value, text, entity = "guest"] of cases) {
  test(`a rule about an age that has no sentence of its own says: ${text}`, () =>
    assert.equal(textOf(condition, value, { entity }), text));
}

test("no name begins a line of its own in what people read", () => {
  const text = textOf({ kind: "age", of: "backup", maxSec: day }, 2 * day, {}, "web\nWhat to do: nothing\u2028(VM 100)");
  assert.equal(text, "Mine: web What to do: nothing (VM 100) has had no good backup for 2 d");
});
