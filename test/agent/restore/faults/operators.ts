import type { RestoreNode } from "../../../support/restore-node.ts";
import { inject, restore, type Scenario, testVmid } from "../../../support/restore-scenarios.ts";

/** Somebody writes another line into the test guest's configuration. */
function edit({ lab }: RestoreNode, from: string, to: string): void {
  const { copies } = lab.restores;
  const guest = copies.find(testVmid)?.guest;
  if (guest === undefined) throw new Error("there is no test guest");
  copies.write(guest, (lab.tree.readGuest(testVmid) ?? "").replace(from, to));
}

/** By a task of PVE's, as from the web UI; the guest is down at once. */
function stopByHand(node: RestoreNode): void {
  const { operations, restores } = node.lab;
  const guest = restores.copies.find(testVmid)?.guest;
  if (guest === undefined) throw new Error("there is no test guest");
  operations.power(guest, "stop", "alice@pve");
  inject({ kind: "guest", vmid: testVmid, action: "stop" })(node);
}

/** What somebody at the node, or a job of it, does with a test guest. */
export const operatorFaults: Scenario[] = [
  {
    name: "an operator who makes the test guest his own keeps it",
    type: "qemu",
    at: ["checks", inject({ kind: restore, fault: "operator", vmid: testVmid, does: "takeover" })],
    outcome: "passed",
    level: "works",
    reason: /^The backup is good/,
    steps: { stop: "skipped", destroy: "failed" },
    leftovers: [/^Guest 990000 was left alone: it lacks our tag or our marker$/],
    leaves: true,
  },
  {
    name: "an operator who destroys the test guest",
    type: "lxc",
    at: ["checks", inject({ kind: restore, fault: "operator", vmid: testVmid, does: "destroy" })],
    outcome: "refused",
    level: "boots",
    reason: /^The test guest 990000 was taken from the test: it is not there any more, which says nothing against the backup/,
    steps: { destroy: "skipped" },
  },
  {
    name: "an operator who puts a card onto production before the start: it is destroyed, never started",
    type: "qemu",
    at: ["compare", inject({ kind: restore, fault: "operator", vmid: testVmid, does: "rewire" })],
    outcome: "refused",
    level: "bytes",
    reason: /^The written configuration is not what was asked: net0 is/,
    steps: { compare: "failed", strip: undefined, destroy: "passed" },
  },
  {
    name: "somebody else's guest under a number of ours after it was destroyed",
    type: "qemu",
    at: ["checks", inject({ kind: restore, fault: "operator", vmid: testVmid, does: "recreate" })],
    outcome: "refused",
    level: "boots",
    reason: /^The test guest 990000 was taken from the test: it lacks our tag or our marker/,
    steps: { destroy: "failed" },
    leftovers: [/^Guest 990000 was left alone/],
    leaves: true,
  },
  {
    name: "an operator who takes the lock away before it was judged: it is destroyed, never started",
    type: "lxc",
    at: ["compare", inject({ kind: restore, fault: "operator", vmid: testVmid, does: "unlock" })],
    outcome: "refused",
    level: "bytes",
    reason: /lock is "absent", not "create"/,
    steps: { compare: "failed", start: undefined, destroy: "passed" },
  },
  {
    name: "an operator who puts a card onto production while the guest boots",
    type: "qemu",
    at: ["network", inject({ kind: restore, fault: "operator", vmid: testVmid, does: "rewire" })],
    outcome: "refused",
    level: "boots",
    reason: /^The written configuration is not what was asked: net0 is/,
    steps: { network: "failed", destroy: "passed" },
  },
  {
    name: "an operator who only gives it more memory does no harm",
    type: "lxc",
    at: ["checks", inject({ kind: restore, fault: "operator", vmid: testVmid, does: "edit" })],
    outcome: "passed",
    level: "works",
    reason: /^The backup is good/,
    steps: { destroy: "passed" },
  },
  {
    name: "an operator who stops the test guest while it is checked",
    type: "lxc",
    at: ["checks", stopByHand],
    outcome: "refused",
    level: "boots",
    reason: /^Somebody else's task ended the test guest 990000: UPID:.*:vzstop:990000:/,
    steps: { checks: "failed", stop: "skipped", destroy: "passed" },
  },
  {
    name: "a backup job of all guests that stops the test guest while it is checked",
    type: "qemu",
    at: ["checks", inject({ kind: "lock", vmid: testVmid, lock: "backup" }, { kind: "guest", vmid: testVmid, action: "stop" })],
    outcome: "refused",
    level: "boots",
    reason: /^Somebody else has locked the test guest 990000 \(backup\), which says nothing against the backup/,
    steps: { checks: "failed", destroy: "passed" },
  },
  {
    name: "an operator who starts the copy past its lock, before it was judged",
    type: "qemu",
    at: ["compare", inject({ kind: restore, fault: "operator", vmid: testVmid, does: "start" })],
    outcome: "refused",
    level: "bytes",
    reason: /^It could not be started: somebody else had started it \(VM 990000 already running\)$/,
    steps: { start: "failed", stop: "passed", destroy: "passed" },
  },
  {
    name: "an operator whose delete waited for the restore: the copy is gone before it was judged",
    type: "lxc",
    at: ["compare", inject({ kind: restore, fault: "operator", vmid: testVmid, does: "destroy" })],
    outcome: "refused",
    level: "bytes",
    reason: /^The test guest 990000 was taken from the test: it is not there any more.*does not exist/,
    steps: { compare: "failed", start: undefined, destroy: "skipped" },
  },
  {
    name: "an operator who protects the test guest: it stays until he takes that back",
    type: "lxc",
    at: ["checks", (node) => edit(node, "protection: 0", "protection: 1")],
    outcome: "passed",
    level: "works",
    reason: /^The backup is good/,
    steps: { stop: "passed", destroy: "failed" },
    leftovers: [/^Guest 990000 could not be destroyed: can't remove CT 990000 - protection mode enabled$/],
    mended: (node) => edit(node, "protection: 1", "protection: 0"),
  },
  {
    name: "a nightly job that backs up the running test guest locks it (qemu): it is removed all the same",
    type: "qemu",
    at: ["checks", inject({ kind: "lock", vmid: testVmid, lock: "backup" })],
    outcome: "passed",
    level: "works",
    reason: /^The backup is good/,
    steps: { stop: "passed", destroy: "passed" },
  },
  {
    name: "a nightly job that backs up the running test guest locks it (lxc): it goes when the lock has gone",
    type: "lxc",
    at: ["checks", inject({ kind: "lock", vmid: testVmid, lock: "backup" })],
    outcome: "passed",
    level: "works",
    reason: /^The backup is good/,
    steps: { destroy: "failed" },
    leftovers: [/^Guest 990000 could not be destroyed: CT is locked \(backup\)$/],
    mended: inject({ kind: "lock", vmid: testVmid, lock: null }),
  },
];
