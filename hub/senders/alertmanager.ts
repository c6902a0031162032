import type { AlertView } from "#protocol/alerting.ts";
import type { Notification } from "#protocol/notifications.ts";
import type { SendResult } from "../core/delivery.ts";
import { linkOfAlert } from "../core/message.ts";
import { type ChannelPorts, postJson, type ReceiverOf, resultOf, underUrl } from "./channel.ts";

type Alertmanager = ReceiverOf<"alertmanager">;

/**
 * Alertmanager ends what nobody repeats, by default after 5 min. We tell changes only and their end for sure (a message that is kept until it
 * is delivered), so that an alert lasts there as long as the longest repeat interval of a route.
 */
const lastsMs = 30 * 86_400_000;

/** Labels make an alert's identity there: only what stays the same from its beginning to its end, wherever the guest moves. */
function labelsOf({ rule, severity, cluster, entity, incarnation, instance }: AlertView): Record<string, string> {
  return {
    alertname: rule,
    severity,
    cluster,
    entity,
    incarnation: String(incarnation),
    ...(instance === null ? {} : { instance }),
  };
}

/** Body of `POST /api/v2/alerts` (api/v2/openapi.yaml, `postableAlerts`). A test is an alert that lasts a minute. */
function formatAlertmanager(notification: Notification, base: string) {
  const iso = (at: number) => new Date(at).toISOString();
  if (notification.kind === "test") {
    const labels = { alertname: "proven-test", severity: notification.severity, receiver: notification.receiver };
    const annotations = { summary: notification.verdict };
    return [{ labels, annotations, startsAt: iso(notification.at), endsAt: iso(notification.at + 60_000), generatorURL: base }];
  }
  return notification.alerts.map((alert) => ({
    labels: labelsOf(alert),
    annotations: {
      summary: alert.text,
      title: alert.title,
      ...(alert.node === null ? {} : { node: alert.node }),
      ...(alert.remedy === null ? {} : { remedy: alert.remedy }),
    },
    startsAt: iso(alert.firedAt ?? alert.activeAt ?? notification.at),
    endsAt: iso(alert.state === "resolved" ? (alert.resolvedAt ?? notification.at) : notification.at + lastsMs),
    generatorURL: linkOfAlert(alert, base),
  }));
}

export async function sendAlertmanager(
  ports: ChannelPorts,
  notification: Notification,
  receiver: Alertmanager,
): Promise<SendResult> {
  const { user, password, privateAddress } = receiver;
  const credentials = user === undefined || password === undefined ? undefined : `${user}:${ports.secret(password)}`;
  const headers = credentials === undefined ? {} : { authorization: `Basic ${Buffer.from(credentials).toString("base64")}` };
  const url = underUrl(receiver.url, "api/v2/alerts");
  const body = formatAlertmanager(notification, ports.base);
  return resultOf(await postJson(ports, { url, headers, body, privateAddress }), ports);
}
