import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { request as httpsRequest } from "node:https";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { parseConfig } from "../../../hub/config.ts";
import { startHub } from "../../../hub/hub.ts";
import { StateStore } from "../../../hub/store/state.ts";
import { loadCertificate } from "../../../hub/tls.ts";
import { AgentClient, newClientKey } from "../../support/agent-client.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeSeries } from "../../support/fake-series.ts";
import { labView, TestGateway } from "../../support/pve-users.ts";
import { temporaryDir } from "../../support/temporary-dir.ts";
import { inventoryOf } from "../../support/test-hub.ts";

/** A hub that listens, and an agent of version `max` that has joined it. */
async function start(t: TestContext, max: number) {
  const dir = temporaryDir(t);
  const [clock, series, joinKey] = [new FakeClock(), new FakeSeries(), randomBytes(32)];
  writeFileSync(join(dir, "join.key"), joinKey.toString("base64"));
  const state = StateStore.open({ dir, now: () => clock.now() });
  const certificate = await loadCertificate(dir, Date.now());
  const config = parseConfig(`listen = "127.0.0.1"\nport = 0\nstate = "${dir}"`);
  const hub = await startHub({ config, clock, series, state, certificate, log: () => undefined });
  t.after(() => hub.stop());
  const client = await AgentClient.connect(hub.port);
  t.after(() => client.close());
  await client.hello({ key: newClientKey(), fingerprint: certificate.fingerprint, now: clock.now(), joinKey, max });
  await client.next("welcome");
  return { hub, client, state, clock, send: (url: string, init?: RequestInit) => send(hub.port, url, init) };
}

/** fetch() would not take the hub's certificate. */
function send(port: number, url: string, { method = "GET", headers, body }: RequestInit = {}): Promise<Response> {
  const { pathname, search } = new URL(url);
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, path: pathname + search, method, rejectUnauthorized: false };
    const outgoing = httpsRequest({ ...options, headers: headers as Record<string, string> }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.on("end", () => {
        const status = incoming.statusCode ?? 0;
        const set = incoming.headers["set-cookie"] ?? [];
        const answer = status === 204 ? null : Buffer.concat(chunks);
        resolve(new Response(answer, { status, headers: set.map((cookie) => ["Set-Cookie", cookie] as [string, string]) }));
      });
    });
    outgoing.on("error", reject);
    outgoing.end(body ?? undefined);
  });
}

const account = { user: "carol", realm: "pve", password: "right" };
const post = (body: unknown) => ({
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(body),
});

test("a user signs in over the wire: the agent is asked, and its view counts", async (t) => {
  const { client, send } = await start(t, 2);
  client.send(
    "inventory",
    inventoryOf({
      guests: [
        { vmid: 100, name: "web" },
        { vmid: 101, name: "payroll" },
      ],
    }),
  );
  const answering = send("https://hub/api/v1/session/login", post(account));
  const { id, ...asked } = await client.next("login.start");
  assert.deepEqual(asked, account);
  const session = "0".repeat(64);
  client.send("login.result", { id, state: "ok", session, user: "carol@pve", view: labView("carol@pve"), viewAt: 0 });
  const answer = await answering;
  assert.equal(answer.status, 200);
  const Cookie = (answer.headers.getSetCookie()[0] ?? "").split(";")[0] ?? "";
  const guests = await (await send("https://hub/api/v1/guests", { headers: { Cookie } })).json();
  assert.deepEqual(
    guests.items.map(({ vmid }: { vmid: number }) => vmid),
    [100],
  );
  await send("https://hub/api/v1/session", { method: "DELETE", headers: { Cookie, "X-Proven": "1" } });
  assert.deepEqual(await client.next("login.end"), { session });
});

test("an agent of the first version can't be asked", async (t) => {
  const { send } = await start(t, 1);
  assert.equal((await send("https://hub/api/v1/session/login", post(account))).status, 503);
});

test("a gateway's assertion holds for the request line and body as they came over the wire", async (t) => {
  const { client, send, state, clock } = await start(t, 2);
  client.send("inventory", inventoryOf({ guests: [{ vmid: 100, name: "web", tags: ["a b"] }] }));
  const gateway = new TestGateway({ app: { request: send }, state, now: () => clock.now() });
  const { items } = await (await gateway.ask("carol@pve", "GET", "/api/v1/guests?tag=a%20b")).json();
  assert.equal(items.length, 1);
  const query = { series: [{ entity: "guest/100", metric: "cpu" }], from: 0, to: 1000 };
  assert.equal((await gateway.ask("carol@pve", "POST", "/api/v1/series/query", query)).status, 200);
});
