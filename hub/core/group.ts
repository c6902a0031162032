import { type Recurrence, severities } from "#protocol/alerting.ts";
import type { EpochMs } from "#protocol/ids.ts";
import type { Receiver, Route } from "#protocol/notifications.ts";
import { episodeOf } from "./alert.ts";
import type { AlertGroup, AlertRecord, Told } from "./alert-record.ts";
import { escalationOf, type Nagging, overdueFor } from "./escalation.ts";
import { type Member, type Policy, type Telling, tellingOf } from "./notify.ts";
import { factsOfRecord, groupIdOf, groupLabelsOf, isQuiet, routesFor } from "./route.ts";
import type { EntityFacts } from "./scope.ts";
import { nextTellingAt } from "./telling-times.ts";

export type NotifyInput = {
  /** Firing ones. */
  alerts: Iterable<AlertRecord>;
  /** Open ones. */
  groups: ReadonlyMap<string, AlertGroup>;
  routes: readonly Route[];
  receivers: ReadonlyMap<string, Pick<Receiver, "enabled">>;
  factsOf(record: AlertRecord): EntityFacts | undefined;
  isOn(times: Recurrence): boolean;
  /** False: only what is new and what is over is told. What fired, or was held back, before the hub was away may be over, and nobody has said so yet. */
  reminds: boolean;
  now: EpochMs;
};

/** One message that is due. */
export type DueTelling = { group: AlertGroup; route: string; receiver: string; step: number; telling: Telling };

/** Where a firing alert belongs. `quiet`: the route whose quiet hours hold it back everywhere. Without receivers nobody will hear of it. */
export type Placement = { groups: string[]; receivers: number; quiet: string | undefined };

type OpenGroup = { group: AlertGroup; route: Route | undefined; members: AlertRecord[]; leastTold?: ReadonlyMap<string, number> };

/** `nextAt`: the first instant after now at which time alone may make a message due; Infinity: never. What is due now is not in it. */
export type TellingPlan = { due: DueTelling[]; placements: Map<string, Placement>; nextAt: number };

/** Puts firing alerts into their groups and says which messages are due. Pure: what was told is recorded by who sends. */
export function planTellings(input: NotifyInput): TellingPlan {
  // A route that is switched off is as good as removed: who was told hears the end, and nothing else.
  const routes = new Map(input.routes.flatMap((route) => (route.enabled ? [[route.id, route]] : [])));
  const open = new Map<string, OpenGroup>();
  for (const group of input.groups.values()) open.set(group.id, { group, route: routes.get(group.route), members: [] });
  const placements = new Map<string, Placement>();
  for (const record of input.alerts) placements.set(record.id, place(record, input, open));
  const due: DueTelling[] = [];
  let nextAt = Number.POSITIVE_INFINITY;
  for (const one of open.values()) {
    due.push(...tellingsOf(one, input));
    nextAt = Math.min(nextAt, nextTellingAt(one.group, one.route, one.members, input.now));
  }
  return { due, placements, nextAt };
}

/** An alert stays in the groups that told of it; until then, and where it got worse than they told, it follows the routes of the day. */
function place(record: AlertRecord, input: NotifyInput, open: Map<string, OpenGroup>): Placement {
  const placement: Placement = { groups: [], receivers: 0, quiet: undefined };
  const pinned = record.groups.flatMap((id) => open.get(id) ?? []);
  for (const one of pinned) join(record, one, placement, input);
  if (pinned.length > 0 && !isWorseThanTold(record, pinned)) return placement;
  const known = new Set(pinned.map(({ group }) => group.route));
  const facts = factsOfRecord(record, input.factsOf(record));
  for (const route of routesFor(record, facts, input.routes, input.isOn)) {
    if (known.has(route.id)) continue;
    const labels = groupLabelsOf(record, facts, route.groupBy);
    const id = groupIdOf(route.id, labels);
    let one = open.get(id);
    if (one === undefined) {
      one = { group: { id, route: route.id, labels, openedAt: 0 as EpochMs, told: {} }, route, members: [] };
      open.set(id, one);
    }
    join(record, one, placement, input);
  }
  return placement;
}

/** Its rule was given a higher severity since: others may want to hear of it than did before. */
function isWorseThanTold({ id, severity }: AlertRecord, pinned: readonly OpenGroup[]): boolean {
  const rank = severities.indexOf(severity);
  return pinned.some((one) => (leastTold(one).get(id) ?? rank) < rank);
}

/** Rank of the least severity as which each alert of a group was told. Made once: a storm has thousands in one group. */
function leastTold(one: OpenGroup): ReadonlyMap<string, number> {
  if (one.leastTold !== undefined) return one.leastTold;
  const least = new Map<string, number>();
  for (const { episodes } of Object.values(one.group.told)) {
    for (const { alert, severity } of episodes) {
      least.set(alert, Math.min(least.get(alert) ?? Number.POSITIVE_INFINITY, severities.indexOf(severity)));
    }
  }
  one.leastTold = least;
  return least;
}

function join(record: AlertRecord, one: OpenGroup, placement: Placement, input: NotifyInput): void {
  one.members.push(record);
  placement.groups.push(one.group.id);
  placement.receivers += (one.route?.receivers ?? []).filter((id) => input.receivers.get(id)?.enabled).length;
  if (one.route !== undefined && isQuiet(one.route, record.severity, input.isOn)) placement.quiet ??= one.route.id;
}

function memberOf(record: AlertRecord, quiet: boolean, { reminds, now }: NotifyInput): Member {
  const firedAt = record.alert.state === "firing" ? record.alert.firedAt : now;
  const { acknowledged } = record;
  return {
    key: episodeOf(record.id, firedAt),
    alert: record.id,
    severity: record.severity,
    firedAt,
    tellable: record.heldBy === null && !quiet && (reminds || !record.wasHeld),
    acknowledged: acknowledged !== null && (acknowledged.until === null || now < acknowledged.until),
    wasHeld: record.wasHeld,
    freedAt: Math.max(record.freedAt ?? 0, acknowledged?.until ?? 0) || null,
  };
}

function tellingsOf({ group, route, members: records }: OpenGroup, input: NotifyInput): DueTelling[] {
  const { now, isOn } = input;
  const quietFor = (severity: AlertRecord["severity"]) => route !== undefined && isQuiet(route, severity, isOn);
  const members = records.map((record) => memberOf(record, quietFor(record.severity), input));
  const policy: Policy = {
    waitMs: (route?.groupWaitSec ?? 0) * 1000,
    intervalMs: (route?.groupIntervalSec ?? 0) * 1000,
    repeatMs: (route?.repeatSec ?? 0) * 1000,
    reminds: input.reminds,
    holdsEndsOf: quietFor,
  };
  const isDeaf = !(route?.receivers ?? []).some((id) => input.receivers.get(id)?.enabled);
  const overdue = input.reminds ? overdueByStep(group, route, members, isDeaf, now) : [];
  const own = new Set(route?.receivers ?? []);
  const due: DueTelling[] = [];
  for (const receiver of receiversOf(group, route)) {
    const told = group.told[receiver];
    const found = tellReceiver(receiver, told, own.has(receiver), route, members, overdue, policy, now);
    // Who was switched off is told nothing, but what he knew ends.
    if (found !== undefined && (input.receivers.get(receiver)?.enabled || found.telling.reason === "all-resolved"))
      due.push({ group, route: group.route, receiver, ...found });
  }
  return due;
}

function tellReceiver(
  receiver: string,
  told: Told | undefined,
  isOwn: boolean,
  route: Route | undefined,
  members: readonly Member[],
  overdue: readonly (readonly Nagging[])[],
  policy: Policy,
  now: EpochMs,
): { step: number; telling: Telling } | undefined {
  const steps = (route?.escalation ?? []).flatMap((step, index) => (step.receivers.includes(receiver) ? [index] : []));
  for (const index of steps.reverse()) {
    const telling = escalationOf(told, index + 1, overdue[index] ?? [], members);
    if (telling !== undefined) return { step: index + 1, telling };
  }
  // Who is only an escalation's receiver hears of what escalated, and how it goes on.
  const known = new Set(told?.episodes.map(({ key }) => key));
  const mine = isOwn ? members : members.filter(({ key }) => known.has(key));
  const telling = tellingOf(told, mine, policy, now);
  return telling === undefined ? undefined : { step: told?.step ?? 0, telling };
}

function receiversOf(group: AlertGroup, route: Route | undefined): Set<string> {
  const escalated = (route?.escalation ?? []).flatMap((step) => step.receivers);
  return new Set([...(route?.receivers ?? []), ...escalated, ...Object.keys(group.told)]);
}

/**
 * For each step, what it is due for: judged by when the group first told of it to anybody, or by when it fired where the route's own receivers are
 * all switched off (`isDeaf`).
 */
function overdueByStep(
  group: AlertGroup,
  route: Route | undefined,
  members: readonly Member[],
  isDeaf: boolean,
  now: EpochMs,
): Nagging[][] {
  if (route?.escalation === undefined || route.escalation.length === 0) return [];
  const firstTold = new Map<string, EpochMs>();
  for (const { episodes } of Object.values(group.told)) {
    for (const { key, toldAt } of episodes) firstTold.set(key, Math.min(toldAt, firstTold.get(key) ?? toldAt) as EpochMs);
  }
  const nagging = members.flatMap((member): Nagging[] => {
    const toldAt = firstTold.get(member.key) ?? (isDeaf ? member.firedAt : undefined);
    return toldAt === undefined ? [] : [{ ...member, toldAt }];
  });
  return route.escalation.map((step) => overdueFor(step, nagging, now));
}
