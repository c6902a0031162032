import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { type ServerType, serve } from "@hono/node-server";
import { OpenAPIHono } from "@hono/zod-openapi";
import type { ClusterId, EntityKey } from "#protocol/ids.ts";
import { Refusal } from "../../../hub/core/refusal.ts";
import type { HubEnv } from "../../../hub/http/env.ts";
import { errorHandler } from "../../../hub/http/errors.ts";
import { metricsRoute } from "../../../hub/http/metrics.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeSeries } from "../../support/fake-series.ts";
import { prometheus, promtool, skipWithout, startPrometheus } from "../../support/metric-peers.ts";
import { agentOf, testPicture } from "../../support/test-cluster.ts";

const token = "scrape-me-3f9c0e";
const other = "fedcba9876543210" as ClusterId;

/** The route on a fake store; the authenticator knows one key. */
function openApp(clusters: 1 | 2 = 1) {
  const clock = new FakeClock();
  const series = new FakeSeries();
  const at = clock.now();
  const guests = [
    { vmid: 100, name: 'web "01"\\', tags: ["prod", "web"], onboot: true },
    { vmid: 200, type: "lxc" as const, name: "ct-dns" },
  ];
  const storages = [{ storage: "local", content: ["iso", "backup"] }];
  const pictures = [
    testPicture({ name: "prod", nodes: { pve1: guests }, storages, at }),
    testPicture({ name: "lab", cluster: other, nodes: { pve1: [] }, at }),
  ].slice(0, clusters);
  const app = new OpenAPIHono<HubEnv>();
  app.onError(errorHandler(() => undefined));
  const ports = {
    clock,
    reader: series.reader,
    live: series.live,
    pictures: () => pictures,
    agents: () => ({ connected: 1, total: 2 }),
    counters: () => ({ records: 3, samples: 40, duplicates: 1 }),
    refused: () => ({ malformed: 2 }),
    problems: () => [],
    startedAt: at - 1000,
    scrapeToken: token,
    moreRows: () => [],
  };
  metricsRoute(app, ports, {
    middleware: async (c, next) => {
      if (c.req.header("Authorization") !== "Bearer pvn_key") throw new Refusal("unauthenticated", "the API key is wrong");
      await next();
    },
  });
  const put = (entity: string, metric: string, value: number) =>
    series.put(agentOf("pve1"), entity as EntityKey, metric, at - 1000, value);
  put("guest/100", "status", 1);
  put("guest/100", "cpu", 0.25);
  put("guest/100", "net_in", 5_000_000_000);
  put("guest/200", "status", 0);
  put("node/pve1", "mem_used", 1_639_321_600);
  put("storage/pve1/local", "used", 35_925_037_056);
  put("storage/pve1/local", "active", 1);
  return { app, series };
}

const as = (secret: string) => ({ headers: { Authorization: `Bearer ${secret}` } });

test("/metrics: a key and the scrape token open it, nothing else does", async () => {
  const { app } = openApp();
  assert.equal((await app.request("/metrics", as("pvn_key"))).status, 200);
  assert.equal((await app.request("/metrics", as(token))).status, 200);
  assert.equal((await app.request("/metrics", as("scrape-me"))).status, 401);
  assert.equal((await app.request("/metrics")).status, 401);
});

test("/metrics: it says which format it is, and counts what the hub took in", async () => {
  const answer = await openApp().app.request("/metrics", as(token));
  assert.equal(answer.headers.get("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  const lines = (await answer.text()).split("\n");
  for (const line of [
    "proven_hub_samples_total 40",
    'proven_hub_refused_messages_total{reason="malformed"} 2',
    'proven_hub_agents{state="connected"} 1',
    "proven_hub_newest_sample_age_seconds 1",
    'pve_up{id="lxc/200"} 0',
  ]) {
    assert.ok(lines.includes(line), line);
  }
});

test("/metrics: of several clusters one can be chosen, without the label that tells them apart", async () => {
  const { app } = openApp(2);
  const nodeInfos = async (query: string) => {
    const answer = await app.request(`/metrics${query}`, as(token));
    return (await answer.text()).split("\n").filter((line) => line.startsWith("pve_node_info{"));
  };
  assert.deepEqual(await nodeInfos("?cluster=lab"), ['pve_node_info{id="node/pve1",level="",name="pve1",nodeid="1"} 1']);
  assert.equal((await nodeInfos("")).length, 2);
  const none = await app.request("/metrics?cluster=other", as(token));
  assert.deepEqual(
    [none.status, await none.json()],
    [404, { error: { code: "not-found", message: "there is no cluster other", field: "cluster" } }],
  );
});

test("/metrics: Prometheus' own checker finds nothing to say", { skip: skipWithout(promtool) }, async () => {
  const text = await (await openApp().app.request("/metrics", as(token))).text();
  const { status, stderr, stdout } = spawnSync(promtool.path ?? "", ["check", "metrics"], { input: text, encoding: "utf8" });
  assert.deepEqual([status, stderr, stdout], [0, "", ""]);
});

/** Listens on 127.0.0.1; resolves the returned promises as scrapes begin. */
async function listen(t: TestContext, app: OpenAPIHono<HubEnv>) {
  let scrapes = 0;
  const waiting: [count: number, resolve: () => void][] = [];
  const fetch: typeof app.fetch = (...parameters) => {
    scrapes++;
    for (const [count, resolve] of waiting) if (scrapes >= count) resolve();
    return app.fetch(...parameters);
  };
  const server: ServerType = serve({ fetch, port: 0, hostname: "127.0.0.1" });
  await once(server, "listening");
  t.after(() => server.close());
  const begun = (count: number) => new Promise<void>((resolve) => waiting.push([count, resolve]));
  return { port: (server.address() as AddressInfo).port, begun };
}

test("/metrics: a real Prometheus scrapes it and has the same values", { skip: skipWithout(prometheus) }, async (t) => {
  const { port, begun } = await listen(t, openApp().app);
  // When the third scrape begins, the first has long been stored.
  const third = begun(3);
  const scrape = `[{job_name: proven, scrape_interval: 200ms, scrape_timeout: 200ms, authorization: {credentials: ${token}}, static_configs: [{targets: ["127.0.0.1:${port}"]}]}]`;
  const peer = await startPrometheus(t, scrape);
  await third;
  const now = Date.now();
  assert.deepEqual(await peer.valueAt('up{job="proven"}', now), [1]);
  assert.deepEqual(await peer.valueAt('pve_cpu_usage_ratio{id="qemu/100"}', now), [0.25]);
  assert.deepEqual(await peer.valueAt('pve_network_receive_bytes_total{id="qemu/100"}', now), [5_000_000_000]);
  assert.deepEqual(await peer.valueAt('pve_disk_usage_bytes{id="storage/pve1/local"}', now), [35_925_037_056]);
  const joined = 'pve_cpu_usage_ratio * on(id) group_left(name, node) pve_guest_info{tags="prod;web"}';
  assert.deepEqual(await peer.valueAt(joined, now), [0.25]);
  assert.deepEqual(await peer.valueAt('pve_guest_info{name="web \\"01\\"\\\\"}', now), [1]);
});
