import type { Notification } from "#protocol/notifications.ts";
import type { SendResult } from "../core/delivery.ts";
import { cutLines, cutText } from "../core/message.ts";
import { type ChannelPorts, type MessagePorts, messageFor, postJson, type ReceiverOf, resultOf } from "./channel.ts";

type Ntfy = ReceiverOf<"ntfy">;

/** docs.ntfy.sh/publish: a message beyond 4,096 bytes would become an attachment. */
const messageMaxBytes = 4096;
const titleMaxBytes = 250;
const bytes = (text: string) => Buffer.byteLength(text);
/** 1 min … 5 max */
const priorities = { info: 2, warning: 3, critical: 5 } as const;

/** The JSON that is posted to the server's root, with the topic within. */
function formatNtfy(notification: Notification, receiver: Ntfy, ports: MessagePorts) {
  const { verdict, body, link, actions } = messageFor(notification, receiver, ports);
  const { severity, kind } = notification;
  const resolved = kind === "resolved";
  // The verdict is the message's first line too: titles are cut on phones.
  const text = [verdict, ...(body === "" ? [] : ["", body])].join("\n");
  return {
    topic: receiver.topic,
    title: cutText(verdict, titleMaxBytes, bytes),
    message: cutLines(text, messageMaxBytes, bytes),
    priority: resolved ? 3 : priorities[severity],
    tags: [resolved ? "white_check_mark" : severity === "info" ? "information_source" : "rotating_light"],
    click: link,
    // docs.ntfy.sh/publish/#action-buttons: at most three. `view` opens the page that asks; nothing is done by a tap alone.
    ...(actions.length === 0 ? {} : { actions: actions.map(({ label, url }) => ({ action: "view", label, url })) }),
  };
}

export async function sendNtfy(ports: ChannelPorts, notification: Notification, receiver: Ntfy): Promise<SendResult> {
  const { url, token, privateAddress } = receiver;
  const headers = token === undefined ? {} : { authorization: `Bearer ${ports.secret(token)}` };
  const body = formatNtfy(notification, receiver, ports);
  return resultOf(await postJson(ports, { url, headers, body, privateAddress }), ports);
}
