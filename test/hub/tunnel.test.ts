import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, connect, type LookupFunction } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { generate } from "selfsigned";
import { parseConfig } from "../../hub/config.ts";
import type { OutgoingRules } from "../../hub/core/outgoing-url.ts";
import { OutgoingClient, type OutgoingOptions } from "../../hub/outgoing.ts";
import { openProxy } from "../../hub/tunnel.ts";
import { temporaryDir } from "../support/temporary-dir.ts";

const outside: OutgoingRules = { allowPrivate: false, allowLoopback: false };
const unknownHere: LookupFunction = (name, _, callback) => callback(Object.assign(new Error(`ENOTFOUND ${name}`)), "");

/** A server outside that only the proxy finds, and the proxy. */
async function setUp(t: TestContext, { refusal }: { refusal?: string } = {}) {
  const { private: key, cert } = await generate([{ name: "commonName", value: "hooks.example" }], {
    extensions: [{ name: "subjectAltName", altNames: [{ type: 2, value: "hooks.example" }] }],
  });
  const server = createTlsServer({ key, cert }, (request, response) => response.end(`heard ${request.url}`)).listen(
    0,
    "127.0.0.1",
  );
  await once(server, "listening");
  const asked: string[] = [];
  const proxy = createServer((_, response) => response.end()).listen(0, "127.0.0.1");
  await once(proxy, "listening");
  proxy.on("connect", (request, socket) => {
    asked.push(`${request.url} ${request.headers["proxy-authorization"] ?? "-"}`);
    if (refusal !== undefined) return socket.end(`HTTP/1.1 ${refusal}\r\n\r\n`);
    const there = connect((server.address() as AddressInfo).port, "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      there.pipe(socket).pipe(there);
    });
    for (const end of [there, socket]) end.on("error", () => undefined);
  });
  const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const client = (rules: OutgoingRules, options: OutgoingOptions = {}) => {
    const made = new OutgoingClient(rules, { ca: cert, proxy: openProxy({ url }), resolve: unknownHere, ...options });
    t.after(() => made.close());
    return made;
  };
  t.after(() => {
    for (const one of [server, proxy]) {
      one.closeAllConnections();
      one.close();
    }
  });
  return { client, asked, url };
}

const ask = (url: string) => ({
  url: new URL(url),
  method: "GET" as const,
  headers: {},
  timeoutMs: 5000,
  answerMaxBytes: 1000,
});

test("proxy: what is outside is asked through the proxy, which finds its name; one tunnel serves several requests", async (t) => {
  const { client, asked } = await setUp(t);
  const sender = client(outside);
  for (const path of ["/first", "/second"]) {
    const sent = await sender.send(ask(`https://hooks.example${path}`));
    assert.equal(sent.ok && sent.answer.body.toString(), `heard ${path}`);
  }
  assert.deepEqual(asked, ["hooks.example:443 -"]);
});

test("proxy: the certificate is the server's own, and has to fit its name", async (t) => {
  const { client } = await setUp(t);
  const sent = await client(outside).send(ask("https://other.example/"));
  assert.match(sent.ok ? "" : sent.problem, /does not match certificate's altnames/);
});

test("proxy: its user is told to it, from a file that holds the password", async (t) => {
  const { client, asked, url } = await setUp(t);
  const password_file = join(temporaryDir(t), "password");
  writeFileSync(password_file, "secret\n");
  await client(outside, { proxy: openProxy({ url, username: "hub", password_file }) }).send(ask("https://hooks.example/"));
  assert.deepEqual(asked, [`hooks.example:443 Basic ${Buffer.from("hub:secret").toString("base64")}`]);
});

test("proxy: one that refuses is told with what it says", async (t) => {
  const { client, url } = await setUp(t, { refusal: "407 Proxy Authentication Required" });
  const sent = await client(outside).send(ask("https://hooks.example/"));
  const problem = `the proxy ${new URL(url).host} refused: 407 Proxy Authentication Required`;
  assert.deepEqual(sent, { ok: false, reason: "unreachable", problem });
});

test("proxy: the own network is no way round it: a name that is known to be inside, and an address, are refused as without a proxy", async (t) => {
  const { client, asked } = await setUp(t);
  const inside: LookupFunction = (_, __, callback) => callback(null, [{ address: "192.168.1.10", family: 4 }]);
  for (const [url, options] of [
    ["https://nas.example/", { resolve: inside }],
    ["https://192.168.1.10/", {}],
    ["https://169.254.169.254/", {}],
    ["http://hooks.example/", { resolve: inside }],
  ] as const) {
    const sent = await client(outside, options).send(ask(url));
    assert.deepEqual([sent.ok, !sent.ok && sent.reason], [false, "forbidden"], url);
  }
  assert.deepEqual(asked, []);
});

test("proxy: what may be in the own network is asked directly", async (t) => {
  const { client, asked } = await setUp(t);
  const sent = await client({ ...outside, allowPrivate: true }).send(ask("https://hooks.example/"));
  assert.match(sent.ok ? "" : sent.problem, /ENOTFOUND/);
  assert.deepEqual(asked, []);
});

test("proxy: its password stands in a file of its own, not in its address", () => {
  const proxy = (text: string) => parseConfig(`[proxy]\n${text}\n`).proxy;
  assert.deepEqual(proxy('url = "http://proxy:3128"'), { url: "http://proxy:3128" });
  assert.throws(() => proxy('url = "http://hub:secret@proxy:3128"'), /credentials don't belong in the URL/);
  assert.throws(() => proxy('url = "http://proxy:3128"\nusername = "hub"'), /username with password_file/);
  assert.throws(() => proxy('url = "socks5://proxy:1080"'), /must be http:/);
});
