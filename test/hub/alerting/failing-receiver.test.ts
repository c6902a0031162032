import assert from "node:assert/strict";
import { test } from "node:test";
import type { Notification } from "#protocol/notifications.ts";
import { openTestAlerting } from "../../support/test-alerting.ts";
import { connect, inventoryOf, testHub } from "../../support/test-hub.ts";

test("a receiver that nothing reaches for an hour is told to the others once, and again when it is back", async (t) => {
  const hub = testHub(t);
  const sent: Notification[] = [];
  const failing = new Set(["Pager"]);
  hub.fleet.inventory(connect(hub, "pve1"), inventoryOf());
  const alerting = openTestAlerting(hub, sent, {
    standings: () => ["Mail", "Pager"].map((name) => ({ name, fails: failing.has(name) })),
  });
  t.after(() => alerting.stop());
  // Only this rule: no agent sends samples here.
  for (const { id, document } of hub.state.list("rule")) {
    const enabled = id === "receiver-failing";
    hub.state.put("rule", id, { ...document, enabled }, { actor: "test", reason: "test" });
  }
  alerting.reload();
  const pass = async (minutes: number) => {
    for (let i = 0; i < minutes * 3; i++) {
      alerting.tick();
      await hub.clock.advance(20_000);
    }
    return sent.splice(0).map(({ verdict }) => verdict);
  };
  assert.deepEqual(await pass(59), []);
  assert.deepEqual(await pass(180), ["WARNING: Nothing has reached the receiver Pager for an hour or more"]);
  failing.clear();
  assert.deepEqual(await pass(10), ["RESOLVED after 2 h 59 min: Receiver gets no messages, lab, Pager: ok again"]);
});
