import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, LookupFunction } from "node:net";
import { type TestContext, test } from "node:test";
import { generate } from "selfsigned";
import { OutgoingClient, type OutgoingRequest } from "../../hub/outgoing.ts";

async function serve(t: TestContext, answer: RequestListener): Promise<number> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

const ask = (url: string, more: Partial<OutgoingRequest> = {}): OutgoingRequest => ({
  url: new URL(url),
  method: "GET",
  headers: {},
  timeoutMs: 5000,
  answerMaxBytes: 1000,
  ...more,
});
const open = { allowPrivate: true, allowLoopback: true };
const strict = { allowPrivate: false, allowLoopback: false };
/** A DNS that answers with these addresses. */
const resolvesTo =
  (...addresses: string[]): LookupFunction =>
  (_, __, callback) =>
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
    );

function client(t: TestContext, ...parameters: ConstructorParameters<typeof OutgoingClient>): OutgoingClient {
  const made = new OutgoingClient(...parameters);
  t.after(() => made.close());
  return made;
}

test("outgoing: a name that resolves to a closed address is refused without a connection", async (t) => {
  let requests = 0;
  const port = await serve(t, (_, response) => {
    requests++;
    response.end();
  });
  const sent = await client(t, strict, { resolve: resolvesTo("127.0.0.1") }).send(ask(`http://rebound.example:${port}/`));
  assert.deepEqual(sent, {
    ok: false,
    reason: "forbidden",
    problem: "rebound.example: 127.0.0.1 is this machine: set allow_loopback = true if that is meant",
  });
  assert.equal(requests, 0);
});

test("outgoing: a name is asked for once, and the connection goes to the address that was checked", async (t) => {
  const port = await serve(t, (_, response) => response.end("checked"));
  let asked = 0;
  const rebinding: LookupFunction = (hostname, options, callback) =>
    resolvesTo(asked++ === 0 ? "127.0.0.1" : "169.254.169.254")(hostname, options, callback);
  const sender = client(t, open, { resolve: rebinding });
  const first = await sender.send(ask(`http://rebinding.example:${port}/`));
  assert.equal(first.ok && first.answer.body.toString(), "checked");
  assert.equal(asked, 1);
  const later = await sender.send(ask(`http://rebinding.example:${port + 1}/`));
  assert.deepEqual([later.ok, !later.ok && later.reason], [false, "forbidden"]);
});

test("outgoing: of several addresses only an allowed one is connected to", async (t) => {
  const port = await serve(t, (request, response) => response.end(request.headers.host));
  const resolve = resolvesTo("169.254.169.254", "127.0.0.1");
  const sent = await client(t, open, { resolve }).send(ask(`http://mixed.example:${port}/`));
  assert.equal(sent.ok && sent.answer.body.toString(), `mixed.example:${port}`);
});

test("outgoing: redirects on the same server are followed with method and content, to another they are not", async (t) => {
  const seen: string[] = [];
  const port = await serve(t, async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString();
    seen.push(`${request.method} ${request.url} ${body}`);
    if (request.url === "/here") response.writeHead(308, { location: "/there" }).end();
    else if (request.url === "/away") response.writeHead(307, { location: `http://127.0.0.2:${port}/` }).end();
    else if (request.url === "/round") response.writeHead(307, { location: "/round" }).end();
    else response.end("done");
  });
  const post = { method: "POST", body: Buffer.from("samples") } as const;
  const here = await client(t, open).send(ask(`http://127.0.0.1:${port}/here`, post));
  assert.equal(here.ok && here.answer.body.toString(), "done");
  assert.deepEqual(seen, ["POST /here samples", "POST /there samples"]);
  const away = await client(t, open).send(ask(`http://127.0.0.1:${port}/away`, post));
  assert.deepEqual(away, {
    ok: false,
    reason: "forbidden",
    problem: `redirected to http://127.0.0.2:${port}: another server is not followed`,
  });
  const round = await client(t, open).send(ask(`http://127.0.0.1:${port}/round`));
  assert.deepEqual(round, { ok: false, reason: "forbidden", problem: "more than 3 redirects" });
});

test("outgoing: an answer that is too long, and one that never comes, end as problems", async (t) => {
  const port = await serve(t, (request, response) => {
    if (request.url === "/long") response.end("x".repeat(2000));
  });
  const long = await client(t, open).send(ask(`http://127.0.0.1:${port}/long`));
  assert.deepEqual(long, { ok: false, reason: "unreachable", problem: "the answer is longer than 1000 bytes" });
  const never = await client(t, open).send(ask(`http://127.0.0.1:${port}/never`, { timeoutMs: 50 }));
  assert.deepEqual(never, { ok: false, reason: "unreachable", problem: "no answer within 50 ms" });
});

test("outgoing: a certificate nobody vouches for is refused, one named by ca_file is accepted", async (t) => {
  const { cert, private: key } = await generate([{ name: "commonName", value: "vm.example" }], {
    keyType: "ec",
    extensions: [{ name: "subjectAltName", altNames: [{ type: 2, value: "vm.example" }] }],
  });
  const server = createTlsServer({ cert, key }, (_, response) => response.end("over TLS")).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `https://vm.example:${(server.address() as AddressInfo).port}/`;
  const resolve = resolvesTo("127.0.0.1");
  const unknown = await client(t, open, { resolve }).send(ask(url));
  assert.deepEqual([unknown.ok, !unknown.ok && unknown.reason], [false, "unreachable"]);
  const trusted = await client(t, open, { resolve, ca: cert }).send(ask(url));
  assert.equal(trusted.ok && trusted.answer.body.toString(), "over TLS");
  const other = await client(t, open, { resolve, ca: cert }).send(ask(url.replace("vm.example", "other.example")));
  assert.equal(other.ok, false);
});
