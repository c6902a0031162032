import assert from "node:assert/strict";
import { test } from "node:test";
import type { EpochMs, NodeName } from "#protocol/ids.ts";
import type { Operation } from "#protocol/operations.ts";
import { chooseNode } from "../../../hub/core/run-node.ts";
import { testPicture } from "../../support/test-cluster.ts";

const now = Date.UTC(2026, 0, 5) as EpochMs;
/** VM 100 lives on pve1; its disks lie on fast, which pve1 and pve3 have. */
const picture = testPicture({
  nodes: { pve1: [{ vmid: 100, storages: ["fast"] }], pve2: [], pve3: [] },
  storages: [
    { storage: "nfs1", type: "nfs", shared: true, content: ["backup"] },
    { storage: "fast", type: "zfspool", content: ["images"], nodes: ["pve1", "pve3"] },
    { storage: "slow", type: "dir", content: ["images"], nodes: ["pve2"] },
  ],
  at: now,
});
const params = {
  vmid: 100,
  type: "qemu" as const,
  backup: { storage: "nfs1", volid: "nfs1:backup/vzdump-qemu-100-2026_01_04-00_00_00.vma.zst" },
  ...{ checks: [], integrity: true, screenshot: false, benchmark: false, timeoutSec: 7200, bootSec: 300, keepSec: 0 },
};
const restore: Operation = { kind: "restore-test", params };

/** The same with pve1 burnt, and pve3 too, if wanted. */
const burnt = (...nodes: string[]) => ({
  ...picture,
  agents: new Map(
    [...picture.agents].map(([node, agent]) => [node, nodes.includes(node) ? { ...agent, state: "away" as const } : agent]),
  ),
});

function chosen(operation: Operation, { away = [] as string[], nodes = [] as string[], picture: shown = picture } = {}) {
  const guest = { vmid: 100, type: "qemu" as const, name: "web", identity: [] };
  const question = {
    picture: shown,
    takes: (node: NodeName) => !away.includes(node),
    busy: () => 0,
    holders: () => undefined,
    now,
  };
  const choice = chooseNode({ operation, guest, nodes: nodes as NodeName[] }, question);
  return choice.ok ? choice.node : choice.why;
}

test("a restore test runs on the guest's own node, else on one that has the storages of its disks", () => {
  assert.equal(chosen(restore), "pve1");
  assert.equal(chosen(restore, { away: ["pve1"] }), "pve3");
  assert.match(
    chosen(restore, { away: ["pve1", "pve3"] }),
    /^the agent of pve1, pve3 is /,
    "it waits, and is not refused on pve2",
  );
});

test("where all nodes are gone that have the storages of a guest's disks, its backup is tested on another", () => {
  assert.equal(chosen(restore, { away: ["pve1"], picture: burnt("pve1") }), "pve3");
  assert.equal(chosen(restore, { away: ["pve1", "pve3"], picture: burnt("pve1", "pve3") }), "pve2");
});

test("one that is told a storage runs where that is", () => {
  assert.equal(chosen({ kind: "restore-test", params: { ...params, storage: "slow" } }), "pve2");
});

test("whoever names a node has it, and an archive is read wherever its storage is", () => {
  assert.equal(chosen(restore, { nodes: ["pve2"] }), "pve2");
  const check: Operation = { kind: "archive-check", params: params.backup };
  assert.equal(chosen(check, { away: ["pve1"] }), "pve2");
});
