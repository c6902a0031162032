import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { ClusterId, EpochMs, NodeName } from "#protocol/ids.ts";
import { revokeAgent } from "../../../hub/agent-keys.ts";
import { parseConfig } from "../../../hub/config.ts";
import { startHub } from "../../../hub/hub.ts";
import { createJoinToken } from "../../../hub/keys.ts";
import { StateStore } from "../../../hub/store/state.ts";
import { knownCluster, partFromJoined } from "../../../hub/succession.ts";
import { loadCertificate } from "../../../hub/tls.ts";
import { AgentClient, type ClientKey, newClientKey } from "../../support/agent-client.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeSeries } from "../../support/fake-series.ts";
import { temporaryDir } from "../../support/temporary-dir.ts";
import { inventoryOf } from "../../support/test-hub.ts";

/** What a lone node names, what it names after `pvecm create`, and after it was renamed. */
const [lone, cluster, renamed] = ["00000000000000aa", "00000000000000bb", "00000000000000cc"] as ClusterId[] as [
  ClusterId,
  ClusterId,
  ClusterId,
];
const joinKey = randomBytes(32);
const by = { actor: "test", reason: "test" };
const member = (node: string) => ({ node, nodeId: 1, online: true, ip: "192.0.2.1" });
/** What a node says that stands alone. */
function loneInventory(node = "pve") {
  const inventory = inventoryOf({ guests: [{ vmid: 100 }] });
  const { name: _, ...rest } = inventory.cluster;
  return { ...inventory, cluster: { ...rest, members: [member(node)] } };
}

async function startTestHub(t: TestContext) {
  const dir = temporaryDir(t);
  const clock = new FakeClock();
  writeFileSync(join(dir, "join.key"), joinKey.toString("base64"));
  const state = StateStore.open({ dir, now: () => clock.now() });
  const certificate = await loadCertificate(dir, Date.now());
  const config = parseConfig(`listen = "127.0.0.1"\nport = 0\nstate = "${dir}"`);
  const hub = await startHub({ config, clock, series: new FakeSeries(), state, certificate, log: () => undefined });
  t.after(() => hub.stop());
  type Machine = { key: ClientKey; node?: string; clusterId: ClusterId; token?: string };
  const open = async ({ token, ...machine }: Machine) => {
    const client = await AgentClient.connect(hub.port);
    t.after(() => client.close());
    const proof = token === undefined ? { joinKey } : { token };
    await client.hello({ node: "pve", ...proof, ...machine, fingerprint: certificate.fingerprint, now: clock.now() });
    return client;
  };
  const joined = async (machine: Machine) => {
    const client = await open(machine);
    await client.next("welcome");
    return client;
  };
  const departures = () => state.history.events({ type: "agent.away" }, { limit: 100, cursor: undefined }).items.length;
  const leave = async (client: AgentClient) => {
    const before = departures();
    client.close();
    while (departures() === before) await new Promise(setImmediate);
  };
  const places = () => state.list("agent").map(({ id, document }) => `${id} ${document.publicKey === null ? "left" : "here"}`);
  return { clock, state, open, joined, leave, places };
}
const [inLone, inCluster] = [`${lone}/pve here`, `${cluster}/pve here`];

test("a lone node that makes a cluster of itself goes on in its place, and members that come later come there", async (t) => {
  const hub = await startTestHub(t);
  const key = newClientKey();
  const client = await hub.joined({ key, clusterId: lone });
  client.send("inventory", loneInventory());
  await hub.leave(client);
  await hub.joined({ key, clusterId: cluster });
  await hub.joined({ key: newClientKey(), node: "pve2", clusterId: cluster });
  assert.deepEqual(hub.places(), [inLone, `${lone}/pve2 here`]);
  assert.equal(knownCluster(hub.state, cluster), lone);
});

test("a lone node that becomes a cluster's while it is connected is asked to come again, by its new name", async (t) => {
  const hub = await startTestHub(t);
  const client = await hub.joined({ key: newClientKey(), clusterId: lone });
  client.send("inventory", loneInventory());
  client.send("inventory", { ...loneInventory(), cluster: { name: "home", quorate: true, members: [member("pve")] } });
  assert.equal(await client.closed, 1012);
});

test("a renamed lone node goes on in its cluster, and its former name is given up", async (t) => {
  const hub = await startTestHub(t);
  const key = newClientKey();
  const client = await hub.joined({ key, clusterId: lone });
  client.send("inventory", loneInventory());
  await hub.leave(client);
  const { token } = createJoinToken(hub.state, 10, by, hub.clock.now());
  await hub.joined({ key, node: "nas", clusterId: renamed, token });
  assert.deepEqual(hub.places(), [`${lone}/nas here`, `${lone}/pve left`]);
});

test("a cluster that has agents, and one of several nodes, take nobody's history over", async (t) => {
  const hub = await startTestHub(t);
  const key = newClientKey();
  await hub.leave(await hub.joined({ key, clusterId: lone }));
  await hub.joined({ key: newClientKey(), node: "other", clusterId: cluster });
  await hub.joined({ key, clusterId: cluster });
  assert.deepEqual(hub.places(), [`${lone}/pve left`, `${cluster}/other here`, inCluster]);
  assert.equal(knownCluster(hub.state, cluster), cluster);
});

test("nobody takes over a history without the proof that joining takes", async (t) => {
  const hub = await startTestHub(t);
  const key = newClientKey();
  await hub.leave(await hub.joined({ key, clusterId: lone }));
  const stranger = await hub.open({ key: newClientKey(), clusterId: cluster, token: `pvj_000000000000_${"0".repeat(48)}` });
  assert.equal((await stranger.next("refused")).code, "bad-join");
  const unproven = await hub.open({ key, clusterId: cluster, token: `pvj_000000000000_${"0".repeat(48)}` });
  assert.equal((await unproven.next("refused")).code, "bad-join");
  assert.equal(knownCluster(hub.state, cluster), cluster);
});

test("the original of a copied disk keeps its history: its copy, that went on in its place, is a cluster of its own from then on", async (t) => {
  const hub = await startTestHub(t);
  const key = newClientKey();
  await hub.leave(await hub.joined({ key, clusterId: lone }));
  const copy = await hub.joined({ key, clusterId: cluster });
  assert.deepEqual(hub.places(), [inLone]);
  await hub.joined({ key, clusterId: lone });
  assert.equal((await copy.next("refused")).code, "already-connected");
  await hub.joined({ key, clusterId: cluster });
  assert.deepEqual(hub.places(), [inLone, inCluster]);
});

test("a renamed copy that went on in the original's place, too", async (t) => {
  const hub = await startTestHub(t);
  const key = newClientKey();
  await hub.leave(await hub.joined({ key, clusterId: lone }));
  const copy = await hub.joined({ key, node: "nas", clusterId: renamed });
  const { token } = createJoinToken(hub.state, 10, by, hub.clock.now());
  await hub.joined({ key, clusterId: lone, token }); // it needs none: a token is not spent
  assert.equal((await copy.next("refused")).code, "already-connected");
  await hub.joined({ key, node: "nas", clusterId: renamed, token });
  assert.deepEqual(hub.places(), [`${lone}/nas left`, inLone, `${renamed}/nas here`]);
});

test("a machine may come back to the place that it left, by its key alone, until that key is taken from it", async (t) => {
  const hub = await startTestHub(t);
  const key = newClientKey();
  await hub.leave(await hub.joined({ key, clusterId: lone }));
  await hub.joined({ key: newClientKey(), node: "other", clusterId: cluster });
  const moved = await hub.joined({ key, clusterId: cluster });
  const noProof = { key, clusterId: lone, token: "none" };
  const back = await hub.joined(noProof);
  assert.deepEqual(hub.places(), [inLone, `${cluster}/other here`, inCluster]);
  for (const client of [back, moved]) client.close();
  await Promise.all([back.closed, moved.closed]);
  revokeAgent(hub.state, `${lone}/pve`, by, hub.clock.now());
  assert.equal((await (await hub.open(noProof)).next("refused")).code, "revoked");
});

test("who is revoked where he is may not come back to where he was", async (t) => {
  const hub = await startTestHub(t);
  const key = newClientKey();
  await hub.leave(await hub.joined({ key, clusterId: lone }));
  await hub.joined({ key: newClientKey(), node: "other", clusterId: cluster });
  await hub.joined({ key, clusterId: cluster });
  revokeAgent(hub.state, `${cluster}/pve`, by, hub.clock.now());
  assert.equal((await (await hub.open({ key, clusterId: lone, token: "none" })).next("refused")).code, "revoked");
});

test("what a machine leaves behind is a document that the hub of the version before reads, too", async (t) => {
  const hub = await startTestHub(t);
  const key = newClientKey();
  await hub.leave(await hub.joined({ key, clusterId: lone }));
  await hub.joined({ key, node: "nas", clusterId: renamed });
  const left = hub.state.get("agent", `${lone}/pve`);
  assert.deepEqual(Object.keys(left ?? {}).sort(), [
    ...["cluster", "clusterName", "joinedAt", "node"],
    ...["publicKey", "revokedAt", "revokedKeys"],
  ]);
});

test("an old copy of the disk of a cluster's first node shuts nobody out of the cluster that was made since", async (t) => {
  const hub = await startTestHub(t);
  const key = newClientKey();
  await hub.leave(await hub.joined({ key, clusterId: lone }));
  await hub.joined({ key, clusterId: cluster });
  const { token } = createJoinToken(hub.state, 10, by, hub.clock.now());
  await hub.joined({ key: newClientKey(), node: "pve2", clusterId: cluster, token });
  await hub.joined({ key, clusterId: lone });
  assert.equal(knownCluster(hub.state, cluster), lone);
  assert.deepEqual(hub.places(), [inLone, `${lone}/pve2 here`]);
});

test("who joined while a hub of an earlier version knew nothing of the succession stays where he joined", async (t) => {
  const dir = temporaryDir(t);
  const state = StateStore.open({ dir, now: () => 1 as EpochMs });
  t.after(() => state.close());
  const place = { node: "pve" as NodeName, clusterName: null, revokedKeys: [], joinedAt: 1 as EpochMs, revokedAt: null };
  state.put("agent", `${lone}/pve`, { ...place, cluster: lone, publicKey: null, revokedKeys: ["k"] }, by);
  state.put("agent", `${cluster}/pve`, { ...place, cluster, publicKey: "k" }, by);
  state.put("succession", cluster, { knownAs: lone, since: 1 as EpochMs }, by);
  state.put("succession", renamed, { knownAs: lone, since: 1 as EpochMs }, by);
  partFromJoined(state);
  assert.equal(knownCluster(state, cluster), cluster);
  assert.equal(knownCluster(state, renamed), lone);
});
