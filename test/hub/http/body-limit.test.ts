import assert from "node:assert/strict";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import { getRequestListener } from "@hono/node-server";
import { Hono } from "hono";
import { Refusal } from "../../../hub/core/refusal.ts";
import { limitBody } from "../../../hub/http/body-limit.ts";
import type { HubEnv } from "../../../hub/http/env.ts";
import { answerRefusal } from "../../../hub/http/errors.ts";

const app = new Hono<HubEnv>();
app.onError((error, c) => {
  assert.ok(error instanceof Refusal);
  return answerRefusal(c, error);
});
app.use(limitBody(8));
app.all("/", async (c) => c.text(await c.req.text()));
const server = createServer(getRequestListener(app.fetch));

/** Without `length` the body is sent in chunks. */
function post(body: string, length: string | undefined): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const { port } = server.address() as AddressInfo;
    const headers = length === undefined ? {} : { "Content-Length": length };
    const call = request({ host: "127.0.0.1", port, method: "POST", headers }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    call.on("error", reject);
    if (length === undefined) call.write(body.slice(0, 1));
    call.end(length === undefined ? body.slice(1) : body);
  });
}

describe("the limit of request bodies", () => {
  before(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  it("lets a body of just the limit through, whether its length was told or not", async () => {
    assert.deepEqual(await post("12345678", "8"), { status: 200, text: "12345678" });
    assert.deepEqual(await post("12345678", undefined), { status: 200, text: "12345678" });
  });

  it("refuses one byte more, told or not", async () => {
    assert.equal((await post("123456789", "9")).status, 413);
    assert.equal((await post("123456789", undefined)).status, 413);
  });

  it("has nothing to say of a request without a body", async () => {
    assert.deepEqual(await post("", "0"), { status: 200, text: "" });
  });
});
