import assert from "node:assert/strict";
import { test } from "node:test";
import type { Notification, Receiver } from "#protocol/notifications.ts";
import type { ActionLink } from "../../../hub/core/action-link.ts";
import { formatEmail } from "../../../hub/senders/email.ts";
import { formatWebPush } from "../../../hub/senders/web-push.ts";
import { alertOf } from "../../support/alert-views.ts";
import { MessageServer } from "../../support/message-server.ts";
import { common, notificationOf } from "../../support/notifications.ts";
import { testSender } from "../../support/senders.ts";

const token = "t".repeat(900);
const links: ActionLink[] = [
  { action: "acknowledge", label: "Acknowledge", url: `https://hub.lan/act/A${token}` },
  { action: "silence", label: "Silence 4 h", url: `https://hub.lan/act/S${token}` },
];
const ports = { base: "https://hub.lan", actionsOf: () => links };
const secrets = { token: "123456:AAFakeFakeFakeFakeFakeFake", url: "", secret: `whsec_${Buffer.alloc(24).toString("base64")}` };
const ref = (name: string) => ({ ref: `receiver/r/${name}` });

/** More than any service takes, so that a message is cut as well. */
const large: Notification = notificationOf({
  alerts: Array.from({ length: 100 }, (_, index) => alertOf({ entity: `guest/${100 + index}`, text: `trouble ${index}` })),
  more: 900,
});

type Shape = [name: string, receiver: (url: string) => Receiver, fits: (sent: Record<string, unknown>) => boolean];
const shapes: Shape[] = [
  [
    "Telegram",
    () => ({ ...common, type: "telegram", token: ref("token"), chat: "1" }),
    ({ text }) => String(text).length <= 4096 && String(text).includes(`<a href="${links[0]?.url}">Acknowledge</a>`),
  ],
  [
    "ntfy",
    (url) => ({ ...common, type: "ntfy", url, topic: "ops" }),
    ({ actions, message }) =>
      Buffer.byteLength(String(message)) <= 4096 &&
      Array.isArray(actions) &&
      actions.length === 2 &&
      actions[0].action === "view",
  ],
  [
    "Gotify",
    (url) => ({ ...common, type: "gotify", url, token: ref("token") }),
    ({ message }) => String(message).endsWith(`Acknowledge: ${links[0]?.url}\nSilence 4 h: ${links[1]?.url}`),
  ],
  [
    "Discord",
    () => ({ ...common, type: "discord", url: ref("url") }),
    ({ embeds }) => {
      const { description } = (embeds as { description: string }[])[0] ?? { description: "" };
      return description.length <= 4096 && description.endsWith(`[Silence 4 h](${links[1]?.url})`);
    },
  ],
  [
    "Slack",
    () => ({ ...common, type: "slack", url: ref("url") }),
    ({ blocks }) => {
      const texts = (blocks as { text?: { text: string } }[]).map(({ text }) => text?.text ?? "");
      return texts.every((text) => text.length <= 3000) && texts.includes(`<${links[0]?.url}|Acknowledge>`);
    },
  ],
  [
    "Teams",
    () => ({ ...common, type: "teams", url: ref("url") }),
    (sent) =>
      JSON.stringify(sent).length < 28_000 && JSON.stringify(sent).includes(`"title":"Acknowledge","url":"${links[0]?.url}"`),
  ],
  [
    "the webhook",
    (url) => ({ ...common, type: "webhook", url, secret: ref("secret") }),
    ({ data }) => JSON.stringify((data as { actions: unknown }).actions) === JSON.stringify(links),
  ],
];
for (const [name, receiver, fits] of shapes) {
  test(`${name}: a message carries both links and keeps to its limits with them; a receiver can do without`, async (t) => {
    const server = await MessageServer.start(t);
    const { send } = testSender(t, { ...secrets, url: `${server.url}/hook` }, { ...ports, api: server.url });
    for (const notification of [notificationOf(), large]) {
      await send(notification, receiver(server.url));
      assert.ok(fits(server.json() as never), server.received.at(-1)?.body.toString());
    }
    await send(notificationOf(), { ...receiver(server.url), actions: false } as Receiver);
    assert.equal(server.received.at(-1)?.body.toString().includes("/act/"), false);
  });
}

test("e-mail: both links as text and as HTML, which is escaped", () => {
  const email: Extract<Receiver, { type: "email" }> = { ...common, type: "email", from: "a@example.org", to: ["b@example.org"] };
  const mail = formatEmail(notificationOf(), email, ports);
  assert.ok(String(mail.text).endsWith(`Acknowledge: ${links[0]?.url}\nSilence 4 h: ${links[1]?.url}`));
  assert.ok(String(mail.html).includes(`<a href="${links[0]?.url}"><b>Acknowledge</b></a>`));
});

test("web push: the actions are what showNotification takes, and the message fits its 4,096 bytes", () => {
  for (const notification of [notificationOf(), large]) {
    const payload = formatWebPush(notification, { ...common, type: "web-push" }, ports);
    assert.ok(Buffer.byteLength(payload) <= 3993);
    assert.deepEqual(JSON.parse(payload).actions, [
      { action: "acknowledge", title: "Acknowledge", url: links[0]?.url },
      { action: "silence", title: "Silence 4 h", url: links[1]?.url },
    ]);
  }
});
