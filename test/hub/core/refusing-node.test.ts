import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClusterId, EpochMs, NodeName } from "#protocol/ids.ts";
import { refusingNode } from "../../../hub/core/refusing-node.ts";
import type { Run } from "../../../hub/core/run-record.ts";

const min = 60_000;
const now = Date.UTC(2026, 0, 5);
const [cluster, pve1] = ["7d56c7f88bffd383" as ClusterId, "pve1" as NodeName];
const run = (agoMin: number, more: Partial<Run> = {}) => ({
  ...{
    cluster,
    node: pve1,
    kind: "restore-test" as const,
    outcome: "refused" as const,
    verdict: "PVE does not answer",
    policy: "monthly",
  },
  createdAt: (now - agoMin * min) as EpochMs,
  ...more,
});
const why = (...runs: ReturnType<typeof run>[]) => refusingNode(runs, { cluster, node: pve1 }, now);

test("a node that refused three tests one after the other is left alone for a quarter of an hour", () => {
  assert.equal(why(run(1), run(2), run(3)), "pve1 refused its last 3 tests: PVE does not answer");
  assert.equal(why(run(1), run(2)), undefined, "two may be those guests' own matter");
  assert.equal(why(run(1), run(2), run(16)), undefined, "after a while it is asked again");
});

test("guests that are refused for reasons of their own, and tests ordered by hand, hold no other guest up", () => {
  const tooLarge = (agoMin: number) => run(agoMin, { verdict: `fast has 90 GiB free, its disks need ${100 + agoMin} GiB` });
  assert.equal(why(tooLarge(1), tooLarge(2), tooLarge(3), tooLarge(4)), undefined);
  assert.equal(why(run(1, { policy: null }), run(2, { policy: null }), run(3, { policy: null }), run(4)), undefined);
});

test("one test that was begun shows that a node works", () => {
  assert.equal(why(run(1), run(2, { outcome: "failed" }), run(3), run(4)), undefined);
  assert.equal(why(run(0, { outcome: null }), run(1), run(2), run(3)), undefined);
});

test("what other nodes and clusters refuse, and checks of archives, say nothing of it", () => {
  const others = [run(1, { node: "pve2" as NodeName }), run(1, { cluster: "0".repeat(16) as ClusterId })];
  assert.equal(why(run(1), ...others, run(2, { kind: "archive-check" }), run(3)), undefined);
  assert.equal(why(run(1), ...others, run(2), run(3)), "pve1 refused its last 3 tests: PVE does not answer");
});
