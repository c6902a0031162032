import assert from "node:assert/strict";
import { test } from "node:test";
import type { TaskView } from "#protocol/api.ts";
import type { ClusterId, EntityKey, EpochMs, NodeName, Vmid } from "#protocol/ids.ts";
import { guestStatusCodes } from "#protocol/metrics.ts";
import { AlertFacts } from "../../../hub/alerting/alert-facts.ts";
import { DueTimes, JobMemory } from "../../../hub/core/backup-due.ts";
import type { AgentStatus, ClusterPicture } from "../../../hub/core/cluster.ts";
import type { ProofFacts } from "../../../hub/core/fact-samples.ts";
import { ownersOf } from "../../../hub/core/inventory.ts";
import { TaskMemory } from "../../../hub/core/task-memory.ts";
import { FakeSeries } from "../../support/fake-series.ts";
import { nothingKept } from "../../support/job-times.ts";

const cluster = "00000000000000aa" as ClusterId;
const node = "pve1" as NodeName;
const agent = { cluster, node };
const now = Date.UTC(2026, 0, 2) as EpochMs;
const guests = ["guest/100", "guest/101"] as EntityKey[];

function pictureAt(at: EpochMs, vmids: readonly number[] = [100, 101]): ClusterPicture {
  const inventory = {
    at,
    cluster: { name: "lab", quorate: true, members: [{ node, nodeId: 1, online: true }] },
    node: { zpools: [], sources: [] },
    guests: vmids.map((vmid) => ({
      vmid: vmid as Vmid,
      type: "qemu" as const,
      name: `vm${vmid}`,
      identity: [],
      template: false,
      tags: [],
      onboot: true,
      configured: true,
    })),
    storages: [],
  };
  const status: AgentStatus = {
    node,
    state: "connected",
    software: "0.1.0",
    connectedAt: at,
    lastSeenAt: at,
    clockSkewMs: 0,
    newestFrame: at,
    duties: [],
    inventory: { agent, receivedAt: at, inventory, claims: {} },
  };
  const owners = ownersOf(status.inventory === undefined ? [] : [status.inventory]);
  return { cluster, name: "lab", agents: new Map([[node, status]]), owners };
}

/** Facts about two running guests; `look` returns the guests that something was told about. */
function setUp(proofs?: ProofFacts) {
  const series = new FakeSeries();
  const tasks = new TaskMemory();
  let told: string[] = [];
  const ran = { running: () => undefined, stopped: () => undefined, lastAt: () => undefined };
  const facts = new AlertFacts({
    reader: series.reader,
    live: series.live,
    backups: { tasks, due: new DueTimes(() => "UTC"), jobs: new JobMemory(nothingKept) },
    ran,
    proofs,
    refusing: () => false,
    receivers: () => [],
    sample: (_, entity, name, instance, value) => told.push(`${entity} ${name}${instance ?? ""} ${value}`),
  });
  const picture = pictureAt(now);
  const put = (entity: EntityKey, at: number, status: (typeof guestStatusCodes)[number]) =>
    series.put(agent, entity, "status", at, guestStatusCodes.indexOf(status));
  const lookAtAll = (afterMs: number, changed = false) => {
    told = [];
    const at = (now + afterMs) as EpochMs;
    const speaking = new Map([...picture.agents].map(([name, status]) => [name, { ...status, newestFrame: at }]));
    for (const _ of facts.tell([{ ...picture, agents: speaking }], changed, at, afterMs));
    return told;
  };
  const look = (...when: Parameters<typeof lookAtAll>) => lookAtAll(...when).filter((one) => one.startsWith("guest/"));
  for (const guest of guests) put(guest, now, "running");
  return { facts, tasks, put, look, lookAtAll };
}

const starting: TaskView = {
  cluster,
  upid: "UPID:pve1:00000001:00000002:6955BB00:qmstart:100:root@pam:",
  node,
  type: "qmstart",
  id: "100",
  user: "root@pam",
  startedAt: now,
  endedAt: null,
  state: "running",
  status: null,
};
const bothRun = ["guest/100 guest_run 0", "guest/101 guest_run 0"];

test("all guests are told at first, then only those whose status turned, and after half a minute at most all again", () => {
  const { facts, put, look } = setUp();
  assert.deepEqual(look(0), bothRun);
  assert.deepEqual(look(5000), []);
  put("guest/101" as EntityKey, now + 9000, "paused");
  facts.frameCame({ agent, turned: ["guest/101" as EntityKey] });
  assert.deepEqual(look(10_000), ["guest/101 guest_run 5"]);
  assert.deepEqual(look(12_000), []);
  assert.deepEqual(look(24_000), []);
  assert.deepEqual(look(25_000), ["guest/100 guest_run 0", "guest/101 guest_run 5"]);
});

test("a change of the inventory, of the rules or a task that was heard of is reason to tell all guests at once", () => {
  const { tasks, look } = setUp();
  assert.deepEqual(look(0), bothRun);
  assert.deepEqual(look(5000, true), bothRun);
  tasks.add(starting);
  assert.deepEqual(look(10_000), bothRun);
  assert.deepEqual(look(12_000), []);
});

test("what tests told of a guest is asked again when one ended, when time makes it another, and of a guest that something happened to", () => {
  const asked: number[] = [];
  const proofs = {
    version: 1,
    holdsUntil: () => now + 60_000,
    proof: (_: ClusterPicture, { facts }: { facts: { vmid: number } }) => {
      asked.push(facts.vmid);
      return "proven";
    },
    backupBytes: () => undefined,
    leftovers: () => undefined,
    figures: () => [],
  };
  const { facts, put, look } = setUp(proofs);
  const told = ["guest/100 guest_run 0", "guest/100 proof 0", "guest/101 guest_run 0", "guest/101 proof 0"];
  const askedAt = (afterMs: number, changed = false) => {
    asked.length = 0;
    for (const guest of guests) put(guest, now + afterMs, "running");
    assert.deepEqual(look(afterMs, changed), told);
    return [...asked];
  };
  assert.deepEqual(askedAt(0), [100, 101]);
  assert.deepEqual(askedAt(25_000), []);
  proofs.version++;
  assert.deepEqual(askedAt(50_000), [100, 101]);
  assert.deepEqual(askedAt(75_000), [100, 101]);
  proofs.holdsUntil = () => Number.POSITIVE_INFINITY;
  assert.deepEqual(askedAt(100_000), [100, 101]);
  facts.frameCame({ agent, turned: ["guest/101" as EntityKey] });
  assert.deepEqual(askedAt(125_000), [101]);
  assert.deepEqual(askedAt(130_000, true), []);
  assert.deepEqual(askedAt(160_000), []);
});

test("what is known of the cluster and its nodes is told every time", () => {
  const { lookAtAll } = setUp();
  lookAtAll(0);
  assert.deepEqual(lookAtAll(5000), [
    "cluster quorum 0",
    "cluster hub_store 0",
    "cluster hub_sight 0",
    "node/pve1 node_state 0",
    "node/pve1 agent_state 0",
    "node/pve1 guest_sight 0",
    "node/pve1 clock_skew 0",
  ]);
});

test("a node whose pvestatd hangs is told while its agent goes on: nobody sees any of its guests", () => {
  const { put, lookAtAll } = setUp();
  const sight = (afterMs: number) => lookAtAll(afterMs).filter((one) => one.includes("guest_sight"));
  assert.deepEqual(sight(0), []);
  assert.deepEqual(sight(5000), ["node/pve1 guest_sight 0"]);
  assert.deepEqual(sight(120_000), ["node/pve1 guest_sight 1"]);
  put("guest/101" as EntityKey, now + 120_000, "stopped");
  assert.deepEqual(sight(125_000), ["node/pve1 guest_sight 0"]);
});

test("of many guests some are told at a time, and what turns meanwhile is told with the next frames", () => {
  const { facts, put, look } = setUp();
  look(0);
  const vmids = Array.from({ length: 600 }, (_, index) => 1000 + index);
  let pieces = 0;
  for (const _ of facts.tell([pictureAt(now, vmids)], true, now, 1000)) {
    pieces++;
    facts.frameCame({ agent, turned: ["guest/100" as EntityKey] });
  }
  put("guest/100" as EntityKey, now, "running");
  assert.deepEqual([pieces, look(2000)], [2, ["guest/100 guest_run 0"]]);
});
