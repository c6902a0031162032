import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import * as z from "zod";
import { guestSchema, nodeSchema, page, seriesAnswerSchema, storageSchema } from "#protocol/api.ts";
import { guestKey, nodeKey, type Vmid } from "#protocol/ids.ts";
import { connect, inventoryOf, type TestHub, testHub } from "../../support/test-hub.ts";

function asker(hub: TestHub) {
  const key = hub.newKey("read");
  return (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
    hub.app.request(path, {
      method,
      headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json", ...headers },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
}

function filled(hub: TestHub) {
  const agent = connect(hub, "pve1");
  const storages = [{ storage: "local", type: "dir", shared: false, content: ["iso"], enabled: true, nodes: [] }];
  hub.fleet.inventory(agent, inventoryOf({ guests: [{ vmid: 100, name: "web", tags: ["prod"] }, { vmid: 101 }], storages }));
  const now = hub.clock.now();
  for (const [offset, cpu] of [
    [20_000, 0.1],
    [10_000, 0.2],
    [0, 0.3],
  ] as const) {
    hub.series.put(agent, nodeKey(agent.node), "cpu", now - offset, cpu);
  }
  hub.series.put(agent, guestKey(100 as Vmid), "net_in", now, 5);
  return agent;
}

test("the lists are what the schemas promise", async (t) => {
  const hub = testHub(t);
  filled(hub);
  const ask = asker(hub);
  for (const [path, schema, count] of [
    ["nodes", nodeSchema, 3],
    ["guests", guestSchema, 2],
    ["storages", storageSchema, 3],
  ] as const) {
    const body = await (await ask("GET", `/api/v1/${path}`)).json();
    assert.equal(page(z.strictObject(schema.shape)).parse(body).items.length, count);
  }
  const tagged = await (await ask("GET", "/api/v1/guests?tag=prod")).json();
  assert.deepEqual(
    tagged.items.map((guest: { vmid: number }) => guest.vmid),
    [100],
  );
});

test("a list that did not change is 304", async (t) => {
  const hub = testHub(t);
  filled(hub);
  const ask = asker(hub);
  const etag = (await ask("GET", "/api/v1/guests")).headers.get("ETag") ?? "";
  assert.equal((await ask("GET", "/api/v1/guests", undefined, { "If-None-Match": etag })).status, 304);
  hub.series.put(connect(hub, "pve1"), guestKey(100 as Vmid), "net_in", hub.clock.now(), 9);
  hub.fleet.inventory(connect(hub, "pve1"), inventoryOf());
  await hub.clock.advance(16_000);
  hub.fleet.stepVanished();
  assert.equal((await ask("GET", "/api/v1/guests", undefined, { "If-None-Match": etag })).status, 200);
});

test("a node's metrics are everything it is sampled for", async (t) => {
  const hub = testHub(t);
  filled(hub);
  const body = await (await asker(hub)("GET", "/api/v1/nodes/pve1/metrics")).json();
  assert.deepEqual(body.metrics, [
    { state: "fresh", value: 0.3, at: hub.clock.now(), metric: "cpu", instance: null, unit: "ratio", source: "test" },
  ]);
});

const cpu = { entity: "node/pve1", metric: "cpu" };
test("a query answers columns in its order, and empty ones for what was never sampled", async (t) => {
  const hub = testHub(t);
  filled(hub);
  const now = hub.clock.now();
  const body = { series: [cpu, { entity: "node/pve1", metric: "arc" }], from: now - 15_000, to: now + 1 };
  const answer = seriesAnswerSchema.parse(await (await asker(hub)("POST", "/api/v1/series/query", body)).json());
  assert.deepEqual(answer.series, [
    { ...cpu, instance: null, unit: "ratio", source: "test", at: [now - 10_000, now], columns: { last: [0.2, 0.3] } },
    { entity: "node/pve1", metric: "arc", instance: null, unit: "bytes", source: null, at: [], columns: { last: [] } },
  ]);
});

test("the binary answer holds the same numbers", async (t) => {
  const hub = testHub(t);
  filled(hub);
  const now = hub.clock.now();
  const body = { series: [cpu], from: now - 15_000, to: now + 1 };
  const response = await asker(hub)("POST", "/api/v1/series/query", body, { Accept: "application/vnd.proven.columns" });
  assert.equal(response.headers.get("Content-Type"), "application/vnd.proven.columns");
  const bytes = await response.arrayBuffer();
  const headerLength = new DataView(bytes).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.slice(4, 4 + headerLength)));
  assert.deepEqual(header.series, [{ ...cpu, instance: null, unit: "ratio", source: "test", length: 2, columns: ["last"] }]);
  assert.equal((4 + headerLength) % 8, 0);
  assert.deepEqual([...new Float64Array(bytes, 4 + headerLength)], [now - 10_000, now, 0.2, 0.3]);
});

const wrong: [name: string, method: string, path: string, body: unknown, status: number, field: string | undefined][] = [
  ["an unknown field", "POST", "series/query", { series: [cpu], from: 0, to: 1, colour: 1 }, 400, "colour"],
  [
    "a wrong type deep inside",
    "POST",
    "series/query",
    { series: [{ entity: 5, metric: "cpu" }], from: 0, to: 1 },
    400,
    "series.0.entity",
  ],
  [
    "an entity that is none",
    "POST",
    "series/query",
    { series: [{ entity: "moon/1", metric: "cpu" }], from: 0, to: 1 },
    400,
    "series.0.entity",
  ],
  [
    "a metric that is none",
    "POST",
    "series/query",
    { series: [{ ...cpu, metric: "mood" }], from: 0, to: 1 },
    400,
    "series.0.metric",
  ],
  ["too many points", "POST", "series/query", { series: [cpu], from: 0, to: 1e12 }, 413, "stepMs"],
  ["a body that is no JSON", "POST", "series/query", "{", 400, undefined],
  ["a body beyond the limit", "POST", "series/query", `"${"x".repeat(1 << 20)}"`, 413, undefined],
  ["a vmid that is none", "GET", "guests/7", undefined, 400, "vmid"],
  ["a limit out of range", "GET", "tasks?limit=0", undefined, 400, "limit"],
  ["a cluster there is none of", "GET", "nodes?cluster=x", undefined, 404, "cluster"],
];
for (const [name, method, path, body, status, field] of wrong) {
  test(`${name} is ${status}${field === undefined ? "" : ` and names ${field}`}`, async (t) => {
    const response = await asker(testHub(t))(method, `/api/v1/${path}`, body);
    const { error } = await response.json();
    assert.deepEqual([response.status, error.field], [status, field]);
    assert.ok(error.message.length > 0);
  });
}

test("a bug answers 500 without details, and the log has them", async (t) => {
  const hub = testHub(t);
  hub.series.reader.seriesOf = () => {
    throw new Error("the secret is 42");
  };
  filled(hub);
  const response = await asker(hub)("GET", "/api/v1/nodes");
  assert.equal(response.status, 500);
  assert.equal((await response.text()).includes("42"), false);
  assert.ok(hub.lines.some((line) => line.includes("the secret is 42")));
});

test("the documentation covers every route and is made from the schemas", async (t) => {
  const document = await (await asker(testHub(t))("GET", "/api/v1/openapi.json")).json();
  const names = [
    "events",
    "guests",
    "guests/{vmid}",
    "guests/{vmid}/metrics",
    "health",
    "keys",
    "keys/{id}",
    "nodes",
    "nodes/{node}",
  ];
  const more = ["nodes/{node}/metrics", "series/group", "series/query", "series/top", "session", "storages", "stream", "tasks"];
  assert.deepEqual(
    [...names, ...more].filter((name) => !Object.hasOwn(document.paths, `/api/v1/${name}`)),
    [],
  );
  for (const path of ["series/query", "series/top", "series/group"]) {
    const { requestBody, responses } = document.paths[`/api/v1/${path}`].post;
    assert.deepEqual(Object.keys(responses["200"].content), [
      "application/json",
      "application/vnd.proven.columns",
      "application/vnd.proven.packed-columns",
    ]);
    assert.ok(
      requestBody.content["application/json"].schema.properties.class ??
        requestBody.content["application/json"].schema.properties.series,
    );
    assert.deepEqual(Object.keys(responses), ["200", "400", "401", "403", "404", "409", "413", "429", "503", "507"]);
  }
  const health = document.paths["/api/v1/health"].get.responses["200"].content["application/json"].schema;
  assert.deepEqual(health.properties.status, { type: "string", enum: ["ok", "degraded"] });
});

test("the panel's files are served without a key; content named by its hash is kept, index.html never", async (t) => {
  const hub = testHub(t);
  const missing = await hub.app.request("/");
  assert.equal(missing.status, 503);
  assert.match(await missing.text(), /npm run build/);
  mkdirSync(hub.config.panel);
  writeFileSync(join(hub.config.panel, "index.html"), "<p>");
  writeFileSync(join(hub.config.panel, "panel.js"), "1");
  writeFileSync(join(hub.config.panel, "..", "outside"), "secret");
  const cache = async (path: string) => (await hub.app.request(path)).headers.get("Cache-Control");
  assert.equal(await cache("/"), "no-store");
  assert.equal(await cache("/panel.js"), "no-cache");
  assert.equal(await cache("/panel.js?v=6b86b273ff34"), "public, max-age=31536000, immutable");
  assert.equal(await cache("/panel.js?v=000000000000"), "no-cache");
  for (const path of ["/../outside", "/%2e%2e/outside", "/..%2foutside", "/.hidden", "/nothing.js"]) {
    assert.equal((await hub.app.request(path)).status, 404);
  }
});

test("every answer forbids framing, sniffing and foreign scripts", async (t) => {
  const { headers } = await testHub(t).app.request("/api/v1/health");
  assert.equal(
    headers.get("Content-Security-Policy"),
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  );
  assert.equal(headers.get("X-Content-Type-Options"), "nosniff");
  assert.equal(headers.get("Cache-Control"), "private, no-cache");
});
