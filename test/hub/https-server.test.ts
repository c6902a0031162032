import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:https";
import { type AddressInfo, connect as connectTcp, createServer, type Server, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { type TestContext, test } from "node:test";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { generate } from "selfsigned";
import { ConnectionBook, placeOfPeer } from "../../hub/core/connections.ts";
import { createHubServer, listen, type ServerBounds, serverBounds } from "../../hub/https-server.ts";

const certificate = generate([{ name: "commonName", value: "proven-hub" }], { keyType: "ec" });

/** The hub's port with an answer of two bytes; each address of 127/8 counts as a place of its own. */
async function startPort(t: TestContext, bounds: Partial<ServerBounds>) {
  const { cert, private: key } = await certificate;
  const server = createHubServer(
    { cert, key },
    (_, response) => response.end("ok"),
    { ...serverBounds, ...bounds },
    (address) => address,
  );
  const kept: Socket[] = [];
  server.on("connection", (socket) => {
    if (!socket.destroyed) kept.push(socket as Socket);
  });
  server.listen(0, "0.0.0.0");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, kept };
}

/** A whole request over a connection of its own, from `localAddress`. */
async function ask(port: number, localAddress = "127.0.0.9"): Promise<number | undefined> {
  const call = request({ host: "127.0.0.1", port, localAddress, rejectUnauthorized: false, agent: false }).end();
  const [response] = await once(call, "response");
  response.resume();
  return response.statusCode;
}

async function speakTls(port: number, text: string): Promise<TLSSocket> {
  const socket = connectTls({ host: "127.0.0.1", port, rejectUnauthorized: false });
  socket.on("error", () => undefined);
  await once(socket, "secureConnect");
  socket.write(text);
  socket.resume();
  return socket;
}

test("who never ends his handshake, his headers or his body is cut off, and others are served meanwhile", async (t) => {
  const { port } = await startPort(t, { handshakeMs: 2000, headersMs: 2000, requestMs: 2200, checkEveryMs: 100 });
  const silent = connectTcp(port, "127.0.0.1").on("error", () => undefined);
  const slow = [
    silent.resume(),
    connectTcp(port, "127.0.0.1")
      .on("error", () => undefined)
      .resume(),
    await speakTls(port, "GET / HTTP/1.1\r\nHost: hub.lan\r\nX-Slow: "),
    await speakTls(port, "POST / HTTP/1.1\r\nHost: hub.lan\r\nContent-Length: 1000\r\n\r\na"),
    await speakTls(port, "POST / HTTP/1.1\r\nHost: hub.lan\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"),
  ];
  slow[1]?.write(Buffer.from([0x16, 3, 1, 0x40])); // the first bytes of a ClientHello
  const ended = slow.map((socket) => (socket.closed ? undefined : once(socket, "close")));
  assert.equal(await ask(port), 200);
  await Promise.all(ended);
});

test("ten thousand connections from one address are few, and leave the port to everybody else", async (t) => {
  const perPlace = 40; // instead of 500: the bound is the same code, and the test runs where few files may be open
  const { port, kept } = await startPort(t, { perPlace, handshakeMs: 600_000 });
  const attackers: Socket[] = [];
  t.after(() => {
    for (const socket of attackers) socket.destroy();
  });
  for (let wave = 0; wave < 20; wave++) {
    const tries = Array.from({ length: 500 }, async () => {
      const socket = connectTcp({ port, host: "127.0.0.1", localAddress: "127.0.0.2" }).on("error", () => undefined);
      attackers.push(socket.resume());
      await Promise.race([once(socket, "connect"), once(socket, "close")]);
    });
    await Promise.all(tries);
    assert.equal(await ask(port), 200, "somebody else");
  }
  assert.equal(kept.filter(({ remoteAddress }) => remoteAddress === "127.0.0.2").length, perPlace);
  assert.equal(attackers.length, 10_000);
});

test("more connections in all than there may be are dropped, and there is room again when some end", async (t) => {
  const { port, kept } = await startPort(t, { total: 3 });
  const held = await Promise.all(["a", "b", "c"].map(() => speakTls(port, "")));
  const late = connectTcp(port, "127.0.0.1")
    .on("error", () => undefined)
    .resume();
  await once(late, "close");
  held[0]?.destroy();
  await Promise.race(kept.map((socket) => (socket.closed ? undefined : once(socket, "close"))));
  assert.equal(await ask(port), 200);
  for (const socket of held) socket.destroy();
});

test("of one place so many connections are taken; the machine itself speaks for many", () => {
  const book = new ConnectionBook({ total: 4, perPlace: 2 });
  const entered = ["192.0.2.7", "192.0.2.7", "192.0.2.7", "127.0.0.1", "::1", "127.0.0.1"].map((address) =>
    book.enter(placeOfPeer(address)),
  );
  assert.deepEqual(entered, [true, true, false, true, true, false]);
  book.leave("192.0.2.7");
  assert.equal(book.enter("192.0.2.7"), true);
  assert.equal(book.size, 4);
});

/** Says no to each of `refused`, as a kernel does. */
function refusing(refused: readonly string[], code: string): { server: Server; tried: unknown[] } {
  const server = createServer();
  const tried: unknown[] = [];
  const listen = (where: { host: string }, done: () => void) => {
    tried.push(where.host);
    if (!refused.includes(where.host)) setImmediate(done);
    else setImmediate(() => server.emit("error", Object.assign(new Error(code), { code })));
    return server;
  };
  return { server: Object.assign(server, { listen }), tried };
}

test("by default the hub is reached by IPv6 and IPv4; where the kernel has no IPv6, by IPv4", async (t) => {
  const server = createServer((socket) => socket.end());
  await listen(server, { port: 0, host: "::" });
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const hasIpv6 = networkInterfaces().lo?.some(({ family }) => family === "IPv6") ?? false;
  for (const host of hasIpv6 ? ["127.0.0.1", "::1"] : ["127.0.0.1"]) {
    const socket = connectTcp({ host, port });
    await once(socket, "connect");
    socket.destroy();
  }
  const without = refusing(["::"], "EAFNOSUPPORT");
  await listen(without.server, { port: 8420, host: "::" });
  assert.deepEqual(without.tried, ["::", "0.0.0.0"]);
  const taken = refusing(["::"], "EADDRINUSE");
  await assert.rejects(listen(taken.server, { port: 8420, host: "::" }), { code: "EADDRINUSE" });
  assert.deepEqual(taken.tried, ["::"]);
});
