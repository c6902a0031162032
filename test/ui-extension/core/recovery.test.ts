import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeView } from "#protocol/api.ts";
import type { GuestRecovery, NodeRecovery } from "#protocol/recovery.ts";
import {
  asTold,
  dataWords,
  lossBrief,
  lossRank,
  lossWords,
  sourceWords,
  stateWords,
  timeWords,
  worstOf,
} from "../../../ui-extension/core/recovery.ts";
import { inEnglish as t } from "../../../ui-extension/core/text.ts";
import { fakeCluster } from "../../support/fake-cluster.ts";

const counts = { lost: 0, failed: 0, unknown: 0, unproven: 0, stays: 0, proven: 0 };
const node = (of: Partial<typeof counts>): Pick<NodeRecovery, "counts" | "guests"> => ({
  counts: { ...counts, ...of },
  guests: Object.values(of).reduce((sum, n) => sum + n, 0),
});
const backup = { at: 0, storage: "pbs1", volid: "v", verified: true, encrypted: false, stale: false };
const guest: GuestRecovery = {
  ...{ entity: "guest/100", vmid: 100, type: "qemu", name: "web", state: "proven", way: "backup", target: null },
  ...{ dataAt: 0, backup, burns: null, provenAt: 0, restoreMs: 1, without: [] },
};

test("a node's loss is as bad as its worst guest, and green only where all are proven", () => {
  assert.equal(worstOf(node({ proven: 9, lost: 1 })), "lost");
  assert.equal(worstOf(node({ proven: 9, unknown: 1 })), "unknown");
  assert.equal(worstOf(node({ proven: 9 })), "proven");
  assert.equal(worstOf(node({})), "none");
  assert.equal(lossWords(node({ lost: 1, proven: 2 }), t), "1 guest is lost · 2 are proven to come back");
  assert.equal(
    lossWords(node({ failed: 2, unproven: 1 }), t),
    "2 failed their tests or have damaged backups · 1 has a backup that is not proven",
  );
  assert.equal(lossBrief(node({ lost: 1, stays: 3, proven: 2 }), t), "1 lost · 3 stay · 2 proven");
  assert.deepEqual([lossWords(node({}), t), lossBrief(node({}), t)], ["No guests here", "No guests here"]);
});

test("of a node that never had an agent of ours nobody can tell what it would lose: it is not without guests", () => {
  const agent = { software: null, connectedAt: null, lastSeenAt: null, clockSkewMs: null, duties: [], sources: [] };
  const [home] = fakeCluster({ nodes: 1, guests: 0, silent: 0, trouble: false }).nodes(0);
  assert.ok(home);
  const { cluster, entity } = home;
  const loss: NodeRecovery = {
    ...{ cluster, entity, node: home.node, ...node({}), oldestAt: null, keysNeeded: 0, hubHere: false },
    ...{ restores: { guests: 0, measured: 0, totalMs: 0 }, room: { fits: "yes", neededBytes: 0, freeBytes: 9 } },
  };
  const said = (state: NodeView["agent"]["state"]) =>
    asTold([loss], [{ ...home, agent: { ...agent, state } }]).map((one) => [
      worstOf(one),
      lossWords(one, t),
      lossBrief(one, t),
      one.room.fits,
    ]);
  assert.deepEqual(said("never"), [["unknown", "No agent tells of its guests", "unknown", "unknown"]]);
  assert.deepEqual(said("away"), [["none", "No guests here", "No guests here", "yes"]]);
  const ranks = [...asTold([loss], [{ ...home, agent: { ...agent, state: "never" } }]), node({ unproven: 5 }), node({})].map(
    lossRank,
  );
  assert.deepEqual(
    [...ranks].sort((a, b) => b - a),
    ranks,
  );
});

test("nodes are in order of what they would lose", () => {
  const nodes = [node({}), node({ proven: 5 }), node({ lost: 2 }), node({ lost: 3, proven: 9 }), node({ failed: 8 })];
  const sorted = [...nodes].sort((a, b) => lossRank(b) - lossRank(a));
  assert.deepEqual(
    sorted.map((one) => nodes.indexOf(one)),
    [3, 2, 4, 1, 0],
  );
});

test("a time that was measured for some is told as of these; where nothing is restored there is none", () => {
  assert.equal(timeWords({ restores: { guests: 3, measured: 3, totalMs: 5_400_000 } }, t), "1 h 30 min");
  assert.equal(timeWords({ restores: { guests: 3, measured: 1, totalMs: 90_000 } }, t), "1 min for 1 of 3");
  assert.equal(timeWords({ restores: { guests: 3, measured: 0, totalMs: 0 } }, t), "never measured");
  assert.equal(timeWords({ restores: { guests: 0, measured: 0, totalMs: 0 } }, t), undefined);
  assert.equal(dataWords({ oldestAt: null }, 0, t), undefined);
  assert.equal(dataWords({ oldestAt: 0 }, 5 * 3_600_000, t), "up to 5 h old");
});

test("a guest says where it comes back from, and what does not come with it", () => {
  const burns = { at: 5, storage: "local" };
  const cases: [Partial<GuestRecovery>, state: string, source: string][] = [
    [{}, "proven by a test", "backup on pbs1"],
    [{ burns, without: ["scsi1"] }, "proven by a test", "backup on pbs1 · a newer one on local burns · without scsi1"],
    [
      { state: "unknown", backup: { ...backup, stale: true }, without: null },
      "nobody can tell",
      "backup on pbs1 · its storage can't be read now · nobody told which disks backups leave out",
    ],
    [{ state: "lost", way: null, backup: null, burns }, "is lost", "its backups on local burn too"],
    [{ state: "lost", way: null, backup: null }, "is lost", "no storage has a backup of it"],
    [{ state: "failed", way: null, backup: null }, "its backup is damaged", ""],
    [{ state: "unknown" }, "nobody can tell", "backup on pbs1 · nobody told on which machine that is"],
    [{ state: "failed" }, "failed its restore test", "backup on pbs1"],
    [{ state: "stays", way: "ha" }, "HA starts it elsewhere", "shared storage"],
    [{ state: "stays", way: "ha", target: "pve2" }, "HA starts it elsewhere", "replica on pve2"],
    [{ state: "stays", way: "shared", without: ["mp0"] }, "start it elsewhere", "shared storage · without mp0"],
  ];
  for (const [more, state, source] of cases) {
    const one = { ...guest, ...more };
    assert.deepEqual([stateWords(one, t), sourceWords(one, t)], [state, source]);
  }
});
