import { createHmac } from "node:crypto";
import type { Notification } from "#protocol/notifications.ts";
import type { SendResult } from "../core/delivery.ts";
import { plainText } from "../core/message.ts";
import { parseWebhookSecret } from "../secret-text.ts";
import { type ChannelPorts, type MessagePorts, messageFor, postJson, type ReceiverOf, resultOf } from "./channel.ts";

type Webhook = ReceiverOf<"webhook">;

/** Standard Webhooks 1.0.0 §signature scheme: HMAC-SHA256 over `id.timestamp.body`. */
const signWebhook = (key: Buffer, id: string, timestampSec: number, body: string): string =>
  `v1,${createHmac("sha256", key).update(`${id}.${timestampSec}.${body}`).digest("base64")}`;

/** The payload: `type`, `timestamp` and `data` as Standard Webhooks recommends them; `data.notification` is protocol/notifications.ts. */
function formatWebhook(notification: Notification, receiver: Webhook, ports: MessagePorts): string {
  const message = messageFor(notification, receiver, ports);
  return JSON.stringify({
    type: `alert.${notification.kind}`,
    timestamp: new Date(notification.at).toISOString(),
    data: { verdict: message.verdict, text: plainText(message), link: message.link, actions: message.actions, notification },
  });
}

export async function sendWebhook(ports: ChannelPorts, notification: Notification, receiver: Webhook): Promise<SendResult> {
  const key = parseWebhookSecret(ports.secret(receiver.secret));
  if (key === undefined) return { ok: false, retry: true, problem: "its secret is no whsec_ secret: set it again" };
  const body = formatWebhook(notification, receiver, ports);
  // The id is the same at every attempt, the time is that of the attempt.
  const timestampSec = Math.floor(ports.clock.now() / 1000);
  const headers = {
    "webhook-id": notification.id,
    "webhook-timestamp": String(timestampSec),
    "webhook-signature": signWebhook(key, notification.id, timestampSec, body),
  };
  const sent = await postJson(ports, { url: receiver.url, headers, body, privateAddress: receiver.privateAddress });
  return resultOf(sent, ports, true);
}
