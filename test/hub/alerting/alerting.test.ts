import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Rule } from "#protocol/alerting.ts";
import type { EntityKey } from "#protocol/ids.ts";
import { guestKey, nodeKey, type Vmid } from "#protocol/ids.ts";
import type { Notification } from "#protocol/notifications.ts";
import type { Alerting } from "../../../hub/alerting/alerting.ts";
import { openTestAlerting } from "../../support/test-alerting.ts";
import { agentOf, clusterA, connect, inventoryOf, type TestHub, testHub } from "../../support/test-hub.ts";

const by = { actor: "test", reason: "test" };
const hot: Rule = {
  id: "hot",
  name: "hot",
  enabled: true,
  severity: "warning",
  entity: "node",
  scope: {},
  condition: { kind: "threshold", signal: "cpu", direction: "above", trigger: 0.9, clear: 0.8 },
  forSec: 60,
  clearForSec: 0,
  inhibits: false,
  overrides: [],
  shipped: false,
};
const pve1 = nodeKey(agentOf("pve1").node);

/** The engine on a wired hub's stores; it passes when the test says so. */
function engine(t: TestContext, rules: readonly Rule[] = [hot]): { hub: TestHub; alerting: Alerting; sent: Notification[] } {
  const hub = testHub(t);
  const sent: Notification[] = [];
  const agent = connect(hub, "pve1");
  hub.fleet.inventory(agent, inventoryOf({ guests: [{ vmid: 100, name: "web" }] }));
  for (const { id } of hub.state.list("rule")) hub.state.remove("rule", id, by);
  for (const rule of rules) hub.state.put("rule", rule.id, rule, by);
  const alerting = openTestAlerting(hub, sent);
  for (const { id, document } of hub.state.list("rule")) {
    if (!rules.some((rule) => rule.id === id)) hub.state.put("rule", id, { ...document, enabled: false }, by);
  }
  alerting.reload();
  t.after(() => alerting.stop());
  return { hub, alerting, sent };
}

/** A sample every ten seconds. */
async function feed({ hub, alerting }: { hub: TestHub; alerting: Alerting }, seconds: number, cpu: number): Promise<void> {
  for (let i = 0; i < seconds; i += 10) {
    hub.series.put(agentOf("pve1"), pve1, "cpu", hub.clock.now(), cpu);
    alerting.tick();
    await hub.clock.advance(10_000);
  }
}
const question = { rule: "hot", cluster: clusterA, entity: pve1, instance: null, incarnation: undefined };

test("why: the evaluations that led to an alert, its decisions, and who was told", async (t) => {
  const it = engine(t);
  await feed(it, 60, 0.5);
  await feed(it, 90, 0.95);
  const why = it.alerting.why(question);
  assert.equal(why?.state, "firing");
  assert.deepEqual(why?.effective, { trigger: 0.9, clear: 0.8, forSec: 60, severity: "warning" });
  const reasons = why?.decisions.map(({ what, reason }) => `${what} ${reason}`) ?? [];
  for (const expected of ["evaluated cleared", "evaluated above-trigger", "pending breach", "fired held", "notified first"]) {
    assert.ok(reasons.includes(expected), `${expected} in ${reasons.join(", ")}`);
  }
});

test("why not: between clear and trigger, switched off, out of scope, another kind", async (t) => {
  const it = engine(t, [hot, { ...hot, id: "off", enabled: false }, { ...hot, id: "other", scope: { nodes: ["pve9"] } }]);
  await feed(it, 60, 0.85);
  const reason = (rule: string, entity: EntityKey = pve1) => it.alerting.why({ ...question, rule, entity })?.decisions[0]?.reason;
  assert.equal(reason("hot"), "between-clear-and-trigger");
  assert.equal(reason("off"), "disabled");
  assert.equal(reason("other"), "out-of-scope");
  assert.equal(reason("hot", guestKey(100 as Vmid)), "other-kind");
  assert.equal(it.alerting.why({ ...question, rule: "none" }), undefined);
});

test("a back-test tells what the same rule did live: when it fired, for how long, and who would have heard", async (t) => {
  const it = engine(t);
  const from = it.hub.clock.now();
  await feed(it, 120, 0.5);
  await feed(it, 300, 0.97);
  await feed(it, 120, 0.5);
  const answer = await it.alerting.backtest({ rule: hot, from, to: it.hub.clock.now() });
  const live = it.hub.state.list("alertHistory").map(({ document }) => document.alert);
  assert.deepEqual(live, [{ state: "resolved", activeAt: from + 120_000, firedAt: from + 180_000, resolvedAt: from + 420_000 }]);
  assert.deepEqual(
    answer.episodes.map(({ entity, activeAt, firedAt, resolvedAt, peak }) => ({ entity, activeAt, firedAt, resolvedAt, peak })),
    [{ entity: "node/pve1", activeAt: from + 120_000, firedAt: from + 180_000, resolvedAt: from + 420_000, peak: 0.97 }],
  );
  assert.deepEqual(
    answer.notifications.map(({ kind, receiver, alerts }) => `${kind} ${receiver} ${alerts}`),
    it.sent.map(({ reason, receiver, alerts }) => `${reason} ${receiver} ${alerts.length}`),
  );
  assert.equal(it.sent.length, 2);
});

test("the message says who, what, how much and since when, its verdict first", async (t) => {
  const it = engine(t);
  const start = it.hub.clock.now();
  await feed(it, 90, 0.953);
  const [message] = it.sent;
  assert.equal(message?.verdict, "WARNING: hot: pve1 is at 95.3 %, above 90 %");
  assert.equal(message?.kind, "firing");
  assert.deepEqual(message?.nodes, [{ cluster: clusterA, node: "pve1" }]);
  const [alert] = message?.alerts ?? [];
  assert.equal(alert?.id, `hot@${clusterA}/node/pve1#1`);
  assert.equal(alert?.activeAt, start);
  assert.equal(alert?.disposition, "notified");
});

test("listeners hear of changed alerts, and of their end once", async (t) => {
  const it = engine(t);
  const heard: string[] = [];
  it.alerting.onAlerts((changed) => heard.push(...changed.map(({ state }) => state)));
  await feed(it, 90, 0.95);
  await feed(it, 30, 0.5);
  await feed(it, 30, 0.95);
  await feed(it, 30, 0.5);
  assert.deepEqual(heard, ["pending", "firing", "resolved", "pending", "inactive"]);
});
