import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import { type Context, Hono } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { type SSEStreamingApi, streamSSE } from "hono/streaming";
import type { Scope, SeriesQuery, StreamEvents } from "#protocol/api.ts";
import type { TopQuery } from "#protocol/class-queries.ts";
import type { Layout } from "#protocol/panel.ts";
import { bundleStandalone } from "../../scripts/panel-build.ts";
import { addAgentsApi } from "./fake-agents-api.ts";
import { fakeAlertApi } from "./fake-alert-api.ts";
import { type ClusterSetup, fakeCluster } from "./fake-cluster.ts";
import { addEntityApi } from "./fake-entity-api.ts";
import { fakeHistory, fakeMetrics, fakeTop } from "./fake-history.ts";
import { addLoginApi } from "./fake-login-api.ts";
import { addOverviewApi } from "./fake-overview-api.ts";
import { addProofApi, type FakeProof } from "./fake-proof-api.ts";
import { addPushApi, type FakePush } from "./fake-push-api.ts";
import { addRecoveryApi } from "./fake-recovery-api.ts";
import { poisoned } from "./hostile.ts";

export type FakeHubOptions = Partial<ClusterSetup> & {
  /** Files by name, `index.html` first of all. */
  files: ReadonlyMap<string, Uint8Array>;
  port?: number;
  /** It judges rules, and pve3 has died in the night. */
  alerting?: boolean;
  /** It tests restores: fake-proof-api.ts. */
  proof?: boolean;
  /** What the key may do. */
  scopes?: Scope[];
  /** Who has signed in may change things and no settings, as a user of Proxmox VE without Sys.Modify. */
  noSettings?: boolean;
  /** People sign in with accounts, too: fake-login-api.ts. */
  accounts?: boolean;
  /** Cookies of sessions that count already, as after a restart. */
  sessions?: string[];
  /** Stands behind every name, note and message that the hub tells. */
  hostile?: string;
  /** How often the stream says everything anew, ms. */
  everyMs?: number;
};

/** A hub's double with the API's face and generated data. */
export type FakeHub = {
  url: string;
  key: string;
  /** All series queries asked so far. */
  queries: SeriesQuery[];
  /** Everything that alerting's part of the API was told to change or asked by POST. */
  writes: { method: string; path: string; body: unknown }[];
  /** Web push. */
  push: FakePush;
  /** What was kept of the panel's arrangement. */
  layout(): Layout;
  /** Ends the live streams; `refuse`: and answers new ones with 503. */
  dropStreams(refuse: boolean): void;
  /** The sessions count no longer. */
  endSessions(): void;
  /** Sends one event on all live streams. */
  send<K extends keyof StreamEvents>(kind: K, data: StreamEvents[K]): Promise<void>;
  /** Every later answer but the session's is this refusal. */
  refuseAll(status: 403 | 500 | undefined): void;
  close(): Promise<void>;
};

const csp = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";
const types: Record<string, string> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript",
  css: "text/css",
  svg: "image/svg+xml",
  png: "image/png",
  webmanifest: "application/manifest+json",
};
const refusal = (code: string, message: string) => ({ error: { code, message } });

/** Serves the panel and the API on 127.0.0.1. */
export async function startFakeHub(options: FakeHubOptions): Promise<FakeHub> {
  const key = "pvn_fake_0123456789abcdef";
  const world = fakeCluster({ nodes: 3, guests: 40, silent: 0, trouble: false, ...options });
  const startedAt = Date.now();
  const gap = { from: startedAt - 35 * 60_000, to: startedAt - 25 * 60_000 };
  const queries: SeriesQuery[] = [];
  const writes: FakeHub["writes"] = [];
  const streams = new Set<SSEStreamingApi>();
  let sessions = new Set<string>(options.sessions);
  let [refusing, refused]: [boolean, 403 | 500 | undefined] = [false, undefined];

  const app = new Hono();
  app.use("*", async (c, next) => {
    await next();
    c.header("Content-Security-Policy", csp);
    c.header("X-Content-Type-Options", "nosniff");
  });
  const settings = options.noSettings !== true && options.scopes?.includes("write") === true;
  const may = { settings, agentsOf: settings ? null : [] };
  const view = () => ({ user: "key:fake", scopes: options.scopes ?? ["read"], expiresAt: Date.now() + 8 * 3_600_000, ...may });
  const session = (c: Context) => c.json(view());
  const enter = (c: Context) => {
    const id = crypto.randomUUID();
    sessions.add(id);
    setCookie(c, "proven_session", id, { httpOnly: true, sameSite: "Strict", path: "/" });
  };
  addLoginApi(app, options.accounts === true, (c) => {
    enter(c);
    return { state: "ok", session: view() };
  });
  app.post("/api/v1/session", async (c) => {
    if (c.req.header("X-Proven") !== "1") return c.json(refusal("forbidden", "the header X-Proven: 1 is missing"), 403);
    const body: unknown = await c.req.json();
    const given = typeof body === "object" && body !== null && "key" in body ? body.key : undefined;
    if (given !== key) return c.json(refusal("unauthenticated", "no such key"), 401);
    enter(c);
    return session(c);
  });
  app.use("/api/v1/*", async (c, next) => {
    if (!sessions.has(getCookie(c, "proven_session") ?? "")) return c.json(refusal("unauthenticated", "sign in first"), 401);
    if (refused !== undefined)
      return c.json(refusal(refused === 403 ? "forbidden" : "internal", "as the test wants it"), refused);
    await next();
  });
  app.use("/api/v1/*", async (c, next) => {
    await next();
    const { hostile } = options;
    if (hostile === undefined || !c.res.headers.get("Content-Type")?.includes("json") || c.req.path.includes("/session")) return;
    c.res = new Response(JSON.stringify(poisoned(await c.res.json(), hostile)), c.res);
  });
  app.get("/api/v1/session", session);
  app.delete("/api/v1/session", (c) => {
    deleteCookie(c, "proven_session");
    return c.body(null, 204);
  });
  app.get("/api/v1/health", (c) =>
    c.json({
      status: "ok",
      version: "0.1.0",
      startedAt,
      agents: { connected: 3, total: 3 },
      newestSampleAgeMs: 2000,
      problems: [],
      counters: { records: 1, samples: 1, duplicates: 0, refused: {} },
    }),
  );
  const page = <T>(items: T[]) => ({ items, next: null });
  app.get("/api/v1/nodes", (c) => c.json(page(world.nodes(Date.now()))));
  app.get("/api/v1/guests", (c) => c.json(page(world.guests(Date.now()))));
  app.get("/api/v1/storages", (c) => c.json(page(world.storages(Date.now()))));
  const push = addPushApi(app);
  const overview = addOverviewApi(app, (now) => world.guests(now), options.trouble === true);
  const proof: FakeProof | undefined =
    options.proof === true
      ? addProofApi(
          app,
          (now) => world.guests(now),
          writes,
          (runs) => {
            for (const stream of streams) void tell(stream, "runs", runs);
          },
        )
      : undefined;
  addEntityApi(app, world, options.alerting === true);
  addRecoveryApi(app, world);
  addAgentsApi(app, writes);
  app.get("/api/v1/tasks", (c) => c.json(page(world.tasks(Date.now()))));
  app.get("/api/v1/events", (c) => c.json(page(world.events(Date.now()))));
  app.get("/api/v1/nodes/:node/metrics", (c) => c.json(fakeMetrics(world.cluster, `node/${c.req.param("node")}`)));
  app.get("/api/v1/guests/:vmid/metrics", (c) => c.json(fakeMetrics(world.cluster, `guest/${c.req.param("vmid")}`)));
  app.post("/api/v1/series/query", async (c) => {
    const query = (await c.req.json()) as SeriesQuery;
    queries.push(query);
    return c.json(fakeHistory(query, gap, (entity) => world.silentSince(entity, Date.now())));
  });
  app.post("/api/v1/series/top", async (c) => {
    const now = Date.now();
    return c.json(fakeTop((await c.req.json()) as TopQuery, world.guests(now), now));
  });

  const alerts =
    options.alerting === true
      ? fakeAlertApi(app, writes, (changed) => {
          for (const stream of streams) void tell(stream, "alerts", changed);
        })
      : undefined;

  const tell = async <K extends keyof StreamEvents>(stream: SSEStreamingApi, event: K, data: StreamEvents[K]) =>
    await stream.writeSSE({
      event,
      data: JSON.stringify(options.hostile === undefined ? data : poisoned(data, options.hostile)),
    });
  const tellAll = async (stream: SSEStreamingApi) => {
    const now = Date.now();
    if (alerts !== undefined) await tell(stream, "alerts", alerts());
    await tell(stream, "nodes", world.nodes(now));
    await tell(stream, "guests", world.guests(now));
    await tell(stream, "storages", world.storages(now));
    if (proof !== undefined) await tell(stream, "runs", proof.open());
    await tell(stream, "beat", { now, newestSampleAgeMs: now % 10_000 });
  };
  app.get("/api/v1/stream", (c) => {
    if (refusing) return c.json(refusal("overloaded", "no streams now"), 503);
    return streamSSE(c, async (stream) => {
      streams.add(stream);
      await tellAll(stream);
      await new Promise<void>((resolve) => stream.onAbort(resolve));
      streams.delete(stream);
    });
  });
  app.get("*", (c) => {
    const name = c.req.path === "/" ? "index.html" : c.req.path.slice(1);
    const file = options.files.get(name);
    if (file === undefined) return c.notFound();
    return c.body(new Uint8Array(file), 200, {
      "Content-Type": types[name.split(".").at(-1) ?? ""] ?? "application/octet-stream",
    });
  });

  const ticker = setInterval(() => {
    for (const stream of streams) void tellAll(stream);
  }, options.everyMs ?? 5000);
  const server = serve({ fetch: app.fetch, hostname: "127.0.0.1", port: options.port ?? 0 });
  if (!server.listening) await new Promise<void>((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  const drop = () => {
    for (const stream of [...streams]) stream.abort();
    streams.clear();
    if ("closeAllConnections" in server) server.closeAllConnections();
  };
  return {
    url: `http://127.0.0.1:${port}`,
    key,
    queries,
    writes,
    layout: overview.layout,
    push,
    dropStreams(refuse) {
      refusing = refuse;
      drop();
    },
    endSessions() {
      sessions = new Set();
    },
    async send(kind, data) {
      for (const stream of streams) await tell(stream, kind, data);
    },
    refuseAll(status) {
      refused = status;
    },
    async close() {
      clearInterval(ticker);
      drop();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** The panel's files, as the build makes them. */
export const panelFiles = async (): Promise<Map<string, Uint8Array>> => (await bundleStandalone({ sourcemap: false })).files;
