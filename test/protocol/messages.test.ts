import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeMessage, helloBytes, joinProofBytes, messages, parseMessage, parseMessageText } from "#protocol/messages.ts";
import { fc } from "../support/property.ts";

const hello = {
  node: "pve1",
  clusterId: "0123456789abcdef",
  publicKey: "MCowBQYDK2VwAyEA",
  signature: "c2ln",
  min: 1,
  max: 1,
  software: "0.1.0",
  stream: "0".repeat(32),
  sentAt: 1,
};

test("a message comes back as it was sent", () => {
  assert.deepEqual(parseMessageText(encodeMessage("hello", hello), "agent", 1), {
    ok: true,
    message: { type: "hello", body: hello },
  });
});

for (const [name, text, about, problem] of [
  ["no JSON", "{", "message", "not JSON"],
  ["no object", "[1]", "message", "no type and body"],
  ["a type from a prototype", '{"type":"constructor","body":{}}', "constructor", "unknown type for version 1"],
  ["a type nobody knows", '{"type":"nonsense","body":{}}', "nonsense", "unknown type for version 1"],
  ["a message of the hub from an agent", '{"type":"ack","body":{"seq":1}}', "ack", "unknown type for version 1"],
] as const) {
  test(`${name} is answered with what is wrong`, () => {
    assert.deepEqual(parseMessageText(text, "agent", 1), { ok: false, about, problem });
  });
}

test("a field too long or of another type is refused, and says which", () => {
  for (const [change, word] of [
    [{ node: "n".repeat(64) }, "node"],
    [{ clusterId: "0123456789ABCDEF" }, "clusterId"],
    [{ sentAt: -1 }, "sentAt"],
    [{ sentAt: 1.5 }, "sentAt"],
    [{ stream: "x" }, "stream"],
    [{ publicKey: "not base64!" }, "publicKey"],
    [{ join: { proof: "YQ==", token: "t" } }, "join"],
  ] as const) {
    const parsed = parseMessage({ type: "hello", body: { ...hello, ...change } }, "agent", 1);
    assert.equal(parsed.ok, false);
    assert.match(parsed.problem, new RegExp(word));
  }
});

test("a message newer than the agreed version is unknown", () => {
  const parsed = parseMessage({ type: "ack", body: { seq: 1 } }, "hub", 0);
  assert.deepEqual(parsed, { ok: false, about: "ack", problem: "unknown type for version 0" });
});

test("nothing the other side can send throws, and what is answered fits into an answer", () => {
  const type = fc.oneof(fc.constantFrom(...Object.keys(messages)), fc.string({ maxLength: 200 }));
  const message = fc.oneof(fc.anything(), fc.record({ type, body: fc.anything() }));
  fc.assert(
    fc.property(message, fc.constantFrom("agent", "hub"), (json, from) => {
      const parsed = parseMessage(json, from, 1);
      const answer = parsed.ok ? { about: "x", problem: "x" } : { about: parsed.about, problem: parsed.problem };
      assert.equal(parseMessage({ type: "problem", body: answer }, from, 1).ok, true);
    }),
  );
  fc.assert(
    fc.property(fc.string(), (text) => {
      parseMessageText(text, "hub", 1);
    }),
  );
});

test("what a hello signs and a join proves is fixed for ever", () => {
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("utf8");
  assert.equal(
    text(helloBytes({ ...hello, nonce: "bm9uY2U=", fingerprint: "AA:BB" })),
    "proven hello 1\nbm9uY2U=\nAA:BB\npve1\n0123456789abcdef\n00000000000000000000000000000000\nMCowBQYDK2VwAyEA\n1",
  );
  assert.equal(
    text(joinProofBytes({ ...hello, nonce: "bm9uY2U=" })),
    "proven join 1\nbm9uY2U=\n0123456789abcdef\nMCowBQYDK2VwAyEA",
  );
});
