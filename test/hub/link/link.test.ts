import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { request as httpsRequest } from "node:https";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { WebSocket } from "ws";
import type { ClusterId, EpochMs } from "#protocol/ids.ts";
import { nodeKey } from "#protocol/ids.ts";
import { limits } from "#protocol/limits.ts";
import { encodeFrame, encodeSchema, FrameState, type Schema } from "#protocol/records.ts";
import { linkVersions } from "#protocol/version.ts";
import { revokeAgent } from "../../../hub/agent-keys.ts";
import { parseConfig } from "../../../hub/config.ts";
import { startHub } from "../../../hub/hub.ts";
import { createJoinToken } from "../../../hub/keys.ts";
import { FrontDesk } from "../../../hub/link/front-desk.ts";
import type { AgentSession } from "../../../hub/link/session.ts";
import { sessionEvents } from "../../../hub/session-events.ts";
import { StateStore } from "../../../hub/store/state.ts";
import { loadCertificate, prepareCertificate } from "../../../hub/tls.ts";
import { Troubles } from "../../../hub/troubles.ts";
import { AgentClient, type HelloOptions, newClientKey } from "../../support/agent-client.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeSeries } from "../../support/fake-series.ts";
import { temporaryDir } from "../../support/temporary-dir.ts";
import { agentOf, clusterA, connect, inventoryOf, testHub } from "../../support/test-hub.ts";

const joinKey = randomBytes(32);
const by = { actor: "test", reason: "test" };

async function startTestHub(t: TestContext) {
  const dir = temporaryDir(t);
  const clock = new FakeClock();
  const series = new FakeSeries();
  writeFileSync(join(dir, "join.key"), joinKey.toString("base64"));
  const state = StateStore.open({ dir, now: () => clock.now() });
  const certificate = await loadCertificate(dir, Date.now());
  const config = parseConfig(`listen = "127.0.0.1"\nport = 0\nstate = "${dir}"`);
  const hub = await startHub({ config, clock, series, state, certificate, log: () => undefined });
  let stopped: Promise<void> | undefined;
  const stop = () => (stopped ??= hub.stop());
  t.after(stop);
  const key = newClientKey();
  const helloOptions = (more: Partial<HelloOptions> = {}): HelloOptions => ({
    key,
    fingerprint: certificate.fingerprint,
    now: clock.now(),
    joinKey,
    ...more,
  });
  const open = async (more: Partial<HelloOptions> = {}) => {
    const client = await AgentClient.connect(hub.port);
    t.after(() => client.close());
    await client.hello(helloOptions(more));
    return client;
  };
  const welcomed = async (more: Partial<HelloOptions> = {}) => {
    const client = await open(more);
    return { client, welcome: await client.next("welcome") };
  };
  return { dir, clock, series, state, hub, key, stop, open, welcomed, certificate };
}

const schema: Schema = {
  entities: [{ key: nodeKey(agentOf("pve1").node), identity: [] }],
  series: [{ entity: 0, metric: 1, source: "proc" }],
};
const frame = (seq: number, at: number, scaled: number) =>
  encodeFrame(seq, at as EpochMs, true, Float64Array.of(scaled), new FrameState(1));

test("an agent with the cluster's join key is welcomed, remembered, and needs no proof the next time", async (t) => {
  const hub = await startTestHub(t);
  const { client, welcome } = await hub.welcomed();
  assert.deepEqual(welcome, {
    version: 1,
    lastSeq: 0,
    now: hub.clock.now(),
    duties: ["cluster", "shared-storage", "backup-jobs"],
  });
  client.close();
  await client.closed;

  const again = await AgentClient.connect(hub.hub.port);
  const { joinKey: _, ...known } = { joinKey, key: hub.key, fingerprint: hub.certificate.fingerprint, now: hub.clock.now() };
  await again.hello(known);

  assert.equal((await again.next("welcome")).version, 1);
  again.close();
});

test("an agent one version behind hands its samples in and hears nothing that it doesn't know; one of this version does", async (t) => {
  const hub = await startTestHub(t);
  const { client: older } = await hub.welcomed();
  const { client: newer, welcome } = await hub.welcomed({ key: newClientKey(), node: "pve2", max: linkVersions.max });
  assert.deepEqual(
    [welcome.version, (await newer.next("hub.pins")).fingerprints],
    [linkVersions.max, [hub.certificate.fingerprint]],
  );
  await prepareCertificate(hub.dir, hub.clock.now() + 3_600_000, Date.now());
  await hub.clock.advance(10_000);
  assert.equal((await newer.next("hub.pins")).fingerprints.length, 2);
  older.send("inventory", inventoryOf());
  older.sendRaw(encodeSchema(1, schema));
  assert.deepEqual(await older.next("ack"), { seq: 1 });
  older.sendRaw(frame(2, 10_000, 2500));
  assert.deepEqual(await older.next("ack"), { seq: 2 });
});

test("after the join key was rotated a connected agent stays, a known one comes back, and the old key lets nobody new in", async (t) => {
  const hub = await startTestHub(t);
  const { client } = await hub.welcomed();
  writeFileSync(join(hub.dir, "join.key"), Buffer.alloc(32, 7).toString("base64"));

  const stranger = await hub.open({ key: newClientKey(), node: "pve2" });
  assert.equal((await stranger.next("refused")).code, "bad-join");
  const fresh = await hub.welcomed({ key: newClientKey(), node: "pve2", joinKey: Buffer.alloc(32, 7) });
  assert.equal(fresh.welcome.version, 1);
  client.sendRaw(encodeSchema(1, schema));
  hub.series.commit();
  assert.deepEqual(await client.next("ack"), { seq: 1 });
  client.close();
  await client.closed;
  assert.equal((await hub.welcomed()).welcome.version, 1); // its proof by the old key is not even looked at
});

test("an agent is welcomed only when it is stored that it joined: a disk that takes nothing sends it away to come again", async (t) => {
  const hub = await startTestHub(t);
  const together = t.mock.method(hub.state, "together", () => {
    throw new Error("MDB_MAP_FULL");
  });
  const away = await hub.open();
  assert.equal((await away.next("refused")).code, "overloaded");
  await away.closed;
  assert.equal(hub.state.get("agent", `${clusterA}/pve1`), undefined);
  together.mock.restore();
  assert.equal((await hub.welcomed()).welcome.version, 1);
});

test("records are acknowledged only when they are durable, many by one message", async (t) => {
  const hub = await startTestHub(t);
  const { client } = await hub.welcomed();
  hub.series.durableAtOnce = false;
  const arrived = new Promise<void>((resolve) => hub.series.live.onFrame(({ at }) => at === 20_000 && resolve()));
  client.sendRaw(encodeSchema(1, schema));
  client.sendRaw(frame(2, 10_000, 2500));
  client.sendRaw(frame(3, 20_000, 2600));
  await arrived;

  hub.series.commit();

  assert.deepEqual(await client.next("ack"), { seq: 3 });
  assert.deepEqual(hub.series.live.latest(1)?.value, 0.26);
});

test("what can't be decoded is answered with one resync, however much of it was on its way", async (t) => {
  const hub = await startTestHub(t);
  const { client } = await hub.welcomed();
  client.sendRaw(frame(1, 10_000, 1));
  client.sendRaw(frame(2, 20_000, 1));
  assert.deepEqual(await client.next("resync"), { problem: "frame before schema" });

  client.sendRaw(encodeSchema(3, schema));
  client.sendRaw(frame(4, 30_000, 1));

  assert.deepEqual(await client.next("ack"), { seq: 4 });
});

test("a full disk acknowledges nothing, ends the session and is told once", async (t) => {
  const hub = await startTestHub(t);
  const { client } = await hub.welcomed();
  hub.series.diskProblem = "no space left";
  client.sendRaw(encodeSchema(1, schema));

  assert.equal((await client.next("refused")).code, "overloaded");
  assert.equal(await client.closed, 1013);
  const events = hub.state.history.events({ type: "ingest.refused" }, { limit: 10, cursor: undefined });
  assert.deepEqual(
    events.items.map((event) => event.text),
    ["The hub can't store samples, agents keep them: no space left"],
  );
});

const refused: [
  name: string,
  options: (hub: Awaited<ReturnType<typeof startTestHub>>) => Partial<HelloOptions>,
  code: string,
  close: number,
][] = [
  ["a wrong join key", () => ({ joinKey: randomBytes(32) }), "bad-join", 1013],
  [
    "a token that nobody made",
    () => ({ joinKey: undefined as never, token: "pvj_000000000000_".padEnd(65, "0") }),
    "bad-join",
    1013,
  ],
  [
    "a signature over an older challenge (a replayed hello)",
    () => ({ nonce: randomBytes(32).toString("base64") }),
    "bad-signature",
    1008,
  ],
  [
    "a signature over another hub's certificate (a relay)",
    () => ({ fingerprint: Array(32).fill("00").join(":") }),
    "bad-signature",
    1008,
  ],
  ["a hello that was changed after it was signed", () => ({ claimed: { node: "pve9" } }), "bad-signature", 1008],
  ["an agent that is too new", () => ({ min: linkVersions.max + 1, max: linkVersions.max + 2 }), "hub-too-old", 1013],
  ["an agent that is too old", () => ({ min: 0, max: 0 }), "version-too-old", 1008],
  ["a node name that is none", () => ({ node: "-.-" }), "malformed", 1013],
];
for (const [name, options, code, close] of refused) {
  test(`${name} is refused with ${code}`, async (t) => {
    const hub = await startTestHub(t);
    const client = await hub.open(options(hub));
    assert.equal((await client.next("refused")).code, code);
    assert.equal(await client.closed, close);
    assert.deepEqual(hub.state.list("agent"), []);
  });
}

test("an unknown agent without any proof is told to join", async (t) => {
  const hub = await startTestHub(t);
  const client = await AgentClient.connect(hub.hub.port);
  await client.hello({ key: hub.key, fingerprint: hub.certificate.fingerprint, now: hub.clock.now() });
  assert.equal((await client.next("refused")).code, "not-joined");
  assert.equal(await client.closed, 1013);
});

test("a known node that comes with another key is refused and raises a critical event", async (t) => {
  const hub = await startTestHub(t);
  await hub.welcomed();
  const stranger = await hub.open({ key: newClientKey() });
  assert.equal((await stranger.next("refused")).code, "key-changed");
  const { items } = hub.state.history.events({ type: "agent.key-changed" }, { limit: 10, cursor: undefined });
  assert.deepEqual(
    items.map(({ severity, node }) => ({ severity, node })),
    [{ severity: "critical", node: "pve1" }],
  );
});

test("a token joins one agent and no second one, and none after its time", async (t) => {
  const hub = await startTestHub(t);
  const { token } = createJoinToken(hub.state, 10, by, hub.clock.now());
  const late = createJoinToken(hub.state, 10, by, hub.clock.now());
  await hub.welcomed({ joinKey: undefined as never, token });

  const second = await hub.open({ joinKey: undefined as never, token, node: "pve2", key: newClientKey() });
  assert.equal((await second.next("refused")).code, "bad-join");
  await hub.clock.advance(10 * 60_000);
  const third = await hub.open({ joinKey: undefined as never, token: late.token, node: "pve3", key: newClientKey() });
  assert.equal((await third.next("refused")).code, "bad-join");
});

test("by token nobody joins a cluster as a node that its agents don't know, and the token stays good for another", async (t) => {
  const hub = await startTestHub(t);
  await hub.welcomed();
  const receivedAt = hub.clock.now();
  // Members of the lab's cluster: pve1, pve2, pve3.
  const known = { agent: agentOf("pve1"), receivedAt, inventory: inventoryOf({}), claims: {} };
  hub.state.put("inventory", `${clusterA}/pve1`, known, by);
  const { token } = createJoinToken(hub.state, 10, by, hub.clock.now());
  const asToken = { joinKey: undefined as never, token, key: newClientKey() };
  const stranger = await hub.open({ ...asToken, node: "pve9" });
  const { code, problem } = await stranger.next("refused");
  assert.deepEqual([code, /know no node pve9/.test(problem)], ["bad-join", true]);
  const guess = await hub.open({ ...asToken, node: "pve9", token: `pvj_000000000000_${"0".repeat(48)}` });
  assert.doesNotMatch((await guess.next("refused")).problem, /know no node/, "told to who has a token only");
  await hub.welcomed({ ...asToken, node: "pve2" });
  const other = createJoinToken(hub.state, 10, by, hub.clock.now());
  await hub.welcomed({
    ...asToken,
    token: other.token,
    key: newClientKey(),
    node: "pve9",
    clusterId: "00000000000000bb" as ClusterId,
  });
});

test("a revoked agent is thrown out within seconds, stays out with its key, and may join with a new one", async (t) => {
  const hub = await startTestHub(t);
  const { client } = await hub.welcomed();
  revokeAgent(hub.state, `${clusterA}/pve1`, by, hub.clock.now());
  await hub.clock.advance(6000);
  assert.equal((await client.next("refused")).code, "revoked");

  const again = await hub.open();
  assert.equal((await again.next("refused")).code, "revoked");
  const { welcome } = await hub.welcomed({ key: newClientKey() });
  assert.equal(welcome.version, 1);
});

test("who guesses at joining has to wait a minute, and an agent from the same address that the hub knows does not", async (t) => {
  const hub = await startTestHub(t);
  await hub.welcomed();
  const { token } = createJoinToken(hub.state, 60, by, hub.clock.now());
  const stranger = { key: newClientKey(), node: "pve8" };
  const guess = async (more: Partial<HelloOptions>) => {
    const client = await hub.open({ ...stranger, joinKey: undefined as never, ...more });
    return (await client.next("refused")).code;
  };
  for (let i = 0; i < 9; i++) assert.equal(await guess({ token: `pvj_000000000000_${String(i).padStart(48, "0")}` }), "bad-join");
  assert.equal(await guess({ joinKey: randomBytes(32) }), "bad-join");
  assert.equal(await guess({ token }), "rate-limited", "also with a right token");
  assert.equal((await hub.welcomed()).welcome.lastSeq, 0, "a known agent comes and goes");
  await hub.clock.advance(60_000);
  const joined = await hub.welcomed({ ...stranger, joinKey: undefined as never, token });
  assert.equal(joined.welcome.lastSeq, 0);
});

/** What sessions tell, without sockets. `turn` gives the desk its next turn. */
function openEvents(t: TestContext, together?: (work: () => void) => void) {
  const hub = testHub(t);
  const here = new Map<string, AgentSession>();
  const turns: (() => void)[] = [];
  const desk = new FrontDesk({
    together: together ?? ((work) => hub.journal.together(work)),
    monotonicMs: () => hub.clock.monotonicMs(),
    inNextTurn: (work) => turns.push(work),
  });
  const events = sessionEvents({
    ...hub,
    desk,
    troubles: new Troubles(),
    link: () => ({
      register: ({ node }, session) => void here.set(node, session),
      unregister: ({ node }) => {
        here.delete(node);
        return true;
      },
      isHere: ({ node }) => here.has(node),
    }),
    welcomed: () => undefined,
    told: () => undefined,
    logins: { answered: () => false, lost: () => undefined },
    restore: hub.restore.session,
  });
  return { hub, events, desk, turn: () => turns.shift()?.() };
}
const session = {} as AgentSession; // nobody asks it anything here

test("agents that all go at once, as when a switch fails, are told away by one write", (t) => {
  const { hub, events, turn } = openEvents(t);
  const agents = ["pve1", "pve2", "pve3"].map((node) => connect(hub, node));
  const adds = t.mock.method(hub.state.history, "addEvents");
  for (const agent of agents) events.closed(session, agent, "connection closed (1006)");
  turn();
  assert.deepEqual(
    adds.mock.calls.map(({ arguments: [written] }) => written.map(({ type, node }) => `${type} ${node}`)),
    [["agent.away pve1", "agent.away pve2", "agent.away pve3"]],
  );
  assert.equal(hub.fleet.counts().connected, 0);
});

test("an agent that is back before the end of its last session was told is connected, not away", (t) => {
  const { hub, events, desk, turn } = openEvents(t);
  const agent = connect(hub, "pve1");
  const hello = { agent, clusterName: "lab", software: "x", skewMs: 0, joinedBy: undefined };
  desk.enter({ decide: () => void events.opened(session, hello), tell: () => undefined });
  events.closed({} as AgentSession, agent, "connection closed (1006)");
  turn();
  assert.equal(hub.fleet.counts().connected, 1);
});

test("two machines that take turns as one agent, as after a disk was copied, are told of once, also behind one address; one whose network blinks is not", async (t) => {
  const hub = await startTestHub(t);
  const told = () =>
    hub.state.history.events({ type: "agent.doubled" }, { limit: 10, cursor: undefined }).items.map(({ data }) => data);
  let { client: older } = await hub.welcomed();
  for (let turn = 0; turn < 5; turn++) {
    older.vanish();
    older = (await hub.welcomed()).client;
  }
  assert.deepEqual(told(), []);
  for (let turn = 0; turn < 6; turn++) {
    const { client } = await hub.welcomed();
    await older.closed;
    older = client;
  }
  assert.deepEqual(told(), [{ node: "pve1", addresses: ["127.0.0.1"] }]);
});

test("where nothing can be written an agent that goes is away all the same", (t) => {
  const { hub, events, turn } = openEvents(t, () => {
    throw new Error("MDB_MAP_FULL");
  });
  events.closed(session, connect(hub, "pve1"), "connection closed (1006)");
  turn();
  assert.equal(hub.fleet.counts().connected, 0);
});

test("a flood of hellos under made-up names fills neither the event log nor the disk", async (t) => {
  const { hub, events } = openEvents(t);
  for (let n = 0; n < 1000; n++) events.refused({ node: `made-up-${n}`, clusterId: clusterA }, "not-joined", "join first");
  const written = () => hub.state.history.events({ type: "agent.refused" }, { limit: 500, cursor: undefined }).items.length;
  assert.equal(written(), 100);
  await hub.clock.advance(60_000);
  for (let n = 0; n < 1000; n++) events.refused({ node: `other-${n}`, clusterId: clusterA }, "not-joined", "join first");
  assert.equal(written(), 112);
});

test("compression that an agent offers is not taken: a small message can't become a large one", async (t) => {
  const { hub } = await startTestHub(t);
  const socket = new WebSocket(`wss://127.0.0.1:${hub.port}/agent`, "proven.v1", {
    rejectUnauthorized: false,
    perMessageDeflate: true,
  });
  await once(socket, "open");
  assert.equal(socket.extensions, "");
  socket.terminate();
});

test("a newer session of the same agent replaces the older one, and its duties stay", async (t) => {
  const hub = await startTestHub(t);
  const { client } = await hub.welcomed();
  const { welcome } = await hub.welcomed();
  assert.equal((await client.next("refused")).code, "already-connected");
  assert.deepEqual(welcome.duties, ["cluster", "shared-storage", "backup-jobs"]);
});

test("malformed messages are answered with what is wrong, counted, and end the session when there are too many", async (t) => {
  const hub = await startTestHub(t);
  const { client } = await hub.welcomed();
  client.sendRaw("not json");
  assert.deepEqual(await client.next("problem"), { about: "message", problem: "not JSON" });
  client.sendRaw('{"type":"welcome","body":{}}');
  assert.deepEqual(await client.next("problem"), { about: "welcome", problem: "unknown type for version 1" });
  client.sendRaw('{"type":"clock","body":{"at":"noon"}}');
  assert.equal((await client.next("problem")).about, "clock");

  for (let i = 3; i < limits.problemsPerSession; i++) client.sendRaw("{");

  assert.equal((await client.next("refused")).code, "malformed");
  assert.equal(await client.closed, 1013);
});

test("an agent of tomorrow, whose inventories hold more than this hub knows, is heard and stays connected", async (t) => {
  const hub = await startTestHub(t);
  const { client } = await hub.welcomed();
  const guests = [{ vmid: 100, name: "web", firmware: "uefi" }];
  for (let i = 0; i <= limits.problemsPerSession; i++) {
    client.sendRaw(JSON.stringify({ type: "inventory", body: { ...inventoryOf({ at: i, guests }), moon: "full" } }));
  }
  // Whatever was wrong with them is answered before this is.
  client.sendRaw('{"type":"clock","body":{"at":"noon"}}');
  assert.equal((await client.next("problem")).about, "clock");
  await hub.clock.advance(6000);
  assert.deepEqual(
    hub.state.get("inventory", `${clusterA}/pve1`)?.inventory.guests.map(({ name }) => name),
    ["web"],
  );
});

test("an oversized message closes with 1009 and leaves the other agents alone", async (t) => {
  const hub = await startTestHub(t);
  const { client } = await hub.welcomed();
  const { client: other } = await hub.welcomed({ node: "pve2", key: newClientKey() });

  client.sendRaw(new Uint8Array(limits.messageMaxBytes + 1));

  assert.equal(await client.closed, 1009);
  other.sendRaw(encodeSchema(1, schema));
  assert.deepEqual(await other.next("ack"), { seq: 1 });
});

test("an agent that floods with messages is told to wait and closed", async (t) => {
  const hub = await startTestHub(t);
  const { client } = await hub.welcomed();
  for (let i = 0; i <= limits.messagesPerMinute; i++) client.send("clock", { at: hub.clock.now() });
  assert.equal((await client.next("refused")).code, "rate-limited");
  assert.equal(await client.closed, 1013);
});

test("who says no hello in time is closed", async (t) => {
  const hub = await startTestHub(t);
  const client = await AgentClient.connect(hub.hub.port);
  await client.next("challenge");
  await hub.clock.advance(limits.helloWithinMs);
  assert.equal(await client.closed, 1008);
});

test("a wrong clock is measured at the hello and told, not corrected", async (t) => {
  const hub = await startTestHub(t);
  await hub.welcomed({ now: hub.clock.now() + 3_600_000 });
  const { items } = hub.state.history.events({ type: "agent.clock-skew" }, { limit: 10, cursor: undefined });
  assert.deepEqual(
    items.map((event) => event.text),
    ["The clock of pve1 is 3600.0 s ahead of the hub's"],
  );
});

test("an agent that sends samples is not asked whether it lives; one that says nothing is, and gone when it doesn't answer", async (t) => {
  const hub = await startTestHub(t);
  const client = await AgentClient.connect(hub.hub.port, { answersPings: false });
  await client.hello({ key: hub.key, fingerprint: hub.certificate.fingerprint, now: hub.clock.now(), joinKey });
  await client.next("welcome");
  await hub.clock.advance(10_000);
  client.sendRaw(encodeSchema(1, schema));
  client.sendRaw(frame(2, 10_000, 1));
  await client.next("ack");
  await hub.clock.advance(10_000);
  client.sendRaw(frame(3, 20_000, 1));
  await client.next("ack"); // and would have come behind a ping
  assert.equal(client.pings, 0);

  await hub.clock.advance(10_000);
  const pinged = client.pinged();
  await hub.clock.advance(10_000);
  await pinged;
  await hub.clock.advance(10_000);

  assert.equal(await client.closed, 1006);
  assert.equal(client.pings, 1);
});

test("stopping acknowledges what became durable and closes with 1012", async (t) => {
  const hub = await startTestHub(t);
  const { client } = await hub.welcomed();
  hub.series.durableAtOnce = false;
  const arrived = new Promise<void>((resolve) => hub.series.live.onFrame(() => resolve()));
  client.sendRaw(encodeSchema(1, schema));
  client.sendRaw(frame(2, 10_000, 1));
  await arrived;

  const stopped = hub.stop();
  hub.series.commit();

  assert.deepEqual(await client.next("ack"), { seq: 2 });
  assert.equal(await client.closed, 1012);
  await stopped;
  assert.equal(hub.series.closed, true);
});

test("the link's path without its subprotocol, and any other path, is no WebSocket", async (t) => {
  const { hub } = await startTestHub(t);
  for (const [path, protocol, status] of [
    ["/agent", "other", 400],
    ["/elsewhere", "proven.v1", 404],
  ] as const) {
    const socket = new WebSocket(`wss://127.0.0.1:${hub.port}${path}`, protocol, { rejectUnauthorized: false });
    const [, response] = await once(socket, "unexpected-response");
    assert.equal(response.statusCode, status);
    response.destroy();
  }
});

test("the port answers HTTPS beside the link, and asks for a key", async (t) => {
  const { hub } = await startTestHub(t);
  const request = httpsRequest(`${hub.url}/api/v1/health`, { rejectUnauthorized: false, agent: false }).end();
  const [response] = await once(request, "response");
  assert.equal(response.statusCode, 401);
  response.resume();
});

test("an inventory reaches the API after the session it came through is gone", async (t) => {
  const hub = await startTestHub(t);
  const { client } = await hub.welcomed();
  client.send("inventory", inventoryOf({ guests: [{ vmid: 100, name: "web" }] }));
  client.sendRaw(encodeSchema(1, schema));
  await client.next("ack");
  client.close();
  await client.closed;
  await hub.clock.advance(6000);
  const stored = hub.state.get("inventory", `${clusterA}/pve1`);
  assert.deepEqual(
    stored?.inventory.guests.map((guest) => guest.name),
    ["web"],
  );
});
