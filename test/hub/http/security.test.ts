import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import { getRequestListener } from "@hono/node-server";
import { Hono } from "hono";
import type { HubEnv } from "../../../hub/http/env.ts";
import { securityHeaders } from "../../../hub/http/security.ts";

const app = new Hono<HubEnv>();
app.use(securityHeaders);
app.get("/api/bytes", (c) => c.body(new Uint8Array([1, 2, 3]), 200, { "Content-Type": "application/octet-stream" }));
app.get("/api/secret", (c) => c.text("secret", 200, { "Cache-Control": "no-store" }));
app.get("/page", (c) => c.text("page"));
const server = createServer(getRequestListener(app.fetch));
/** As Node's server sends it, and as the app answers without one. */
const ways: [name: string, ask: (path: string) => Promise<Response>][] = [
  ["by Node's server", (path) => fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`)],
  ["by the app alone", async (path) => app.request(path)],
];

describe("the headers of every answer", () => {
  before(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  for (const [name, ask] of ways) {
    it(`forbid framing, sniffing and foreign scripts, ${name}`, async () => {
      for (const path of ["/api/bytes", "/page", "/nothing"]) {
        const { headers } = await ask(path);
        assert.match(headers.get("Content-Security-Policy") ?? "", /^default-src 'self'; .*frame-ancestors 'none'$/);
        assert.equal(headers.get("X-Content-Type-Options"), "nosniff");
        assert.equal(headers.get("X-Frame-Options"), "DENY");
        assert.equal(headers.get("Referrer-Policy"), "no-referrer");
        assert.equal(headers.get("Cross-Origin-Opener-Policy"), "same-origin");
        assert.equal(headers.get("Cross-Origin-Resource-Policy"), "same-origin");
      }
    });

    it(`keep answers of the API out of shared caches, and secrets out of all, ${name}`, async () => {
      const bytes = await ask("/api/bytes");
      assert.equal(bytes.headers.get("Cache-Control"), "private, no-cache");
      assert.equal(bytes.headers.get("Content-Type"), "application/octet-stream");
      assert.deepEqual(new Uint8Array(await bytes.arrayBuffer()), new Uint8Array([1, 2, 3]));
      assert.equal((await ask("/api/secret")).headers.get("Cache-Control"), "no-store");
      assert.equal((await ask("/page")).headers.get("Cache-Control"), null);
    });
  }

  it("tell the length of binary answers", async () => {
    const { headers } = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/api/bytes`);
    assert.equal(headers.get("Content-Length"), "3");
  });
});
