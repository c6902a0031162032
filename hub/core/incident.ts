import type { AlertView } from "#protocol/alerting.ts";
import type { EpochMs } from "#protocol/ids.ts";
import type { Notification, ReceiverType } from "#protocol/notifications.ts";
import { headlineOf } from "./alert-text.ts";

/** Services that keep an incident for each group and call people until somebody takes it there. */
export const keepsIncidents = (type: ReceiverType): boolean => type === "pagerduty";

/**
 * What tells such a service that somebody took it here. `told`: the newest message of the group; `present`: alerts as they are. Undefined:
 * something of the group still fires that nobody took, or nobody can say, since not all of it was listed. The id is the same for the same
 * acknowledgement, so that it is sent once however often it is found.
 */
export function acknowledgementOf(told: Notification, present: readonly AlertView[], now: EpochMs): Notification | undefined {
  if (told.kind === "resolved" || told.more > 0) return undefined;
  const ids = new Set(told.alerts.map(({ id }) => id));
  const firing = present.filter(({ id, state }) => ids.has(id) && state === "firing");
  const [first] = firing;
  const taken = firing.flatMap(({ acknowledged }) => acknowledged ?? []);
  const newest = taken.toSorted((a, b) => b.at - a.at)[0];
  if (first === undefined || newest === undefined || taken.length < firing.length) return undefined;
  return {
    ...told,
    id: `${told.group}>${told.receiver}!taken-${newest.at}`,
    kind: "acknowledged",
    reason: "acknowledged",
    at: now,
    verdict: `ACKNOWLEDGED by ${newest.by}: ${headlineOf(first.text)}${firing.length > 1 ? ` (and ${firing.length - 1} more)` : ""}`,
    alerts: firing,
  };
}
