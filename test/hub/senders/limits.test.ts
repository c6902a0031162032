import assert from "node:assert/strict";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import type { LookupFunction } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import type { Receiver } from "#protocol/notifications.ts";
import { receiverRules } from "../../../hub/core/receiver-check.ts";
import { OutgoingClient } from "../../../hub/outgoing.ts";
import { alertOf } from "../../support/alert-views.ts";
import { type Answer, MessageServer } from "../../support/message-server.ts";
import { common, notificationOf } from "../../support/notifications.ts";
import { testSender } from "../../support/senders.ts";
import { temporaryDir } from "../../support/temporary-dir.ts";

/** What ends a line, moves a cursor or turns text around. */
const controls = /[\p{Cc}\u2028\u2029\u202e]/u;

const ref = (name: string) => ({ ref: `receiver/r/${name}` });
const secretsAt = (url: string) => ({
  token: "123456:AAFakeFakeFakeFakeFakeFake",
  url: `${url}/hook/secret`,
  routingKey: "R".repeat(32),
  secret: `whsec_${Buffer.alloc(24, 3).toString("base64")}`,
});

/** Every channel that posts to a server. */
const channels: [name: string, receiver: (url: string) => Receiver][] = [
  ["webhook", (url) => ({ ...common, type: "webhook", url, secret: ref("secret") })],
  ["Telegram", () => ({ ...common, type: "telegram", token: ref("token"), chat: "1" })],
  ["ntfy", (url) => ({ ...common, type: "ntfy", url, topic: "ops" })],
  ["Gotify", (url) => ({ ...common, type: "gotify", url, token: ref("token") })],
  ["Discord", () => ({ ...common, type: "discord", url: ref("url") })],
  ["Slack", () => ({ ...common, type: "slack", url: ref("url") })],
  ["Teams", () => ({ ...common, type: "teams", url: ref("url") })],
  ["PagerDuty", () => ({ ...common, type: "pagerduty", routingKey: ref("routingKey") })],
  ["Alertmanager", (url) => ({ ...common, type: "alertmanager", url })],
];

const answers: [name: string, answer: Answer, outcome: string][] = [
  ["200", { status: 200 }, "delivered"],
  ["410", { status: 410 }, "disabled"],
  ["429 with Retry-After", { status: 429, headers: { "retry-after": "7" } }, "again in 7 s"],
  ["429 without", { status: 429 }, "again"],
  ["500", { status: 500 }, "again"],
  [
    "502 with Retry-After as a date",
    { status: 502, headers: { "retry-after": "Mon, 05 Jan 2026 12:00:09 GMT" } },
    "again in 9 s",
  ],
  ["401", { status: 401 }, "again"],
  ["a redirect to another host", { status: 307, headers: { location: "http://127.0.0.2:9/" } }, "refused"],
];

for (const [name, receiver] of channels) {
  test(`${name}: what each answer means for its message`, async (t) => {
    const server = await MessageServer.start(t);
    const { send } = testSender(t, secretsAt(server.url), { api: server.url });
    const outcomes: [string, string][] = [];
    for (const [said, answer] of answers) {
      server.answers.push(answer);
      const result = await send(notificationOf(), receiver(server.url));
      const wait = result.ok || result.retryAfterSec === undefined ? "" : ` in ${result.retryAfterSec} s`;
      outcomes.push([said, result.ok ? "delivered" : result.disable ? "disabled" : result.retry ? `again${wait}` : "refused"]);
    }
    assert.deepEqual(
      outcomes,
      answers.map(([said, , outcome]) => [said, outcome]),
    );
    assert.equal(server.received.length, answers.length);
  });

  test(`${name}: a name that resolves to a metadata or link-local address is not connected to, whatever the receiver allows`, async (t) => {
    for (const address of ["169.254.169.254", "fe80::1", "fd00:ec2::254", "::ffff:169.254.169.254"]) {
      const resolve: LookupFunction = (_name, _options, callback) =>
        callback(null, [{ address, family: address.includes(":") ? 6 : 4 }]);
      const client = new OutgoingClient(receiverRules(true), { resolve });
      t.after(() => client.close());
      const rebound = "https://rebound.example";
      const { send } = testSender(t, secretsAt(rebound), { api: rebound, client: () => client });
      const result = await send(notificationOf(), receiver(rebound));
      assert.deepEqual([result.ok, !result.ok && result.retry], [false, false], address);
      assert.match(result.ok ? "" : result.problem, /never allowed/);
    }
  });

  test(`${name}: line breaks and control characters of a guest's name reach neither a header nor a line of their own`, async (t) => {
    const server = await MessageServer.start(t);
    server.usual = { status: 400, body: "no\r\n\u001b[2Jfake line \u202egnp.exe" };
    const { send } = testSender(t, secretsAt(server.url), { api: server.url });
    const evil = "web\r\nX-Evil: 1\r\n\r\n<script>\u001b[31m\u0000\u2028end";
    const notification = notificationOf({
      verdict: `WARNING: ${evil}`,
      alerts: [alertOf({ title: evil, text: evil, node: "pve1", instance: evil })],
    });
    const result = await send(notification, receiver(server.url));
    const sent = server.received[0];
    assert.equal(sent?.headers["x-evil"], undefined);
    // The webhook and Alertmanager carry data, where JSON escapes it; what people read is one line.
    const strings = name === "webhook" || name === "Alertmanager" ? [] : stringsIn(JSON.parse(sent?.body.toString() ?? "null"));
    assert.deepEqual(
      strings.filter((text) => controls.test(text.replaceAll("\n", ""))),
      [],
    );
    assert.equal(
      strings.some((text) => /^X-Evil/m.test(text)),
      false,
    );
    assert.doesNotMatch(result.ok ? result.answer : result.problem, controls);
  });
}

function stringsIn(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(stringsIn) : [];
}

test("e-mail: a guest's name makes no header and no second mail", async (t) => {
  const dir = temporaryDir(t);
  const sendmail = join(dir, "sendmail");
  writeFileSync(sendmail, `#!/bin/sh\ncat > ${dir}/mail\n`);
  chmodSync(sendmail, 0o755);
  const { send } = testSender(t, {}, { sendmail });
  const evil = "web\r\nBcc: all@example.org\r\n\r\n.\r\nMAIL FROM:<x@y>";
  const email: Receiver = { ...common, type: "email", from: "a@example.org", to: ["b@example.org"] };
  const result = await send(
    notificationOf({ verdict: `WARNING: ${evil}`, alerts: [alertOf({ title: evil, text: evil })] }),
    email,
  );
  assert.equal(result.ok, true, JSON.stringify(result));
  const [head = "", ...body] = readFileSync(join(dir, "mail"), "utf8").split("\n\n");
  assert.doesNotMatch(head, /^Bcc/im);
  assert.match(head.replace(/\n[ \t]/g, " "), /^Subject: WARNING: web Bcc: all@example\.org \. MAIL FROM:<x@y>$/m);
  assert.doesNotMatch(body.join("\n\n"), /^\.$|^MAIL FROM/m);
});
