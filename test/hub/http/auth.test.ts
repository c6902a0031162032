import assert from "node:assert/strict";
import { test } from "node:test";
import { Refusal } from "../../../hub/core/refusal.ts";
import { Authenticator } from "../../../hub/http/auth.ts";
import { LoginGuard } from "../../../hub/http/login-guard.ts";
import { type TestHub, testHub } from "../../support/test-hub.ts";

const ask = (hub: TestHub, method: string, path: string, headers: Record<string, string> = {}, body?: unknown) =>
  hub.app.request(`https://hub.lan/api/v1/${path}`, {
    method,
    headers: { Host: "hub.lan", ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
const bearer = (key: string) => ({ Authorization: `Bearer ${key}` });

const newKey = { name: "ci", scopes: ["read"], expiresInDays: 1 };
const query = { series: [{ entity: "node/pve1", metric: "cpu" }], from: 0, to: 1000 };
/** Status by who asks; without, with a wrong, an expired or a revoked key each of them is 401. */
const endpoints: [method: string, path: string, body: unknown, read: number, write: number, admin: number][] = [
  ["GET", "health", undefined, 200, 200, 200],
  ["GET", "nodes", undefined, 200, 200, 200],
  ["GET", "nodes/pve1", undefined, 404, 404, 404],
  ["GET", "nodes/pve1/metrics", undefined, 404, 404, 404],
  ["GET", "guests", undefined, 200, 200, 200],
  ["GET", "guests/100", undefined, 404, 404, 404],
  ["GET", "guests/100/metrics", undefined, 404, 404, 404],
  ["GET", "storages", undefined, 200, 200, 200],
  ["POST", "series/query", query, 200, 200, 200],
  ["POST", "policies/preview", {}, 200, 200, 200],
  ["GET", "tasks", undefined, 200, 200, 200],
  ["GET", "events", undefined, 200, 200, 200],
  ["GET", "openapi.json", undefined, 200, 200, 200],
  ["GET", "session", undefined, 200, 200, 200],
  ["DELETE", "session", undefined, 204, 204, 204],
  ["GET", "keys", undefined, 403, 403, 200],
  ["POST", "keys", newKey, 403, 403, 201],
  ["DELETE", "keys/000000000000", undefined, 403, 403, 404],
  ["GET", "nothing-here", undefined, 404, 404, 404],
  ["POST", "nothing-here", {}, 403, 404, 404],
];
for (const [method, path, body, ...statuses] of endpoints) {
  test(`${method} ${path} is ${statuses.join(", ")} for read, write and admin, and 401 for all others`, async (t) => {
    const hub = testHub(t);
    const wrong = `pvn_${"0".repeat(12)}_${"0".repeat(48)}`;
    for (const headers of [
      {},
      bearer(wrong),
      bearer("nonsense"),
      { Authorization: "Basic eDp5" },
      { Cookie: "__Host-proven_session=0123" },
    ]) {
      const response = await ask(hub, method, path, headers as Record<string, string>, body);
      assert.equal(response.status, 401);
      assert.equal((await response.json()).error.code, "unauthenticated");
    }
    for (const [index, scope] of (["read", "write", "admin"] as const).entries()) {
      const response = await ask(hub, method, path, bearer(hub.newKey(scope)), body);
      assert.equal(response.status, statuses[index]);
      await response.body?.cancel();
    }
    const expired = hub.newKey("admin");
    await hub.clock.advance(86_400_000);
    assert.equal((await ask(hub, method, path, bearer(expired), body)).status, 401);
  });
}

test("ten wrong keys lock their address for a minute, also for a right key, and say how long", async (t) => {
  const hub = testHub(t);
  const right = hub.newKey("read");
  for (let i = 0; i < 10; i++) assert.equal((await ask(hub, "GET", "health", bearer("wrong"))).status, 401);
  const locked = await ask(hub, "GET", "health", bearer(right));
  assert.equal(locked.status, 429);
  assert.equal(locked.headers.get("Retry-After"), "60");
  await hub.clock.advance(60_000);
  assert.equal((await ask(hub, "GET", "health", bearer(right))).status, 200);
  const { items } = hub.state.history.events({ type: "login." }, { limit: 10, cursor: undefined });
  assert.deepEqual(
    items.map((event) => event.type),
    ["login.locked", "login.failed"],
  );
});

test("who guesses keys from ever other addresses of his network of IPv6 is locked like one address", (t) => {
  const hub = testHub(t);
  const authenticator = new Authenticator({ ...hub, journal: { emit() {}, emitRarely() {}, onEvent: () => () => undefined } });
  const guess = (address: string) => authenticator.checkKey("guess", address);
  for (let i = 1; i <= 10; i++) assert.throws(() => guess(`2001:db8:1:2::${i}`), { code: "unauthenticated" });
  assert.throws(() => guess("2001:db8:1:2:aaaa::1"), { code: "rate-limited" });
  assert.throws(() => guess("2001:db8:1:3::1"), { code: "unauthenticated" });
});

test("who guesses passwords from ever other addresses of his network of IPv6 waits like one address, and holds few attempts", async () => {
  const guard = new LoginGuard({ monotonicMs: () => 0 });
  const refused = async () => {
    throw new Refusal("unauthenticated", "no");
  };
  for (let i = 1; i <= 30; i++)
    await assert.rejects(guard.attempt(`2001:db8:1:2::${i}`, `user${i}@pam`, refused), { code: "unauthenticated" });
  await assert.rejects(guard.attempt("2001:db8:1:2:ffff::1", "root@pam", refused), { code: "rate-limited" });
  const open = new LoginGuard({ monotonicMs: () => 0 });
  const never = () => new Promise<{ state: string }>(() => undefined);
  for (let i = 1; i <= 4; i++) void open.attempt(`2001:db8:1:2::${i}`, `user${i}@pam`, never);
  await assert.rejects(open.attempt("2001:db8:1:2::5", "root@pam", never), { code: "rate-limited" });
  assert.deepEqual(await open.attempt("2001:db8:1:3::5", "root@pam", async () => ({ state: "ok" })), { state: "ok" });
});

test("wrong tokens of a scraper count as wrong keys", async (t) => {
  const hub = testHub(t);
  const scrape = (key: string) => hub.app.request("https://hub.lan/metrics", { headers: bearer(key) });
  for (let i = 0; i < 10; i++) assert.equal((await scrape(`guess-${i}`)).status, 401);
  assert.equal((await ask(hub, "GET", "health", bearer(hub.newKey("read")))).status, 429);
});

test("one key has a limit of requests of its own", async (t) => {
  const hub = testHub(t);
  const [busy, other] = [hub.newKey("read"), hub.newKey("read")];
  let last = 200;
  for (let i = 0; i <= 300; i++) last = (await ask(hub, "GET", "session", bearer(busy))).status;
  assert.equal(last, 429);
  assert.equal((await ask(hub, "GET", "session", bearer(other))).status, 200);
});

async function signIn(hub: TestHub, key: string) {
  const response = await ask(hub, "POST", "session", {}, { key });
  const cookie = response.headers.get("Set-Cookie") ?? "";
  return { response, cookie, headers: { Cookie: cookie.split(";")[0] ?? "" } };
}

test("signing in sets a cookie that scripts and other sites can't use, for at most 12 hours", async (t) => {
  const hub = testHub(t);
  const { response, cookie, headers } = await signIn(hub, hub.newKey("read"));
  assert.equal(response.status, 200);
  const expiresAt = hub.clock.now() + 12 * 3_600_000;
  assert.deepEqual(await response.json(), { user: "read", scopes: ["read"], expiresAt, settings: false, agentsOf: [] });
  assert.match(cookie, /^__Host-proven_session=[0-9a-f]{64}; Max-Age=43200; Path=\/; HttpOnly; Secure; SameSite=Strict$/);
  assert.equal((await ask(hub, "GET", "nodes", headers)).status, 200);
  await hub.clock.advance(12 * 3_600_000);
  assert.equal((await ask(hub, "GET", "nodes", headers)).status, 401);
});

test("another origin's page signs nobody in with a key of its choice", async (t) => {
  const hub = testHub(t);
  const key = hub.newKey("admin");
  for (const headers of [{ Origin: "https://evil.example" }, { "Sec-Fetch-Site": "same-site" }] as Record<string, string>[]) {
    const refused = await ask(hub, "POST", "session", headers, { key });
    assert.deepEqual([refused.status, refused.headers.get("Set-Cookie")], [403, null]);
  }
  assert.equal((await ask(hub, "POST", "session", { Origin: "https://hub.lan" }, { key })).status, 200);
});

test("a session dies with its key and by signing out", async (t) => {
  const hub = testHub(t);
  const admin = hub.newKey("admin");
  const key = hub.newKey("read");
  const first = await signIn(hub, key);
  const second = await signIn(hub, key);
  assert.equal((await ask(hub, "DELETE", "session", { ...first.headers, "X-Proven": "1" })).status, 204);
  assert.equal((await ask(hub, "GET", "nodes", first.headers)).status, 401);
  assert.equal((await ask(hub, "GET", "nodes", second.headers)).status, 200);
  assert.equal((await ask(hub, "DELETE", `keys/${key.split("_")[1]}`, bearer(admin))).status, 204);
  assert.equal((await ask(hub, "GET", "nodes", second.headers)).status, 401);
});

const foreign: [name: string, method: string, headers: Record<string, string>, status: number][] = [
  ["a write without X-Proven", "DELETE", {}, 403],
  ["a write from our own page", "DELETE", { "X-Proven": "1", Origin: "https://hub.lan" }, 204],
  ["a write from another origin", "DELETE", { "X-Proven": "1", Origin: "https://evil.example" }, 403],
  ["a write from another port of this host", "DELETE", { "X-Proven": "1", Origin: "https://hub.lan:8006" }, 403],
  ["a write from an opaque origin", "DELETE", { "X-Proven": "1", Origin: "null" }, 403],
  ["a read from another site", "GET", { "Sec-Fetch-Site": "cross-site" }, 403],
  ["a read typed into the address bar", "GET", { "Sec-Fetch-Site": "none" }, 200],
];
for (const [name, method, headers, status] of foreign) {
  test(`by cookie, ${name} is ${status}`, async (t) => {
    const hub = testHub(t);
    const session = await signIn(hub, hub.newKey("admin"));
    assert.equal((await ask(hub, method, "session", { ...session.headers, ...headers })).status, status);
  });
}

test("a new key is shown once, works at once, and is listed without its secret", async (t) => {
  const hub = testHub(t);
  const admin = bearer(hub.newKey("admin"));
  const created = await (await ask(hub, "POST", "keys", admin, newKey)).json();
  assert.equal((await ask(hub, "GET", "nodes", bearer(created.key))).status, 200);
  const { items } = await (await ask(hub, "GET", "keys", admin)).json();
  const { key: _, ...shown } = created;
  assert.deepEqual(
    items.find((item: { id: string }) => item.id === created.id),
    { ...shown, lastUsedAt: hub.clock.now() },
  );
  assert.equal(JSON.stringify(items).includes(created.key.split("_")[2]), false);
});
