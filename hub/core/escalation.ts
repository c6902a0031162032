import type { EpochMs } from "#protocol/ids.ts";
import type { Route } from "#protocol/notifications.ts";
import type { Told } from "./alert-record.ts";
import type { Member, Telling } from "./notify.ts";

export type Step = NonNullable<Route["escalation"]>[number];

/** An alert that its route's own receivers know, as escalation goes. */
export type Nagging = Member & { toldAt: EpochMs };

/** Alerts that have been told for so long, are still firing, not acknowledged and not held back, and bad enough for the step. */
export function overdueFor(step: Step, members: readonly Nagging[], now: EpochMs): Nagging[] {
  return members.filter(
    (member) =>
      member.tellable &&
      !member.acknowledged &&
      now - member.toldAt >= step.afterSec * 1000 &&
      (step.severities === undefined || step.severities.includes(member.severity)),
  );
}

/** What a step tells a receiver it has not reached in this trouble; undefined: nothing is due. `step`: 1 for the first. `members`: all that fire. */
export function escalationOf(
  told: Told | undefined,
  step: number,
  overdue: readonly Nagging[],
  members: readonly Member[],
): Telling | undefined {
  if (overdue.length === 0 || (told !== undefined && told.episodes.length > 0 && told.step >= step)) return undefined;
  const due = new Set(overdue.map(({ key }) => key));
  const known = new Set(told?.episodes.map(({ key }) => key));
  const present = new Set(members.map(({ key }) => key));
  return {
    reason: "escalation",
    firing: members.filter(({ key }) => due.has(key) || known.has(key)),
    over: (told?.episodes ?? []).filter(({ key }) => !present.has(key)),
  };
}
