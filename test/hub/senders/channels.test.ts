import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import type { Notification, Receiver } from "#protocol/notifications.ts";
import { alertOf } from "../../support/alert-views.ts";
import { MessageServer } from "../../support/message-server.ts";
import { common, noon, notificationOf, resolvedOf, webhookReceiver } from "../../support/notifications.ts";
import { testSender } from "../../support/senders.ts";

const ref = (name: string) => ({ ref: `receiver/r/${name}` });
const token = "123456:AAFakeFakeFakeFakeFakeFake";
const link = "https://hub.lan/#/guest/100?cluster=00000000000000aa";
const body = ["web (VM 100) on pve1 [warning]", "value 97 %, threshold 90 %", "since 2026-01-05 11:55 UTC (5 min)"].join("\n");
const verdict = "WARNING: web (VM 100) uses 97 % of its CPU";

/** So much that no service takes it whole, with what would be markup, a mention or half a character if it were passed on as it is. */
const large: Notification = notificationOf({
  verdict: `CRITICAL: ${"@everyone <b>&*_` ".repeat(30)}`,
  severity: "critical",
  alerts: Array.from({ length: 400 }, (_, index) =>
    alertOf({
      entity: `guest/${100 + index}`,
      title: `<@everyone> & "🧨" *_${index}_* <!channel>`,
      text: `trouble ${index} 🧨🧨`,
    }),
  ),
  more: 600,
});

test("webhook: signed as Standard Webhooks 1.0.0 says, the id stays, the time is that of the attempt", async (t) => {
  const server = await MessageServer.start(t);
  const secret = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
  const { send, clock } = testSender(t, { secret });
  const notification = notificationOf();
  assert.deepEqual(await send(notification, webhookReceiver(`${server.url}/hook`)), { ok: true, answer: "HTTP 200 ok" });
  await clock.advance(60_000);
  await send(notification, webhookReceiver(`${server.url}/hook`));
  const [first, second] = server.received;
  for (const [sent, at] of [[first, noon] as const, [second, noon + 60_000] as const]) {
    const stamp = String(at / 1000);
    const signed = createHmac("sha256", Buffer.alloc(32, 7)).update(`n1.${stamp}.${sent?.body}`).digest("base64");
    assert.equal(sent?.headers["webhook-id"], "n1");
    assert.equal(sent?.headers["webhook-timestamp"], stamp);
    assert.equal(sent?.headers["webhook-signature"], `v1,${signed}`);
  }
  const sent = server.json(0) as unknown as {
    type: string;
    timestamp: string;
    data: { text: string; notification: Notification };
  };
  assert.equal(sent.type, "alert.firing");
  assert.equal(sent.timestamp, "2026-01-05T12:00:00.000Z");
  assert.equal(sent.data.text, `${verdict}\n\n${body}\n\n${link}`);
  assert.deepEqual(sent.data.notification, notification);
});

const answers: [status: number, outcome: string][] = [
  [204, "delivered"],
  [410, "disable"],
  [401, "retry"],
  [404, "retry"],
  [400, "retry"],
  [503, "retry"],
  [302, "retry"],
];
for (const [status, outcome] of answers) {
  test(`webhook: an answer ${status} means ${outcome}`, async (t) => {
    const server = await MessageServer.start(t);
    server.usual = { status, headers: { location: "http://192.0.2.1/" } };
    const { send } = testSender(t, { secret: `whsec_${Buffer.alloc(24).toString("base64")}` });
    const result = await send(notificationOf(), webhookReceiver(server.url));
    assert.equal(result.ok ? "delivered" : result.disable ? "disable" : result.retry ? "retry" : "refused", outcome);
  });
}

test("webhook: without leave for private addresses this machine is not connected to, a metadata address never", async (t) => {
  const server = await MessageServer.start(t);
  const { send } = testSender(t, { secret: `whsec_${Buffer.alloc(24).toString("base64")}` });
  const strict = await send(notificationOf(), webhookReceiver(server.url, { privateAddress: false }));
  assert.deepEqual(strict, {
    ok: false,
    retry: false,
    problem: "127.0.0.1 is this machine: set privateAddress if that is meant",
  });
  const metadata = await send(notificationOf(), webhookReceiver("http://169.254.169.254/latest"));
  assert.deepEqual([metadata.ok, !metadata.ok && metadata.retry], [false, false]);
  assert.equal(server.received.length, 0);
});

const telegram: Receiver = { ...common, type: "telegram", token: ref("token"), chat: "-100", thread: 7 };

test("Telegram: HTML with what is not markup escaped, the verdict first", async (t) => {
  const server = await MessageServer.start(t);
  const { send } = testSender(t, { token }, { api: server.url });
  await send(notificationOf({ verdict: "WARNING: a <b> & c" }), telegram);
  assert.equal(server.received[0]?.path, `/bot${token}/sendMessage`);
  const sent = server.json() as unknown as Record<string, unknown>;
  const text = `web (VM 100) on pve1 [warning]\nweb (VM 100) uses 97 % of its CPU\n${body.split("\n").slice(1).join("\n")}`;
  assert.deepEqual(sent, {
    chat_id: "-100",
    message_thread_id: 7,
    text: `<b>WARNING: a &lt;b&gt; &amp; c</b>\n\n${text}\n\n${link}`,
    parse_mode: "HTML",
    link_preview_options: { is_disabled: true },
    disable_notification: false,
  });
});

test("Telegram: 4,096 characters at most, cut between lines, with how much is left out and the link", async (t) => {
  const server = await MessageServer.start(t);
  const { send } = testSender(t, { token }, { api: server.url });
  await send(large, telegram);
  const { text } = server.json() as unknown as { text: string };
  assert.ok(text.length <= 4096 && text.length > 3800, `${text.length} characters`);
  assert.match(text, /\n… \d+ more lines\n\nhttps:\/\/hub\.lan\/#\/alerts$/);
  assert.equal(/\p{Surrogate}/u.test(text), false);
  assert.equal(/<(?!\/?b>)/.test(text), false);
});

test("Telegram: 429 waits as long as it asks; a wrong token is tried again and never shown", async (t) => {
  const server = await MessageServer.start(t);
  server.answers.push(
    {
      status: 429,
      body: '{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 33","parameters":{"retry_after":33}}',
    },
    { status: 404, body: '{"ok":false,"error_code":404,"description":"Not Found"}' },
    { status: 400, body: '{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}' },
    { status: 401, body: `{"ok":false,"description":"bad ${token}"}` },
  );
  const { send } = testSender(t, { token }, { api: server.url });
  const [busy, unknown, chat, leaky] = [
    await send(notificationOf(), telegram),
    await send(notificationOf(), telegram),
    await send(notificationOf(), telegram),
    await send(notificationOf(), telegram),
  ];
  assert.deepEqual([!busy.ok && busy.retry, !busy.ok && busy.retryAfterSec], [true, 33]);
  assert.deepEqual(unknown, { ok: false, retry: true, problem: "the bot's token is wrong" });
  assert.deepEqual([!chat.ok && chat.retry, !chat.ok && /chat not found/.test(chat.problem)], [false, true]);
  assert.equal(!leaky.ok && leaky.problem, 'HTTP 401 {"ok":false,"description":"bad •••"}');
});

test("Telegram: a group that became a supergroup and a topic that is closed still get the message, and the answer says what to set", async (t) => {
  const server = await MessageServer.start(t);
  server.answers.push(
    {
      status: 400,
      body: '{"ok":false,"error_code":400,"description":"Bad Request: group chat was upgraded to a supergroup chat","parameters":{"migrate_to_chat_id":-1001557912345}}',
    },
    { status: 200, body: '{"ok":true}' },
    { status: 400, body: '{"ok":false,"error_code":400,"description":"Bad Request: message thread not found"}' },
    { status: 200, body: '{"ok":true}' },
  );
  const { send } = testSender(t, { token }, { api: server.url });
  const moved = await send(notificationOf(), telegram);
  const closed = await send(notificationOf(), telegram);
  assert.match(moved.ok ? moved.answer : "", /^the group is now -1001557912345: set it as chat/);
  assert.match(closed.ok ? closed.answer : "", /^its topic is closed or gone: sent to the group itself/);
  const sent = server.received.map(({ body: text }) => JSON.parse(String(text)) as Record<string, unknown>);
  assert.deepEqual(
    sent.map(({ chat_id, message_thread_id }) => [chat_id, message_thread_id]),
    [
      ["-100", 7],
      ["-1001557912345", 7],
      ["-100", 7],
      ["-100", undefined],
    ],
  );
});

test("ntfy: JSON to the server's root with topic, priority 1 to 5 and click; at most 4,096 bytes of message", async (t) => {
  const server = await MessageServer.start(t);
  const { send } = testSender(t, { token: "tk_secret" });
  const ntfy: Receiver = { ...common, type: "ntfy", url: server.url, topic: "ops", token: ref("token") };
  await send(notificationOf(), ntfy);
  assert.equal(server.received[0]?.path, "/");
  assert.equal(server.received[0]?.headers.authorization, "Bearer tk_secret");
  assert.deepEqual(server.json() as unknown, {
    topic: "ops",
    title: verdict,
    message: `${verdict}\n\n${body}`,
    priority: 3,
    tags: ["rotating_light"],
    click: link,
  });
  await send(large, ntfy);
  const { message, title, priority } = server.json() as unknown as { message: string; title: string; priority: number };
  assert.ok(Buffer.byteLength(message) <= 4096 && Buffer.byteLength(title) <= 250);
  assert.equal(priority, 5);
});

test("Gotify: POST /message under the server's path, with X-Gotify-Key", async (t) => {
  const server = await MessageServer.start(t);
  const { send } = testSender(t, { token: "AppKey1234" });
  await send(resolvedOf(), { ...common, type: "gotify", url: `${server.url}/push/`, token: ref("token") });
  assert.equal(server.received[0]?.path, "/push/message");
  assert.equal(server.received[0]?.headers["x-gotify-key"], "AppKey1234");
  const { title, message, priority } = server.json() as unknown as { title: string; message: string; priority: number };
  assert.equal(title, "RESOLVED after 7 min: web (VM 100) uses 97 % of its CPU");
  assert.equal(message.split("\n")[0], title);
  assert.match(message, /since 2026-01-05 11:55 UTC, over 2026-01-05 12:07 UTC \(12 min\)/);
  assert.equal(priority, 4);
});

test("Discord: nobody is mentioned, markup in names is text, limits hold, a deleted webhook is disabled", async (t) => {
  const server = await MessageServer.start(t);
  const { send } = testSender(t, { url: `${server.url}/api/webhooks/1/secrettoken` });
  const discord: Receiver = { ...common, type: "discord", url: ref("url") };
  await send(large, discord);
  const sent = server.json() as unknown as {
    content: string;
    embeds: { description: string }[];
    allowed_mentions: unknown;
  };
  assert.deepEqual(sent.allowed_mentions, { parse: [] });
  assert.ok(sent.content.length <= 2000);
  const description = sent.embeds[0]?.description ?? "";
  assert.ok(description.length <= 4096 && description.length > 3500);
  assert.ok(description.includes("\\*\\_0\\_\\*") && !/\p{Surrogate}/u.test(description));
  server.answers.push(
    {
      status: 429,
      headers: { "retry-after": "0.6" },
      body: '{"message":"You are being rate limited.","retry_after":0.6,"global":false}',
    },
    { status: 404, body: '{"message": "Unknown Webhook", "code": 10015}' },
  );
  const busy = await send(notificationOf(), discord);
  assert.deepEqual([!busy.ok && busy.retry, !busy.ok && busy.retryAfterSec], [true, 1]);
  const gone = await send(notificationOf(), discord);
  assert.deepEqual([!gone.ok && gone.retry, !gone.ok && gone.disable], [false, true]);
});

test("Slack: blocks and text, mentions escaped, at most 3,000 characters a section; 429 waits", async (t) => {
  const server = await MessageServer.start(t);
  const { send } = testSender(t, { url: `${server.url}/services/T/B/X` });
  const slack: Receiver = { ...common, type: "slack", url: ref("url") };
  await send(large, slack);
  type Block = { type: string; text?: { type: string; text: string } };
  const { text, blocks } = server.json() as unknown as { text: string; blocks: Block[] };
  assert.ok(text.startsWith("CRITICAL: @everyone &lt;b&gt;&amp;"));
  assert.deepEqual(
    blocks.map(({ type, text: shown }) => [type, shown?.type, (shown?.text.length ?? 0) <= 3000]),
    [
      ["section", "mrkdwn", true],
      ["section", "plain_text", true],
      ["context", undefined, true],
    ],
  );
  server.answers.push({ status: 429, headers: { "retry-after": "12" } });
  const busy = await send(notificationOf(), slack);
  assert.equal(!busy.ok && busy.retryAfterSec, 12);
});

test("Teams: an adaptive card of plain runs below 28 KB", async (t) => {
  const server = await MessageServer.start(t);
  server.usual = { status: 202 };
  const { send } = testSender(t, { url: `${server.url}/workflows/1?sig=secret` });
  const teams: Receiver = { ...common, type: "teams", url: ref("url") };
  assert.equal((await send(notificationOf(), teams)).ok, true);
  type Card = { attachments: { content: { body: { inlines: { text: string }[] }[]; actions: { url: string }[] } }[] };
  const card = (server.json() as unknown as Card).attachments[0]?.content;
  assert.deepEqual(
    card?.body.map(({ inlines }) => inlines[0]?.text),
    [verdict, body],
  );
  assert.equal(card?.actions[0]?.url, link);
  await send(large, teams);
  assert.ok((server.received.at(-1)?.body.length ?? 0) < 28_000);
});

test("PagerDuty: trigger, acknowledge and resolve carry the same key", async (t) => {
  const server = await MessageServer.start(t);
  server.usual = { status: 202, body: '{"status":"success"}' };
  const { send } = testSender(t, { routingKey: "R".repeat(32) }, { api: server.url });
  const pager: Receiver = { ...common, type: "pagerduty", routingKey: ref("routingKey") };
  const taken = alertOf({ acknowledged: { by: "anna", at: noon, until: null, note: null } });
  await send(notificationOf(), pager);
  await send(notificationOf({ alerts: [taken] }), pager);
  await send(resolvedOf(), pager);
  type Event = { event_action: string; dedup_key: string; routing_key: string; payload?: Record<string, unknown> };
  const events = server.received.map(({ body: sent }) => JSON.parse(sent.toString()) as Event);
  assert.deepEqual(
    events.map(({ event_action, dedup_key }) => [event_action, dedup_key]),
    [
      ["trigger", "default|rule=guest-cpu"],
      ["acknowledge", "default|rule=guest-cpu"],
      ["resolve", "default|rule=guest-cpu"],
    ],
  );
  assert.equal(server.received[0]?.path, "/v2/enqueue");
  assert.deepEqual(
    [events[0]?.payload?.summary, events[0]?.payload?.source, events[0]?.payload?.severity],
    [verdict, "pve1", "warning"],
  );
  await send({ ...large, group: "g".repeat(300) }, pager);
  const last = JSON.parse(server.received.at(-1)?.body.toString() ?? "") as Event;
  assert.ok(last.dedup_key.length <= 255 && String(last.payload?.summary).length <= 1024);
});

test("nobody is at the address: worth another try, and the address of a secret URL is not shown", async (t) => {
  const { send } = testSender(t, { url: "http://127.0.0.1:9/services/secret-part" });
  const result = await send(notificationOf(), { ...common, type: "slack", url: ref("url") });
  assert.deepEqual([result.ok, !result.ok && result.retry], [false, true]);
  assert.equal(JSON.stringify(result).includes("secret-part"), false);
});
