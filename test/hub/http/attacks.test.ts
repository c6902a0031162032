import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { gzipSync } from "node:zlib";
import { getRequestListener } from "@hono/node-server";
import { parseEntityKey, parseUpid } from "#protocol/ids.ts";
import { parseAlertId } from "../../../hub/core/alert-id.ts";
import { parseCalendar } from "../../../hub/core/calendar.ts";
import { parseApiKey, parseBearer } from "../../../hub/core/keys.ts";
import { globMatcher } from "../../../hub/core/scope.ts";
import { parseExpression } from "../../../hub/core/scope-expression.ts";
import { parseTemplate } from "../../../hub/core/template.ts";
import { createApp } from "../../../hub/http/app.ts";
import { FakeLogins } from "../../support/fake-logins.ts";
import { type TestHub, testHub } from "../../support/test-hub.ts";

/** Rows of docs/SECURITY.md about the hub's port that have no test of their own elsewhere. */

/** The whole answer to these bytes, as a client gets it that keeps to no rules. */
async function sendRaw(port: number, text: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.write(text);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("latin1");
}

async function listening(t: TestContext, hub: TestHub): Promise<number> {
  const server = createServer(getRequestListener(hub.app.fetch)).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

const json = { "Content-Type": "application/json" };

test("no way of writing a path leads out of the panel's folder", async (t) => {
  const hub = testHub(t);
  const folder = hub.config.panel;
  mkdirSync(join(folder, "chunks"), { recursive: true });
  writeFileSync(join(folder, "index.html"), "the panel");
  writeFileSync(join(folder, ".env"), "secret");
  writeFileSync(join(folder, "..", "outside.js"), "secret");
  mkdirSync(`${folder}-more`);
  writeFileSync(join(`${folder}-more`, "a.js"), "secret");
  symlinkSync("index.html", join(folder, "alias.html"));
  const port = await listening(t, hub);
  const ways = [
    ...[
      "/../outside.js",
      "/..%2foutside.js",
      "/%2e%2e/outside.js",
      "/%2e%2e%2foutside.js",
      "/..%5coutside.js",
      "/..\\outside.js",
    ],
    ...["/chunks/../../outside.js", "/chunks/..%2f..%2foutside.js", "/%252e%252e/outside.js", "//outside.js", "/./../outside.js"],
    ...[
      "/.env",
      "/%2eenv",
      "/chunks/../.env",
      "/index.html%00.js",
      "/..;/outside.js",
      "/..%c0%afoutside.js",
      "/../panel-more/a.js",
    ],
    ...["http://hub.lan/../outside.js", "/outside.js?/../../", "/chunks/%2e%2e/%2e%2e/outside.js"],
  ];
  for (const way of ways) {
    const answer = await sendRaw(port, `GET ${way} HTTP/1.1\r\nHost: hub.lan\r\nConnection: close\r\n\r\n`);
    assert.match(answer, /^HTTP\/1\.1 (404|400) /, way);
    assert.doesNotMatch(answer, /secret/, way);
  }
  assert.match(
    await sendRaw(port, "GET / HTTP/1.1\r\nHost: hub.lan\r\nConnection: close\r\n\r\n"),
    /^HTTP\/1\.1 200 .*the panel$/s,
  );
});

test("a page whose name was turned to the hub's address has no session there, and no cookie that would make one", async (t) => {
  const hub = testHub(t);
  const app = createApp({ ...hub.httpPorts, logins: new FakeLogins(() => hub.clock.now()) });
  const rebound = { Host: "evil.example:8420", Origin: "https://evil.example:8420", "Sec-Fetch-Site": "same-origin" };
  const document = await app.request("https://hub.lan/api/v1/openapi.json", {
    headers: { Authorization: `Bearer ${hub.newKey("read")}` },
  });
  const { paths } = (await document.json()) as { paths: Record<string, Record<string, { security?: unknown[] }>> };
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, { security }] of Object.entries(methods)) {
      if (security !== undefined) continue; // where one signs in: it takes a key or a password
      const url = `https://evil.example:8420${path.replace(/\{[a-z]+\}/g, "x")}`;
      const answer = await app.request(url, { method: method.toUpperCase(), headers: { ...rebound, "X-Proven": "1" } });
      assert.equal(answer.status, 401, `${method} ${path}`);
    }
  }
  // A browser gives a cookie to the very host that set it: neither has a Domain, and the prefix keeps others from having one.
  const body = JSON.stringify({ key: hub.newKey("read") });
  const byKey = await app.request("https://hub.lan/api/v1/session", {
    method: "POST",
    headers: { ...json, Host: "hub.lan" },
    body,
  });
  const login = JSON.stringify({ user: "bob", realm: "pve", password: "right" });
  const byPassword = await app.request("https://hub.lan/api/v1/session/login", {
    method: "POST",
    headers: { ...json, Host: "hub.lan" },
    body: login,
  });
  for (const answer of [byKey, byPassword]) {
    const [cookie = ""] = answer.headers.getSetCookie();
    assert.match(cookie, /^__Host-/);
    assert.doesNotMatch(cookie, /domain/i);
  }
});

test("a cookie that a neighbour of the hub's domain put in place is no session", async (t) => {
  const hub = testHub(t);
  const signedIn = await hub.app.request("https://hub.lan/api/v1/session", {
    method: "POST",
    headers: { ...json, Host: "hub.lan" },
    body: JSON.stringify({ key: hub.newKey("read") }),
  });
  const value = /^__Host-proven_session=([0-9a-f]{64});/.exec(signedIn.headers.getSetCookie()[0] ?? "")?.[1];
  assert.ok(value !== undefined);
  const status = async (cookie: string) =>
    (await hub.app.request("https://hub.lan/api/v1/nodes", { headers: { Host: "hub.lan", Cookie: cookie } })).status;
  assert.equal(await status(`__Host-proven_session=${value}`), 200);
  // What a neighbour can set has no prefix, whatever its value.
  for (const name of ["proven_session", "__host-proven_session", "__Secure-proven_session", "proven_login"])
    assert.equal(await status(`${name}=${value}`), 401, name);
});

test("a packed body is not unpacked, so a small request can't become a large one", async (t) => {
  const hub = testHub(t);
  const bomb = gzipSync(Buffer.alloc(64 << 20, 32));
  assert.ok(bomb.length < 1 << 20);
  for (const encoding of ["gzip", "deflate", "br"]) {
    const answer = await hub.app.request("https://hub.lan/api/v1/series/query", {
      method: "POST",
      headers: { ...json, Authorization: `Bearer ${hub.newKey("read")}`, "Content-Encoding": encoding },
      body: bomb,
    });
    assert.equal(answer.status, 400, encoding);
  }
});

test("two lengths, two ends or a line end in a header are no second request", async (t) => {
  const hub = testHub(t);
  const port = await listening(t, hub);
  const head = "POST /api/v1/session HTTP/1.1\r\nHost: hub.lan\r\nContent-Type: application/json\r\n";
  const hidden = "GET /index.html HTTP/1.1\r\nHost: hub.lan\r\n\r\n";
  for (const [name, text] of [
    ["length and chunks", `${head}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`],
    ["two lengths", `${head}Content-Length: 4\r\nContent-Length: 60\r\n\r\n{}  ${hidden}`],
    ["a bare line end", `${head}X-A: b\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`],
    ["a folded header", `${head}Transfer-Encoding:\r\n chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n${hidden}`],
  ] as const) {
    const answer = await sendRaw(port, text);
    assert.equal(answer.match(/HTTP\/1\.1 /g)?.length, 1, `${name}: ${answer}`);
    assert.match(answer, /^HTTP\/1\.1 400 /, name);
  }
});

test("keys of JSON that mean something in JavaScript change no object", async (t) => {
  const hub = testHub(t);
  const key = hub.newKey("read", "write", "admin");
  const bodies = [
    '{"__proto__":{"polluted":1}}',
    '{"constructor":{"prototype":{"polluted":1}}}',
    '{"scope":{"__proto__":{"polluted":1}}}',
  ];
  for (const path of [
    "rules",
    "silences",
    "windows",
    "routes",
    "receivers",
    "policies",
    "layout",
    "keys",
    "session",
    "series/query",
    "rules/validate",
  ]) {
    for (const body of bodies) {
      for (const method of ["POST", "PUT"]) {
        const headers = { ...json, Authorization: `Bearer ${key}` };
        const answer = await hub.app.request(`https://hub.lan/api/v1/${path}`, { method, headers, body });
        assert.ok(answer.status < 500, `${method} ${path}`);
        await hub.clock.advance(100);
      }
    }
  }
  assert.equal(({} as { polluted?: unknown }).polluted, undefined);
});

test("no text is so made that the hub thinks about it for long", () => {
  const long = (piece: string) => piece.repeat(Math.floor(60_000 / piece.length));
  const pieces = [
    "a",
    " ",
    "*",
    "a*",
    "(",
    "not ",
    "tag=",
    '"',
    "{",
    "{{",
    "{#alerts}",
    "0",
    "/",
    ":",
    ",",
    "..",
    "-",
    "\n",
    "=",
    "pvn_",
    "UPID:",
    "é",
  ];
  const parsers: Record<string, (text: string) => unknown> = {
    expression: parseExpression,
    pattern: (text) => globMatcher(text.slice(0, 1000))(long("a")),
    calendar: parseCalendar,
    template: parseTemplate,
    alert: parseAlertId,
    bearer: parseBearer,
    key: parseApiKey,
    entity: parseEntityKey,
    upid: parseUpid,
  };
  for (const [name, parse] of Object.entries(parsers)) {
    const before = process.cpuUsage();
    for (const piece of pieces) {
      parse(`${long(piece)}!`);
      parse(`tag=${long(piece)}`);
    }
    const { user } = process.cpuUsage(before);
    assert.ok(user < 10_000_000, `${name} took ${Math.round(user / 1000)} ms of the processor`);
  }
});
