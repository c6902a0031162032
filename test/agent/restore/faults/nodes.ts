import type { ApiResult } from "../../../../agent/pve/answer.ts";
import type { RestoreNode } from "../../../support/restore-node.ts";
import { inject, later, quorum, restore, type Scenario, testVmid } from "../../../support/restore-scenarios.ts";

const lost: ApiResult = { ok: false, error: { status: 0, reason: "socket hang up", errors: {} } };
const hang = inject({ kind: restore, fault: "hang" });

/** Only the answer to the create call is lost: PVE does what it was asked. */
const loseAnswer = (node: RestoreNode) => {
  const { api } = node.ports;
  const isCreate = (path: string) => /^\/nodes\/[^/]+\/(qemu|lxc)$/.test(path);
  return {
    api: {
      ...api,
      post: async (path: string, params?: Parameters<typeof api.post>[1]) => {
        const answer = await api.post(path, params);
        return isCreate(path) ? lost : answer;
      },
    },
  };
};

/** What goes wrong around the node: its boot, its cluster, its daemons, the hub and the way to it. */
export const nodeFaults: Scenario[] = [
  ...(["qemu", "lxc"] as const).flatMap((type): Scenario[] => [
    {
      name: `the node reboots while it restores (${type})`,
      type,
      before: hang,
      at: ["restore", () => undefined],
      dies: "node",
      outcome: "interrupted",
      level: "bytes",
      reason: /^The agent ended in or after the step restore$/,
      steps: { compare: undefined, start: undefined },
    },
    {
      name: `the node reboots between restore and unlock (${type})`,
      type,
      at: ["compare-again", () => undefined],
      dies: "node",
      outcome: "interrupted",
      level: "bytes",
      reason: /^The agent ended in or after the step compare-again$/,
      steps: { start: undefined, stop: "skipped", destroy: "passed" },
    },
    {
      name: `the node reboots while the guest is checked (${type})`,
      type,
      at: ["checks", () => undefined],
      dies: "node",
      outcome: "interrupted",
      level: "boots",
      reason: /^The agent ended in or after the step checks$/,
      steps: { stop: "skipped", destroy: "passed" },
    },
    {
      name: `the node reboots while it clears away (${type})`,
      type,
      at: ["destroy", () => undefined],
      dies: "node",
      outcome: "interrupted",
      level: "works",
      reason: /^The agent ended in or after the step keep$/,
      steps: { destroy: "passed" },
    },
  ]),
  {
    name: "the agent is killed while the archive is read: nothing was made, nothing is cleared away",
    type: "qemu",
    at: ["integrity", () => undefined],
    dies: "agent",
    outcome: "interrupted",
    level: "none",
    reason: /^The agent ended in or after the step integrity$/,
    steps: { restore: undefined, destroy: undefined },
  },
  {
    name: "the agent is killed while the guest runs: the next one ends and removes it",
    type: "qemu",
    at: ["checks", () => undefined],
    dies: "agent",
    outcome: "interrupted",
    level: "boots",
    reason: /^The agent ended in or after the step checks$/,
    steps: { stop: "passed", destroy: "passed" },
  },
  {
    name: "quorum is lost while it restores: what is half made stays until it is back",
    type: "qemu",
    before: hang,
    order: { timeoutSec: 120 },
    at: ["restore", later(5000, quorum(false))],
    outcome: "refused",
    level: "bytes",
    reason: /^Not done after 120 s: too short a time/,
    steps: { restore: "unknown", destroy: "failed" },
    leftovers: [/^Guest 990000 could not be destroyed: cluster not ready - no quorum\?$/],
    mended: quorum(true),
  },
  {
    name: "quorum is lost before the guest starts: it stays locked until it is back",
    type: "lxc",
    at: ["unlock", quorum(false)],
    outcome: "refused",
    level: "bytes",
    reason: /: the cluster lost its quorum \(cluster not ready - no quorum\?\)$/,
    steps: { destroy: "failed" },
    leftovers: [/no quorum\?$/],
    mended: quorum(true),
  },
  {
    name: "quorum is lost while the guest is checked: its proof counts, and it stays until quorum is back",
    type: "lxc",
    at: ["checks", quorum(false)],
    outcome: "passed",
    level: "works",
    reason: /^The backup is good/,
    steps: { destroy: "failed" },
    leftovers: [/^Guest 990000 could not be destroyed: cluster not ready - no quorum\?$/],
    mended: quorum(true),
  },
  ...(["qemu", "lxc"] as const).map(
    (type): Scenario => ({
      name: `somebody migrates the test guest to another node (${type}): it is named and left alone`,
      type,
      nodes: 2,
      at: ["checks", inject({ kind: restore, fault: "migrated", vmid: testVmid, target: "pve2" })],
      outcome: "refused",
      level: "boots",
      reason: /^The test guest 990000 was taken from the test: it lives on another node now/,
      steps: { stop: "skipped", destroy: "failed" },
      leftovers: [/^Guest 990000 was left alone: it lives on another node now$/],
      leaves: true,
    }),
  ),
  {
    name: "the hub dies in the test: the result waits for it",
    type: "qemu",
    at: ["restore", () => undefined],
    unheardMs: 600_000,
    outcome: "passed",
    level: "works",
    reason: /^The backup is good/,
    steps: { destroy: "passed" },
  },
  {
    name: "the link is lost for an hour: the failure is told when it is back",
    type: "lxc",
    before: inject({ kind: restore, fault: "guest", services: [{ port: 80, service: null }] }),
    at: ["locate", () => undefined],
    unheardMs: 3_600_000,
    outcome: "failed",
    level: "boots",
    reason: /nothing listens on 80/,
    steps: { checks: "failed", destroy: "passed" },
  },
  ...(["qemu", "lxc"] as const).map(
    (type): Scenario => ({
      name: `pvedaemon is reloaded under a ${type} restore, as upgrades do: it goes on`,
      type,
      at: ["restore", later(500, inject({ kind: restore, fault: "pvedaemon", node: "pve1", action: "reload" }))],
      outcome: "passed",
      level: "works",
      reason: /^The backup is good/,
      steps: { restore: "passed", destroy: "passed" },
    }),
  ),
  {
    name: "PVE's answer to the create call is lost: its task is found and waited for",
    type: "qemu",
    ports: loseAnswer,
    outcome: "passed",
    level: "works",
    reason: /^The backup is good/,
    steps: { restore: "passed", destroy: "passed" },
  },
  {
    name: "PVE never answers the create call and does nothing",
    type: "lxc",
    ports: (node) => ({ api: { ...node.ports.api, post: async () => lost } }),
    outcome: "refused",
    level: "bytes",
    reason: /^PVE did not answer the restore, and no task of it appeared$/,
    steps: { restore: "failed", stop: "skipped", destroy: "skipped" },
  },
  {
    name: "all numbers of the range are taken",
    type: "qemu",
    limits: { vmids: { first: testVmid, last: testVmid } },
    before: inject({ kind: restore, fault: "vmid-taken", vmid: testVmid, when: "now" }),
    outcome: "refused",
    level: "none",
    reason: /^All numbers from 990000 to 990000 are taken$/,
    steps: { preflight: "failed" },
  },
  {
    name: "the storage for the disks is not active on this node",
    type: "qemu",
    before: inject({ kind: "storage", storage: "local-lvm", fault: "inactive" }),
    outcome: "refused",
    level: "none",
    reason: /^local-lvm is not active on this node$/,
    steps: { preflight: "failed" },
  },
  {
    name: "the node's clock is set an hour ahead in the test",
    type: "lxc",
    at: ["start", ({ clock }) => clock.jumpWall(3_600_000)],
    outcome: "passed",
    level: "works",
    reason: /^The backup is good/,
    steps: { destroy: "passed" },
  },
  {
    name: "the sandbox can't be closed",
    type: "lxc",
    ports: ({ sandboxes }) => ({
      sandboxes: {
        missing: sandboxes.missing.bind(sandboxes),
        open: sandboxes.open.bind(sandboxes),
        close: async () => "The bridge pvt1 could not be removed: Device or resource busy",
        part: sandboxes.part.bind(sandboxes),
        addressOf: sandboxes.addressOf.bind(sandboxes),
        reap: sandboxes.reap.bind(sandboxes),
      },
    }),
    outcome: "passed",
    level: "works",
    reason: /^The backup is good/,
    steps: { destroy: "passed" },
    leftovers: [/^The bridge pvt1 could not be removed/],
  },
];
