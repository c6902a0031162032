import assert from "node:assert/strict";
import { generateKeyPairSync, verify } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { createPveApi } from "../../../agent/pve/api.ts";
import { FakeClock, settle } from "../../support/fake-clock.ts";
import { RecordedNode } from "../../support/recorded-node.ts";

const keys = generateKeyPairSync("rsa", {
  modulusLength: 2048,
  publicKeyEncoding: { type: "spki", format: "pem" },
  privateKeyEncoding: { type: "pkcs1", format: "pem" },
});

type Seen = { method: string; url: string; headers: IncomingMessage["headers"]; body: string; port: number };

/** A local API that answers with what `answer` does, and remembers what it was asked. */
async function startDaemon(context: TestContext, answer: (seen: Seen, response: ServerResponse) => void) {
  const seen: Seen[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const { method = "", url = "", headers, socket } = request;
    const one = { method, url, headers, body, port: socket.remotePort ?? 0 };
    seen.push(one);
    answer(one, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const node = new RecordedNode(context, { pve: false });
  node.write("etc/pve/priv/authkey.key", keys.privateKey);
  const clock = new FakeClock(Date.UTC(2026, 10, 23));
  const api = createPveApi({ baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, root: node.root, clock });
  context.after(() => {
    api.close();
    server.closeAllConnections();
    server.close();
  });
  return { api, seen, clock, node };
}

const data = (value: unknown) => (_: Seen, response: ServerResponse) => response.end(JSON.stringify({ data: value }));
const ticketOf = (seen: Seen | undefined) =>
  decodeURIComponent(/PVEAuthCookie=(.*)$/.exec(seen?.headers.cookie ?? "")?.[1] ?? "");

test("a call carries a root@pam ticket that PVE's public key confirms", async (context) => {
  const { api, seen } = await startDaemon(context, data({ version: "9.2.11" }));
  assert.deepEqual(await api.get("/version"), { ok: true, data: { version: "9.2.11" } });
  const ticket = ticketOf(seen[0]);
  const [plain = "", signature = ""] = ticket.split("::");
  assert.match(plain, /^PVE:root@pam:[0-9A-F]{8}$/);
  assert.equal(Number.parseInt(plain.slice(-8), 16), Date.UTC(2026, 10, 23) / 1000);
  assert.ok(verify("sha1", Buffer.from(plain), keys.publicKey, Buffer.from(signature, "base64")));
  assert.equal(seen[0]?.url, "/api2/json/version");
});

test("a ticket is used for minutes, on one connection, and then made anew", async (context) => {
  const { api, seen, clock } = await startDaemon(context, data(null));
  await api.get("/version");
  await clock.advance(60_000);
  await api.get("/version");
  await clock.advance(200_000);
  await api.get("/version");
  const [first, second, third] = seen.map(ticketOf);
  assert.equal(first, second);
  assert.notEqual(second, third);
  assert.equal(new Set(seen.map(({ port }) => port)).size, 1);
});

test("parameters go into the query of GET and DELETE and into the body of POST and PUT, always with a length", async (context) => {
  const { api, seen } = await startDaemon(context, data("UPID"));
  await api.get("/x", { a: 1, none: undefined });
  await api.delete("/x", { purge: true });
  await api.post("/x", { onboot: false, exclude: ["a b", "c"] });
  await api.put("/x");
  assert.deepEqual(
    seen.map(({ method, url, body, headers }) => [method, url, body, headers["content-length"], headers["transfer-encoding"]]),
    [
      ["GET", "/api2/json/x?a=1", "", "0", undefined],
      ["DELETE", "/api2/json/x?purge=1", "", "0", undefined],
      ["POST", "/api2/json/x", "onboot=0&exclude=a+b&exclude=c", "30", undefined],
      ["PUT", "/api2/json/x", "", "0", undefined],
    ],
  );
});

test("a refusal has PVE's reason from the status line and the fields that are wrong", async (context) => {
  const { api } = await startDaemon(context, (_, response) => {
    response.writeHead(400, "Parameter verification failed.");
    response.end('{"data":null,"errors":{"vmid":"invalid format\\n"},"message":"Parameter verification failed.\\n"}');
  });
  assert.deepEqual(await api.get("/x"), {
    ok: false,
    error: { status: 400, reason: "Parameter verification failed.", errors: { vmid: "invalid format" } },
  });
});

test("a refused ticket is thrown away: the cluster's key may have changed", async (context) => {
  const { api, seen, clock } = await startDaemon(context, (_, response) => {
    response.writeHead(401, "Authentication failed!");
    response.end();
  });
  const refused = { ok: false, error: { status: 401, reason: "Authentication failed!", errors: {} } };
  assert.deepEqual(await api.get("/x"), refused);
  await clock.advance(2000);
  assert.deepEqual(await api.get("/x"), refused);
  assert.notEqual(ticketOf(seen[0]), ticketOf(seen[1]));
});

test("a read whose connection is dropped is asked again, a write is not", async (context) => {
  let dropped = 0;
  const { api, seen } = await startDaemon(context, ({ method }, response) => {
    if (method === "GET" && dropped++ > 0) response.end('{"data":"here"}');
    else response.destroy();
  });
  assert.deepEqual(await api.get("/x"), { ok: true, data: "here" });
  assert.deepEqual(await api.post("/x"), { ok: false, error: { status: 0, reason: "ECONNRESET", errors: {} } });
  assert.deepEqual(
    seen.map(({ method }) => method),
    ["GET", "GET", "POST"],
  );
});

test("a daemon that never answers costs 15 seconds and no more", async (context) => {
  let asked = () => {};
  const arrived = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const { api, clock } = await startDaemon(context, () => asked());
  const answer = api.get("/x");
  await arrived;
  await clock.advance(15_000);
  assert.deepEqual(await answer, { ok: false, error: { status: 0, reason: "no answer within 15000 ms", errors: {} } });
});

test("nobody listens, and a missing key, are said in words", async (context) => {
  const { api, node } = await startDaemon(context, data(null));
  node.remove("etc/pve/priv/authkey.key");
  assert.deepEqual(await api.get("/x"), {
    ok: false,
    error: { status: 0, reason: "/etc/pve/priv/authkey.key: missing, pmxcfs is not mounted", errors: {} },
  });
  node.write("etc/pve/priv/authkey.key", "no key");
  const result = await api.get("/x");
  assert.deepEqual(result.ok ? undefined : result.error.reason, "/etc/pve/priv/authkey.key: not a private key");
});

const upid = "UPID:pve1:00000CE3:0007E769:6B03A705:vzdump:101:root@pam:";

async function awaited({ api, clock }: Pick<Awaited<ReturnType<typeof startDaemon>>, "api" | "clock">) {
  await api.get("/version"); // reads the key on another thread, which no turn of this one waits for
  const end = api.awaitTask(upid, { timeoutMs: 60_000 });
  let ended = false;
  end.then(() => {
    ended = true;
  });
  while (!ended) {
    await settle();
    await clock.advance(10);
  }
  return end;
}

test("awaiting a task asks until it has stopped and gives PVE's own words", async (context) => {
  let polls = 0;
  const { api, seen, clock } = await startDaemon(context, ({ url }, response) => {
    if (url.includes("/tasks/")) polls++;
    const state = polls < 3 ? { status: "running" } : { status: "stopped", exitstatus: "WARNINGS: 1" };
    response.end(JSON.stringify({ data: state }));
  });
  assert.deepEqual(await awaited({ api, clock }), { ok: true, data: "WARNINGS: 1" });
  assert.equal(seen[1]?.url, `/api2/json/nodes/pve1/tasks/${encodeURIComponent(upid)}/status`);
  assert.equal(polls, 3);
});

test("a refusal that passes, as after the clock was set, ends no wait for a task; one that stays does", async (context) => {
  let polls = 0;
  const { api, clock } = await startDaemon(context, ({ url }, response) => {
    const isRefused = url.includes("/tasks/") && (polls++ < 4 || polls > 5);
    response.statusCode = isRefused ? 401 : 200;
    response.end(JSON.stringify({ data: { status: "stopped", exitstatus: "OK" } }));
  });
  assert.deepEqual(await awaited({ api, clock }), { ok: true, data: "OK" });
  assert.equal(polls, 5);
  const refused = await awaited({ api, clock });
  assert.equal(refused.ok ? undefined : refused.error.status, 401);
  assert.equal(polls, 10);
});
