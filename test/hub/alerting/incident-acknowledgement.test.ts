import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { AlertView } from "#protocol/alerting.ts";
import type { Receiver } from "#protocol/notifications.ts";
import { tellIncidents } from "../../../hub/alerting/incident-acknowledgement.ts";
import { alertOf } from "../../support/alert-views.ts";
import { DispatchRig } from "../../support/dispatch.ts";
import { FakeAlerts } from "../../support/fake-alert-feed.ts";
import { settle } from "../../support/fake-clock.ts";
import { common, noon, notificationOf } from "../../support/notifications.ts";

const pager: Receiver = { ...common, id: "pager", type: "pagerduty", routingKey: { ref: "receiver/pager/routingKey" } };
const notified = [
  { receiver: "pager", at: noon },
  { receiver: "r", at: noon },
];
const cpu = alertOf({ firedAt: noon, notified });
const disk = alertOf({ rule: "guest-disk", firedAt: noon, notified });
const taken = (alert: AlertView, by: string, at: number): AlertView => ({
  ...alert,
  acknowledged: { by, at, until: null, note: null },
});

/** PagerDuty and a webhook were told of two alerts in one message each. */
async function setUp(t: TestContext, alerts = new FakeAlerts(cpu, disk)) {
  const rig = new DispatchRig(t);
  rig.put(pager);
  rig.dispatcher.start();
  rig.tell(
    notificationOf({ id: "p1", receiver: "pager", alerts: [cpu, disk] }),
    notificationOf({ id: "w1", receiver: "r", alerts: [cpu, disk] }),
  );
  await settle();
  rig.sent.length = 0;
  const attach = () => {
    tellIncidents(alerts.relay, { state: rig.state, dispatcher: rig.dispatcher, clock: rig.clock });
    alerts.attach();
  };
  return { rig, alerts, attach, told: () => rig.sent.map(({ receiver, kind, verdict }) => ({ receiver, kind, verdict })) };
}

test("PagerDuty hears at once that the last alert of its incident was taken, and no other receiver does", async (t) => {
  const { alerts, attach, told, rig } = await setUp(t);
  attach();
  alerts.change(taken(cpu, "anna", noon + 1000));
  await settle();
  assert.deepEqual(told(), []);
  alerts.change(taken(disk, "ben", noon + 2000));
  alerts.change(taken(disk, "ben", noon + 2000));
  await settle();
  const verdict = "ACKNOWLEDGED by ben: web (VM 100) uses 97 % of its CPU (and 1 more)";
  assert.deepEqual(told(), [{ receiver: "pager", kind: "acknowledged", verdict }]);
  assert.equal(rig.sent[0]?.group, "default|rule=guest-cpu");
});

test("what was taken while the hub went down is told at its next start, once", async (t) => {
  const { rig, attach, told } = await setUp(t, new FakeAlerts(taken(cpu, "anna", noon + 1000)));
  attach();
  await settle();
  assert.deepEqual(
    told().map(({ verdict }) => verdict),
    ["ACKNOWLEDGED by anna: web (VM 100) uses 97 % of its CPU"],
  );
  const again = new FakeAlerts(taken(cpu, "anna", noon + 1000));
  rig.restart();
  tellIncidents(again.relay, { state: rig.state, dispatcher: rig.dispatcher, clock: rig.clock });
  again.attach();
  await settle();
  assert.equal(told().length, 1);
});

test("an alert that is taken anew after it was given back is told anew", async (t) => {
  const { alerts, attach, told } = await setUp(t, new FakeAlerts(cpu));
  attach();
  alerts.change(taken(cpu, "anna", noon + 1000));
  await settle();
  alerts.change(cpu);
  alerts.change(taken(cpu, "ben", noon + 9000));
  await settle();
  assert.deepEqual(
    told().map(({ verdict }) => verdict.split(":")[0]),
    ["ACKNOWLEDGED by anna", "ACKNOWLEDGED by ben"],
  );
});
