import assert from "node:assert/strict";
import { test } from "node:test";
import { agentAlert, concerns, snapshotFor } from "../../../hub/core/agent-alerts.ts";
import { alertOf } from "../../support/alert-views.ts";
import { agentOf } from "../../support/test-hub.ts";

const there = new Set(["pve1", "pve2"]);
const listener = { agent: agentOf("pve1"), hasClusterDuty: true };

test("a node of another cluster that has the same name is another node", () => {
  const cluster = "00000000000000bb";
  assert.equal(concerns(alertOf({ node: "pve1" }), listener, there), true);
  assert.equal(concerns(alertOf({ node: "pve1", cluster }), listener, there), false);
  assert.equal(concerns(alertOf({ node: null, cluster }), listener, there), false);
});

test("what has no node, or one that can't be told, goes to the agent with the cluster's duty alone", () => {
  for (const node of [null, "pve3"]) {
    assert.equal(concerns(alertOf({ node }), listener, there), true);
    assert.equal(concerns(alertOf({ node }), { ...listener, hasClusterDuty: false }, there), false);
  }
  assert.equal(concerns(alertOf({ node: "pve2" }), listener, there), false);
});

test("what never fired, or has an id that the message can't hold, is not told", () => {
  assert.equal(agentAlert(alertOf({ firedAt: null })), undefined);
  assert.equal(agentAlert(alertOf({ id: "x".repeat(601) })), undefined);
  assert.equal(agentAlert(alertOf({ id: "x".repeat(600) }))?.id.length, 600);
});

test("an alert that fires has no end, though it had one before; one that is over says when", () => {
  assert.equal(agentAlert(alertOf({ resolvedAt: 1_000 }))?.resolvedAt, undefined);
  assert.equal(agentAlert(alertOf({ state: "resolved", resolvedAt: 3_000 }))?.resolvedAt, 3_000);
});

test("an alert without a title, a text or a remedy is named by its entity and its rule", () => {
  const told = agentAlert(alertOf({ title: "", text: "", remedy: "" }));
  assert.deepEqual([told?.title, told?.text, told?.remedy], ["guest/100", "Guest CPU sustained", undefined]);
});

test("500 alerts are told as all there are; of 501 the worst and oldest come first, and no message says that it is all", () => {
  const many = (count: number) => Array.from({ length: count }, (_, n) => alertOf({ id: `a${n}`, firedAt: 10_000 - n }));
  assert.deepEqual(
    snapshotFor(many(500)).map(({ all, alerts }) => [all, alerts.length]),
    [[true, 500]],
  );
  const parts = snapshotFor([...many(500), alertOf({ id: "worst", severity: "critical", firedAt: 20_000 })]);
  assert.deepEqual(
    parts.map(({ all, alerts }) => [all, alerts.length, alerts[0]?.id]),
    [
      [false, 500, "worst"],
      [false, 1, "a0"],
    ],
  );
});
