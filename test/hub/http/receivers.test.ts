import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Scope } from "#protocol/api.ts";
import { MessageServer } from "../../support/message-server.ts";
import { common, notificationOf } from "../../support/notifications.ts";
import { type TestHub, testHub } from "../../support/test-hub.ts";

const secret = `whsec_${Buffer.alloc(24, 5).toString("base64")}`;
const ref = { ref: "anything" };
const gotify = (url: string, given: object = {}) => ({
  receiver: { ...common, id: "phone", type: "gotify", url, token: ref, ...given },
  secrets: { token: "hunter2-token" },
});

function api(hub: TestHub, scope: Scope = "write") {
  const headers = { Authorization: `Bearer ${hub.newKey(scope)}`, "Content-Type": "application/json", Host: "hub.lan" };
  return async (method: string, path: string, body?: unknown) => {
    const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const answer = await hub.app.request(`https://hub.lan/api/v1/${path}`, init);
    const text = await answer.text();
    return { status: answer.status, text, json: text === "" ? undefined : JSON.parse(text) };
  };
}

test("a receiver's secrets are written once and shown nowhere: not by the API, the audit log, the journal or the store", async (t) => {
  const hub = testHub(t);
  const ask = api(hub);
  const created = await ask("POST", "receivers", gotify("https://push.example.org/"));
  assert.equal(created.status, 201, created.text);
  assert.deepEqual(created.json.secrets, ["token"]);
  assert.deepEqual(created.json.receiver.token, { ref: "receiver/phone/token" });
  const shown = [created.text, (await ask("GET", "receivers")).text, (await ask("GET", "receivers/phone")).text];
  const kept = [JSON.stringify(hub.state.auditLog()), JSON.stringify(hub.state.list("receiver")), hub.lines.join("\n")];
  assert.equal(
    [...shown, ...kept].some((text) => text.includes("hunter2")),
    false,
  );
  const file = join(hub.config.state, "secrets.json");
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.match(readFileSync(file, "utf8"), /hunter2-token/);
  assert.equal(hub.state.auditLog().at(-1)?.kind, "receiver");
});

test("who may only look sees where a receiver sends to, and not the part of an address that lets anybody send there", async (t) => {
  const hub = testHub(t);
  const change = api(hub);
  const look = api(hub, "read");
  const home = "https://ha.example.org:8123/api/webhook/-s3cret";
  await change("POST", "receivers", webhook(home));
  await change("POST", "receivers", gotify("https://push.example.org/"));
  const ntfy = { ...common, id: "ntfy", type: "ntfy", url: "https://ntfy.example.org/", topic: "alerts-8f3a" };
  assert.equal((await change("POST", "receivers", { receiver: ntfy })).status, 201);
  type Shown = { receiver: { id: string; url?: string; topic?: string } };
  const { items } = (await look("GET", "receivers")).json as { items: Shown[] };
  assert.deepEqual(
    items.flatMap(({ receiver: { id, url, topic } }) => (url === undefined ? [] : [[id, url, topic]])),
    [
      ["hook", "https://ha.example.org:8123/…", undefined],
      ["ntfy", "https://ntfy.example.org/", "…"],
      ["phone", "https://push.example.org/", undefined],
    ],
  );
  assert.equal((await look("GET", "receivers/hook")).json.receiver.url, "https://ha.example.org:8123/…");
  assert.equal((await change("GET", "receivers/hook")).json.receiver.url, home);
});

test("a change keeps the secret it doesn't give, unless the server is another one; removing it removes the secret", async (t) => {
  const hub = testHub(t);
  const ask = api(hub);
  await ask("POST", "receivers", gotify("https://push.example.org/"));
  const { receiver } = gotify("https://push.example.org/other-path");
  assert.equal((await ask("PUT", "receivers/phone", { receiver })).status, 200);
  const moved = await ask("PUT", "receivers/phone", { receiver: { ...receiver, url: "https://evil.example.org/" } });
  assert.deepEqual(
    [moved.status, moved.json.error.field, moved.json.error.message],
    [400, "secrets.token", "the server changed. give the secret again, for the new server"],
  );
  assert.equal((await ask("DELETE", "receivers/phone")).status, 204);
  assert.equal(hub.delivery.secrets.has("receiver/phone/token"), false);
});

const webhook = (url: string, given: object = {}) => ({
  receiver: { ...common, id: "hook", type: "webhook", url, secret: ref, privateAddress: true, ...given },
  secrets: { secret },
});
const email = (smtp: object) => ({
  receiver: { ...common, id: "mail", type: "email", smtp, from: "a@example.org", to: ["b@example.org"] },
});
const refused: [name: string, body: object, field: string, message: RegExp][] = [
  [
    "a webhook to a metadata address",
    webhook("http://169.254.169.254/latest"),
    "receiver.url",
    /metadata service: never allowed/,
  ],
  ["a webhook to a link-local address", webhook("http://[fe80::1]/"), "receiver.url", /link-local: never allowed/],
  [
    "a private address without leave",
    webhook("https://192.168.1.5/", { privateAddress: false }),
    "receiver.url",
    /set privateAddress/,
  ],
  ["plain http to the internet", webhook("http://8.8.8.8/"), "receiver.url", /only https may go there/],
  ["credentials in an address", webhook("https://u:p@example.org/"), "receiver.url", /credentials don't belong/],
  [
    "a secret that is none",
    { ...webhook("https://example.org/"), secrets: { secret: "short" } },
    "secrets.secret",
    /whsec_ and the base64/,
  ],
  ["a missing secret", { ...webhook("https://example.org/"), secrets: {} }, "secrets.secret", /it is missing\. give its value/],
  ["an unknown secret", { ...webhook("https://example.org/"), secrets: { secret, toke: "x" } }, "secrets.toke", /known: secret/],
  [
    "an unknown placeholder",
    webhook("https://example.org/", { template: "{titel}" }),
    "receiver.template",
    /unknown placeholder \{titel\}.*known: \{verdict\}/,
  ],
  [
    "a password without encryption",
    { ...email({ host: "mail.lan", port: 25, tls: "none", user: "u", password: ref }), secrets: { password: "p" } },
    "receiver.smtp.tls",
    /use starttls or tls/,
  ],
  [
    "an SMTP server at a metadata address",
    email({ host: "169.254.169.254", port: 25, tls: "none" }),
    "receiver.smtp.host",
    /never allowed/,
  ],
  [
    "a user without a password",
    email({ host: "mail.lan", port: 587, tls: "starttls", user: "u" }),
    "receiver.smtp.user",
    /both or neither/,
  ],
];
for (const [name, body, field, message] of refused) {
  test(`${name} is refused with its field and what would be right`, async (t) => {
    const answer = await api(testHub(t))("POST", "receivers", body);
    assert.equal(answer.status, 400, answer.text);
    assert.equal(answer.json.error.field, field);
    assert.match(answer.json.error.message, message);
  });
}

test("send test uses the way of all messages and answers with what the other side said", async (t) => {
  const server = await MessageServer.start(t);
  const hub = testHub(t);
  const ask = api(hub);
  await ask("POST", "receivers", gotify(server.url));
  const passed = await ask("POST", "receivers/phone/test");
  assert.deepEqual([passed.status, passed.json.ok, passed.json.answer], [200, true, "HTTP 200 ok"]);
  assert.equal(server.json().title, "TEST: Proven can reach the receiver phone");
  server.usual = { status: 401, body: "hunter2-token is not known" };
  const failed = await ask("POST", "receivers/phone/test");
  assert.deepEqual([failed.json.ok, failed.json.answer], [false, "HTTP 401 ••• is not known"]);
  const log = await ask("GET", "deliveries?receiver=phone");
  assert.deepEqual(
    log.json.items.map(({ state }: { state: string }) => state),
    ["dropped", "delivered"],
  );
  assert.equal((await ask("GET", "receivers/phone")).json.problem, "HTTP 401 ••• is not known");
});

test("dead letters are listed page by page, and sent again one by one or all of a receiver", async (t) => {
  const server = await MessageServer.start(t);
  server.usual = { status: 400 };
  const hub = testHub(t);
  const ask = api(hub);
  await ask("POST", "receivers", gotify(server.url));
  const { dispatcher } = hub.delivery;
  hub.state.together(() => {
    for (let n = 0; n < 5; n++) dispatcher.enqueue(notificationOf({ id: `n${n}`, group: `g${n}`, receiver: "phone" }));
  });
  dispatcher.committed();
  const dead = async () => (await ask("GET", "deliveries?state=dead&limit=3")).json;
  while (dispatcher.log.open().length > 0) await new Promise<void>((resolve) => setImmediate(resolve));
  const first = await dead();
  assert.deepEqual(
    first.items.map(({ id }: { id: string }) => id),
    ["n4", "n3", "n2"],
  );
  const rest = (await ask("GET", `deliveries?state=dead&limit=3&cursor=${first.next}`)).json;
  assert.deepEqual([rest.items.map(({ id }: { id: string }) => id), rest.next], [["n1", "n0"], null]);
  server.usual = { status: 200 };
  assert.equal((await ask("POST", "deliveries/n0/replay")).json.state, "queued");
  assert.deepEqual((await ask("POST", "deliveries/replay", { receiver: "phone" })).json, { replayed: 4 });
  await server.until(10);
  while (dispatcher.log.open().length > 0) await new Promise<void>((resolve) => setImmediate(resolve));
  assert.deepEqual((await dead()).items, []);
  const again = await ask("POST", "deliveries/n0/replay");
  assert.deepEqual([again.status, again.json.error.message], [409, "it can't be sent again: it is delivered, not dead"]);
});

test("a receiver that a route names can't be removed", async (t) => {
  const hub = testHub(t);
  const [route] = hub.state.list("route");
  const named = route?.document.receivers[0];
  const answer = await api(hub)("DELETE", `receivers/${named}`);
  assert.deepEqual([answer.status, answer.json.error.message], [409, `the route ${route?.id} names it: take it out there first`]);
});

test("a receiver that a report is mailed to can't be removed, nor become one that takes no reports", async (t) => {
  const hub = testHub(t);
  const ask = api(hub);
  const mail = { receiver: { ...common, id: "ops", type: "email", from: "a@example.org", to: ["b@example.org"] } };
  assert.equal((await ask("POST", "receivers", mail)).status, 201);
  const [report] = (await ask("GET", "reports")).json.items;
  const path = `reports/${report.id}`;
  assert.equal((await ask("PUT", path, { ...report, receiver: "ops" })).status, 200);
  const why = (must: string) =>
    `the report ${report.id} is mailed to it, so it has to ${must}: choose another receiver there first`;
  const removed = await ask("DELETE", "receivers/ops");
  assert.deepEqual([removed.status, removed.json.error.message], [409, why("stay")]);
  const other = await ask("PUT", "receivers/ops", gotify("https://push.example.org/", { id: "ops" }));
  assert.deepEqual([other.status, other.json.error.message], [409, why("stay of type email")]);
  assert.equal((await ask("PUT", "receivers/ops", mail)).status, 200);
  assert.equal((await ask("PUT", path, { ...report, receiver: null })).status, 200);
  assert.equal((await ask("DELETE", "receivers/ops")).status, 204);
});

test("a template is previewed with examples, or refused with the names there are", async (t) => {
  const ask = api(testHub(t));
  const good = await ask("POST", "templates/preview", { template: "{#alerts}{title}: {value}\n{/alerts}" });
  assert.match(good.json.text, /^CRITICAL: .*\n\nstorage tank: 97 %\nweb \(VM 100\): 93 %\n\nhttps:\/\//);
  const bad = await ask("POST", "templates/preview", { template: "{nope}" });
  assert.deepEqual([bad.json.text, bad.json.problem], [null, "unknown placeholder {nope}"]);
  assert.ok(bad.json.placeholders.alert.includes("value"));
});

test("a browser subscribes and unsubscribes; the hub's key stays the same; a metadata address is refused", async (t) => {
  const hub = testHub(t);
  const ask = api(hub);
  const keys = { p256dh: "B".repeat(87), auth: "a".repeat(22) };
  const made = await ask("POST", "push/subscriptions", { endpoint: "https://push.example.org/abc", keys });
  assert.equal(made.status, 201, made.text);
  assert.equal(hub.state.list("pushSubscription").length, 1);
  assert.equal((await ask("DELETE", `push/subscriptions/${made.json.id}`)).status, 204);
  assert.equal((await ask("DELETE", `push/subscriptions/${made.json.id}`)).status, 404);
  const evil = await ask("POST", "push/subscriptions", { endpoint: "http://169.254.169.254/", keys });
  assert.deepEqual([evil.status, evil.json.error.field], [400, "endpoint"]);
  const { publicKey } = (await ask("GET", "push/key")).json;
  assert.equal(Buffer.from(publicKey, "base64url").length, 65);
  assert.equal((await ask("GET", "push/key")).json.publicKey, publicKey);
});
