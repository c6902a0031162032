import type { Notification } from "#protocol/notifications.ts";
import type { SendResult } from "../core/delivery.ts";
import { cutLines, cutText } from "../core/message.ts";
import {
  answerObject,
  type ChannelPorts,
  type MessagePorts,
  messageFor,
  postJson,
  type ReceiverOf,
  resultOf,
} from "./channel.ts";

type Discord = ReceiverOf<"discord">;

/** discord.com/developers/docs/resources/message: content 2,000, an embed's description 4,096, all of its text 6,000 characters. */
const contentMax = 2000;
const descriptionMax = 3900;
const colors = { info: 0x3b82f6, warning: 0xf59e0b, critical: 0xdc2626, resolved: 0x16a34a };

/** A name with `*` or `_` is no markup. Addresses stay as they are. */
const markdown = (text: string) =>
  text.replace(/https?:\/\/\S+|[\\*_~`|>#[\]()-]/g, (found) => (found.length > 1 ? found : `\\${found}`));
const escapedLength = (text: string) => markdown(text).length;

function formatDiscord(notification: Notification, receiver: Discord, ports: MessagePorts) {
  const { verdict, body, link, actions } = messageFor(notification, receiver, ports);
  const color = colors[notification.kind === "resolved" ? "resolved" : notification.severity];
  const foot = [link, ...actions.map(({ label, url }) => `[${label}](${url})`)].join("\n");
  const description =
    body === "" ? foot : `${markdown(cutLines(body, descriptionMax - foot.length - 2, escapedLength))}\n\n${foot}`;
  return {
    content: markdown(cutText(verdict, contentMax, escapedLength)),
    embeds: [{ description, color, timestamp: new Date(notification.at).toISOString() }],
    // Nobody is called by an "@everyone" in a guest's name.
    allowed_mentions: { parse: [] },
  };
}

/** Code of a webhook that was deleted. */
const unknownWebhook = 10_015;

export async function sendDiscord(ports: ChannelPorts, notification: Notification, receiver: Discord): Promise<SendResult> {
  const body = formatDiscord(notification, receiver, ports);
  const sent = await postJson(ports, { url: ports.secret(receiver.url), body, privateAddress: receiver.privateAddress });
  const result = resultOf(sent, ports);
  if (result.ok) return result;
  const answer = answerObject(sent);
  if (answer?.code === unknownWebhook) return { ...result, retry: false, disable: true };
  const asked = answer?.retry_after;
  return typeof asked === "number" ? { ...result, retryAfterSec: Math.ceil(asked) } : result;
}
