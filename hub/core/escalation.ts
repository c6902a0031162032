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

/**
 * What a step tells a receiver; undefined: nothing is due. It speaks once in a trouble, and again of what joined the trouble since and is overdue
 * itself: that somebody took the first alert says nothing of the second. `step`: 1 for the first. `members`: all that fire.
 */
export function escalationOf(
  told: Told | undefined,
  step: number,
  overdue: readonly Nagging[],
  members: readonly Member[],
): Telling | undefined {
  const open = told?.episodes ?? [];
  const known = new Set(open.map(({ key }) => key));
  const spoke = (told?.step ?? 0) >= step;
  if (overdue.length === 0 || (spoke && overdue.every(({ key }) => known.has(key)))) return undefined;
  const due = new Set(overdue.map(({ key }) => key));
  const present = new Set(members.map(({ key }) => key));
  return {
    reason: "escalation",
    firing: members.filter(({ key }) => due.has(key) || known.has(key)),
    over: open.filter(({ key }) => !present.has(key)),
  };
}
