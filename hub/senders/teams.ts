import type { Notification } from "#protocol/notifications.ts";
import type { SendResult } from "../core/delivery.ts";
import { cutLines, cutText } from "../core/message.ts";
import { type ChannelPorts, type MessagePorts, messageFor, postJson, type ReceiverOf, resultOf } from "./channel.ts";

type Teams = ReceiverOf<"teams">;

/** A message has at most 28 KB, with its JSON. */
const bodyMaxBytes = 20_000;
const verdictMaxBytes = 2000;
/** Each costs JSON around it. */
const blocksMax = 20;
const jsonBytes = (text: string) => Buffer.byteLength(JSON.stringify(text)) - 2;
const colors = { info: "accent", warning: "warning", critical: "attention", resolved: "good" } as const;

/** Runs of text are shown as they are: a TextBlock would read Markdown into names. */
const run = (text: string, more: Record<string, string> = {}) => ({
  type: "RichTextBlock",
  inlines: [{ type: "TextRun", text, ...more }],
});

/**
 * What the template "Post to a channel when a webhook request is received" of Teams' workflows takes: a message with an adaptive card. Made
 * from Microsoft's documentation; never checked against a tenant.
 */
function formatTeams(notification: Notification, receiver: Teams, ports: MessagePorts) {
  const { verdict, body, link, actions } = messageFor(notification, receiver, ports);
  const color = colors[notification.kind === "resolved" ? "resolved" : notification.severity];
  const head = cutText(verdict, verdictMaxBytes, jsonBytes);
  const blocks = body === "" ? [] : cutLines(body, bodyMaxBytes, jsonBytes).split("\n\n");
  const last = blocks.slice(blocksMax - 1).join("\n\n");
  const lines = [...blocks.slice(0, blocksMax - 1), ...(last === "" ? [] : [last])];
  return {
    type: "message",
    summary: head,
    attachments: [
      {
        contentType: "application/vnd.microsoft.card.adaptive",
        contentUrl: null,
        content: {
          $schema: "http://adaptivecards.io/schemas/adaptive-card.json",
          type: "AdaptiveCard",
          version: "1.4",
          msteams: { width: "Full" },
          body: [run(head, { weight: "bolder", color }), ...lines.map((text) => run(text))],
          actions: [{ label: "Open Proven", url: link }, ...actions].map(({ label, url }) => ({
            type: "Action.OpenUrl",
            title: label,
            url,
          })),
        },
      },
    ],
  };
}

export async function sendTeams(ports: ChannelPorts, notification: Notification, receiver: Teams): Promise<SendResult> {
  const body = formatTeams(notification, receiver, ports);
  return resultOf(
    await postJson(ports, { url: ports.secret(receiver.url), body, privateAddress: receiver.privateAddress }),
    ports,
  );
}
