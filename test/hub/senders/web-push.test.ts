import assert from "node:assert/strict";
import { createPublicKey, verify } from "node:crypto";
import { test } from "node:test";
import webpush from "web-push";
import type { Receiver } from "#protocol/notifications.ts";
import { vapidSubject } from "../../../hub/senders/web-push.ts";
import { MessageServer } from "../../support/message-server.ts";
import { common, notificationOf } from "../../support/notifications.ts";
import { PushBrowser } from "../../support/push-browser.ts";
import { testSender } from "../../support/senders.ts";

const receiver: Receiver = { ...common, type: "web-push" };

/** RFC 8292: the hub's signature over the push service's origin. */
function vapidClaims(authorization: string, publicKey: string): Record<string, unknown> {
  const { token = "", key } = /^vapid t=(?<token>[^,]+), k=(?<key>.+)$/.exec(authorization)?.groups ?? {};
  assert.equal(key, publicKey);
  const raw = Buffer.from(publicKey, "base64url");
  const [x, y] = [raw.subarray(1, 33).toString("base64url"), raw.subarray(33).toString("base64url")];
  const jwk = {
    key: createPublicKey({ key: { kty: "EC", crv: "P-256", x, y }, format: "jwk" }),
    dsaEncoding: "ieee-p1363" as const,
  };
  const [head, claims, signature] = token.split(".");
  assert.ok(verify("sha256", Buffer.from(`${head}.${claims}`), jwk, Buffer.from(signature ?? "", "base64url")));
  return JSON.parse(Buffer.from(claims ?? "", "base64url").toString());
}

test("each browser can read its message, which is signed with the hub's key", async (t) => {
  const server = await MessageServer.start(t);
  server.usual = { status: 201 };
  const browsers = ["a", "b"].map((id) => new PushBrowser(id, `${server.url}/push/${id}`));
  const vapid = webpush.generateVAPIDKeys();
  const { send } = testSender(t, {}, { vapid, subscriptions: async () => browsers.map(({ subscription }) => subscription) });
  assert.deepEqual(await send(notificationOf({ severity: "critical" }), receiver), { ok: true, answer: "2 of 2 browsers" });
  for (const sent of server.received) {
    const browser = browsers.find(({ subscription }) => sent.path === `/push/${subscription.id}`);
    assert.deepEqual(browser?.read(sent.body), {
      title: "WARNING: web (VM 100) uses 97 % of its CPU",
      link: "https://hub.lan/#/guest/100?cluster=00000000000000aa",
      kind: "firing",
      severity: "critical",
      tag: "default|rule=guest-cpu",
      id: "n1",
      actions: [],
      body: "web (VM 100) on pve1 [warning]\nvalue 97 %, threshold 90 %\nsince 2026-01-05 11:55 UTC (5 min)",
    });
    assert.deepEqual([sent.headers.ttl, sent.headers.urgency, sent.headers["content-encoding"]], ["86400", "high", "aes128gcm"]);
    const { aud, sub } = vapidClaims(sent.headers.authorization ?? "", vapid.publicKey);
    assert.deepEqual([aud, sub], [server.url, "mailto:nobody@example.com"]);
  }
});

test("the contact that is signed is a public one, as Apple's service wants it", () => {
  const mails = ["proven@pve1.lan", "ops@msp.example.org"];
  assert.equal(vapidSubject("https://proven.msp.example.org:8420", []), "https://proven.msp.example.org:8420");
  for (const base of ["https://pve1:8420", "https://pve1.lan:8420", "https://192.168.1.10:8420", "https://[fd00::1]:8420"]) {
    assert.equal(vapidSubject(base, mails), "mailto:ops@msp.example.org");
    assert.equal(vapidSubject(base, ["proven@pve1.lan"]), "mailto:nobody@example.com");
  }
});

test("a browser that has unsubscribed is removed, one whose service is down is tried again, and nobody gets it twice", async (t) => {
  const server = await MessageServer.start(t);
  const down = await MessageServer.start(t);
  down.answers.push({ status: 503 });
  server.usual = { status: 201 };
  down.usual = { status: 201 };
  const gone = await MessageServer.start(t);
  gone.usual = { status: 410 };
  const all = new Map([
    ["here", new PushBrowser("here", `${server.url}/1`)],
    ["down", new PushBrowser("down", `${down.url}/2`)],
    ["gone", new PushBrowser("gone", `${gone.url}/3`)],
  ]);
  const { send } = testSender(
    t,
    {},
    {
      vapid: webpush.generateVAPIDKeys(),
      subscriptions: async () => [...all.values()].map(({ subscription }) => subscription),
      unsubscribe: (id) => all.delete(id),
    },
  );
  const first = await send(notificationOf(), receiver);
  assert.deepEqual([first.ok, !first.ok && first.retry], [false, true]);
  assert.deepEqual([...all.keys()], ["here", "down"]);
  assert.deepEqual(await send(notificationOf(), receiver), { ok: true, answer: "2 of 2 browsers" });
  assert.deepEqual([server.received.length, down.received.length, gone.received.length], [1, 2, 1]);
});

test("a long message still fits into what push services take", async (t) => {
  const server = await MessageServer.start(t);
  server.usual = { status: 201 };
  const browser = new PushBrowser("a", `${server.url}/push`);
  const { send } = testSender(t, {}, { vapid: webpush.generateVAPIDKeys(), subscriptions: async () => [browser.subscription] });
  const [alert] = notificationOf().alerts;
  const alerts = Array.from({ length: 200 }, (_, index) => ({
    ...(alert as NonNullable<typeof alert>),
    title: `"guest" 🧨 ${index}`,
  }));
  await send(notificationOf({ verdict: "🧨".repeat(500), alerts }), receiver);
  const body = server.received[0]?.body ?? Buffer.alloc(0);
  assert.ok(body.length <= 4096 && body.length > 3500, `${body.length} bytes`);
  assert.match(String(browser.read(body).body), /… \d+ more lines$/);
});

test("without a browser that asked for it a message is not delivered", async (t) => {
  const { send } = testSender(t, {});
  assert.deepEqual(await send(notificationOf(), receiver), {
    ok: false,
    retry: false,
    problem: "no browser of somebody who may see everything has asked for push messages",
  });
});
