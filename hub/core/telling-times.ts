import type { EpochMs } from "#protocol/ids.ts";
import type { Route } from "#protocol/notifications.ts";
import type { AlertGroup, AlertRecord } from "./alert-record.ts";
import { partlyAfterMs } from "./notify.ts";

/**
 * The first instant after `now` at which time alone can make a message of this group due; Infinity: never. It may come for nothing, and is never
 * too late: all that telling, repeating, escalating and ends that are told together count from is in it.
 */
export function nextTellingAt(
  group: AlertGroup,
  route: Route | undefined,
  members: readonly AlertRecord[],
  now: EpochMs,
): number {
  const waitMs = (route?.groupWaitSec ?? 0) * 1000;
  const intervalMs = (route?.groupIntervalSec ?? 0) * 1000;
  const repeatMs = (route?.repeatSec ?? 0) * 1000;
  const steps = route?.escalation ?? [];
  let next = Number.POSITIVE_INFINITY;
  const at = (instant: number) => {
    if (instant > now && instant < next) next = instant;
  };
  for (const { alert } of members) {
    if (alert.state !== "firing") continue;
    at(alert.firedAt + waitMs);
    for (const { afterSec } of steps) at(alert.firedAt + afterSec * 1000);
  }
  for (const told of Object.values(group.told)) {
    at(told.at + intervalMs);
    at(told.at + Math.max(intervalMs, partlyAfterMs));
    at(told.at + repeatMs);
    for (const { toldAt } of told.episodes) for (const { afterSec } of steps) at(toldAt + afterSec * 1000);
  }
  return next;
}

/** The first instant after `now` at which what holds an alert back, or that somebody took it, ends by itself; Infinity: never. */
export function nextFreedAt({ heldBy, acknowledged }: AlertRecord, now: EpochMs): number {
  let next = Number.POSITIVE_INFINITY;
  for (const until of [heldBy?.until, acknowledged?.until]) {
    if (typeof until === "number" && until > now && until < next) next = until;
  }
  return next;
}
