import assert from "node:assert/strict";
import { test } from "node:test";
import type { Silence } from "#protocol/alerting.ts";
import type { EntityFacts } from "../../../hub/core/scope.ts";
import { checkSilence, type Silenceable, silenceState, silences } from "../../../hub/core/silence.ts";

const silence = (given: Partial<Silence>): Silence =>
  ({ id: "s", alerts: [], rules: [], scope: null, startsAt: 1_000, endsAt: 2_000, comment: "", by: "joe", ...given }) as Silence;
const facts = { entity: "guest/100", kind: "guest", tags: ["prod"], storages: [] } as unknown as EntityFacts;
const alert: Silenceable = { id: "cpu@x", rule: "cpu", instance: null, facts };

test("a silence is active from its begin until before its end", () => {
  const states = [999, 1_000, 1_999, 2_000].map((now) => silenceState(silence({}), now as never));
  assert.deepEqual(states, ["pending", "active", "active", "expired"]);
});

test("an alert is silenced by its id, by its rule, by what it is about, or by both of these together", () => {
  assert.equal(silences(silence({ alerts: ["cpu@x"] }), alert), true);
  assert.equal(silences(silence({ alerts: ["cpu@y"] }), alert), false);
  assert.equal(silences(silence({ rules: ["cpu"] }), alert), true);
  assert.equal(silences(silence({ rules: ["disk"] }), alert), false);
  assert.equal(silences(silence({ scope: { tags: ["prod"] } }), alert), true);
  assert.equal(silences(silence({ scope: { tags: ["test"] } }), alert), false);
  assert.equal(silences(silence({ scope: { tags: ["prod"] }, rules: ["cpu"] }), alert), true);
  assert.equal(silences(silence({ scope: { tags: ["prod"] }, rules: ["disk"] }), alert), false);
  assert.equal(silences(silence({ scope: { tags: ["test"] }, rules: ["cpu"] }), alert), false);
});

test("a silence of nothing silences nothing, and one of a scope not what nobody knows any more", () => {
  assert.equal(silences(silence({}), alert), false);
  assert.equal(silences(silence({ scope: {} }), alert), true);
  assert.equal(silences(silence({ scope: {} }), { ...alert, facts: undefined }), false);
});

test("a silence that would silence nothing, or that ends before it begins, is refused with what would be right", () => {
  const fields = (given: Partial<Silence>) => checkSilence(silence(given)).map(({ field }) => field);
  assert.deepEqual(fields({}), ["alerts"]);
  assert.deepEqual(fields({ rules: ["cpu"], endsAt: 1_000 }), ["endsAt"]);
  assert.deepEqual(fields({ scope: { expression: "tag=" } }), ["scope.expression"]);
  for (const right of [{ alerts: ["a"] }, { rules: ["cpu"] }, { scope: { tags: ["prod"] } }]) assert.deepEqual(fields(right), []);
});
