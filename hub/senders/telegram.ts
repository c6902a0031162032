import type { Notification } from "#protocol/notifications.ts";
import type { SendResult } from "../core/delivery.ts";
import { htmlEscape } from "../core/html.ts";
import { cutLines, cutText } from "../core/message.ts";
import type { OutgoingResult } from "../outgoing.ts";
import {
  answerObject,
  type ChannelPorts,
  isObject,
  type MessagePorts,
  messageFor,
  postJson,
  type ReceiverOf,
  resultOf,
} from "./channel.ts";

type Telegram = ReceiverOf<"telegram">;

/** core.telegram.org/bots/api#sendmessage: 4096 after parsing; counted with its markup here, so that it fits either way. */
const textMax = 4096;
const verdictMax = 1000;
const escapedLength = (text: string) => htmlEscape(text).length;

function formatTelegram(notification: Notification, receiver: Telegram, ports: MessagePorts) {
  const { verdict, body, link, actions } = messageFor(notification, receiver, ports);
  const head = `<b>${htmlEscape(cutText(verdict, verdictMax, escapedLength))}</b>`;
  // Not an inline keyboard: Telegram refuses a whole message for a button whose host has no dot, and shows a link's text then.
  const acts = actions.map(({ label, url }) => `<a href="${htmlEscape(url)}">${htmlEscape(label)}</a>`);
  const foot = [htmlEscape(link), ...(acts.length === 0 ? [] : [acts.join(" · ")])].join("\n");
  const room = textMax - head.length - foot.length - 4;
  const middle = body === "" ? "" : `\n\n${htmlEscape(cutLines(body, room, escapedLength))}`;
  return {
    chat_id: receiver.chat,
    ...(receiver.thread === undefined ? {} : { message_thread_id: receiver.thread }),
    text: `${head}${middle}\n\n${foot}`,
    parse_mode: "HTML",
    link_preview_options: { is_disabled: true },
    disable_notification: notification.severity === "info" || notification.kind === "resolved",
  };
}

/**
 * Where a message goes whose place is no more, and what its receiver's owner has to know: a group that became a supergroup has another id, and
 * a topic may be closed or deleted. A message in the wrong topic is better than none.
 */
function elsewhere(sent: OutgoingResult): { change: object; hint: string } | undefined {
  if (!sent.ok || sent.answer.status !== 400) return undefined;
  const answer = answerObject(sent);
  const moved = isObject(answer?.parameters) ? answer.parameters.migrate_to_chat_id : undefined;
  if (typeof moved === "number") return { change: { chat_id: String(moved) }, hint: `the group is now ${moved}: set it as chat` };
  const said = typeof answer?.description === "string" ? answer.description : "";
  if (!/message thread not found|TOPIC_(CLOSED|DELETED)/i.test(said)) return undefined;
  return { change: { message_thread_id: undefined }, hint: "its topic is closed or gone: sent to the group itself" };
}

/** `api`: Telegram's address, or that of a Bot API server of one's own. The token is part of the path: a problem never names the URL. */
export async function sendTelegram(
  ports: ChannelPorts & { telegramApi: string },
  notification: Notification,
  receiver: Telegram,
): Promise<SendResult> {
  const token = ports.secret(receiver.token);
  const body = formatTelegram(notification, receiver, ports);
  const url = `${ports.telegramApi}/bot${encodeURIComponent(token).replaceAll("%3A", ":")}/sendMessage`;
  const post = (content: object) => postJson(ports, { url, body: content, privateAddress: receiver.privateAddress });
  const first = await post(body);
  const other = elsewhere(first);
  const sent = other === undefined ? first : await post({ ...body, ...other.change });
  const result = resultOf(sent, ports);
  if (result.ok && other !== undefined) return { ...result, answer: `${other.hint} (${result.answer})` };
  // A token nobody knows is 404 here: as wrong credentials are, worth another try once they are right.
  if (!result.ok && sent.ok && sent.answer.status === 404) return { ...result, retry: true, problem: "the bot's token is wrong" };
  const parameters = answerObject(sent)?.parameters;
  const asked = isObject(parameters) ? parameters.retry_after : undefined;
  return result.ok || typeof asked !== "number" ? result : { ...result, retryAfterSec: asked };
}
