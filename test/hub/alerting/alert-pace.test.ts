import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClusterId, EntityKey, NodeName } from "#protocol/ids.ts";
import { AlertPace } from "../../../hub/alerting/alert-pace.ts";

const minute = 60_000;
const agent = { cluster: "c1" as ClusterId, node: "pve1" as NodeName };
const entities: readonly EntityKey[] = [];

/** One that followed everything at 0, with version 1. */
function followed(): AlertPace {
  const pace = new AlertPace();
  pace.frameCame({ agent, entities });
  assert.equal(pace.takeRebuild(0, 1), "all");
  return pace;
}

test("where rules are others now, facts are due at once, also when the look at them was under way", () => {
  const pace = followed();
  assert.equal(pace.takeFacts(0), true);
  assert.ok(pace.factsInMs(1, true) > 0);
  pace.reset();
  assert.equal(pace.factsInMs(1, true), 0);
  assert.equal(pace.takeFacts(1), true);
  assert.equal(pace.takeRebuild(1, 1), "all");
  assert.ok(pace.factsInMs(2, true) > 0);
});

test("entities and rules are followed at once where something changed, but at most every 30 s", () => {
  const pace = followed();
  assert.equal(pace.takeRebuild(29_999, 2), undefined);
  assert.equal(pace.takeRebuild(30_000, 2), "all");
  pace.frameCame({ agent, entities: [] });
  assert.equal(pace.takeRebuild(60_000, 2), "all", "what an agent samples is another list");
});

test("where nothing changed entities are compared every five minutes, and all is followed every hour", () => {
  const pace = followed();
  assert.equal(pace.takeRebuild(5 * minute - 1, 1), undefined);
  assert.equal(pace.takeRebuild(5 * minute, 1), "compare");
  pace.frameCame({ agent, entities });
  assert.equal(pace.takeRebuild(6 * minute, 1), undefined);
  assert.equal(pace.takeRebuild(60 * minute, 1), "all");
  assert.equal(pace.takeRebuild(61 * minute, 1), undefined);
});

test("facts come with the samples that agents send every ten seconds; while there are alerts they come every five", () => {
  const pace = followed();
  assert.equal(pace.takeFacts(0), true);
  assert.equal(pace.takeFacts(4999), false);
  assert.equal(pace.factsInMs(5000, false), 6000);
  assert.equal(pace.factsInMs(2000, true), 3000);
});
