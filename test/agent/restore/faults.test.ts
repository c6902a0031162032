import assert from "node:assert/strict";
import { test } from "node:test";
import type { RestoreReport, RestoreStep, RestoreTest } from "#protocol/restore.ts";
import type { RestoreLimits } from "../../../agent/restore/ports.ts";
import {
  newId,
  plantTest,
  type RestoreNode,
  startOperations,
  startRestoreNode,
  statesOf,
  vmConfig,
} from "../../support/restore-node.ts";

/** What goes wrong, and the record that the test must leave of it. */
type Scenario = {
  name: string;
  type: "qemu" | "lxc";
  order?: Partial<RestoreTest>;
  planted?: Parameters<typeof plantTest>[3];
  limits?: Partial<RestoreLimits>;
  before?: (node: RestoreNode, order: RestoreTest) => void;
  /** In the moment in which that step begins. */
  at?: [RestoreStep, (node: RestoreNode) => void];
  outcome: RestoreReport["outcome"];
  level: RestoreReport["level"];
  reason: RegExp;
  /** Undefined: it was never reached. */
  steps?: { [Step in RestoreStep]?: string | undefined };
  leftovers?: RegExp[];
  /** Somebody else's guest is there afterwards: the node is not as before, and must not be. */
  leaves?: true;
};

type Fault = Parameters<RestoreNode["lab"]["control"]["inject"]>[0];
const inject =
  (...faults: Fault[]) =>
  ({ lab }: RestoreNode) => {
    for (const fault of faults) lab.control.inject(fault);
  };
type Damage = Parameters<RestoreNode["lab"]["restores"]["archives"]["damage"]>[1];
const damaged = (damage: Damage) => (node: RestoreNode, order: RestoreTest) =>
  node.lab.restores.archives.damage(order.backup.volid, damage);
/** So long after now, while a step goes on. */
const later = (ms: number, action: (node: RestoreNode) => void) => (node: RestoreNode) => {
  node.lab.schedule.at(node.clock.now() + ms, () => action(node));
};
const unread = { integrity: false };
const restore = "restore" as const;
const vmid = 990_000;
const noAgent = vmConfig.replace("agent: enabled=1\n", "");
const noNics = vmConfig.replace(/^net.*\n/gm, "");

const scenarios: Scenario[] = [
  {
    name: "a damaged archive is found before anything is restored",
    type: "qemu",
    before: damaged("flipped-data"),
    outcome: "failed",
    level: "none",
    reason: /^The backup is damaged: Decoding error/,
    steps: { integrity: "failed" },
  },
  {
    name: "a compressed archive with a flipped byte, restored unread, fails in the restore",
    type: "qemu",
    order: unread,
    before: damaged("flipped-data"),
    outcome: "failed",
    level: "none",
    reason: /^The restore failed: .*exit code 133/s,
    steps: { restore: "failed", stop: "skipped", destroy: "passed" },
  },
  {
    name: "a compressed archive that is cut in half",
    type: "qemu",
    order: unread,
    before: damaged("cut-half"),
    outcome: "failed",
    level: "none",
    reason: /exit code 133/,
    steps: { integrity: "skipped", restore: "failed", destroy: "passed" },
  },
  {
    name: "a compressed archive that lacks its last bytes",
    type: "qemu",
    order: unread,
    before: damaged("cut-tail"),
    outcome: "failed",
    level: "none",
    reason: /exit code 1$/,
    steps: { restore: "failed", destroy: "passed" },
  },
  {
    name: "a plain archive with a flipped byte restores and works, and nobody says that its bytes are verified",
    type: "qemu",
    planted: { format: "vma" },
    before: damaged("flipped-data"),
    outcome: "passed",
    level: "works",
    reason: /its bytes were not checked$/,
    steps: { integrity: "skipped", checks: "passed" },
  },
  ...(["cut-half", "cut-at-extent", "only-header", "appended", "flipped-extent-header"] as const).map(
    (damage): Scenario => ({
      name: `a plain archive that is damaged (${damage})`,
      type: "qemu",
      planted: { format: "vma" },
      before: damaged(damage),
      outcome: "failed",
      level: "none",
      reason: /^The restore failed: .*got signal 5/s,
      steps: { integrity: "skipped", restore: "failed", destroy: "passed" },
    }),
  ),
  ...(["wrong-magic", "flipped-header", "empty"] as const).map(
    (damage): Scenario => ({
      name: `a bad header (${damage}) is found in the configuration, not after a minute in the restore`,
      type: "qemu",
      planted: { format: "vma" },
      before: damaged(damage),
      outcome: "failed",
      level: "none",
      reason: /^The backup's configuration can't be read: .*got signal 5/s,
      steps: { configuration: "failed" },
    }),
  ),
  {
    name: "a snapshot with a missing chunk whose verification failed",
    type: "qemu",
    planted: { storage: "pbs1" },
    before: damaged("missing-chunk"),
    outcome: "failed",
    level: "none",
    reason: /^The backup is damaged: verification failed/,
    steps: { integrity: "failed" },
  },
  ...(["qemu", "lxc"] as const).map(
    (type): Scenario => ({
      name: `a ${type} snapshot with a missing chunk, restored unread`,
      type,
      order: unread,
      planted: { storage: "pbs1" },
      before: damaged("missing-chunk"),
      outcome: "failed",
      level: "none",
      reason: /^The restore failed: /,
      steps: { restore: "failed" },
    }),
  ),
  {
    name: "a container's archive that is cut in half",
    type: "lxc",
    order: unread,
    before: damaged("cut-half"),
    outcome: "failed",
    level: "none",
    reason: /exit code 2/,
    steps: { restore: "failed", destroy: "skipped" },
  },
  {
    name: "a storage that runs full under a VM",
    type: "qemu",
    before: inject({ kind: restore, fault: "storage-full", at: 0.5 }),
    outcome: "failed",
    level: "bytes",
    reason: /exit code 133/,
    steps: { restore: "failed", destroy: "passed" },
  },
  {
    name: "a storage that runs full under a container ends OK, and the copy does not start",
    type: "lxc",
    before: inject({ kind: restore, fault: "storage-full", at: 0.5 }),
    outcome: "failed",
    level: "bytes",
    reason: /^It could not be started: startup for container/,
    steps: { restore: "passed", start: "failed", destroy: "passed" },
  },
  {
    name: "a storage without room for the disks",
    type: "qemu",
    planted: { config: vmConfig.replace("size=4G", "size=900T") },
    outcome: "refused",
    level: "none",
    reason: /^local-lvm has .* GiB free, the test needs 1013760.0 GiB$/,
    steps: { preflight: "failed" },
  },
  {
    name: "a storage that this node does not allow",
    type: "qemu",
    order: { storage: "local-zfs" },
    limits: { storages: ["local-lvm"] },
    outcome: "refused",
    level: "none",
    reason: /^This node does not allow restore tests on the storage local-zfs$/,
    steps: { preflight: "failed" },
  },
  {
    name: "a storage that takes no container volumes",
    type: "lxc",
    order: { storage: "pbs1" },
    outcome: "refused",
    level: "none",
    reason: /^pbs1 takes no container volumes$/,
    steps: { preflight: "failed" },
  },
  {
    name: "a node without memory to spare",
    type: "qemu",
    limits: { reserveMib: 4_000_000 },
    outcome: "refused",
    level: "none",
    reason: /MiB of memory are free; the test guest takes 1024 and 4000000 must stay$/,
    steps: { preflight: "failed" },
  },
  {
    name: "a cluster without quorum",
    type: "qemu",
    before: (node) => {
      node.lab.control.inject({ kind: "quorum", quorate: false });
      node.lab.writeAll();
    },
    outcome: "refused",
    level: "none",
    reason: /^The cluster has no quorum: nothing can be changed$/,
    steps: { preflight: "failed" },
  },
  {
    name: "a backup that is gone",
    type: "qemu",
    order: { backup: { storage: "nfs1", volid: "nfs1:backup/vzdump-qemu-900-2020_01_01-00_00_00.vma.zst" } },
    outcome: "failed",
    level: "none",
    reason: /^The storage nfs1 holds no backup/,
    steps: { locate: "failed" },
  },
  {
    name: "a backup storage that hangs",
    type: "qemu",
    before: inject({ kind: "storage", storage: "nfs1", fault: "hang" }),
    outcome: "failed",
    level: "none",
    reason: /^The storage nfs1 can't be listed: no answer within 15000 ms$/,
    steps: { locate: "failed" },
  },
  {
    name: "a node where no sandbox can be made",
    type: "qemu",
    before: (node) => {
      node.sandboxes.problem = "dnsmasq: not installed";
    },
    outcome: "refused",
    level: "bytes",
    reason: /^No sandbox can be made: dnsmasq: not installed$/,
    steps: { sandbox: "failed" },
  },
  {
    name: "a number that somebody took before the call came in",
    type: "qemu",
    before: inject({ kind: restore, fault: "vmid-taken", vmid, when: "create" }),
    outcome: "failed",
    level: "bytes",
    reason: /^PVE refused the restore: unable to restore VM 990000 - VM 990000 already exists/,
    steps: { restore: "failed" },
    leaves: true,
  },
  {
    name: "a restore that hangs is ended when the time is over",
    type: "qemu",
    order: { timeoutSec: 120 },
    before: inject({ kind: restore, fault: "hang" }),
    outcome: "failed",
    level: "bytes",
    reason: /^Not done after 120 s$/,
    steps: { restore: "unknown", destroy: "passed" },
  },
  ...(["qemu", "lxc"] as const).map(
    (type): Scenario => ({
      name: `a ${type} restore whose worker is killed, with its programs running on`,
      type,
      before: inject({ kind: restore, fault: "hang" }),
      at: ["restore", later(5000, inject({ kind: restore, fault: "kill-worker", vmid }))],
      outcome: "failed",
      level: "bytes",
      reason: /^The restore failed: unexpected status$/,
      steps: { restore: "failed", destroy: "passed" },
    }),
  ),
  {
    name: "vma is killed",
    type: "qemu",
    before: inject({ kind: restore, fault: "hang" }),
    at: ["restore", later(5000, inject({ kind: restore, fault: "kill-vma", vmid }))],
    outcome: "failed",
    level: "bytes",
    reason: /exit code 137/,
    steps: { restore: "failed", destroy: "passed" },
  },
  ...(["qemu", "lxc"] as const).map(
    (type): Scenario => ({
      name: `pvedaemon is restarted under a ${type} restore`,
      type,
      before: inject({ kind: restore, fault: "hang" }),
      at: ["restore", later(5000, inject({ kind: restore, fault: "pvedaemon", node: "pve1", action: "restart" }))],
      outcome: "failed",
      level: "bytes",
      reason: /interrupt/,
      steps: { restore: "failed" },
    }),
  ),
  {
    name: "a guest that never boots",
    type: "qemu",
    before: inject({ kind: restore, fault: "guest", bootMs: null }),
    outcome: "failed",
    level: "bytes",
    reason: /^It gave no sign of life: neither its agent nor its network answered/,
    steps: { start: "passed", heartbeat: "unknown", network: "failed", stop: "passed", destroy: "passed" },
  },
  {
    name: "a container whose init never comes",
    type: "lxc",
    before: inject({ kind: restore, fault: "guest", bootMs: null }),
    outcome: "failed",
    level: "bytes",
    reason: /^It gave no sign of life/,
    steps: { heartbeat: "unknown", network: "failed" },
  },
  {
    name: "an agent that is configured but not there: the network shows that the guest lives",
    type: "qemu",
    planted: { agent: "dead" },
    outcome: "passed",
    level: "works",
    reason: /^The backup is good/,
    steps: { heartbeat: "unknown", network: "passed", checks: "passed" },
  },
  {
    name: "a machine without a guest agent",
    type: "qemu",
    planted: { config: noAgent, agent: "none" },
    outcome: "passed",
    level: "works",
    reason: /^The backup is good/,
    steps: { heartbeat: "skipped", network: "passed" },
  },
  {
    name: "a machine with neither agent nor network card proves nothing by running",
    type: "qemu",
    planted: { config: noAgent.replace(/^net.*\n/gm, ""), agent: "none" },
    outcome: "failed",
    level: "bytes",
    reason: /It has no network card$/,
    steps: { start: "passed", heartbeat: "skipped", network: "failed" },
  },
  {
    name: "a guest without a network card whose check needs one",
    type: "qemu",
    planted: { config: noNics },
    outcome: "passed",
    level: "boots",
    reason: /^The backup is good: it restores and boots/,
    steps: { heartbeat: "passed", network: "unknown", checks: "skipped" },
  },
  {
    name: "a service that does not come up",
    type: "qemu",
    before: inject({ kind: restore, fault: "guest", services: [{ port: 80, service: null }] }),
    outcome: "failed",
    level: "boots",
    reason: /^1 of 1 checks failed: web \(nothing listens on 80\)$/,
    steps: { checks: "failed", screenshot: "skipped", destroy: "passed" },
  },
  {
    name: "a service that says the wrong thing",
    type: "lxc",
    before: inject({
      kind: restore,
      fault: "guest",
      services: [{ port: 80, service: { kind: "http", status: 200, text: "Error" } }],
    }),
    outcome: "failed",
    level: "boots",
    reason: /the text "It works" is not there/,
    steps: { checks: "failed" },
  },
  {
    name: "a check that can't run here counts for nothing",
    type: "lxc",
    order: {
      checks: [
        { name: "web", kind: "http", scheme: "http", path: "/" },
        { name: "name", kind: "dns", query: "x" },
      ],
    },
    outcome: "passed",
    level: "boots",
    reason: /^The backup is good: it restores and boots/,
    steps: { checks: "passed" },
  },
  {
    name: "no checks at all",
    type: "lxc",
    order: { checks: [] },
    outcome: "passed",
    level: "boots",
    reason: /^The backup is good: it restores and boots/,
    steps: { network: "skipped", checks: "skipped" },
  },
  {
    name: "a screen that can't be had",
    type: "qemu",
    order: { screenshot: true },
    before: inject({ kind: restore, fault: "guest", screenshot: false }),
    outcome: "passed",
    level: "works",
    reason: /^The backup is good/,
    steps: { screenshot: "skipped" },
  },
  {
    name: "an operator who makes the test guest his own keeps it",
    type: "qemu",
    at: ["checks", inject({ kind: restore, fault: "operator", vmid, does: "takeover" })],
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
    at: ["checks", inject({ kind: restore, fault: "operator", vmid, does: "destroy" })],
    outcome: "failed",
    level: "boots",
    reason: /checks failed/,
    steps: { destroy: "skipped" },
  },
  {
    name: "an operator who puts a card onto production before the start: it is destroyed, never started",
    type: "qemu",
    at: ["compare", inject({ kind: restore, fault: "operator", vmid, does: "rewire" })],
    outcome: "failed",
    level: "bytes",
    reason: /^The written configuration is not what was asked: net0 is/,
    steps: { compare: "failed", strip: undefined, destroy: "passed" },
  },
  {
    name: "somebody else's guest under a number of ours after it was destroyed",
    type: "qemu",
    at: ["checks", inject({ kind: restore, fault: "operator", vmid, does: "recreate" })],
    outcome: "failed",
    level: "boots",
    reason: /checks failed/,
    steps: { destroy: "failed" },
    leftovers: [/^Guest 990000 was left alone/],
    leaves: true,
  },
];

for (const scenario of scenarios) {
  test(scenario.name, async (t) => {
    const node = await startRestoreNode(t, scenario.limits === undefined ? {} : { limits: scenario.limits });
    const order = plantTest(node, scenario.type, scenario.order, scenario.planted);
    scenario.before?.(node, order);
    const { restores, misuses } = node.lab;
    const before = restores.inventory();
    const agent = startOperations(node);
    const [step, action] = scenario.at ?? [];
    if (step !== undefined && action !== undefined) agent.onStep(step, () => action(node));
    const id = newId();
    agent.start(id, { kind: "restore-test", params: order });
    const report = await agent.report(id);
    assert.match(report.reason, scenario.reason);
    assert.deepEqual([report.outcome, report.level], [scenario.outcome, scenario.level]);
    const states = statesOf(report.steps);
    const wanted = Object.keys(scenario.steps ?? {}) as RestoreStep[];
    assert.deepEqual(Object.fromEntries(wanted.map((name) => [name, states[name]])), scenario.steps ?? {});
    assert.deepEqual(
      report.leftovers.map((left, index) => scenario.leftovers?.[index]?.test(left) ?? left),
      scenario.leftovers?.map(() => true) ?? [],
    );
    assert.deepEqual([restores.safety.violations, misuses], [[], []]);
    const same = JSON.stringify(restores.inventory()) === JSON.stringify(before);
    assert.equal(same, scenario.leaves !== true, JSON.stringify(restores.inventory()));
  });
}
