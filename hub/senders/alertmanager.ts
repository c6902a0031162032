import type { AlertView, Severity } from "#protocol/alerting.ts";
import type { Notification } from "#protocol/notifications.ts";
import { headlineOf } from "../core/alert-text.ts";
import type { SendResult } from "../core/delivery.ts";
import { linkOfAlert } from "../core/message.ts";
import { type ChannelPorts, postJson, type ReceiverOf, resultOf, underUrl } from "./channel.ts";

type Alertmanager = ReceiverOf<"alertmanager">;

/**
 * Alertmanager ends what nobody repeats, by default after 5 min. We tell changes only and their end for sure (a message that is kept until it
 * is delivered), so that an alert lasts there as long as the longest repeat interval of a route.
 */
const lastsMs = 30 * 86_400_000;

/** Labels make an alert's identity there: only what stays the same from its beginning to its end, wherever the guest moves. Its severity may be changed. */
function labelsOf({ rule, cluster, entity, incarnation, instance }: AlertView, severity: Severity): Record<string, string> {
  return {
    alertname: rule,
    severity,
    cluster,
    entity,
    incarnation: String(incarnation),
    ...(instance === null ? {} : { instance }),
  };
}

const iso = (at: number) => new Date(at).toISOString();

/** Body of `POST /api/v2/alerts` (api/v2/openapi.yaml, `postableAlerts`). A test is an alert that lasts a minute. */
function formatAlertmanager(notification: Notification, base: string) {
  if (notification.kind === "test") {
    const labels = { alertname: "proven-test", severity: notification.severity, receiver: notification.receiver };
    const annotations = { summary: notification.verdict };
    return [{ labels, annotations, startsAt: iso(notification.at), endsAt: iso(notification.at + 60_000), generatorURL: base }];
  }
  return notification.alerts.flatMap((alert) => {
    const told = notification.toldAs?.[alert.id] ?? [alert.severity];
    const isTold = alert.state === "firing" || told.includes(alert.severity);
    return [
      ...(isTold ? [postableOf(alert, notification.at, base)] : []),
      ...told.filter((severity) => severity !== alert.severity).map((severity) => endAs(severity, alert, notification.at)),
    ];
  });
}

function postableOf(alert: AlertView, at: number, base: string) {
  return {
    labels: labelsOf(alert, alert.severity),
    annotations: {
      summary: headlineOf(alert.text),
      ...(headlineOf(alert.text) === alert.text ? {} : { description: alert.text }),
      title: alert.title,
      ...(alert.node === null ? {} : { node: alert.node }),
      ...(alert.remedy === null ? {} : { remedy: alert.remedy }),
    },
    startsAt: beganAt(alert, at),
    endsAt: iso(alert.state === "resolved" ? (alert.resolvedAt ?? at) : at + lastsMs),
    generatorURL: linkOfAlert(alert, base),
  };
}

const beganAt = ({ firedAt, activeAt }: AlertView, at: number) => iso(firedAt ?? activeAt ?? at);

/** Its rule's severity was another when it was told before: that alert is over. */
function endAs(severity: Severity, alert: AlertView, at: number) {
  const endsAt = iso(alert.state === "resolved" ? (alert.resolvedAt ?? at) : at);
  return { labels: labelsOf(alert, severity), startsAt: beganAt(alert, at), endsAt };
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
