import type { Notification } from "#protocol/notifications.ts";
import type { SendResult } from "../core/delivery.ts";
import { cutLines, cutText } from "../core/message.ts";
import { type ChannelPorts, type MessagePorts, messageFor, postJson, type ReceiverOf, resultOf } from "./channel.ts";

type Slack = ReceiverOf<"slack">;

/** docs.slack.dev/reference/block-kit/blocks: a section's text has at most 3,000 characters. */
const sectionMax = 3000;

/** Slack's three; with them `<!channel>` in a name calls nobody. */
const mrkdwn = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const escapedLength = (text: string) => mrkdwn(text).length;

/** Text of a section that is shown as it is: plain_text knows no mentions and no markup. */
const section = (text: string) => ({ type: "section", text: { type: "plain_text", text, emoji: false } });

function formatSlack(notification: Notification, receiver: Slack, ports: MessagePorts) {
  const { verdict, body, link, actions } = messageFor(notification, receiver, ports);
  const bold = `*${mrkdwn(cutText(verdict.replaceAll("*", "∗"), sectionMax - 2, escapedLength))}*`;
  return {
    // What notifications and screen readers say.
    text: mrkdwn(cutText(verdict, sectionMax, escapedLength)),
    blocks: [
      { type: "section", text: { type: "mrkdwn", text: bold, verbatim: true } },
      ...(body === "" ? [] : [section(cutLines(body, sectionMax))]),
      { type: "context", elements: [{ type: "mrkdwn", text: `<${mrkdwn(link)}|Proven>` }] },
      // Links, not buttons: Slack wants an app's own server behind a button.
      ...actions.map(({ label, url }) => ({ type: "section", text: { type: "mrkdwn", text: `<${mrkdwn(url)}|${label}>` } })),
    ],
    unfurl_links: false,
  };
}

export async function sendSlack(ports: ChannelPorts, notification: Notification, receiver: Slack): Promise<SendResult> {
  const body = formatSlack(notification, receiver, ports);
  return resultOf(
    await postJson(ports, { url: ports.secret(receiver.url), body, privateAddress: receiver.privateAddress }),
    ports,
  );
}
