import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { generate } from "selfsigned";
import { createPbsApi } from "../../../agent/pbs/client.ts";
import { FakeClock, settle } from "../../support/fake-clock.ts";

type Seen = { method: string | undefined; url: string | undefined; headers: IncomingMessage["headers"]; body: string };

/** A server with a certificate of its own; `answer` writes what it likes. */
async function startServer(context: TestContext, answer: (seen: Seen, response: ServerResponse) => void) {
  const { cert, private: key } = await generate([{ name: "commonName", value: "pbs" }], { keyType: "ec" });
  const requests: Seen[] = [];
  const server = createServer({ cert, key }, async (request, response) => {
    let body = "";
    for await (const chunk of request) body += String(chunk);
    const seen = { method: request.method, url: request.url, headers: request.headers, body };
    requests.push(seen);
    answer(seen, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const place = { server: "127.0.0.1", port, fingerprint: new X509Certificate(cert).fingerprint256 };
  return { place, requests, clock: new FakeClock() };
}

const token = { user: "monitor@pbs!pve", secret: "s3cret" };
const json = (response: ServerResponse, data: unknown) => response.end(JSON.stringify({ data }));

test("an API token goes with every request, to a server that showed the pinned certificate", async (context) => {
  const { place, requests, clock } = await startServer(context, (_, response) => json(response, { total: 5 }));
  const api = createPbsApi(place, token, clock);
  assert.deepEqual(await api.get("/admin/datastore/main/status", { verbose: "1" }), { ok: true, data: { total: 5 } });
  assert.equal(requests[0]?.url, "/api2/json/admin/datastore/main/status?verbose=1");
  assert.equal(requests[0]?.headers.authorization, "PBSAPIToken=monitor@pbs!pve:s3cret");
});

test("a server with another certificate is told nothing, not even the request", async (context) => {
  const { place, requests, clock } = await startServer(context, (_, response) => json(response, 1));
  const other = `${"AB:".repeat(31)}AB`;
  const result = await createPbsApi({ ...place, fingerprint: other }, token, clock).get("/version");
  assert.deepEqual(result, {
    ok: false,
    status: 0,
    problem: `its certificate has fingerprint ${place.fingerprint}, storage.cfg says ${other}`,
  });
  assert.equal(requests.length, 0);
});

test("without a pin the certificate must be one the node trusts", async (context) => {
  const { place, requests, clock } = await startServer(context, (_, response) => json(response, 1));
  const result = await createPbsApi({ server: place.server, port: place.port }, token, clock).get("/version");
  assert.deepEqual([result.ok, requests.length], [false, 0]);
});

for (const [where, setsCookie] of [
  ["in the body", false],
  ["as a cookie alone", true],
] as const) {
  test(`a password buys a ticket once, whether the server gives it ${where}`, async (context) => {
    const { place, requests, clock } = await startServer(context, ({ url }, response) => {
      if (url !== "/api2/json/access/ticket") return json(response, "fine");
      if (!setsCookie) return json(response, { ticket: "PBS:me:1+2::x=" });
      response.setHeader("Set-Cookie", "__Host-PBSAuthCookie=PBS%3Ame; Secure; HttpOnly; Path=/");
      return json(response, { username: "me@pbs" });
    });
    const api = createPbsApi(place, { user: "me@pbs", secret: "p&ss" }, clock);
    assert.deepEqual(await api.get("/version"), { ok: true, data: "fine" });
    assert.deepEqual(await api.get("/version"), { ok: true, data: "fine" });
    assert.deepEqual(
      requests.map(({ method, url }) => [method, url]),
      [
        ["POST", "/api2/json/access/ticket"],
        ["GET", "/api2/json/version"],
        ["GET", "/api2/json/version"],
      ],
    );
    assert.equal(requests[0]?.body, "username=me%40pbs&password=p%26ss");
    const cookie = setsCookie ? "__Host-PBSAuthCookie=PBS%3Ame" : "PBSAuthCookie=PBS%3Ame%3A1%2B2%3A%3Ax%3D";
    assert.equal(requests[1]?.headers.cookie, cookie);
  });
}

test("a ticket that is refused is not used again", async (context) => {
  let refuse = true;
  const { place, requests, clock } = await startServer(context, ({ url }, response) => {
    if (url === "/api2/json/access/ticket") return json(response, { ticket: "t" });
    if (!refuse) return json(response, "fine");
    response.statusCode = 401;
    return response.end("authentication failed - ticket expired");
  });
  const api = createPbsApi(place, { user: "me@pbs", secret: "x" }, clock);
  assert.deepEqual(await api.get("/version"), { ok: false, status: 401, problem: "authentication failed - ticket expired" });
  refuse = false;
  assert.deepEqual(await api.get("/version"), { ok: true, data: "fine" });
  assert.equal(requests.filter(({ method }) => method === "POST").length, 2);
});

test("a long list is handed over item by item; one that breaks off is no list", async (context) => {
  const { place, clock } = await startServer(context, ({ url }, response) => {
    const list = Array.from({ length: 5000 }, (_, index) => ({ "backup-time": index + 1, comment: "ü".repeat(40) }));
    const text = JSON.stringify({ data: list });
    response.end(url?.includes("broken") ? text.slice(0, -20) : text);
  });
  const api = createPbsApi(place, token, clock);
  let sum = 0;
  const count = await api.each("/snapshots", { ns: "a/b" }, (item) => {
    sum += Number(item["backup-time"]);
  });
  assert.deepEqual([count, sum], [{ ok: true, data: 5000 }, 12_502_500]);
  assert.deepEqual(await api.each("/broken", {}, () => undefined), { ok: false, status: 0, problem: "the list is not JSON" });
});

test("a server that does not answer is given up after twenty seconds", async (context) => {
  const { place, requests, clock } = await startServer(context, () => undefined);
  const asked = createPbsApi(place, token, clock).get("/version");
  while (requests.length === 0) await settle();
  await clock.advance(20_000);
  assert.deepEqual(await asked, { ok: false, status: 0, problem: "no answer within 20 s" });
});
