import type { AlertView } from "#protocol/alerting.ts";
import type { Receiver } from "#protocol/notifications.ts";
import { acknowledgementOf, keepsIncidents } from "../core/incident.ts";
import { BoundedMap } from "../core/limits.ts";
import type { Clock } from "../ports.ts";
import type { StateStore } from "../store/state.ts";
import type { AlertFeed } from "./alert-feed.ts";
import type { DeliveryDispatcher } from "./dispatcher.ts";

export type IncidentPorts = {
  state: Pick<StateStore, "get">;
  dispatcher: Pick<DeliveryDispatcher, "log" | "enqueue" | "committed">;
  clock: Clock;
};

/**
 * Whoever takes an alert in Proven ends the calls for it elsewhere, at once and not with the next message: acknowledged alerts have no next
 * one. Taken alerts are looked at after a start, too: one that was taken while the hub went down is told then.
 */
export function tellIncidents(alerts: AlertFeed, { state, dispatcher, clock }: IncidentPorts): void {
  /** The acknowledgement that was dealt with, by alert and receiver. */
  const handled = new BoundedMap<string, number>(10_000);
  const keeper = (receiver: string): Receiver | undefined => {
    const known = state.get("receiver", receiver);
    return known?.enabled === true && keepsIncidents(known.type) ? known : undefined;
  };
  const tell = (alert: AlertView, at: number, receiver: string): void => {
    const key = `${receiver} ${alert.id}`;
    if (handled.get(key) === at || keeper(receiver) === undefined) return;
    handled.set(key, at);
    const told = dispatcher.log.newest(receiver, ({ notification }) => notification.alerts.some(({ id }) => id === alert.id));
    const taken = told === undefined ? undefined : acknowledgementOf(told.notification, alerts.views(), clock.now());
    if (taken !== undefined) dispatcher.enqueue(taken);
  };
  alerts.onAlerts((changed) => {
    for (const alert of changed) {
      if (alert.state !== "firing" || alert.acknowledged === null) continue;
      for (const { receiver } of alert.notified) tell(alert, alert.acknowledged.at, receiver);
    }
    dispatcher.committed();
  });
}
