import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import type { ClusterId, NodeName } from "#protocol/ids.ts";
import { type Assertion, assertionHeader, viewJson, viewPath } from "#protocol/viewer.ts";
import { revokeAgent } from "../../../hub/agent-keys.ts";
import { ViewBook } from "../../../hub/http/view-book.ts";
import { labView, TestGateway } from "../../support/pve-users.ts";
import { type SeenHub, seenHub } from "../../support/seen-hub.ts";
import { clusterA } from "../../support/test-hub.ts";

const guests = "/api/v1/guests";
const codeOf = async (response: Response) => ((await response.json()) as { error: { code: string } }).error.code;

test("the hub asks for a view it doesn't have, once, and then answers", async (t) => {
  const { gateway } = seenHub(t);
  assert.equal((await gateway.ask("carol@pve", "GET", guests)).status, 200);
  assert.equal((await gateway.ask("carol@pve", "GET", guests)).status, 200);
  const view = gateway.seen.find((line) => line.startsWith("PUT"));
  assert.deepEqual(gateway.seen, [`GET ${guests}`, view, `GET ${guests}`, `GET ${guests}`]);
});

test("a privilege that the view doesn't tell of is asked for by its path", async (t) => {
  const { gateway } = seenHub(t);
  const lab = gateway.viewOf;
  gateway.viewOf = (user) => ({
    ...lab(user),
    privileges: lab(user).privileges.filter(({ paths }) => !paths.includes("/vms/100")),
  });
  await gateway.putView("carol@pve");
  const ack = `/api/v1/alerts/${encodeURIComponent("busy@00000000000000aa/guest/100#1")}/ack`;
  const answer = await gateway.send("carol@pve", "POST", ack, {});
  assert.equal(answer.status, 428);
  const { error } = (await answer.json()) as { error: { code: string; needs: unknown } };
  assert.deepEqual([error.code, error.needs], ["privilege-needed", [{ path: "/vms/100", privilege: "VM.PowerMgmt" }]]);
  const granted = [{ path: "/vms/100", privilege: "VM.PowerMgmt" }];
  const done = await gateway.send("carol@pve", "POST", ack, {}, { granted });
  assert.equal((await done.json()).acknowledged.by, "carol@pve");
});

const refusals: [name: string, overrides: (hub: SeenHub) => Partial<Assertion>][] = [
  ["an assertion of another method", () => ({ method: "DELETE" })],
  ["an assertion of another path", () => ({ path: "/api/v1/nodes" })],
  ["an assertion of the path without its query", () => ({ path: guests })],
  ["an assertion of another body", () => ({ bodySha256: "0".repeat(64) })],
  ["a clock 31 s ahead", ({ hub }) => ({ at: hub.clock.now() + 31_000 })],
  ["a clock 31 s behind", ({ hub }) => ({ at: hub.clock.now() - 31_000 })],
  ["what was seen 91 s ago", ({ hub }) => ({ viewAt: hub.clock.now() - 91_000 })],
  ["another node's name", () => ({ agent: { cluster: "00000000000000aa", node: "pve2" } })],
  ["another cluster's name", () => ({ agent: { cluster: "00000000000000bb", node: "pve1" } })],
  ["a token instead of a user", () => ({ user: "root@pam!automation" })],
];
for (const [name, overrides] of refusals) {
  test(`refused: ${name}`, async (t) => {
    const hub = seenHub(t);
    await hub.gateway.putView("root@pam");
    const path = `${guests}?node=pve1`;
    assert.equal((await hub.gateway.send("root@pam", "GET", path)).status, 200);
    const response = await hub.gateway.send("root@pam", "GET", path, undefined, { path, ...overrides(hub) });
    assert.equal(response.status, 401);
    assert.equal(await codeOf(response), "unauthenticated");
  });
}

test("a gateway whose lone node made a cluster of itself speaks for what the hub knows it as", async (t) => {
  const { gateway, hub } = seenHub(t);
  const agent = { cluster: "00000000000000bb", node: "pve1" };
  const text = viewJson({ ...labView("carol@pve"), cluster: agent.cluster });
  const view = createHash("sha256").update(text).digest("hex");
  const put = () => gateway.send("carol@pve", "PUT", viewPath(view), undefined, { agent, view }, text);
  assert.equal((await put()).status, 401);
  hub.state.put("succession", agent.cluster, { knownAs: clusterA, since: hub.clock.now() }, { actor: "test", reason: "test" });
  assert.equal((await put()).status, 204);
  assert.equal((await gateway.send("carol@pve", "GET", guests, undefined, { agent, view })).status, 200);
});

test("the same assertion isn't taken twice", async (t) => {
  const { gateway, app } = seenHub(t);
  await gateway.putView("bob@pve");
  const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  const header = gateway.assertion({ user: "bob@pve", method: "GET", path: guests, bodySha256: empty });
  const send = async () => (await app.request(guests, { headers: { [assertionHeader]: header } })).status;
  assert.deepEqual([await send(), await send()], [200, 401]);
});

test("a signature of another key, a bent one and no signature are refused", async (t) => {
  const { gateway, app, hub } = seenHub(t);
  const other = new TestGateway({ app, state: hub.state, now: () => hub.clock.now(), node: "pve2" as NodeName });
  const forged = await other.send("root@pam", "GET", guests, undefined, {
    agent: { cluster: "00000000000000aa", node: "pve1" },
  });
  assert.equal(forged.status, 401);
  const header = gateway.assertion({ user: "root@pam", method: "GET", path: guests, bodySha256: "0".repeat(64) });
  for (const bent of [header.slice(0, -4), header.split(".")[0] ?? "", "nonsense", `${header}.x`]) {
    assert.equal((await app.request(guests, { headers: { [assertionHeader]: bent } })).status, 401, bent);
  }
});

test("a revoked agent vouches for nobody from that moment", async (t) => {
  const { gateway, hub } = seenHub(t);
  assert.equal((await gateway.ask("root@pam", "GET", guests)).status, 200);
  const path = "/api/v1/agents/00000000000000aa/pve1";
  assert.equal((await gateway.ask("alice@pve", "DELETE", path)).status, 403);
  assert.equal((await gateway.ask("alice@pve", "POST", `${path}/renew-key`)).status, 403);
  assert.equal((await gateway.ask("root@pam", "POST", `${path}/renew-key`)).status, 503, "it has no session here");
  assert.equal((await gateway.ask("root@pam", "DELETE", path)).status, 204);
  assert.equal((await gateway.send("root@pam", "GET", guests)).status, 401);
  const [newest] = hub.state.auditLog().slice(-1);
  assert.equal(newest?.actor, "root@pam");
  assert.equal(revokeAgent(hub.state, "none", { actor: "x", reason: "y" }, hub.clock.now()), false);
});

test("a view must be what its digest says, and of the user and cluster that the assertion names", async (t) => {
  const { gateway } = seenHub(t);
  const put = (user: string, text: string, path: string) => gateway.send(user, "PUT", path, undefined, {}, text);
  const bob = viewJson(labView("bob@pve"));
  const path = (await import("node:crypto")).createHash("sha256").update(bob).digest("hex");
  assert.equal((await put("bob@pve", `${bob} `, `/api/v1/gateway/views/${path}`)).status, 400);
  gateway.viewOf = () => labView("root@pam");
  assert.equal((await gateway.putView("bob@pve")).status, 403, "root's view for bob");
  gateway.viewOf = (user) => labView(user, "00000000000000bb");
  assert.equal((await gateway.putView("root@pam")).status, 403, "another cluster's view");
});

test("a view the hub has is of no use to another user", async (t) => {
  const { gateway } = seenHub(t);
  await gateway.putView("root@pam");
  gateway.viewOf = () => labView("root@pam");
  const response = await gateway.send("bob@pve", "GET", guests);
  assert.equal(response.status, 428);
  assert.equal(await codeOf(response), "view-needed");
});

test("an agent's word says nothing about another cluster", async (t) => {
  const { app, hub } = seenHub(t);
  const cluster = "00000000000000bb" as ReturnType<typeof labView>["cluster"] & SeenHub["agent"]["cluster"];
  const foreign = new TestGateway({ app, state: hub.state, now: () => hub.clock.now(), cluster });
  const { items } = await (await foreign.ask("root@pam", "GET", guests)).json();
  assert.deepEqual(items, []);
  for (const path of ["guests/100", "guests/101", "nodes/pve1", "guests?cluster=00000000000000aa"]) {
    assert.equal((await foreign.ask("root@pam", "GET", `/api/v1/${path}`)).status, 404, path);
  }
  assert.equal((await foreign.ask("root@pam", "GET", "/api/v1/rules")).status, 403, "settings are of both clusters");
});

test("a book of views forgets the least used when it is full, and what was long not used", () => {
  let now = 0;
  const book = new ViewBook({ monotonicMs: () => now }, 350);
  const view = { ...labView("bob@pve"), storages: [] };
  for (const digest of ["a", "b", "c"]) book.put(digest, view);
  book.get("a");
  book.put("d", view);
  assert.deepEqual(
    ["a", "b", "c", "d"].map((digest) => book.get(digest) !== undefined),
    [true, false, true, true],
  );
  now = 11 * 60_000;
  book.put("e", view);
  assert.deepEqual(
    ["a", "c", "d", "e"].map((digest) => book.get(digest) !== undefined),
    [false, false, false, true],
  );
});

test("who holds everything in the one cluster that is left decides about the hub, also after the lone node that it was is given up", async (t) => {
  const { gateway, hub } = seenHub(t);
  const settings = async () => (await gateway.ask("root@pam", "GET", "/api/v1/rules")).status;
  assert.equal(await settings(), 200);
  const former = { cluster: "00000000000000bb" as ClusterId, node: "pve1" as NodeName };
  hub.state.put(
    "agent",
    `${former.cluster}/pve1`,
    { ...former, clusterName: null, publicKey: "k", revokedKeys: [], joinedAt: hub.clock.now(), revokedAt: null },
    { actor: "test", reason: "test" },
  );
  const session = { clusterName: undefined, software: "x", skewMs: 0, joinedBy: undefined };
  hub.fleet.opened({ ...session, agent: former });
  assert.equal(await settings(), 403, "he says nothing about the other");
  revokeAgent(hub.state, `${former.cluster}/pve1`, { actor: "test", reason: "test" }, hub.clock.now());
  hub.fleet.stepRevoked();
  assert.equal(await settings(), 200);
});
