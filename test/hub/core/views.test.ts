import assert from "node:assert/strict";
import { test } from "node:test";
import { guestKey, nodeKey, type StorageId, storageKey, type Vmid } from "#protocol/ids.ts";
import { limits } from "#protocol/limits.ts";
import { nodeState } from "../../../hub/core/cluster.ts";
import { entityMetrics, guestViews, nodeViews, storageViews } from "../../../hub/core/views.ts";
import { agentOf, clusterA, connect, inventoryOf, type TestHub, testHub } from "../../support/test-hub.ts";

const guest = guestKey(100 as Vmid);
const sight = (hub: TestHub) => ({ reader: hub.series.reader, live: hub.series.live, now: hub.clock.now() });
const picture = (hub: TestHub) => {
  const found = hub.fleet.picture(clusterA);
  assert.ok(found);
  return found;
};
const guests = (hub: TestHub) => guestViews(sight(hub), picture(hub));
const states = (hub: TestHub) => Object.fromEntries(nodeViews(sight(hub), picture(hub)).map(({ node, state }) => [node, state]));
const absent = { state: "absent", value: null, at: null };

function oneGuest(hub: TestHub) {
  const agent = connect(hub, "pve1");
  hub.fleet.inventory(agent, inventoryOf({ guests: [{ vmid: 100, name: "web" }] }));
  hub.series.put(agent, guest, "status", hub.clock.now(), 1);
  hub.series.put(agent, guest, "cpu", hub.clock.now(), 0.25);
  return agent;
}

test("a guest shows its newest sample as fresh, and what was never sampled as absent", (t) => {
  const hub = testHub(t);
  oneGuest(hub);
  const [view] = guests(hub);
  assert.equal(view?.state, "running");
  assert.deepEqual(view?.cpu, { state: "fresh", value: 0.25, at: hub.clock.now() });
  assert.deepEqual(view?.diskUsed, absent);
});

test("when its node falls silent a guest is unknown and its last values are stale, never 0", async (t) => {
  const hub = testHub(t);
  oneGuest(hub);
  const sampledAt = hub.clock.now();
  await hub.clock.advance(limits.staleAfterMs - 1);
  assert.equal(guests(hub)[0]?.state, "running");

  await hub.clock.advance(1);

  assert.equal(guests(hub)[0]?.state, "unknown");
  assert.deepEqual(guests(hub)[0]?.cpu, { state: "stale", value: 0.25, at: sampledAt });
  assert.deepEqual(nodeViews(sight(hub), picture(hub))[0]?.guests, { total: 1, running: 0, unknown: 1 });
});

test("a guest its node says nothing about is unknown though the node speaks", async (t) => {
  const hub = testHub(t);
  const agent = oneGuest(hub);
  await hub.clock.advance(limits.staleAfterMs);
  hub.series.frameCame(agent, hub.clock.now());
  assert.equal(guests(hub)[0]?.state, "unknown");
});

test("an agent whose clock is an hour slow still counts as speaking, and one whose clock is fast does not outlive its node", async (t) => {
  for (const skewMs of [-3_600_000, 3_600_000]) {
    const hub = testHub(t);
    const agent = connect(hub, "pve1", skewMs);
    hub.series.frameCame(agent, (hub.clock.now() + skewMs) as typeof hub.clock extends { now(): infer T } ? T : never);
    assert.equal(nodeState(picture(hub), agent.node, hub.clock.now()), "online");
    await hub.clock.advance(limits.staleAfterMs);
    assert.equal(nodeState(picture(hub), agent.node, hub.clock.now()), "unknown");
  }
});

test("a shared storage that only some nodes reach is told in the time of one of these, not of who has the duty for storages", async (t) => {
  const hub = testHub(t);
  const skewMs = -3_600_000;
  const storage = { type: "nfs", shared: true, content: ["backup"], enabled: true };
  const storages = [
    { ...storage, storage: "everywhere", nodes: [] },
    { ...storage, storage: "second", nodes: ["pve2"] },
  ];
  const [duty, near] = [connect(hub, "pve1"), connect(hub, "pve2", skewMs)];
  for (const agent of [duty, near]) hub.fleet.inventory(agent, inventoryOf({ storages }));
  const now = hub.clock.now();
  hub.series.put(duty, storageKey("everywhere" as StorageId, undefined), "active", now, 1);
  hub.series.put(near, storageKey("second" as StorageId, undefined), "active", now + skewMs, 1);
  assert.deepEqual(
    storageViews(sight(hub), picture(hub)).map(({ storage, state }) => [storage, state]),
    [
      ["everywhere", "available"],
      ["second", "available"],
    ],
  );
});

test("counters read as rates, and a reset has none", (t) => {
  const hub = testHub(t);
  const agent = oneGuest(hub);
  const now = hub.clock.now();
  hub.series.put(agent, guest, "net_in", now - 10_000, 1000);
  hub.series.put(agent, guest, "net_in", now, 21_000);
  hub.series.put(agent, guest, "net_out", now - 10_000, 5000);
  hub.series.put(agent, guest, "net_out", now, 10);
  const [view] = guests(hub);
  assert.deepEqual(view?.netIn, { state: "fresh", value: 2000, at: now });
  assert.deepEqual(view?.netOut, { state: "absent", value: null, at: now });
});

test("memory names its source", (t) => {
  const hub = testHub(t);
  const agent = oneGuest(hub);
  assert.equal(guests(hub)[0]?.memSource, null);
  hub.series.put(agent, guest, "mem_used", hub.clock.now(), 1 << 30, { source: "balloon" });
  assert.equal(guests(hub)[0]?.memSource, "balloon");
});

test("a node without an agent of its own is what the other members see", (t) => {
  const hub = testHub(t);
  const agent = connect(hub, "pve1");
  const inventory = inventoryOf();
  const members = inventory.cluster.members.map((member) => ({ ...member, online: member.node !== "pve3" }));
  hub.fleet.inventory(agent, { ...inventory, cluster: { ...inventory.cluster, members } });
  assert.deepEqual(states(hub), { pve1: "unknown", pve2: "unknown", pve3: "unknown" });

  hub.series.frameCame(agent, hub.clock.now());

  assert.deepEqual(states(hub), { pve1: "online", pve2: "online", pve3: "offline" });
});

test("a cut-off minority can't declare the others dead", (t) => {
  const hub = testHub(t);
  const agent = connect(hub, "pve1");
  const inventory = inventoryOf();
  const members = inventory.cluster.members.map((member) => ({ ...member, online: member.node === "pve1" }));
  hub.fleet.inventory(agent, { ...inventory, cluster: { ...inventory.cluster, quorate: false, members } });
  hub.series.frameCame(agent, hub.clock.now());
  assert.deepEqual(states(hub), { pve1: "online", pve2: "unknown", pve3: "unknown" });
});

test("a shared storage stands in the list once, a local one once per node that may use it", (t) => {
  const hub = testHub(t);
  const facts = { type: "dir", content: ["images"], enabled: true, nodes: [] };
  for (const node of ["pve1", "pve2"]) {
    const storages = [
      { ...facts, storage: "nfs1", shared: true },
      { ...facts, storage: "local", shared: false },
      { ...facts, storage: "fast", shared: false, nodes: ["pve2"] },
    ];
    hub.fleet.inventory(connect(hub, node), inventoryOf({ storages }));
  }
  assert.deepEqual(
    storageViews(sight(hub), picture(hub)).map((view) => view.entity),
    ["storage/nfs1", "storage/pve1/local", "storage/pve2/fast", "storage/pve2/local", "storage/pve3/local"],
  );
});

const storageStates: [name: string, enabled: boolean, active: number | undefined, state: string][] = [
  ["disabled whatever its samples say", false, 1, "disabled"],
  ["available when active", true, 1, "available"],
  ["inactive when not", true, 0, "inactive"],
  ["unknown without a sample", true, undefined, "unknown"],
];
for (const [name, enabled, active, state] of storageStates) {
  test(`a storage is ${name}`, (t) => {
    const hub = testHub(t);
    const agent = connect(hub, "pve1");
    const storage = { storage: "nfs1", type: "nfs", shared: true, content: [], enabled, nodes: [] };
    hub.fleet.inventory(agent, inventoryOf({ storages: [storage] }));
    const entity = storageKey("nfs1" as StorageId, undefined);
    for (const value of active === undefined ? [] : [active]) hub.series.put(agent, entity, "active", hub.clock.now(), value);
    assert.deepEqual(
      storageViews(sight(hub), picture(hub)).map((view) => view.state),
      [state],
    );
  });
}

test("a node with samples and no inventory yet is shown with what is known", (t) => {
  const hub = testHub(t);
  const agent = connect(hub, "pve1");
  hub.series.put(agent, nodeKey(agentOf("pve1").node), "cpu", hub.clock.now(), 0.5);
  const [view] = nodeViews(sight(hub), picture(hub));
  assert.deepEqual([view?.state, view?.cpu.value, view?.pveVersion], ["online", 0.5, null]);
});

test("metrics of an entity stand by name, and by what of it they are about, however they came", (t) => {
  const hub = testHub(t);
  const agent = connect(hub, "pve1");
  const node = nodeKey(agent.node);
  for (const [metric, instance] of [
    ["nic_in", { instance: "eno2" }],
    ["mem_used", {}],
    ["nic_in", { instance: "eno1" }],
    ["cpu", {}],
  ] as const)
    hub.series.put(agent, node, metric, hub.clock.now(), 1, instance);
  const { metrics } = entityMetrics(sight(hub), picture(hub), node, agent.node);
  assert.deepEqual(
    metrics.map(({ metric, instance }) => [metric, instance]),
    [
      ["cpu", null],
      ["mem_used", null],
      ["nic_in", "eno1"],
      ["nic_in", "eno2"],
    ],
  );
});
