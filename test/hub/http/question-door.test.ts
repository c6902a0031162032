import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { getRequestListener } from "@hono/node-server";
import { openHttp } from "../../../hub/http/app.ts";
import { cookieName } from "../../../hub/http/auth.ts";
import { packedType } from "../../../hub/http/columns.ts";
import { TestGateway } from "../../support/pve-users.ts";
import { seenHub } from "../../support/seen-hub.ts";

async function served(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** One hub, asked through the door and by the router alone; `taken` says what the door did with each request it saw. */
async function bothWays(t: TestContext) {
  const { hub, now } = seenHub(t);
  const { app, door } = openHttp(hub.httpPorts);
  const answer = getRequestListener(app.fetch);
  const taken: boolean[] = [];
  const byDoor = await served(t, (request, response) => {
    const isTaken = door.take(request, response);
    taken.push(isTaken);
    if (!isTaken) void answer(request, response);
  });
  const byRouter = await served(t, answer);
  return { hub, now, taken, byDoor, byRouter };
}

const path = "/api/v1/series/query";

/** All that a client can tell of an answer, but its date. */
async function toldBy(answer: Response) {
  const headers = [...answer.headers].filter(([name]) => name !== "date");
  return { status: answer.status, headers, body: Buffer.from(await answer.arrayBuffer()).toString("latin1") };
}

test("a question is answered and refused alike, whether the router sees it or not", async (t) => {
  const { hub, now, taken, byDoor, byRouter } = await bothWays(t);
  const series = [{ entity: "guest/100", metric: "cpu" }];
  const question = { series, from: now - 60_000, to: now };
  const json = { "content-type": "application/json" };
  const key = { ...json, authorization: `Bearer ${hub.newKey("read")}` };
  const cookie = { ...json, cookie: `${cookieName}=${"0".repeat(64)}` };
  const cases: [name: string, status: number, headers: Record<string, string>, body: unknown, at?: string][] = [
    ["as JSON", 200, key, question],
    ["as columns", 200, { ...key, accept: "application/vnd.proven.columns" }, question],
    ["as packed columns", 200, { ...key, accept: packedType }, { ...question, stepMs: 10_000, aggregates: ["avg", "max"] }],
    ["a ranking", 200, { ...key, accept: packedType }, { class: "guests", metric: "cpu" }, "/api/v1/series/top"],
    ["a group", 200, key, { class: "guests", metric: "cpu", by: "pool", from: now - 60_000, to: now }, "/api/v1/series/group"],
    ["nobody", 401, json, question],
    ["a wrong key", 401, { ...json, authorization: "Bearer pvn_000000000000_0" }, question],
    ["a session that ended", 401, cookie, question],
    ["a key that only writes", 403, { ...json, authorization: `Bearer ${hub.newKey("ingest")}` }, question],
    ["no JSON", 400, key, "{"],
    ["a field that does not exist", 400, key, { ...question, fields: 1 }],
    ["a time that is none", 400, key, { ...question, from: "yesterday" }],
    ["a metric that does not exist", 400, key, { ...question, series: [{ entity: "guest/100", metric: "mood" }] }],
    ["a cluster that does not exist", 404, key, { ...question, series: [{ entity: "guest/100", metric: "cpu", cluster: "b" }] }],
    ["too much", 413, key, { ...question, from: now - 4000 * 86_400_000 }],
  ];
  for (const [name, status, headers, body, at = path] of cases) {
    const init = { method: "POST", headers, body: typeof body === "string" ? body : JSON.stringify(body) };
    const [one, other] = [await toldBy(await fetch(byDoor + at, init)), await toldBy(await fetch(byRouter + at, init))];
    assert.equal(one.status, status, name);
    assert.deepEqual(one, other, name);
  }
  assert.deepEqual(taken, Array(cases.length).fill(true));
});

test("what Proxmox VE hides from a user is hidden both ways", async (t) => {
  const { hub, now, taken, byDoor, byRouter } = await bothWays(t);
  const series = [100, 101].map((vmid) => ({ entity: `guest/${vmid}`, metric: "cpu" }));
  const lengths: number[][] = [];
  for (const place of [byDoor, byRouter]) {
    const app = { request: (url: string, init?: RequestInit) => fetch(place + new URL(url, place).pathname, init) };
    const gateway = new TestGateway({ app, state: hub.state, now: () => hub.clock.now() });
    const answer = await gateway.ask("bob@pve", "POST", path, { series, from: now - 60_000, to: now });
    const { series: told } = (await answer.json()) as { series: { at: number[] }[] };
    lengths.push(told.map(({ at }) => at.length));
  }
  assert.deepEqual(lengths, [
    [1, 0],
    [1, 0],
  ]);
  assert.ok(taken.includes(true));
});

test("what is not plain is left to the router", async (t) => {
  const { hub, now, taken, byDoor } = await bothWays(t);
  const authorization = `Bearer ${hub.newKey("read")}`;
  const body = JSON.stringify({ series: [{ entity: "guest/100", metric: "cpu" }], from: now - 60_000, to: now });
  const post = (at: string, headers: Record<string, string>, more: RequestInit = {}) =>
    fetch(byDoor + at, { method: "POST", headers: { authorization, ...headers }, body, ...more });
  const json = { "content-type": "application/json" };
  const inChunks = { body: new Blob([body]).stream(), duplex: "half" } as RequestInit;
  const tooLong = { body: " ".repeat((1 << 20) + 1) };
  const statuses = [
    (await post(`${path}?x`, json)).status,
    (await post(path, { "content-type": "text/plain" })).status,
    (await post(path, json, inChunks)).status,
    (await post(path, json, tooLong)).status,
    (await fetch(byDoor + path, { headers: { authorization } })).status,
  ];
  assert.deepEqual(statuses, [200, 415, 200, 413, 404]);
  assert.deepEqual(taken, Array(statuses.length).fill(false));
});
