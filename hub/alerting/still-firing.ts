import type { Delivery } from "#protocol/notifications.ts";
import type { AlertRecord } from "../core/alert-record.ts";
import { troubleOf } from "../core/notification.ts";
import type { StateStore } from "../store/state.ts";

type Stored = Pick<StateStore, "get">;

/** Something of what a message tells is not over: by when it fired, or by the group that told of it, whose times move with a clock that is set. */
export function stillFires(state: Stored, { receiver, notification }: Delivery): boolean {
  return notification.alerts.some(({ id, firedAt }) => {
    const present = state.get("alert", id);
    if (present?.alert.state !== "firing") return false;
    return present.alert.firedAt === firedAt || countsAsTold(state, present, receiver, notification.group);
  });
}

/** `trouble`: a message's group. */
function countsAsTold(state: Stored, { id, groups }: AlertRecord, receiver: string, trouble: string): boolean {
  return groups.some((name) => {
    const group = state.get("alertGroup", name);
    if (group === undefined || troubleOf(group) !== trouble) return false;
    return group.told[receiver]?.episodes.some(({ alert, resolvedAt }) => alert === id && resolvedAt === null) ?? false;
  });
}
