import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { AnswerReader, HttpClient } from "../../../scripts/bench/http-client.ts";

const plain = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const chunked = "HTTP/1.1 503 Busy\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n";
const empty = "HTTP/1.1 204 No Content\r\n\r\n";

/** The answers that come when the bytes arrive in these pieces; an answer ends with a piece, as nobody asks before he has his answer. */
function answersOf(texts: readonly string[], pieceLength: number): string[] {
  const reader = new AnswerReader();
  return texts.flatMap((text) => {
    const bytes = Buffer.from(text, "latin1");
    const found: string[] = [];
    for (let at = 0; at < bytes.length; at += pieceLength) {
      const answer = reader.add(bytes.subarray(at, at + pieceLength));
      if (answer !== undefined) found.push(`${answer.status} ${answer.body}`);
    }
    return found;
  });
}

test("answers are the same however their bytes are cut", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 120 }), (pieceLength) => {
      assert.deepEqual(answersOf([plain, chunked, empty, plain], pieceLength), ["200 hello", "503 hello", "204 ", "200 hello"]);
    }),
  );
});

test("what is no answer, or has no length, is an error", () => {
  assert.throws(() => answersOf(["SSH-2.0-x\r\n\r\n"], 100), /no answer of HTTP/);
  assert.throws(() => answersOf(["HTTP/1.1 200 OK\r\n\r\nhello"], 100), /without a length/);
});

test("questions in a row share a connection, and one that the server closed is not used again", async (t) => {
  let connections = 0;
  const server = createServer((request, response) => {
    if (request.url === "/last") response.setHeader("connection", "close");
    request.pipe(response, { end: false });
    request.on("end", () => response.end(request.url));
  });
  server.on("connection", () => connections++);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const client = new HttpClient((server.address() as AddressInfo).port, false);
  t.after(() => {
    client.close();
    server.close();
  });
  const ask = async (path: string, body?: string) =>
    String(
      (await client.request(body === undefined ? "GET" : "POST", path, {}, body === undefined ? body : Buffer.from(body))).body,
    );
  assert.equal(await ask("/one"), "/one");
  assert.equal(await ask("/two", "x".repeat(100_000)), `${"x".repeat(100_000)}/two`);
  assert.equal(await ask("/last"), "/last");
  assert.equal(connections, 1);
  assert.equal(await ask("/next"), "/next");
  assert.equal(connections, 2);
});
