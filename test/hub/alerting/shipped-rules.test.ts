import assert from "node:assert/strict";
import { test } from "node:test";
import { seedAlerting } from "../../../hub/alerting/alerting.ts";
import { defaultRules } from "../../../hub/core/default-rules.ts";
import { testHub } from "../../support/test-hub.ts";

const by = { actor: "admin", reason: "test" };
const newer = defaultRules.map((rule) => (rule.id === "quorum-lost" ? { ...rule, name: "Quorum lost, said better" } : rule));

test("a shipped rule that nobody changed becomes what a newer version ships", (t) => {
  const { state } = testHub(t);
  seedAlerting(state);
  seedAlerting(state, newer);
  assert.equal(state.get("rule", "quorum-lost")?.name, "Quorum lost, said better");
  assert.match(state.auditLog().at(-1)?.reason ?? "", /nobody had changed it/);
});

test("a shipped rule that the admin changed stays his through every upgrade", (t) => {
  const { state } = testHub(t);
  seedAlerting(state);
  const mine = { ...state.get("rule", "quorum-lost"), enabled: false } as (typeof defaultRules)[number];
  state.put("rule", "quorum-lost", mine, by);
  seedAlerting(state, newer);
  seedAlerting(state, newer);
  assert.deepEqual(state.get("rule", "quorum-lost"), mine);
});

test("a start with the same version changes nothing", (t) => {
  const { state } = testHub(t);
  seedAlerting(state);
  const before = state.auditLog().length;
  seedAlerting(state);
  assert.equal(state.auditLog().length, before);
});
