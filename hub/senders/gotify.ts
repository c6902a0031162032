import type { Notification } from "#protocol/notifications.ts";
import type { SendResult } from "../core/delivery.ts";
import { plainText } from "../core/message.ts";
import { type ChannelPorts, type MessagePorts, messageFor, postJson, type ReceiverOf, resultOf, underUrl } from "./channel.ts";

type Gotify = ReceiverOf<"gotify">;

/** Its app makes a sound from 4 on and pops up from 8 on. */
const priorities = { info: 2, warning: 5, critical: 8 } as const;

function formatGotify(notification: Notification, receiver: Gotify, ports: MessagePorts) {
  const message = messageFor(notification, receiver, ports);
  return {
    title: message.verdict,
    message: plainText(message),
    priority: notification.kind === "resolved" ? 4 : priorities[notification.severity],
    extras: { "client::notification": { click: { url: message.link } }, "client::display": { contentType: "text/plain" } },
  };
}

export async function sendGotify(ports: ChannelPorts, notification: Notification, receiver: Gotify): Promise<SendResult> {
  const body = formatGotify(notification, receiver, ports);
  const headers = { "x-gotify-key": ports.secret(receiver.token) };
  const url = underUrl(receiver.url, "message");
  return resultOf(await postJson(ports, { url, headers, body, privateAddress: receiver.privateAddress }), ports);
}
