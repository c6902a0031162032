import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";
import { defaultRules } from "../../../hub/core/default-rules.ts";
import { accessRuleOf, accessRules } from "../../../hub/http/access.ts";
import { ruleOf } from "../../support/alert-views.ts";
import { alertId, type SeenHub, seenHub } from "../../support/seen-hub.ts";

const web = encodeURIComponent(alertId("guest/100"));
const silence = (entity: string) => ({ alerts: [alertId(entity)], scope: null, startsAt: 0, endsAt: 4e12, comment: "" });
const broad = { ...silence("guest/100"), alerts: [], scope: { tags: ["web"] } };
const series = { series: [{ entity: "guest/100", metric: "cpu" }], from: 0, to: 1000 };
const window = { id: "new", name: "n", enabled: true, scope: {}, once: { startsAt: 0, endsAt: 4e12 }, recurrence: null };
const rule = { ...ruleOf(), id: "another" };
const route = { id: "none" };
const [shipped] = defaultRules;
const digest = "0".repeat(64);
const noRun = "00000000-0000-4000-8000-000000000000";
const backup = { storage: "nfs1", volid: "nfs1:backup/vzdump-qemu-100-2026_01_05-01_00_00.vma.zst" };

/**
 * Every operation, with a request, and what root, alice (audits all), carol (uses all guests but 101) and bob (uses 100) get for it. Writes are
 * chosen so that one role's doesn't change the next one's answer. 400 and 404 behind a 403 of others: the request got through to the route.
 */
const endpoints: Record<string, [path: string, body: unknown, root: number, alice: number, carol: number, bob: number]> = {
  "GET /api/v1/health": ["health", undefined, 200, 200, 200, 200],
  "GET /api/v1/nodes": ["nodes", undefined, 200, 200, 200, 200],
  "GET /api/v1/nodes/{node}": ["nodes/pve1", undefined, 200, 200, 200, 200],
  "GET /api/v1/nodes/{node}/metrics": ["nodes/pve1/metrics", undefined, 200, 200, 200, 200],
  "GET /api/v1/nodes/{node}/hardware": ["nodes/pve1/hardware", undefined, 200, 200, 403, 403],
  "GET /api/v1/nodes/{node}/recovery": ["nodes/pve1/recovery", undefined, 200, 200, 200, 200],
  "GET /api/v1/recovery": ["recovery", undefined, 200, 200, 200, 200],
  "GET /api/v1/guests": ["guests", undefined, 200, 200, 200, 200],
  "GET /api/v1/guests/{vmid}": ["guests/101", undefined, 200, 200, 404, 404],
  "GET /api/v1/guests/{vmid}/metrics": ["guests/101/metrics", undefined, 200, 200, 404, 404],
  "GET /api/v1/storages": ["storages", undefined, 200, 200, 200, 200],
  "GET /api/v1/entities": ["entities?values=1", undefined, 200, 200, 200, 200],
  "GET /api/v1/entities/outlook": ["entities/outlook?entity=guest/101", undefined, 200, 200, 404, 404],
  "POST /api/v1/series/query": ["series/query", series, 200, 200, 200, 200],
  "POST /api/v1/series/top": ["series/top", { class: "guests", metric: "cpu" }, 200, 200, 200, 200],
  "POST /api/v1/series/group": [
    "series/group",
    { class: "guests", metric: "cpu", by: "pool", from: 0, to: 900_000 },
    200,
    200,
    200,
    200,
  ],
  "GET /api/v1/tasks": ["tasks", undefined, 200, 200, 200, 200],
  "GET /api/v1/events": ["events", undefined, 200, 200, 200, 200],
  "GET /api/v1/events/schema": ["events/schema", undefined, 200, 200, 200, 200],
  "GET /api/v1/stream": ["stream", undefined, 200, 200, 200, 200],
  "POST /api/v1/ingest/pve": ["ingest/pve", {}, 403, 403, 403, 403],
  "GET /api/v1/alerts": ["alerts", undefined, 200, 200, 200, 200],
  "GET /api/v1/alerts/history": ["alerts/history", undefined, 200, 200, 200, 200],
  "GET /api/v1/alerts/{id}/why": [`alerts/${web}/why`, undefined, 200, 200, 200, 200],
  "POST /api/v1/alerts/{id}/ack": [`alerts/${web}/ack`, {}, 200, 403, 200, 200],
  "POST /api/v1/alerts/{id}/unack": [`alerts/${web}/unack`, undefined, 200, 403, 200, 200],
  "POST /api/v1/alerts/{id}/snooze": [`alerts/${web}/snooze`, { sec: 60 }, 201, 403, 201, 201],
  "GET /api/v1/silences": ["silences", undefined, 200, 200, 200, 200],
  "POST /api/v1/silences": ["silences", silence("guest/100"), 201, 403, 201, 201],
  "PUT /api/v1/silences/{id}": ["silences/of-web", silence("guest/100"), 200, 403, 200, 200],
  "POST /api/v1/silences/{id}/expire": ["silences/of-payroll/expire", undefined, 200, 403, 404, 404],
  "DELETE /api/v1/silences/{id}": ["silences/none", undefined, 404, 404, 404, 404],
  "GET /api/v1/rules": ["rules", undefined, 200, 200, 403, 403],
  "GET /api/v1/rules/signals": ["rules/signals", undefined, 200, 200, 200, 200],
  "POST /api/v1/rules/validate": ["rules/validate", {}, 200, 200, 200, 200],
  "POST /api/v1/rules/backtest": ["rules/backtest", { rule, from: 0, to: 1000 }, 200, 200, 403, 403],
  "GET /api/v1/rules/{id}": ["rules/busy", undefined, 200, 200, 403, 403],
  "POST /api/v1/rules": ["rules", rule, 201, 403, 403, 403],
  "PUT /api/v1/rules/{id}": ["rules/none", rule, 404, 403, 403, 403],
  "DELETE /api/v1/rules/{id}": ["rules/none", undefined, 404, 403, 403, 403],
  "POST /api/v1/rules/{id}/reset": [`rules/${shipped?.id}/reset`, undefined, 200, 403, 403, 403],
  "GET /api/v1/windows": ["windows", undefined, 200, 200, 200, 200],
  "POST /api/v1/windows/preview": ["windows/preview", {}, 200, 200, 200, 200],
  "POST /api/v1/windows": ["windows", { ...window, adjusted: null, comment: "" }, 201, 403, 403, 403],
  "PUT /api/v1/windows/{id}": ["windows/none", window, 400, 403, 403, 403],
  "POST /api/v1/windows/{id}/end": ["windows/none/end", undefined, 404, 403, 403, 403],
  "POST /api/v1/windows/{id}/extend": ["windows/none/extend", { sec: 60 }, 404, 403, 403, 403],
  "DELETE /api/v1/windows/{id}": ["windows/none", undefined, 404, 403, 403, 403],
  "GET /api/v1/routes": ["routes", undefined, 200, 200, 403, 403],
  "POST /api/v1/routes": ["routes", route, 400, 403, 403, 403],
  "PUT /api/v1/routes/{id}": ["routes/none", route, 400, 403, 403, 403],
  "DELETE /api/v1/routes/{id}": ["routes/none", undefined, 404, 403, 403, 403],
  "GET /api/v1/receivers": ["receivers", undefined, 200, 200, 403, 403],
  "GET /api/v1/receivers/{id}": ["receivers/none", undefined, 404, 404, 403, 403],
  "POST /api/v1/receivers": ["receivers", {}, 400, 403, 403, 403],
  "PUT /api/v1/receivers/{id}": ["receivers/none", {}, 400, 403, 403, 403],
  "DELETE /api/v1/receivers/{id}": ["receivers/none", undefined, 404, 403, 403, 403],
  "POST /api/v1/receivers/{id}/test": ["receivers/none/test", undefined, 404, 403, 403, 403],
  "GET /api/v1/deliveries": ["deliveries", undefined, 200, 200, 403, 403],
  "GET /api/v1/deliveries/{id}": ["deliveries/none", undefined, 404, 404, 403, 403],
  "POST /api/v1/deliveries/{id}/replay": ["deliveries/none/replay", undefined, 404, 403, 403, 403],
  "POST /api/v1/deliveries/replay": ["deliveries/replay", { receiver: "none" }, 404, 403, 403, 403],
  "POST /api/v1/templates/preview": ["templates/preview", { template: "x" }, 200, 200, 200, 200],
  "GET /api/v1/push/key": ["push/key", undefined, 200, 200, 200, 200],
  "POST /api/v1/push/subscriptions": ["push/subscriptions", {}, 400, 400, 403, 403],
  "DELETE /api/v1/push/subscriptions/{id}": ["push/subscriptions/none", undefined, 404, 404, 403, 403],
  "GET /api/v1/restore-tests": ["restore-tests", undefined, 200, 200, 200, 200],
  "POST /api/v1/restore-tests": ["restore-tests", { vmid: 100, backup }, 201, 403, 403, 403],
  "POST /api/v1/verifications": ["verifications", { storage: "local-zfs" }, 400, 403, 404, 404],
  "GET /api/v1/restore-tests/{id}": [`restore-tests/${noRun}`, undefined, 404, 404, 404, 404],
  "DELETE /api/v1/restore-tests/{id}": [`restore-tests/${noRun}`, undefined, 404, 404, 404, 404],
  "POST /api/v1/restore-tests/{id}/keep": [`restore-tests/${noRun}/keep`, { sec: 60 }, 404, 404, 404, 404],
  "GET /api/v1/restore-tests/{id}/evidence.json": [`restore-tests/${noRun}/evidence.json`, undefined, 404, 404, 404, 404],
  "GET /api/v1/restore-tests/{id}/evidence.pdf": [`restore-tests/${noRun}/evidence.pdf`, undefined, 404, 404, 404, 404],
  "GET /api/v1/restore-tests/{id}/screenshot": [`restore-tests/${noRun}/screenshot`, undefined, 404, 404, 404, 404],
  "GET /api/v1/reports": ["reports", undefined, 200, 200, 403, 403],
  "GET /api/v1/reports/restore": ["reports/restore?from=0&to=1000", undefined, 200, 200, 200, 200],
  "GET /api/v1/reports/restore.pdf": ["reports/restore.pdf?from=0&to=1000", undefined, 200, 200, 200, 200],
  "PUT /api/v1/reports/{id}": ["reports/weekly", {}, 400, 403, 403, 403],
  "DELETE /api/v1/reports/{id}": ["reports/none", undefined, 404, 403, 403, 403],
  "GET /api/v1/policies": ["policies", undefined, 200, 200, 403, 403],
  "GET /api/v1/policies/{id}/plan": ["policies/every-guest-monthly/plan", undefined, 200, 200, 403, 403],
  "GET /api/v1/policies/{id}/nights": ["policies/none/nights", undefined, 404, 404, 403, 403],
  "POST /api/v1/policies/preview": ["policies/preview", {}, 200, 200, 403, 403],
  "POST /api/v1/policies": ["policies", {}, 400, 403, 403, 403],
  "PUT /api/v1/policies/{id}": ["policies/none", {}, 400, 403, 403, 403],
  "POST /api/v1/policies/{id}/enable": ["policies/none/enable", { enabled: true }, 404, 403, 403, 403],
  "DELETE /api/v1/policies/{id}": ["policies/none", undefined, 404, 403, 403, 403],
  "GET /api/v1/backups": ["backups", undefined, 200, 200, 200, 200],
  "GET /api/v1/proof": ["proof", undefined, 200, 200, 200, 200],
  "GET /api/v1/protection": ["protection", undefined, 200, 200, 200, 200],
  "GET /api/v1/layout": ["layout", undefined, 200, 200, 200, 200],
  "PUT /api/v1/layout": ["layout", { widgets: [], filters: [], guestColumns: [] }, 200, 200, 200, 200],
  "GET /api/v1/audit": ["audit", undefined, 200, 200, 403, 403],
  "GET /api/v1/audit/entries": ["audit/entries", undefined, 200, 200, 403, 403],
  "POST /api/v1/audit/verify": ["audit/verify", undefined, 200, 403, 403, 403],
  "GET /api/v1/keys": ["keys", undefined, 200, 200, 403, 403],
  "POST /api/v1/keys": ["keys", { name: "k", scopes: ["read"], expiresInDays: 1 }, 201, 403, 403, 403],
  "DELETE /api/v1/keys/{id}": ["keys/none", undefined, 404, 403, 403, 403],
  "DELETE /api/v1/agents/{cluster}/{node}": ["agents/00000000000000aa/pve9", undefined, 404, 404, 404, 404],
  "POST /api/v1/agents/{cluster}/{node}/renew-key": ["agents/00000000000000aa/pve9/renew-key", undefined, 404, 404, 404, 404],
  "GET /api/v1/session": ["session", undefined, 200, 200, 200, 200],
  "DELETE /api/v1/session": ["session", undefined, 204, 204, 204, 204],
};
/** Nobody is signed in there yet. */
const openEndpoints: Record<string, [path: string, body: unknown, status: number]> = {
  "POST /api/v1/session": ["session", {}, 400],
  "GET /api/v1/session/realms": ["session/realms", undefined, 200],
  "POST /api/v1/session/login": ["session/login", {}, 400],
  "POST /api/v1/session/login/answer": ["session/login/answer", {}, 400],
  "PUT /api/v1/gateway/views/{digest}": [`gateway/views/${digest}`, {}, 401],
};

const users = ["root@pam", "alice@pve", "carol@pve", "bob@pve"] as const;
let one: SeenHub;
const endings: (() => unknown)[] = [];
before(async () => {
  one = seenHub({ after: (end: () => unknown) => endings.unshift(end) } as unknown as TestContext);
});
after(async () => {
  for (const end of endings) await end();
});

async function operations(): Promise<string[]> {
  const document = await (await one.gateway.ask("root@pam", "GET", "/api/v1/openapi.json")).json();
  return Object.entries(document.paths as Record<string, object>).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
}

test("every operation of the API says who may use it, and is tried below with every role", async () => {
  const documented = await operations();
  const known = [...documented, "GET /metrics", "GET /api/v1/openapi.json"].sort();
  assert.deepEqual(Object.keys(accessRules).sort(), known, "hub/http/access.ts and the document have the same operations");
  const tried = [...Object.keys(endpoints), ...Object.keys(openEndpoints)].sort();
  assert.deepEqual(tried, documented.sort(), "add a row to this test's endpoints");
});

for (const [operation, [path, body, ...statuses]] of Object.entries(endpoints)) {
  test(`${operation} is ${statuses.join(", ")} for root, alice, carol and bob, and 401 for who isn't signed in`, async () => {
    const [method = ""] = operation.split(" ");
    const got: number[] = [];
    for (const user of users) {
      const response = await one.gateway.ask(user, method, `/api/v1/${path}`, body);
      got.push(response.status);
      await response.body?.cancel();
    }
    assert.deepEqual(got, statuses);
    const stranger = await one.app.request(`/api/v1/${path}`, { method });
    assert.equal(stranger.status, 401);
  });
}

for (const [operation, [path, body, status]] of Object.entries(openEndpoints)) {
  test(`${operation} is ${status} for a request that says nothing`, async () => {
    const [method = ""] = operation.split(" ");
    const init = body === undefined ? {} : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
    const response = await one.app.request(`/api/v1/${path}`, { method, ...init });
    assert.equal(response.status, status);
  });
}

/** Everything that can be read, with all its questions about guest 101. */
const questions: [path: string, body?: unknown][] = [
  ...[
    "health",
    "nodes",
    "nodes/pve1",
    "nodes/pve1/metrics",
    "guests",
    "guests?tag=hidden-tag",
    "guests?node=pve1",
    "storages",
    "entities",
    "entities?values=1",
    "entities?kind=guest&values=1",
  ].map((path): [string] => [path]),
  ...["tasks", "tasks?guest=101", "events", "events?entity=guest/101", "events?type=pve."].map((path): [string] => [path]),
  ...["alerts", "alerts?entity=guest/101", "alerts?tag=hidden-tag", "alerts/history", "silences", "windows"].map(
    (path): [string] => [path],
  ),
  ...["rules", "receivers", "routes", "deliveries", "keys", "session"].map((path): [string] => [path]),
  ...["restore-tests", "restore-tests?guest=101", "backups", "backups?guest=101", "proof", "proof?guest=101"].map(
    (path): [string] => [path],
  ),
  ["series/query", { series: [{ entity: "guest/100", metric: "cpu" }], from: 0, to: 4e12 }],
  ["series/top", { class: "guests", metric: "cpu" }],
  ["series/top", { class: "nodes", metric: "cpu" }],
  ["series/group", { class: "guests", metric: "cpu", by: "tag", from: 0, to: 900_000 }],
  ["series/group", { class: "guests", metric: "cpu", by: "pool", from: 0, to: 900_000 }],
];
for (const user of ["carol@pve", "bob@pve"] as const) {
  test(`nothing ${user} can read names what is hidden`, async () => {
    for (const [path, body] of questions) {
      const response = await one.gateway.ask(user, body === undefined ? "GET" : "POST", `/api/v1/${path}`, body);
      const text = await response.text();
      assert.doesNotMatch(text, /hidden|payroll|\b101\b/, `${path}: ${text}`);
    }
  });
}

test("what is hidden is answered exactly like what was never there", async () => {
  const ask = async (method: string, path: string, body?: unknown) => {
    const response = await one.gateway.ask("carol@pve", method, `/api/v1/${path}`, body);
    return { status: response.status, text: (await response.text()).replaceAll("4711", "101") };
  };
  const series = (vmid: number, cluster?: string) => ({
    series: [{ entity: `guest/${vmid}`, metric: "cpu", ...(cluster === undefined ? {} : { cluster }) }],
    from: 0,
    to: 1_000_000,
  });
  const about = (vmid: number) => encodeURIComponent(alertId(`guest/${vmid}`));
  const pairs: [method: string, path: (vmid: number) => string, body?: (vmid: number) => unknown][] = [
    ["GET", (vmid) => `guests/${vmid}`],
    ["GET", (vmid) => `guests/${vmid}/metrics`],
    ["GET", (vmid) => `tasks?guest=${vmid}`],
    ["GET", (vmid) => `events?entity=guest/${vmid}`],
    ["GET", (vmid) => `alerts?entity=guest/${vmid}`],
    ["GET", (vmid) => `alerts/${about(vmid)}/why`],
    ["POST", (vmid) => `alerts/${about(vmid)}/ack`, () => ({})],
    ["POST", (vmid) => `alerts/${about(vmid)}/unack`, () => ({})],
    ["POST", (vmid) => `alerts/${about(vmid)}/snooze`, () => ({ sec: 60 })],
    ["POST", () => "silences", (vmid) => silence(`guest/${vmid}`)],
    ["POST", () => "series/query", (vmid) => series(vmid)],
    ["POST", () => "series/query", (vmid) => series(vmid, "00000000000000aa")],
  ];
  for (const [method, path, body] of pairs) {
    assert.deepEqual(await ask(method, path(101), body?.(101)), await ask(method, path(4711), body?.(4711)), path(101));
  }
});

test("counts, sums and rankings are of what is seen", async () => {
  const json = async (user: string, path: string, body?: unknown) =>
    (await one.gateway.ask(user, body === undefined ? "GET" : "POST", `/api/v1/${path}`, body)).json();
  assert.deepEqual((await json("root@pam", "nodes/pve1")).guests, { total: 2, running: 2, unknown: 0 });
  assert.deepEqual((await json("carol@pve", "nodes/pve1")).guests, { total: 1, running: 1, unknown: 0 });
  const top = await json("carol@pve", "series/top", { class: "guests", metric: "cpu" });
  assert.deepEqual([top.members, top.ranked, top.series.length], [1, 1, 1]);
  const all = await json("root@pam", "series/top", { class: "guests", metric: "cpu" });
  assert.deepEqual([all.members, all.ranked], [2, 2]);
  const node = await json("carol@pve", "nodes/pve1");
  assert.deepEqual([node.agent.state, node.agent.software, node.agent.lastSeenAt], ["connected", null, null]);
  assert.deepEqual([node.state, node.cpuModel, node.ip, node.cpu.state, node.zpools], ["online", null, null, "absent", []]);
});

test("alerts, tasks and events are those of what is seen, without names of anything else", async () => {
  const items = async (user: string, path: string) =>
    (await (await one.gateway.ask(user, "GET", `/api/v1/${path}`)).json()).items as Record<string, unknown>[];
  assert.deepEqual(
    (await items("carol@pve", "alerts")).map(({ entity }) => entity),
    ["guest/100"],
  );
  const ofNode = (await items("alice@pve", "alerts")).find(({ entity }) => entity === "node/pve1");
  assert.deepEqual(ofNode?.affected, ["hidden-payroll (VM 101)", "web (VM 100)"]);
  assert.deepEqual(
    (await items("bob@pve", "tasks")).map(({ user, id }) => `${user} ${id}`),
    ["bob@pve 100"],
    "PVE shows one's own",
  );
  assert.equal((await items("alice@pve", "tasks")).length, 3);
  const types = async (user: string) => new Set((await items(user, "events")).map(({ type }) => type));
  assert.deepEqual([...(await types("carol@pve"))], ["guest.started"]);
  assert.ok((await types("alice@pve")).has("pve.notice"), "nothing is hidden from alice");
});

test("what an alert takes along is told without what is hidden", async (t) => {
  const { gateway } = seenHub(t);
  const lab = gateway.viewOf;
  gateway.viewOf = (user) => ({ ...lab(user), guests: lab(user).guests.filter((vmid) => vmid !== 101) });
  const { items } = await (await gateway.ask("alice@pve", "GET", "/api/v1/alerts?entity=node/pve1")).json();
  assert.deepEqual(items[0].affected, ["web (VM 100)"]);
  assert.equal((await gateway.ask("alice@pve", "GET", "/api/v1/deliveries")).status, 403, "messages name everything");
  const text = await (await gateway.ask("alice@pve", "GET", "/api/v1/events")).text();
  assert.doesNotMatch(text, /payroll/);
});

test("a silence of a scope or rule is a setting of the hub", async () => {
  assert.equal((await one.gateway.ask("bob@pve", "POST", "/api/v1/silences", broad)).status, 403);
  assert.equal((await one.gateway.ask("root@pam", "POST", "/api/v1/silences", broad)).status, 201);
});

test("an operation without a rule has none for users of Proxmox VE", () => {
  assert.equal(accessRuleOf("GET", "/api/v1/secrets"), undefined);
  assert.deepEqual(accessRuleOf("GET", "/api/v1/rules/signals"), { rule: "seen" });
  assert.deepEqual(accessRuleOf("HEAD", "/api/v1/rules/busy"), { rule: "everywhere", privileges: ["Sys.Audit"] });
});
