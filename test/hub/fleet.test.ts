import assert from "node:assert/strict";
import { test } from "node:test";
import type { EventView } from "#protocol/api.ts";
import { type ClusterId, guestKey, nodeKey, type Vmid } from "#protocol/ids.ts";
import { limits } from "#protocol/limits.ts";
import { revokeAgent } from "../../hub/agent-keys.ts";
import { assembleHub } from "../../hub/assembly.ts";
import type { AgentId } from "../../hub/core/series.ts";
import { nodeView } from "../../hub/core/views.ts";
import { agentOf, clusterA, connect, inventoryOf, type TestHub, testHub } from "../support/test-hub.ts";

/** Types of the events so far, oldest first, without those of sessions and duties. */
const story = (hub: TestHub): string[] =>
  hub.state.history
    .eventsAfter(0, 1000)
    .map((event: EventView) => event.type)
    .filter((type) => !/^(agent\.connected|duty\.|agent\.away)/.test(type));
const texts = (hub: TestHub, type: string) =>
  hub.state.history.events({ type }, { limit: 10, cursor: undefined }).items.map((event) => event.text);
const owner = (hub: TestHub, vmid: number) => hub.fleet.picture(clusterA)?.owners.get(vmid as Vmid)?.owner.agent.node;
const speak = (hub: TestHub, node: string) => hub.series.frameCame(agentOf(node), hub.clock.now());

/** As the hub does every second, samples arriving every ten. */
async function seconds(hub: TestHub, count: number, speaking: string[] = []) {
  for (let i = 0; i < count; i++) {
    if (i % 10 === 0) for (const node of speaking) speak(hub, node);
    hub.watch.tick();
    await hub.clock.advance(1000);
  }
  hub.watch.tick();
}

test("a migration is told as one, whichever node reports first", async (t) => {
  for (const order of [
    ["pve1", "pve2"],
    ["pve2", "pve1"],
  ]) {
    const hub = testHub(t);
    const reports = { pve1: inventoryOf(), pve2: inventoryOf({ guests: [{ vmid: 100, name: "web" }] }) };
    hub.fleet.inventory(connect(hub, "pve1"), reports.pve2);
    hub.fleet.inventory(connect(hub, "pve2"), inventoryOf());
    for (const node of order as ("pve1" | "pve2")[]) {
      hub.fleet.inventory(agentOf(node), reports[node]);
      await seconds(hub, 2);
    }
    await seconds(hub, 20);
    assert.deepEqual(story(hub), ["guest.migrated"]);
    assert.equal(owner(hub, 100), "pve2");
  }
});

test("a deleted guest disappears after its grace time, and is told", async (t) => {
  const hub = testHub(t);
  hub.fleet.inventory(connect(hub, "pve1"), inventoryOf({ guests: [{ vmid: 100, name: "web" }] }));
  hub.fleet.inventory(agentOf("pve1"), inventoryOf());
  await seconds(hub, 14);
  assert.equal(owner(hub, 100), "pve1");
  await seconds(hub, 2);
  assert.equal(owner(hub, 100), undefined);
  assert.deepEqual(texts(hub, "guest.deleted"), ["VM 100 (web) was deleted: no agent lists it any more, it was on pve1"]);
});

test("a guest of our own tests that is cleared away is no warning; any other that goes is one", async (t) => {
  const hub = testHub(t);
  const ours = { vmid: 900_000, name: "proven-test-100", tags: ["proven-test"] };
  hub.fleet.inventory(connect(hub, "pve1"), inventoryOf({ guests: [ours, { vmid: 100, name: "web" }] }));
  hub.fleet.inventory(agentOf("pve1"), inventoryOf());
  await seconds(hub, 20);
  assert.deepEqual(
    hub.state.history
      .events({ type: "guest." }, { limit: 10, cursor: undefined })
      .items.map(({ severity, text, data }) => [severity, text, data?.test])
      .sort(),
    [
      ["info", "The test guest VM 900000 (proven-test-100) was cleared away from pve1", true],
      ["warning", "VM 100 (web) was deleted: no agent lists it any more, it was on pve1", false],
    ],
  );
});

test("guests of a dead node stay, with unknown state, until another node claims them", async (t) => {
  const hub = testHub(t);
  hub.fleet.inventory(connect(hub, "pve1"), inventoryOf({ guests: [{ vmid: 100 }] }));
  speak(hub, "pve1");
  hub.fleet.closed(agentOf("pve1"), "connection closed (1006)");
  await seconds(hub, 60);
  assert.equal(owner(hub, 100), "pve1");
  hub.fleet.inventory(connect(hub, "pve2"), inventoryOf({ guests: [{ vmid: 100 }] }));
  assert.equal(owner(hub, 100), "pve2");
  assert.deepEqual(story(hub), ["agent.silent", "guest.migrated"]);
});

test("a look at many guests goes on in the next turn, told once when it is done, with all that happened to any of them", async (t) => {
  const hub = testHub(t);
  const guests = Array.from({ length: 1000 }, (_, index) => ({ vmid: 100 + index }));
  hub.fleet.inventory(connect(hub, "pve1"), inventoryOf({ guests }));
  await seconds(hub, 2, ["pve1"]);
  const batches: number[] = [];
  hub.watch.onBatch(({ guests: shown }) => batches.push(shown?.length ?? 0));
  let nowMs = hub.clock.monotonicMs();
  t.mock.method(hub.clock, "monotonicMs", () => (nowMs += 3));
  hub.fleet.inventory(agentOf("pve1"), inventoryOf({ guests: guests.map(({ vmid }) => ({ vmid, name: "renamed" })) }));
  let turns = 1;
  while (hub.watch.tick() === 0) turns++;
  assert.deepEqual([turns > 3, batches], [true, [1000]]);
});

test("after a restart the hub shows last facts as unknown, and raises no events for what did not change", async (t) => {
  const hub = testHub(t);
  const session = { agent: agentOf("pve1"), clusterName: "lab", software: "x", skewMs: 0, joinedBy: undefined };
  hub.state.put(
    "agent",
    `${clusterA}/pve1`,
    { ...session.agent, clusterName: "lab", publicKey: "k", revokedKeys: [], joinedAt: hub.clock.now(), revokedAt: null },
    { actor: "test", reason: "test" },
  );
  hub.fleet.opened(session);
  hub.fleet.inventory(session.agent, inventoryOf({ guests: [{ vmid: 100, name: "web" }] }));
  hub.watch.close();

  const again = { ...hub, ...assembleHub({ ...hub, series: hub.series }) };

  assert.deepEqual(again.fleet.counts(), { connected: 0, total: 1 });
  const response = await again.app.request("/api/v1/guests", { headers: { Authorization: `Bearer ${hub.newKey("read")}` } });
  const { items } = await response.json();
  assert.deepEqual(
    items.map(({ name, state }: { name: string; state: string }) => ({ name, state })),
    [{ name: "web", state: "unknown" }],
  );
  again.fleet.opened(session);
  again.fleet.inventory(session.agent, inventoryOf({ guests: [{ vmid: 100, name: "web" }] }));
  await seconds(again, 3, ["pve1"]);
  assert.deepEqual(story(hub), []);
});

test("starts, stops and I/O errors are told once each, silence in between is none of them", async (t) => {
  const hub = testHub(t);
  hub.fleet.inventory(connect(hub, "pve1"), inventoryOf({ guests: [{ vmid: 100 }] }));
  const codes = [1, 1, 0, 0, 1, 5];
  for (const code of codes) {
    hub.series.put(agentOf("pve1"), guestKey(100 as Vmid), "status", hub.clock.now(), code);
    await seconds(hub, 10);
  }
  await seconds(hub, 50);
  hub.series.put(agentOf("pve1"), guestKey(100 as Vmid), "status", hub.clock.now(), 5);
  await seconds(hub, 2);
  assert.deepEqual(
    story(hub).filter((type) => !type.startsWith("node.")),
    ["guest.stopped", "guest.started", "guest.io-error", "agent.silent", "agent.sampling"],
  );
});

test("a node that dies is unknown until the others say it is offline, and comes back", async (t) => {
  const hub = testHub(t);
  const inventory = inventoryOf();
  const seen = (online: boolean) => ({
    ...inventory,
    cluster: { ...inventory.cluster, members: inventory.cluster.members.map((m) => (m.node === "pve2" ? { ...m, online } : m)) },
  });
  for (const node of ["pve1", "pve2", "pve3"]) hub.fleet.inventory(connect(hub, node), inventory);
  await seconds(hub, 10, ["pve1", "pve2", "pve3"]);
  hub.fleet.inventory(agentOf("pve1"), seen(false));
  hub.fleet.inventory(agentOf("pve3"), seen(false));
  await seconds(hub, 60, ["pve1", "pve3"]);
  assert.deepEqual(story(hub), ["agent.silent", "node.offline"]);
  await seconds(hub, 10, ["pve1", "pve2", "pve3"]);
  assert.deepEqual(story(hub), ["agent.silent", "node.offline", "agent.sampling", "node.online"]);
});

test("lost quorum is told by those that still speak", async (t) => {
  const hub = testHub(t);
  const inventory = inventoryOf();
  hub.fleet.inventory(connect(hub, "pve1"), inventory);
  await seconds(hub, 2, ["pve1"]);
  hub.fleet.inventory(agentOf("pve1"), { ...inventory, cluster: { ...inventory.cluster, quorate: false } });
  await seconds(hub, 2, ["pve1"]);
  hub.fleet.inventory(agentOf("pve1"), inventory);
  await seconds(hub, 2, ["pve1"]);
  assert.deepEqual(story(hub), ["quorum.lost", "quorum.regained"]);
});

test("duties move when their holder stays away, and the new holder is told", async (t) => {
  const hub = testHub(t);
  connect(hub, "pve1");
  connect(hub, "pve2");
  await seconds(hub, 1);
  const told: string[] = [];
  hub.link.sendDuties = (agent, duties) => void told.push(`${agent.node}: ${duties.join(" ")}`);
  hub.fleet.closed(agentOf("pve1"), "gone");
  await seconds(hub, 30);
  assert.equal(told.length, 0);
  await seconds(hub, 2);
  assert.deepEqual(
    told.filter((line) => line.startsWith("pve2")),
    ["pve2: cluster shared-storage backup-jobs"],
  );
});

test("agents are told whose agents are there: one that restarts is, one that stays away or is of a version before is not", async (t) => {
  const hub = testHub(t);
  const told: string[] = [];
  hub.link.sendDuties = (agent, _, speakers) => void told.push(`${agent.node}: ${speakers.join(" ")}`);
  connect(hub, "pve2");
  hub.fleet.opened({ agent: agentOf("pve1"), clusterName: "lab", software: "x", version: 2, skewMs: 0, joinedBy: undefined });
  await seconds(hub, 2);
  assert.deepEqual(told.splice(0).toSorted(), ["pve1: pve2", "pve2: pve2"]);
  connect(hub, "pve3");
  await seconds(hub, 2);
  assert.deepEqual(told.splice(0).toSorted(), ["pve1: pve2 pve3", "pve2: pve2 pve3", "pve3: pve2 pve3"]);
  hub.fleet.closed(agentOf("pve2"), "gone");
  await seconds(hub, 20);
  assert.equal(told.length, 0);
  await seconds(hub, 15);
  assert.ok(told.includes("pve3: pve3"), `${told}`);
});

test("a revoked agent's node that left the cluster disappears with its guests", async (t) => {
  const hub = testHub(t);
  const agent = agentOf("pve9");
  hub.state.put(
    "agent",
    `${clusterA}/pve9`,
    { ...agent, clusterName: "lab", publicKey: "k", revokedKeys: [], joinedAt: hub.clock.now(), revokedAt: null },
    { actor: "test", reason: "test" },
  );
  hub.fleet.inventory(connect(hub, "pve9"), inventoryOf({ guests: [{ vmid: 900 }] }));
  hub.fleet.inventory(connect(hub, "pve1"), inventoryOf());
  revokeAgent(hub.state, `${clusterA}/pve9`, { actor: "root", reason: "gone" }, hub.clock.now());
  await seconds(hub, 30, ["pve1"]);
  assert.equal(owner(hub, 900), undefined);
  assert.deepEqual(texts(hub, "agent.revoked"), ["The agent of pve9 was revoked"]);
  const response = await hub.app.request("/api/v1/nodes", { headers: { Authorization: `Bearer ${hub.newKey("read")}` } });
  assert.deepEqual(
    (await response.json()).items.map((node: { node: string }) => node.node),
    ["pve1", "pve2", "pve3"],
  );
});

const upid = (pid: number, type = "vzdump") =>
  `UPID:pve1:${pid.toString(16).padStart(8, "0").toUpperCase()}:00001234:695B0000:${type}:100:root@pam:`;

test("of a node that its cluster lists no more it is said how its agent is let go, and of one that is merely off it is not", async (t) => {
  const hub = testHub(t);
  for (const node of ["pve1", "pve2", "pve3"]) hub.fleet.inventory(connect(hub, node), inventoryOf());
  await seconds(hub, 2, ["pve1", "pve2", "pve3"]);
  for (const node of ["pve2", "pve3"]) hub.fleet.closed(agentOf(node), "connection closed (1006)");
  const all = inventoryOf().cluster;
  hub.fleet.inventory(agentOf("pve1"), { ...inventoryOf(), cluster: { ...all, members: all.members.slice(0, 2) } });
  await seconds(hub, 2, ["pve1"]);
  assert.deepEqual(hub.fleet.problems(), [
    "The agent of pve2 is away",
    "The agent of pve3 is away, and its cluster lists the node no more: where it was removed for good, proven-hub agent revoke 00000000000000aa/pve3, or the panel's list of agents",
  ]);
});

test("a failed task is told, an old failure learned late is history, and another node's task is not believed", (t) => {
  const hub = testHub(t);
  const agent = connect(hub, "pve1");
  const now = hub.clock.now();
  const failed = { status: "job errors", endedAt: now - 1000 };
  hub.tasks.report(
    agent,
    [
      { upid: upid(1), ...failed },
      { upid: upid(2), ...failed, endedAt: now - 3_600_000 },
    ],
    true,
  );
  hub.tasks.report(agentOf("pve2"), [{ upid: upid(3), ...failed }], true);
  assert.deepEqual(texts(hub, "backup.failed"), ["Backup of guest 100 on pve1 failed: job errors"]);
  assert.equal(hub.state.history.tasks({}, { limit: 10, cursor: undefined }).items.length, 2);
});

test("a running task that a returning agent no longer knows is lost, and found again when it is reported", (t) => {
  const hub = testHub(t);
  const agent = connect(hub, "pve1");
  const state = () => hub.state.history.task(upid(1))?.state;
  hub.tasks.report(agent, [{ upid: upid(1) }], true);
  hub.tasks.report(agent, [], false);
  assert.equal(state(), "running");
  hub.tasks.report(agent, [], true);
  assert.equal(state(), "lost");
  hub.tasks.report(agent, [{ upid: upid(1), status: "OK", endedAt: hub.clock.now() }], false);
  assert.equal(state(), "ok");
  assert.deepEqual(story(hub), ["task.lost", "backup.finished"]);
});

test("an agent's wrong clock is told when it becomes wrong and when it is right again", (t) => {
  const hub = testHub(t);
  const agent = connect(hub, "pve1");
  for (const skew of [0, limits.clockSkewMs + 1, limits.clockSkewMs + 2, 100]) hub.fleet.measured(agent, skew);
  assert.deepEqual(story(hub), ["agent.clock-skew", "agent.clock-right"]);
});

test("figures of a node whose clock is wrong are as old as they are by the hub's clock", (t) => {
  const hub = testHub(t);
  const aheadMs = 3_600_000;
  const agent = connect(hub, "pve1", aheadMs);
  hub.fleet.inventory(agent, inventoryOf());
  hub.series.put(agent, nodeKey(agent.node), "cpu", hub.clock.now() + aheadMs - 2000, 0.25);
  const [picture] = hub.fleet.pictures();
  assert.ok(picture);
  const sight = { reader: hub.series.reader, live: hub.series.live, now: hub.clock.now() };
  const { cpu, agent: seen } = nodeView(sight, picture, agent.node) ?? {};
  assert.deepEqual([cpu, seen?.clockSkewMs], [{ state: "fresh", value: 0.25, at: hub.clock.now() - 2000 }, aheadMs]);
});

test("a node that joined a cluster is its member, and no longer the lone node that it was; a connected one is not thrown out by a copy", async (t) => {
  const hub = testHub(t);
  const [lone, member] = [agentOf("pve1", "00000000000000bb" as ClusterId), agentOf("pve1")];
  const knows = ({ cluster, node }: AgentId) =>
    hub.state.put(
      "agent",
      `${cluster}/${node}`,
      { cluster, node, clusterName: null, publicKey: "k", revokedKeys: [], joinedAt: hub.clock.now(), revokedAt: null },
      { actor: "test", reason: "test" },
    );
  const session = { clusterName: "lab", software: "x", skewMs: 0, joinedBy: "join key" as const };
  const keyOf = ({ cluster, node }: AgentId) => hub.state.get("agent", `${cluster}/${node}`)?.publicKey;
  knows(lone);
  hub.fleet.opened({ ...session, agent: lone });
  hub.fleet.inventory(lone, inventoryOf({ guests: [{ vmid: 100 }] }));
  knows(member);
  hub.fleet.opened({ ...session, agent: member });
  assert.equal(keyOf(lone), "k");
  hub.fleet.closed(lone, "connection closed (1006)");
  hub.fleet.opened({ ...session, agent: member });
  assert.deepEqual([keyOf(lone), keyOf(member)], [null, "k"]);
  await seconds(hub, 30, ["pve1"]);
  assert.equal(hub.fleet.picture(lone.cluster)?.agents.get(lone.node)?.state, "revoked");
  assert.deepEqual([...(hub.fleet.picture(lone.cluster)?.owners.keys() ?? [])], []);
});

test("members that nobody could see for a while are told when they are seen again", async (t) => {
  const hub = testHub(t);
  hub.fleet.inventory(connect(hub, "pve1"), inventoryOf());
  await seconds(hub, 2, ["pve1"]);
  await seconds(hub, 60);
  await seconds(hub, 2, ["pve1"]);
  assert.deepEqual(story(hub), [
    "agent.silent",
    "node.unknown",
    "node.unknown",
    "node.unknown",
    "agent.sampling",
    "node.online",
    "node.online",
    "node.online",
  ]);
});
