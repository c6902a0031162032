import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { EntityMetrics, GuestView, NodeView, Page } from "#protocol/api.ts";
import { carolsCode, passwordOf } from "../lab/sign-in.ts";
import { System } from "../support/system.ts";

type Reply<T> = { status: number; body: T; cookies: string[] };

/** Real hub, real agents, the lab: what two users of Proxmox VE see and may do, through a node's gateway and through the hub's own sign-in. */
describe("users of Proxmox VE", { concurrency: false }, () => {
  const state = mkdtempSync(join(tmpdir(), "proven-users-"));
  let system: System;
  let port = 0;

  before(async () => {
    system = await System.prepare({ state, lab: { refusalDelayMs: 10 } });
    await system.startHub();
    await system.startAgents();
    await system.until(
      "guests",
      () => system.get<Page<GuestView>>("guests"),
      ({ items }) => items.length >= 40,
    );
    port = await system.until(
      "gateway",
      async () => system.gatewayPort("pve1") ?? 0,
      (value) => value > 0,
    );
  });
  after(async () => {
    await system.stop();
    rmSync(state, { recursive: true, force: true });
  });

  function send<T>(to: number, method: string, path: string, headers: Record<string, string>, body?: unknown): Promise<Reply<T>> {
    const text = body === undefined ? "" : JSON.stringify(body);
    const all = {
      "content-length": String(Buffer.byteLength(text)),
      ...(text === "" ? {} : { "content-type": "application/json" }),
      ...headers,
    };
    return new Promise((resolve, reject) => {
      const outgoing = request(
        { host: "127.0.0.1", port: to, method, path, headers: all, rejectUnauthorized: false, agent: false },
        async (incoming) => {
          const chunks: Buffer[] = [];
          for await (const chunk of incoming) chunks.push(chunk as Buffer);
          const raw = Buffer.concat(chunks).toString("utf8");
          const body = String(incoming.headers["content-type"]).includes("json") ? JSON.parse(raw) : raw;
          resolve({ status: incoming.statusCode ?? 0, body, cookies: incoming.headers["set-cookie"] ?? [] });
        },
      );
      outgoing.on("error", reject);
      outgoing.end(text);
    });
  }

  const asUser = <T>(user: string, method: string, path: string, body?: unknown) =>
    send<T>(
      port,
      method,
      path,
      {
        origin: "https://127.0.0.1:8006",
        cookie: `PVEAuthCookie=${encodeURIComponent(system.lab.ticket(user))}`,
        ...(method === "GET" ? {} : { csrfpreventiontoken: system.lab.csrfToken(user), "proven-request": "1" }),
      },
      body,
    );

  test("root sees every guest, bob the one that Proxmox VE shows him", async () => {
    const [first] = system.lab.world.spec.guests.map(({ vmid }) => vmid);
    const root = await asUser<Page<GuestView>>("root@pam", "GET", "/api/v1/guests");
    assert.ok(root.body.items.length >= 40);
    const bob = await asUser<Page<GuestView>>("bob@pve", "GET", "/api/v1/guests");
    assert.deepEqual(
      bob.body.items.map(({ vmid }) => vmid),
      [first],
    );
  });

  test("a guest with NoAccess is absent for carol, in lists and by its name", async () => {
    const [, second] = system.lab.world.spec.guests.map(({ vmid }) => vmid);
    const list = await asUser<Page<GuestView>>("carol@pve", "GET", "/api/v1/guests");
    assert.ok(list.body.items.length > 10 && !list.body.items.some(({ vmid }) => vmid === second));
    assert.equal((await asUser("carol@pve", "GET", `/api/v1/guests/${second}/metrics`)).status, 404);
    assert.equal((await asUser("root@pam", "GET", `/api/v1/guests/${second}/metrics`)).status, 200);
  });

  test("a node's figures are for those with Sys.Audit, its name is for everybody", async () => {
    const nodes = await asUser<Page<NodeView>>("bob@pve", "GET", "/api/v1/nodes");
    assert.deepEqual(nodes.body.items.map(({ node }) => node).sort(), ["pve1", "pve2", "pve3"]);
    const figures = async (user: string) => {
      const { metrics } = (await asUser<EntityMetrics>(user, "GET", "/api/v1/nodes/pve1/metrics")).body;
      return Object.keys(metrics).length;
    };
    assert.equal(await figures("bob@pve"), 0);
    assert.ok((await figures("alice@pve")) > 10);
  });

  test("an auditor reads the hub's settings and changes none of them", async () => {
    assert.equal((await asUser("alice@pve", "GET", "/api/v1/rules")).status, 200);
    const silence = { matchers: [], comment: "x", endsAt: Date.now() + 60_000 };
    assert.equal((await asUser("alice@pve", "POST", "/api/v1/receivers", silence)).status, 403);
    assert.equal((await asUser("bob@pve", "GET", "/api/v1/receivers")).status, 403);
  });

  test("the hub's own sign-in takes a Proxmox VE password, and carol's second factor", async () => {
    const login = (body: unknown) =>
      send<{ state?: string; challenge?: string; error?: unknown }>(
        system.port,
        "POST",
        "/api/v1/session/login",
        { "x-proven": "1", origin: system.url },
        body,
      );
    const wrong = await login({ user: "alice", realm: "pve", password: "wrong" });
    assert.equal(wrong.status, 401);
    const alice = await login({ user: "alice", realm: "pve", password: passwordOf("alice@pve") });
    assert.ok(alice.status < 300, JSON.stringify(alice.body));
    const cookie = alice.cookies.map((line) => line.split(";")[0]).join("; ");
    assert.match(alice.cookies.join(), /HttpOnly/i);
    const guests = await send<Page<GuestView>>(system.port, "GET", "/api/v1/guests", { cookie });
    assert.ok(guests.body.items.length >= 40);
    const carol = await login({ user: "carol", realm: "pve", password: passwordOf("carol@pve") });
    assert.equal(carol.body.state, "tfa-needed", JSON.stringify(carol.body));
    const second = await send<{ state?: string }>(
      system.port,
      "POST",
      "/api/v1/session/login/answer",
      { "x-proven": "1", origin: system.url },
      { challenge: carol.body.challenge, kind: "totp", code: carolsCode },
    );
    assert.equal(second.body.state, "ok", JSON.stringify(second.body));
  });
});
