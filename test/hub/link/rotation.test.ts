import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { connect } from "node:tls";
import type { NodeName } from "#protocol/ids.ts";
import { Facts } from "../../../agent/facts.ts";
import type { HubPlace } from "../../../agent/hub-place.ts";
import { findHub, readJoined, storeJoin, writeJoined, writePins } from "../../../agent/hub-place.ts";
import { connectHub, type HubSocket } from "../../../agent/hub-socket.ts";
import { loadIdentity, makeNextKey, rawPublicKey } from "../../../agent/identity.ts";
import { Link } from "../../../agent/link.ts";
import { SpoolFiles } from "../../../agent/spool-files.ts";
import { SpoolStore } from "../../../agent/spool-store.ts";
import { revokeAgent } from "../../../hub/agent-keys.ts";
import { renewCertificate } from "../../../hub/cli/certificate-commands.ts";
import { parseConfig } from "../../../hub/config.ts";
import { startHub } from "../../../hub/hub.ts";
import { createJoinToken, createKey } from "../../../hub/keys.ts";
import { StateStore } from "../../../hub/store/state.ts";
import { loadCertificate, prepareCertificate } from "../../../hub/tls.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeSeries } from "../../support/fake-series.ts";
import { temporaryDir } from "../../support/temporary-dir.ts";
import { clusterA } from "../../support/test-hub.ts";

const by = { actor: "test", reason: "test" };
const agentId = `${clusterA}/pve1`;

/** The real hub and the real link of an agent that joins by token, over TLS, on one clock that stands still. */
async function setUp(t: TestContext) {
  const [dir, stateDir] = [temporaryDir(t), temporaryDir(t)];
  const clock = new FakeClock(Date.now());
  const state = StateStore.open({ dir, now: () => clock.now() });
  const certificate = await loadCertificate(dir, clock.now());
  const config = parseConfig(`listen = "127.0.0.1"\nport = 0\nstate = "${dir}"\n[join]\npmxcfs = "${join(dir, "pve")}"`);
  const hub = await startHub({ config, clock, series: new FakeSeries(), state, certificate, log: () => undefined });
  const { token } = createJoinToken(state, 10, by, clock.now());
  storeJoin(stateDir, { url: `wss://127.0.0.1:${hub.port}/agent`, fingerprint: certificate.fingerprint, token });
  const files = { root: "/nonexistent", stateDir, configured: undefined };
  const logged: string[] = [];
  const sockets: HubSocket[] = [];
  const log = (_level: number, message: string) => void logged.push(message);
  const identity = loadIdentity(stateDir);
  const link = new Link({
    clock,
    log,
    random: () => 0,
    identity,
    store: new SpoolStore(SpoolFiles.open(join(stateDir, "spool"), log), log),
    facts: new Facts(),
    identify: async () => ({ node: "pve1" as NodeName, clusterId: clusterA }),
    setDuties: () => undefined,
    hearAlerts: () => undefined,
    tellOutlet: async () => [],
    answerHub: async () => undefined,
    findHub: () => findHub(files),
    readJoined: () => readJoined(stateDir),
    writeJoined: (fingerprint) => writeJoined(stateDir, fingerprint),
    writePins: (place, shown, accepts) => writePins(stateDir, place, shown, accepts),
    async connect(place: HubPlace, signal) {
      const connected = await connectHub(place.url, place.accepts ?? [place.fingerprint], signal);
      if (connected.ok) sockets.push(connected.socket);
      return connected;
    },
  });
  const stop = new AbortController();
  const running = link.run(stop.signal);
  t.after(async () => {
    stop.abort();
    await running;
    await hub.stop();
  });
  /** Lets time pass until it is so; the network's own time is real. A connection that failed is tried again only as time passes. */
  const until = async (so: () => boolean, stepMs = 0) => {
    for (let turns = 0; !so(); turns++) await clock.advance(turns < 20_000 ? stepMs : stepMs + 10);
  };
  const sessions = () => logged.filter((line) => /^(joined|connected to) the hub$/.test(line)).length;
  await until(() => sessions() === 1);
  /** As of the newest look of the link: what hub-pins.json holds, before that what was joined. */
  const accepts = () => {
    const path = join(stateDir, "hub-pins.json");
    return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")).accepts as string[]) : [certificate.fingerprint];
  };
  return { dir, stateDir, clock, config, state, hub, certificate, identity, link, logged, sockets, sessions, until, accepts };
}

/** A POST with an API key. */
function post(url: string, key: string): Promise<{ status: number | undefined; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${key}`, "content-length": 0 };
    const asked = request(url, { method: "POST", headers, agent: false, rejectUnauthorized: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part) => (text += part));
      response.on("end", () => resolve({ status: response.statusCode, text }));
    });
    asked.on("error", reject);
    asked.end();
  });
}

/** Fingerprint of what a new connection is shown. */
function shownBy(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false });
    socket.once("error", reject);
    socket.once("secureConnect", () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    });
  });
}

test("a certificate is renewed while the hub runs: the session goes on, and the next one knows the new certificate", async (t) => {
  const world = await setUp(t);
  const { clock, certificate, until, accepts } = world;
  await renewCertificate({ config: world.config, now: clock.now(), say: () => undefined }, ["--overlap-hours", "1"]);
  await until(() => accepts().length === 2, 1000);
  assert.equal(await shownBy(world.hub.port), certificate.fingerprint); // told first, shown after
  const next = accepts()[1] ?? "";

  clock.jumpWall(3_600_000);
  await clock.advance(5_000);
  assert.equal(await shownBy(world.hub.port), next);
  assert.ok(readFileSync(join(world.dir, "tls.pem.old"), "utf8").includes(certificate.cert));
  assert.deepEqual([world.sessions(), existsSync(join(world.dir, "tls.next.pem"))], [1, false]);

  world.sockets[0]?.close(1006);
  await until(() => world.sessions() === 2, 100);
  assert.equal(world.sockets.at(-1)?.fingerprint, next);
  await until(() => accepts().length === 1);
  assert.deepEqual(accepts(), [next]); // the old one is no longer good
});

test("with --now connected agents are told, and the new certificate is shown within seconds", async (t) => {
  const { clock, certificate, hub, config, until, accepts } = await setUp(t);
  await renewCertificate({ config, now: clock.now(), say: () => undefined }, ["--now"]);
  await until(() => accepts().at(-1) !== certificate.fingerprint, 1000);
  await clock.advance(10_000);
  assert.notEqual(await shownBy(hub.port), certificate.fingerprint);
});

test("a new certificate that can't be read changes nothing, and is taken up when it can", async (t) => {
  const { dir, clock, certificate, hub, until, accepts } = await setUp(t);
  writeFileSync(join(dir, "tls.next.pem"), "Shown from: 2020-01-01T00:00:00Z\nrubbish");
  await clock.advance(120_000);
  assert.deepEqual([await shownBy(hub.port), accepts().length], [certificate.fingerprint, 1]);
  await prepareCertificate(dir, clock.now() + 86_400_000, clock.now());
  await until(() => accepts().length === 2, 5000);
});

test("an agent's key is changed while it is connected, and the old key lets nobody in any more", async (t) => {
  const { stateDir, clock, state, identity, until, sessions, logged } = await setUp(t);
  const old = rawPublicKey(identity);
  const next = rawPublicKey(makeNextKey(stateDir));
  assert.equal(rawPublicKey(makeNextKey(stateDir)), next); // one that waits stays
  await clock.advance(60_000);
  await until(() => sessions() >= 2 && rawPublicKey(identity) === next, 100);
  await until(() => state.get("agent", agentId)?.publicKey === next, 100);
  assert.equal(rawPublicKey(loadIdentity(stateDir)), next);
  const document = state.get("agent", agentId);
  assert.deepEqual([document?.publicKey, document?.revokedKeys, document?.nextKey], [next, [old], undefined]);
  assert.ok(logged.includes("the hub has taken this agent's new key"));
  assert.equal(state.verifyAudit().ok, true);
});

test("an administrator changes an agent's key from afar; an agent that isn't there is told apart", async (t) => {
  const { hub, clock, state, identity, until, sessions } = await setUp(t);
  const { key } = createKey(state, { name: "ops", scopes: ["read", "write", "admin"], expiresInDays: 1 }, by, clock.now());
  const ask = (agent = agentId) => post(`${hub.url}/api/v1/agents/${agent}/renew-key`, key);
  const old = rawPublicKey(identity);
  assert.equal((await ask()).status, 202);
  await until(() => sessions() >= 2 && state.get("agent", agentId)?.publicKey === rawPublicKey(identity), 100);
  assert.deepEqual(state.get("agent", agentId)?.revokedKeys, [old]);
  assert.deepEqual(
    state
      .auditOf("agent", agentId)
      .map(({ actor, reason }) => `${actor}: ${reason}`)
      .slice(-3),
    ["ops: asked for a new key", `agent ${agentId}: offers a new key`, `agent ${agentId}: uses its new key`],
  );
  assert.equal(state.verifyAudit().ok, true);

  const present = state.get("agent", agentId);
  assert.ok(present);
  state.put("agent", `${clusterA}/pve2`, { ...present, node: "pve2" as NodeName }, by);
  const away = await ask(`${clusterA}/pve2`);
  assert.deepEqual([away.status, /proven-agent key rotate/.test(away.text)], [503, true]);
  revokeAgent(state, agentId, by, clock.now());
  assert.equal((await ask()).status, 404);
});

test("an agent that never heard that its new key was taken goes on with the old one, and is asked again", async (t) => {
  const { stateDir, clock, state, identity, until, sessions, sockets } = await setUp(t);
  const next = makeNextKey(stateDir);
  // As when the answer is lost: the hub knows the offer, the agent doesn't know that.
  state.update("agent", agentId, by, (present) => present && { ...present, nextKey: rawPublicKey(next) });
  sockets[0]?.close(1006);
  await until(() => sessions() >= 2, 100);
  await clock.advance(60_000);
  await until(() => identity.publicKey === next.publicKey, 100);
  await until(() => state.get("agent", agentId)?.publicKey === rawPublicKey(next), 100);
});

test("an agent that is revoked while its key changes stays out with either key", async (t) => {
  const { state, clock, stateDir, logged, until } = await setUp(t);
  const next = makeNextKey(stateDir);
  state.update("agent", agentId, by, (present) => present && { ...present, nextKey: rawPublicKey(next) });
  revokeAgent(state, agentId, by, clock.now());
  const revoked = state.get("agent", agentId);
  assert.deepEqual(
    [revoked?.publicKey, revoked?.revokedKeys.includes(rawPublicKey(next)), revoked?.nextKey],
    [null, true, undefined],
  );
  await until(() => logged.includes("the hub refused this agent: This agent was revoked"), 1000);
});
