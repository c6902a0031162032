import { type FieldProblem, type Recurrence, severities } from "#protocol/alerting.ts";
import type { GroupLabel, Receiver, Route } from "#protocol/notifications.ts";
import { byText } from "#protocol/order.ts";
import type { AlertRecord } from "./alert-record.ts";
import { checkScope } from "./rule.ts";
import { type EntityFacts, matcherOf } from "./scope.ts";
import { checkRecurrence } from "./window.ts";

/** An alert's entity as it was when last seen: routes take alerts of what is gone, too. */
export function factsOfRecord(record: AlertRecord, known: EntityFacts | undefined): EntityFacts {
  if (known !== undefined) return known;
  const { subject, node, title, tags, pool } = record;
  return {
    cluster: subject.cluster as EntityFacts["cluster"],
    entity: subject.entity as EntityFacts["entity"],
    kind: (subject.entity.split("/")[0] ?? "cluster") as EntityFacts["kind"],
    incarnation: subject.incarnation,
    node: (node ?? undefined) as EntityFacts["node"],
    type: "",
    name: title,
    title,
    tags,
    pool: pool ?? undefined,
    storages: [],
  };
}

/** Routes that take an alert, in order. `isOn`: is this time now? */
export function routesFor(
  record: AlertRecord,
  facts: EntityFacts,
  routes: readonly Route[],
  isOn: (times: Recurrence) => boolean,
): Route[] {
  const taken: Route[] = [];
  for (const route of [...routes].sort((a, b) => a.order - b.order || byText(a.id, b.id))) {
    if (!route.enabled || !matches(record, facts, route, isOn)) continue;
    const chosen = insteadOf(route, record, routes, isOn);
    if (!taken.includes(chosen)) taken.push(chosen);
    if (!route.continue) break;
  }
  return taken;
}

function matches(record: AlertRecord, facts: EntityFacts, { match }: Route, isOn: (times: Recurrence) => boolean): boolean {
  const { severities: wanted, scope, rules, times } = match;
  if (wanted !== undefined && !wanted.includes(record.severity)) return false;
  if (rules !== undefined && !rules.includes(record.rule)) return false;
  if (scope !== undefined && !matcherOf(scope)(facts, record.subject.instance)) return false;
  return times === undefined || isOn(times);
}

/** Do a route's quiet hours hold back this alert now? */
export function isQuiet({ quietHours }: Route, severity: AlertRecord["severity"], isOn: (times: Recurrence) => boolean): boolean {
  if (quietHours === undefined || severities.indexOf(severity) > severities.indexOf(quietHours.upTo)) return false;
  return isOn(quietHours.times);
}

/** In quiet hours, the route that stands in. */
function insteadOf(route: Route, record: AlertRecord, routes: readonly Route[], isOn: (times: Recurrence) => boolean): Route {
  const seen = new Set<string>();
  let chosen = route;
  while (chosen.otherwise !== undefined && isQuiet(chosen, record.severity, isOn) && !seen.has(chosen.id)) {
    seen.add(chosen.id);
    const next = routes.find((one) => one.id === chosen.otherwise && one.enabled);
    if (next === undefined) break;
    chosen = next;
  }
  return chosen;
}

export function groupLabelsOf(record: AlertRecord, facts: EntityFacts, groupBy: readonly GroupLabel[]): Record<string, string> {
  const values: Record<GroupLabel, string> = {
    rule: record.rule,
    cluster: record.subject.cluster,
    node: facts.node ?? "",
    entity: record.subject.entity,
    severity: record.severity,
    pool: facts.pool ?? "",
    storage: facts.storages[0] ?? "",
  };
  return Object.fromEntries([...groupBy].sort().map((label) => [label, values[label]]));
}

export function groupIdOf(route: string, labels: Record<string, string>): string {
  return `${route}|${Object.entries(labels)
    .map(([label, value]) => `${label}=${value}`)
    .join(",")}`;
}

/** What is wrong with a route among the others: unknown receivers, times that never come, stand-ins that lead in a circle. */
export function checkRoute(route: Route, others: readonly Route[], receivers: readonly Pick<Receiver, "id">[]): FieldProblem[] {
  const known = new Set(receivers.map(({ id }) => id));
  const problems: FieldProblem[] = [];
  const lists: [field: string, ids: readonly string[]][] = [
    ["receivers", route.receivers],
    ...(route.escalation ?? []).map((step, index): [string, readonly string[]] => [
      `escalation.${index}.receivers`,
      step.receivers,
    ]),
  ];
  for (const [field, ids] of lists) {
    const missing = ids.filter((id) => !known.has(id));
    if (missing.length > 0) {
      problems.push({
        field,
        problem: `There is no receiver ${missing.join(", ")}`,
        remedy: `Any of: ${[...known].join(", ") || "create one first"}`,
      });
    }
  }
  route.escalation?.forEach((step, index) => {
    const before = route.escalation?.[index - 1];
    if (before !== undefined && step.afterSec <= before.afterSec) {
      problems.push({
        field: `escalation.${index}.afterSec`,
        problem: "It comes no later than the step before",
        remedy: `More than ${before.afterSec}`,
      });
    }
  });
  if (route.match.scope !== undefined) problems.push(...checkScope(route.match.scope, "match.scope"));
  if (route.match.times !== undefined) problems.push(...checkRecurrence(route.match.times, "match.times"));
  if (route.quietHours !== undefined) problems.push(...checkRecurrence(route.quietHours.times, "quietHours.times"));
  return [...problems, ...checkOtherwise(route, others)];
}

function checkOtherwise(route: Route, others: readonly Route[]): FieldProblem[] {
  const all = new Map([...others, route].map((one) => [one.id, one]));
  const way = [route.id];
  for (let next = route.otherwise; next !== undefined; next = all.get(next)?.otherwise) {
    if (!all.has(next))
      return [{ field: "otherwise", problem: `There is no route ${next}`, remedy: "Name another route, or none" }];
    way.push(next);
    if (way.indexOf(next) < way.length - 1) {
      return [
        { field: "otherwise", problem: `The stand-ins go in a circle: ${way.join(" → ")}`, remedy: "Let one of them have none" },
      ];
    }
  }
  return [];
}
