import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect as connectTcp, type Socket } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { placeOf } from "#protocol/addresses.ts";
import { connectionsPerAddress } from "../../../agent/gateway/bounds.ts";
import { startGateway } from "../../support/gateway-bench.ts";

/** Rows of docs/SECURITY.md about the gateway's port that have no test of their own elsewhere. */

async function speak(port: number, text: string): Promise<TLSSocket> {
  const socket = connectTls({ host: "127.0.0.1", port, rejectUnauthorized: false });
  socket.on("error", () => undefined);
  await once(socket, "secureConnect");
  socket.write(text);
  return socket;
}

/** A Proxmox VE that refuses every ticket, and knows how often it was asked. */
async function refusingApi(t: TestContext): Promise<{ url: string; asked: () => number }> {
  let asked = 0;
  const server = createServer((_, response) => {
    asked++;
    response.writeHead(401, { "content-length": 0 }).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked: () => asked };
}

test("tickets that somebody makes up soon reach Proxmox VE no more, while those from elsewhere do", async (t) => {
  const api = await refusingApi(t);
  const { ask, lab } = await startGateway(t, { apiUrl: api.url });
  const madeUp = (n: number) => encodeURIComponent(lab.ticket("root@pam").replace("root@pam", `somebody${n}@pam`));
  const from = (localAddress: string, n: number) =>
    ask("/api/v1/guests", { user: null, localAddress, headers: { cookie: `PVEAuthCookie=${madeUp(n)}` } });
  const statuses: number[] = [];
  for (let n = 0; n < 60; n++) statuses.push((await from("127.0.0.1", n)).status);
  assert.deepEqual([statuses[0], statuses.at(-1)], [401, 429]);
  assert.equal(api.asked(), 20);
  assert.equal((await from("127.0.0.2", 1000)).status, 401);
  assert.equal(api.asked(), 21);
});

test("many people behind one address, each with a good ticket, don't have to wait", async (t) => {
  const { ask, lab, clock } = await startGateway(t);
  for (let n = 0; n < 60; n++) {
    const cookie = `PVEAuthCookie=${encodeURIComponent(lab.ticket("root@pam"))}`;
    assert.equal((await ask("/api/v1/guests", { user: null, headers: { cookie } })).status, 200);
    await clock.advance(1000); // another second, another ticket
  }
});

test("who has a network of IPv6 is counted as one, whichever of its addresses he comes from", () => {
  const places = (...addresses: string[]) => new Set(addresses.map((address) => placeOf(address))).size;
  assert.equal(places("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:DB8:1:2::"), 1);
  assert.equal(places("2001:db8:1:2::1", "2001:db8:1:3::1", "2001:db8::1"), 3);
  assert.equal(places("::ffff:192.0.2.1", "192.0.2.1"), 1);
  assert.equal(places("192.0.2.1", "192.0.2.2", "::ffff:192.0.2.3"), 3);
  assert.equal(places("fe80::1%vmbr0", "fe80::2%vmbr0"), 2, "a link's addresses are everybody's");
});

test("no way of writing a path leads out of the panel's folder, here or at the hub", async (t) => {
  const { lab, gateway, hub } = await startGateway(t);
  mkdirSync(join(lab.dir, "panel"), { recursive: true });
  writeFileSync(join(lab.dir, "panel", "main.js"), "panel");
  writeFileSync(join(lab.dir, "outside.js"), "secret");
  hub.answer = ({ path }) => ({ status: 404, body: `hub ${path}` });
  const ways = [
    "../outside.js",
    "..%2foutside.js",
    "%2e%2e/outside.js",
    "..\\outside.js",
    "x/../../outside.js",
    "main.js%00",
    "/../outside.js",
  ];
  for (const way of ways) {
    const socket = await speak(gateway.port, `GET /panel/${way} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`);
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    const answer = Buffer.concat(chunks).toString("latin1");
    assert.match(answer, /^HTTP\/1\.1 (404|400) /, way);
    assert.doesNotMatch(answer, /secret/, way);
  }
  assert.deepEqual(
    hub.requests.filter(({ path }) => path.includes("..") || path.includes("%")),
    [],
  );
});

test("a page whose name was turned to a node's address gets nothing: the ticket's cookie doesn't come along", async (t) => {
  const { ask, hub } = await startGateway(t);
  const rebound = { host: "evil.example:8421", origin: "https://evil.example:8421" };
  assert.equal((await ask("/api/v1/guests", { user: null, origin: null, headers: rebound })).status, 401);
  const write = { ...rebound, "proven-request": "1" };
  assert.equal(
    (await ask("/api/v1/silences", { method: "POST", body: "{}", user: null, origin: null, headers: write })).status,
    401,
  );
  assert.equal(hub.requests.length, 0);
});

test("a ticket that a neighbour of the node's domain put in place acts for nobody else", async (t) => {
  const { ask, hub, lab } = await startGateway(t);
  const both = (first: string, second: string) =>
    `PVEAuthCookie=${encodeURIComponent(lab.ticket(first))}; PVEAuthCookie=${encodeURIComponent(lab.ticket(second))}`;
  const write = { method: "POST", body: "{}", user: null } as const;
  const sent = (cookie: string) => ({ cookie, csrfpreventiontoken: lab.csrfToken("alice@pve"), "proven-request": "1" });
  // Alice's page with a token of hers: a foreign ticket that comes first is not her, and writes nothing.
  assert.equal((await ask("/api/v1/silences", { ...write, headers: sent(both("bob@pve", "alice@pve")) })).status, 403);
  assert.equal(hub.requests.length, 0);
  await ask("/api/v1/silences", { ...write, headers: sent(both("alice@pve", "bob@pve")) });
  assert.deepEqual([...new Set(hub.requests.map(({ assertion }) => assertion?.user))], ["alice@pve"]);
});

test("who never ends his handshake, his headers or his body is cut off by the gateway", async (t) => {
  const times = { handshakeTimeout: 2000, headersTimeout: 2000, requestTimeout: 2200, connectionsCheckingInterval: 100 };
  const { gateway, ask } = await startGateway(t, { times });
  const slow: Socket[] = [
    connectTcp(gateway.port, "127.0.0.1").on("error", () => undefined),
    await speak(gateway.port, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "),
    await speak(gateway.port, "POST /api/v1/silences HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\na"),
  ];
  const ended = slow.map((socket) => once(socket.resume(), "close"));
  assert.equal((await ask("/api/v1/guests")).status, 200);
  await Promise.all(ended);
});

test("one address holds few of the gateway's connections", async (t) => {
  const { gateway } = await startGateway(t, { times: { handshakeTimeout: 600_000 } });
  const sockets: Socket[] = [];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  const open = () => {
    const socket = connectTcp({ port: gateway.port, host: "127.0.0.1", localAddress: "127.0.0.2" }).on("error", () => undefined);
    sockets.push(socket.resume());
    return socket;
  };
  await Promise.all(Array.from({ length: connectionsPerAddress }, () => once(open(), "connect")));
  await once(open(), "close");
  sockets[0]?.destroy();
  const other = await speak(gateway.port, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
  other.resume();
  await once(other, "close");
});
