import assert from "node:assert/strict";
import { test } from "node:test";
import { tellAcknowledgements } from "../../../hub/alerting/acknowledgement-events.ts";
import { alertOf } from "../../support/alert-views.ts";
import { FakeAlerts } from "../../support/fake-alert-feed.ts";
import { testHub } from "../../support/test-hub.ts";

const taken = (at: number) => alertOf({ acknowledged: { by: "anna", at, until: null, note: null } });

/** The texts of all acknowledgements that were told. */
function setUp(t: Parameters<typeof testHub>[0], alerts: FakeAlerts) {
  const hub = testHub(t);
  tellAcknowledgements(alerts.relay, hub.journal);
  alerts.attach();
  return () =>
    hub.state.history.events({ type: "alert.acknowledged" }, { limit: 9, cursor: undefined }).items.map(({ text }) => text);
}

test("an acknowledgement is one event, however often its alert changes afterwards", (t) => {
  const alerts = new FakeAlerts();
  const told = setUp(t, alerts);
  alerts.change(alertOf());
  alerts.change(taken(5_000));
  alerts.change(taken(5_000));
  assert.deepEqual(told(), ["anna took the alert Guest CPU sustained: web (VM 100) uses 97 % of its CPU"]);
});

test("what was acknowledged before the hub started is no news", (t) => {
  const alerts = new FakeAlerts(taken(5_000));
  const told = setUp(t, alerts);
  alerts.change(taken(5_000));
  assert.deepEqual(told(), []);
});
