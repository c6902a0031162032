import assert from "node:assert/strict";
import { test } from "node:test";
import type { AlertView } from "#protocol/alerting.ts";
import { type MessageOf, parseMessage } from "#protocol/messages.ts";
import { AgentOutlet } from "../../../hub/alerting/agent-outlet.ts";
import { alertOf } from "../../support/alert-views.ts";
import { FakeAlerts } from "../../support/fake-alert-feed.ts";
import { agentOf } from "../../support/test-hub.ts";

/** Three nodes; pve1 has the duty for the cluster. `sent`: what each agent got, as `<node> all|some <ids>`; `over` marks ends. */
function setUp(alerts: FakeAlerts, connected = ["pve1", "pve2", "pve3"]) {
  const bodies: MessageOf<"alerts">["body"][] = [];
  const sent: string[] = [];
  const outlet = new AgentOutlet({
    alerts: alerts.relay,
    connected: () => connected.map((node) => ({ agent: agentOf(node), hasClusterDuty: node === connected[0] })),
    send(agent, body) {
      bodies.push(body);
      const ids = body.alerts.map(
        ({ rule, resolvedAt, held }) => `${rule}${resolvedAt === undefined ? "" : " over"}${held ? " held" : ""}`,
      );
      sent.push(`${agent.node} ${body.all ? "all" : "some"}: ${ids.join(", ")}`);
    },
  });
  return { outlet, sent, bodies };
}

const on = (node: string | null, rule: string, rest: Partial<AlertView> = {}) =>
  alertOf({ id: `${rule}@00000000000000aa/x#1`, rule, node, ...rest });

test("an agent hears of what is on its node, one of the cluster also of what has no node", () => {
  const alerts = new FakeAlerts();
  const { sent } = setUp(alerts);
  alerts.attach();
  alerts.change(on("pve2", "cpu"), on(null, "nfs"), on("pve3", "pending", { state: "pending", firedAt: null }));
  assert.deepEqual(sent, ["pve1 some: nfs", "pve2 some: cpu"]);
});

test("a dead node's alerts go to the agent with the cluster's duty", () => {
  const alerts = new FakeAlerts();
  const { sent } = setUp(alerts, ["pve1", "pve2"]);
  alerts.attach();
  alerts.change(on("pve3", "node-down"));
  assert.deepEqual(sent, ["pve1 some: node-down"]);
});

test("an end is told to all of the cluster: its guest may have moved since it was raised", () => {
  const alerts = new FakeAlerts();
  const { sent } = setUp(alerts);
  alerts.attach();
  alerts.change(on("pve2", "cpu", { state: "resolved", resolvedAt: 9_000 }));
  assert.deepEqual(sent, ["pve1 some: cpu over", "pve2 some: cpu over", "pve3 some: cpu over"]);
});

test("at a new session an agent gets all that fires on its node, silenced ones marked", () => {
  const silence = { by: "silence", id: "s1", until: null, text: "silenced" } as const;
  const alerts = new FakeAlerts(on("pve2", "cpu"), on("pve2", "disk", { suppressedBy: silence }), on("pve1", "mem"));
  const { outlet, sent } = setUp(alerts);
  alerts.attach();
  sent.length = 0;
  outlet.refresh(agentOf("pve2"));
  outlet.refresh(agentOf("pve3"));
  assert.deepEqual(sent, ["pve2 all: cpu, disk held", "pve3 all: "]);
});

test("before the alert engine runs nothing is sent: an empty list would call everything over", () => {
  const { outlet, sent } = setUp(new FakeAlerts(on("pve2", "cpu")));
  outlet.refresh(agentOf("pve2"));
  assert.deepEqual(sent, []);
});

test("what is sent is within the message's bounds, however long an alert is and however many there are", () => {
  const long = "ä".repeat(5000);
  const many = Array.from({ length: 1200 }, (_, index) => on("pve2", `r${index}`, { title: long, text: long, remedy: long }));
  const alerts = new FakeAlerts(...many);
  const { outlet, bodies } = setUp(alerts);
  alerts.attach();
  bodies.length = 0;
  outlet.refresh(agentOf("pve2"));
  assert.deepEqual(
    bodies.map(({ all, alerts: list }) => [all, list.length]),
    [
      [false, 500],
      [false, 500],
      [false, 200],
    ],
  );
  for (const body of bodies) assert.equal(parseMessage({ type: "alerts", body }, "hub", 1).ok, true);
});
