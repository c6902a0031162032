import { createHash } from "node:crypto";
import type { Notification } from "#protocol/notifications.ts";
import type { SendResult } from "../core/delivery.ts";
import { cutLines, cutText, oneLine } from "../core/message.ts";
import { type ChannelPorts, type MessagePorts, messageFor, postJson, type ReceiverOf, resultOf } from "./channel.ts";

type PagerDuty = ReceiverOf<"pagerduty">;

/** developer.pagerduty.com, Events API v2: summary 1,024 and dedup_key 255 characters, an event 512 KB. */
const summaryMax = 1024;
const keyMax = 255;
const detailsMax = 100_000;

/** One incident for one trouble: the group names it, so that its end finds it. */
function dedupKey(group: string): string {
  return group.length <= keyMax ? group : `proven-${createHash("sha256").update(group).digest("hex")}`;
}

/** All over: `resolve`. Somebody has taken all that fires: `acknowledge`. Else `trigger`. */
function actionOf({ kind, alerts }: Notification): "trigger" | "acknowledge" | "resolve" {
  if (kind === "resolved") return "resolve";
  if (kind === "acknowledged") return "acknowledge";
  const firing = alerts.filter(({ state }) => state === "firing");
  return firing.length > 0 && firing.every(({ acknowledged }) => acknowledged !== null) ? "acknowledge" : "trigger";
}

function formatPagerDuty(notification: Notification, receiver: PagerDuty, ports: MessagePorts, routingKey: string) {
  const { verdict, body, link } = messageFor(notification, receiver, ports);
  const event = { routing_key: routingKey, event_action: actionOf(notification), dedup_key: dedupKey(notification.group) };
  if (event.event_action !== "trigger") return event;
  const [first] = notification.alerts;
  return {
    ...event,
    client: "Proven",
    client_url: link,
    links: [{ href: link, text: "Open Proven" }],
    payload: {
      summary: cutText(verdict, summaryMax),
      source: first === undefined ? "proven" : (first.node ?? first.cluster),
      severity: notification.severity,
      timestamp: new Date(notification.at).toISOString(),
      ...(first === undefined ? {} : { component: oneLine(first.title), class: oneLine(first.ruleName) }),
      group: notification.route,
      custom_details: { verdict, details: cutLines(body, detailsMax), link },
    },
  };
}

export async function sendPagerDuty(
  ports: ChannelPorts & { pagerDutyApi: string },
  notification: Notification,
  receiver: PagerDuty,
): Promise<SendResult> {
  const body = formatPagerDuty(notification, receiver, ports, ports.secret(receiver.routingKey));
  const url = `${ports.pagerDutyApi}/v2/enqueue`;
  return resultOf(await postJson(ports, { url, body, privateAddress: receiver.privateAddress }), ports);
}
