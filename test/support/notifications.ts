import type { Notification, Receiver } from "#protocol/notifications.ts";
import { alertOf } from "./alert-views.ts";

/** 2026-01-05 12:00 UTC, where FakeClock starts. */
export const noon = Date.UTC(2026, 0, 5, 12);

/** A first message about VM 100, at noon, five minutes after it began. */
export function notificationOf(given: Partial<Notification> = {}): Notification {
  const alert = alertOf({ activeAt: noon - 300_000, firedAt: noon });
  return {
    id: "n1",
    kind: "firing",
    reason: "first",
    at: noon,
    group: "default|rule=guest-cpu",
    sequence: 1,
    route: "default",
    receiver: "r",
    step: 0,
    severity: "warning",
    verdict: "WARNING: web (VM 100) uses 97 % of its CPU",
    alerts: [alert],
    more: 0,
    nodes: [{ cluster: alert.cluster, node: "pve1" }],
    ...given,
  };
}

/** Its end, seven minutes later. */
export function resolvedOf(given: Partial<Notification> = {}): Notification {
  const over = alertOf({ state: "resolved", activeAt: noon - 300_000, firedAt: noon, resolvedAt: noon + 420_000 });
  return notificationOf({
    id: "n2",
    kind: "resolved",
    reason: "all-resolved",
    at: noon + 420_000,
    sequence: 2,
    verdict: "RESOLVED after 7 min: web (VM 100) uses 97 % of its CPU",
    alerts: [over],
    ...given,
  });
}

/** What all receivers have; `privateAddress`, since tests talk to 127.0.0.1. */
export const common = { id: "r", name: "Receiver", enabled: true, resolved: true, privateAddress: true };

export const webhookReceiver = (url: string, given: Partial<Receiver> = {}): Receiver =>
  ({ ...common, type: "webhook", url, secret: { ref: "receiver/r/secret" }, ...given }) as Receiver; // one type, some fields
