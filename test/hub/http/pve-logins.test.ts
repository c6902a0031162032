import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { commands } from "../../../hub/cli/commands.ts";
import { createApp } from "../../../hub/http/app.ts";
import { sessionsEndedAt } from "../../../hub/keys.ts";
import { FakeLogins } from "../../support/fake-logins.ts";
import { alertId, seenHub } from "../../support/seen-hub.ts";
import { agentOf } from "../../support/test-hub.ts";

type Json = Record<string, unknown> & { error?: { code: string; message: string } };

/** A hub that people sign in to. Each call is a browser's without a cookie, unless one is given. */
function loginHub(t: TestContext) {
  const one = seenHub(t);
  const { hub, alerting } = one;
  const logins = new FakeLogins(() => hub.clock.now());
  const app = createApp({ ...hub.httpPorts, alerting, logins });
  const ask = async (method: string, path: string, options: { body?: unknown; cookie?: string; headers?: object } = {}) => {
    const { body, cookie, headers } = options;
    const response = await app.request(`https://hub.lan/api/v1/${path}`, {
      method,
      headers: {
        Host: "hub.lan",
        "X-Proven": "1",
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...(cookie === undefined ? {} : { Cookie: cookie }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const [set = ""] = response.headers.getSetCookie();
    const text = await response.text();
    return {
      status: response.status,
      json: (text === "" ? {} : JSON.parse(text)) as Json,
      set,
      cookie: set.split(";")[0] ?? "",
      response,
    };
  };
  const signIn = (user: string, password = "right", realm = "pve") =>
    ask("POST", "session/login", { body: { user, realm, password } });
  return { ...one, app, logins, ask, signIn };
}

test("who signs in with a Proxmox VE account sees what Proxmox VE shows him", async (t) => {
  const { ask, signIn } = loginHub(t);
  const { status, json, set, cookie, response } = await signIn("carol");
  assert.equal(status, 200);
  const { expiresAt } = json.session as Json;
  assert.deepEqual(json.session, { user: "carol@pve", scopes: ["read", "write"], expiresAt, settings: false, agentsOf: [] });
  assert.match(set, /^__Host-proven_login=[0-9a-f]{64}; Max-Age=43200; Path=\/; HttpOnly; Secure; SameSite=Strict$/);
  assert.equal(response.headers.get("Cache-Control"), "no-store");
  assert.equal((await ask("GET", "guests/100", { cookie })).status, 200);
  assert.equal((await ask("GET", "guests/101", { cookie })).status, 404);
  assert.equal((await ask("GET", "rules", { cookie })).status, 403);
});

test("where one can sign in is told to everybody, and asked of an agent once", async (t) => {
  const { ask, logins, hub } = loginHub(t);
  const pam = { realm: "pam", type: "pam", comment: "Linux PAM", preselected: true };
  const clusters = [{ cluster: "00000000000000aa", name: "lab", realms: [pam] }];
  assert.deepEqual((await ask("GET", "session/realms")).json, { clusters });
  await Promise.all([ask("GET", "session/realms"), ask("GET", "session/realms")]);
  assert.deepEqual(logins.asked, ["login.realms"]);
  logins.away = true;
  await hub.clock.advance(60_000);
  assert.deepEqual((await ask("GET", "session/realms")).json, { clusters: [{ ...clusters[0], realms: [] }] });
  await ask("GET", "session/realms");
  assert.deepEqual(logins.asked, ["login.realms", "login.realms"]);
});

for (const [kind, code, status] of [
  ["totp", "123456", 200],
  ["recovery", "key", 200],
  ["totp", "654321", 401],
] as const) {
  test(`the second factor ${kind} ${code} is answered with ${status}, once`, async (t) => {
    const { ask, signIn } = loginHub(t);
    const first = await signIn("root", "right", "pam");
    assert.deepEqual([first.status, first.json.state, first.json.kinds], [200, "tfa-needed", ["totp", "recovery"]]);
    assert.equal(first.set, "", "nobody is signed in yet");
    const body = { challenge: first.json.challenge, kind, code };
    const second = await ask("POST", "session/login/answer", { body });
    assert.equal(second.status, status);
    assert.equal((await ask("POST", "session/login/answer", { body })).status, 401, "a challenge is used up");
  });
}

test("a challenge ends after five minutes", async (t) => {
  const { ask, signIn, hub } = loginHub(t);
  const { challenge } = (await signIn("root", "right", "pam")).json;
  await hub.clock.advance(5 * 60_000);
  const late = await ask("POST", "session/login/answer", { body: { challenge, kind: "totp", code: "123456" } });
  assert.equal(late.status, 401);
});

test("a wrong password, an unknown and a disabled user are refused with the same words", async (t) => {
  const { signIn } = loginHub(t);
  const answers = [await signIn("carol", "wrong"), await signIn("nobody"), await signIn("dora")];
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([401]));
  assert.equal(new Set(answers.map(({ json }) => JSON.stringify(json))).size, 1);
});

test("who guesses waits longer each time; another user at the same address does not", async (t) => {
  const { signIn, hub } = loginHub(t);
  for (let i = 0; i < 3; i++) assert.equal((await signIn("carol", "wrong")).status, 401);
  const waiting = await signIn("carol");
  assert.deepEqual([waiting.status, waiting.response.headers.get("Retry-After")], [429, "2"]);
  assert.equal((await signIn("bob")).status, 200);
  await hub.clock.advance(2_000);
  assert.equal((await signIn("carol")).status, 200, "and the right password ends it");
  assert.equal((await signIn("carol", "wrong")).status, 401);
});

test("an address that fails for many users waits, but not those who got in from it before", async (t) => {
  const { signIn } = loginHub(t);
  assert.equal((await signIn("carol")).status, 200);
  for (let i = 0; i < 30; i++) assert.equal((await signIn(`guess${i}`)).status, 401);
  assert.equal((await signIn("bob")).status, 429);
  assert.equal((await signIn("carol")).status, 200);
});

test("writing takes the header, and another origin's page gets nowhere", async (t) => {
  const { ask, signIn } = loginHub(t);
  const { cookie } = await signIn("carol");
  const id = encodeURIComponent(alertId("guest/100"));
  const ack = (headers: object) => ask("POST", `alerts/${id}/ack`, { cookie, body: {}, headers });
  assert.equal((await ack({ "X-Proven": "0" })).status, 403);
  assert.equal((await ack({ Origin: "https://evil.example" })).status, 403);
  assert.equal((await ack({ Origin: "https://hub.lan" })).status, 200);
  const foreign = { body: { user: "carol", realm: "pve", password: "right" }, headers: { Origin: "https://evil.example" } };
  assert.equal((await ask("POST", "session/login", foreign)).status, 403);
});

test("a privilege that the view doesn't tell of is asked of Proxmox VE, and the answer kept for a minute", async (t) => {
  const { ask, signIn, logins, hub } = loginHub(t);
  const lab = logins.viewOf;
  logins.viewOf = (user) => ({ ...lab(user), privileges: [] });
  const [carol, alice] = [(await signIn("carol")).cookie, (await signIn("alice")).cookie];
  const ack = (cookie: string) => ask("POST", `alerts/${encodeURIComponent(alertId("guest/100"))}/ack`, { cookie, body: {} });
  assert.equal((await ack(carol)).status, 200);
  assert.equal((await ack(carol)).status, 200);
  assert.equal(logins.asked.filter((type) => type === "login.permissions").length, 1);
  assert.equal((await ack(alice)).status, 403);
  await hub.clock.advance(60_000);
  assert.equal((await ack(carol)).status, 200);
  assert.equal(logins.asked.filter((type) => type === "login.permissions").length, 3);
});

test("what somebody sees is asked again within a minute, once for all requests that wait", async (t) => {
  const { ask, signIn, logins, hub } = loginHub(t);
  const { cookie } = await signIn("carol");
  const lab = logins.viewOf;
  logins.viewOf = (user) => ({ ...lab(user), guests: [] });
  assert.equal((await ask("GET", "guests/100", { cookie })).status, 200);
  await hub.clock.advance(46_000);
  const statuses = await Promise.all([1, 2, 3].map(() => ask("GET", "guests/100", { cookie })));
  assert.deepEqual(
    statuses.map(({ status }) => status),
    [404, 404, 404],
  );
  assert.deepEqual(logins.asked, ["login.start", "login.view"]);
});

test("what the agent told was old already is asked again the sooner", async (t) => {
  const { ask, signIn, logins, hub } = loginHub(t);
  logins.viewAgeMs = 40_000;
  const { cookie } = await signIn("carol");
  await hub.clock.advance(4_000);
  await ask("GET", "guests", { cookie });
  assert.deepEqual(logins.asked, ["login.start"]);
  await hub.clock.advance(2_000);
  await ask("GET", "guests", { cookie });
  assert.deepEqual(logins.asked, ["login.start", "login.view"]);
});

test("a session ends with its ticket", async (t) => {
  const { ask, signIn, logins, hub } = loginHub(t);
  const { cookie } = await signIn("carol");
  logins.over.add("carol@pve");
  await hub.clock.advance(46_000);
  assert.equal((await ask("GET", "guests", { cookie })).status, 401);
  logins.over.clear();
  assert.equal((await ask("GET", "guests", { cookie })).status, 401, "for good");
});

test("while nobody can ask Proxmox VE nothing is shown after a minute, and the session lives on", async (t) => {
  const { ask, signIn, logins, hub } = loginHub(t);
  const { cookie } = await signIn("carol");
  logins.away = true;
  await hub.clock.advance(50_000);
  assert.equal((await ask("GET", "guests", { cookie })).status, 200);
  await hub.clock.advance(11_000);
  const blind = await ask("GET", "guests", { cookie });
  assert.deepEqual([blind.status, blind.json.error?.code], [503, "agent-offline"]);
  logins.away = false;
  assert.equal((await ask("GET", "guests", { cookie })).status, 200);
});

test("signing out ends the session, at the agent too", async (t) => {
  const { ask, signIn, logins } = loginHub(t);
  const { cookie } = await signIn("carol");
  assert.equal((await ask("DELETE", "session", { cookie })).status, 204);
  assert.deepEqual(logins.ended, ["carol@pve"]);
  assert.equal((await ask("GET", "guests", { cookie })).status, 401);
});

test("when all sessions are ended, those of accounts and of keys are over at once, and new ones go on", async (t) => {
  const { ask, signIn, logins, hub } = loginHub(t);
  const byKey = () => ask("POST", "session", { body: { key: hub.newKey("read") } });
  const before = [(await signIn("carol")).cookie, (await byKey()).cookie];
  const statuses = (cookies: string[]) =>
    Promise.all(cookies.map(async (cookie) => (await ask("GET", "guests", { cookie })).status));
  assert.deepEqual(await statuses(before), [200, 200]);
  await hub.clock.advance(1000);
  await commands["session end-all"]?.run([], {
    state: hub.state,
    now: hub.clock.now(),
    user: "root",
    fingerprint: async () => "",
    agentUrls: () => [],
    say: () => undefined,
  });
  logins.endedAtMs = sessionsEndedAt(hub.state);
  assert.deepEqual(await statuses(before), [401, 401]);
  await hub.clock.advance(1);
  assert.deepEqual(await statuses([(await signIn("carol")).cookie, (await byKey()).cookie]), [200, 200]);
});

test("a session nobody uses for two hours is over, and one of twelve hours", async (t) => {
  const { ask, signIn, logins, hub } = loginHub(t);
  const idle = (await signIn("carol")).cookie;
  const busy = (await signIn("bob")).cookie;
  for (let hour = 0; hour < 11; hour++) {
    await hub.clock.advance(3_600_000);
    assert.equal((await ask("GET", "guests", { cookie: busy })).status, 200);
  }
  assert.equal((await ask("GET", "guests", { cookie: idle })).status, 401);
  await hub.clock.advance(3_600_000);
  assert.equal((await ask("GET", "guests", { cookie: busy })).status, 401);
  assert.deepEqual(logins.ended, ["carol@pve", "bob@pve"]);
});

test("an open stream keeps its session's view fresh by itself, and ends with the session", async (t) => {
  const { app, ask, signIn, logins, hub } = loginHub(t);
  const { cookie } = await signIn("carol");
  const response = await app.request("https://hub.lan/api/v1/stream", { headers: { Cookie: cookie } });
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  for (let sec = 0; sec < 180; sec += 5) await hub.clock.advance(5000);
  assert.deepEqual(logins.asked, ["login.start", "login.view", "login.view", "login.view"]);
  await ask("DELETE", "session", { cookie });
  await hub.clock.advance(5000);
  let text = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) text += decoder.decode(part.value);
  assert.equal(text.match(/^event: beat$/gm)?.length, 1 + 180 / 5);
  assert.doesNotMatch(text, /hidden|\b101\b/);
});

test("an address may try few passwords at the same time", async (t) => {
  const { signIn, logins } = loginHub(t);
  let release: () => void = () => undefined;
  logins.gate = new Promise((resolve) => {
    release = resolve;
  });
  const tries = Array.from({ length: 6 }, (_, index) => signIn(`guess${index}`));
  const early = await Promise.race(tries);
  assert.equal(early.status, 429);
  release();
  const statuses = (await Promise.all(tries)).map(({ status }) => status).sort();
  assert.deepEqual(statuses, [401, 401, 401, 401, 429, 429]);
});

test("a hub of several clusters asks which one; without an agent nobody can sign in", async (t) => {
  const { signIn, ask, logins } = loginHub(t);
  const other = "00000000000000bb" as (typeof logins.connected)[number]["cluster"];
  logins.connected = [agentOf("pve1"), agentOf("pve9", other)];
  assert.deepEqual((await signIn("carol")).json.error?.code, "invalid");
  const body = { cluster: "00000000000000aa", user: "carol", realm: "pve", password: "right" };
  assert.equal((await ask("POST", "session/login", { body })).status, 200);
  assert.equal(
    (await ask("POST", "session/login", { body: { ...body, cluster: other } })).status,
    503,
    "it told of another cluster",
  );
  logins.connected = [];
  assert.deepEqual((await signIn("carol")).json.error?.code, "agent-offline");
});

test("no password or code gets into the log, the events or the store", async (t) => {
  const { ask, signIn, hub } = loginHub(t);
  await signIn("carol", "s3cret-password");
  const { challenge } = (await signIn("root", "right", "pam")).json;
  await ask("POST", "session/login/answer", { body: { challenge, kind: "totp", code: "s3cret-code" } });
  const everything = JSON.stringify([
    hub.lines,
    hub.state.history.events({}, { limit: 1000, cursor: undefined }),
    hub.state.auditLog(),
  ]);
  assert.doesNotMatch(everything, /s3cret/);
});
