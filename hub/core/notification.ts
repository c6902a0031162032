import type { AlertView, Severity } from "#protocol/alerting.ts";
import { severities } from "#protocol/alerting.ts";
import { clusterKey, type EpochMs } from "#protocol/ids.ts";
import type { Notification, NotifyReason, ReceiverType } from "#protocol/notifications.ts";
import { byText } from "#protocol/order.ts";
import type { AlertGroup, ToldEpisode } from "./alert-record.ts";
import { severityOf, verdictOf } from "./alert-verdict.ts";
import { severitiesTold } from "./notify.ts";

/** Alerts one message lists; the rest is a number. */
const listedMax = 100;
/** Nobody reads an Alertmanager's: one that is not in a message neither begins nor ends there. */
export const listedFor = (receiver: ReceiverType): number => (receiver === "alertmanager" ? Number.POSITIVE_INFINITY : listedMax);
/** Of a message that lists all, each part is stored and posted on its own. */
const partMax = 500;

const kinds: Record<NotifyReason, Notification["kind"]> = {
  first: "firing",
  "new-firing": "firing",
  repeat: "repeat",
  escalation: "escalation",
  "catch-up": "catch-up",
  "some-resolved": "repeat",
  "all-resolved": "resolved",
  acknowledged: "acknowledged",
  test: "test",
  report: "report",
};

const worstFirst = (a: AlertView, b: AlertView) =>
  severities.indexOf(b.severity) - severities.indexOf(a.severity) || (a.firedAt ?? 0) - (b.firedAt ?? 0) || byText(a.id, b.id);

/** By cluster, what people call it; empty where the hub knows only one, of which all messages are. */
export type ClusterNames = ReadonlyMap<string, string>;

/** `names`: of all clusters that the hub knows. Two of the same name are told apart by their ids. */
export function namesOfClusters(names: readonly { cluster: string; name: string }[]): ClusterNames {
  if (names.length < 2) return new Map();
  const isShared = (name: string) => names.filter((one) => one.name === name).length > 1;
  return new Map(names.map(({ cluster, name }) => [cluster, isShared(name) ? `${name} (${cluster.slice(0, 6)})` : name]));
}

/** Of alerts of several clusters each says in its title of which it is. A cluster's own title is its name. */
function withClusters(alerts: readonly AlertView[], names: ClusterNames): AlertView[] {
  const isMixed = new Set(alerts.map(({ cluster }) => cluster)).size > 1;
  return alerts.map((alert) => {
    const name = names.get(alert.cluster);
    return !isMixed || name === undefined || alert.entity === clusterKey
      ? alert
      : { ...alert, title: `${alert.title} of ${name}` };
  });
}

/** A group from its first message to the one that says that all is over: its messages' group. */
export const troubleOf = ({ id, openedAt }: Pick<AlertGroup, "id" | "openedAt">): string => `${id}@${openedAt}`;

/** One message. `fresh`: ids of the alerts its receiver did not know. Its id and group are the same whenever the same decision is made again. */
export function notificationOf(
  { id, route, openedAt }: Pick<AlertGroup, "id" | "route" | "openedAt">,
  receiver: string,
  step: number,
  sequence: number,
  reason: NotifyReason,
  firing: readonly AlertView[],
  over: readonly AlertView[],
  fresh: ReadonlySet<string>,
  now: EpochMs,
  names: ClusterNames = new Map(),
  listed = listedMax,
): Notification {
  const group = troubleOf({ id, openedAt });
  const all = withClusters([...[...firing].sort(worstFirst), ...[...over].sort(worstFirst)], names);
  const placeOf = ({ cluster, text }: AlertView) => {
    const name = names.get(cluster);
    return name === undefined || text.split(/[\s,:;]+/).includes(name) ? "" : `${name}: `;
  };
  const alerts = all.slice(0, listed);
  const places = new Map(
    all.flatMap(({ cluster, node }) => (node === null ? [] : [[`${cluster} ${node}`, { cluster, node }] as const])),
  );
  return {
    id: `${group}>${receiver}#${sequence}`,
    kind: kinds[reason],
    reason,
    at: now,
    group,
    sequence,
    route,
    receiver,
    step,
    severity: severityOf(all),
    verdict: verdictOf(reason, all, fresh, now, placeOf),
    alerts,
    more: all.length - alerts.length,
    nodes: [...places.values()],
  };
}

/** Parts of one message, each with an id of its own that is the same whenever the same decision is made again. */
export function partsOf(notification: Notification): Notification[] {
  const { alerts } = notification;
  if (alerts.length <= partMax) return [notification];
  return Array.from({ length: Math.ceil(alerts.length / partMax) }, (_, index) => {
    const own = alerts.slice(index * partMax, (index + 1) * partMax);
    const id = index === 0 ? notification.id : `${notification.id}.${index}`;
    return { ...notification, id, alerts: own, more: alerts.length - own.length };
  });
}

/** The message with what its receiver was told of its alerts' severities `before`, for who knows an alert by its severity, too. */
export function withToldAs(notification: Notification, before: readonly ToldEpisode[]): Notification {
  const told = new Map<string, Set<Severity>>();
  for (const episode of before) {
    const known = told.get(episode.alert) ?? new Set<Severity>();
    told.set(episode.alert, known);
    for (const severity of severitiesTold(episode)) known.add(severity);
  }
  const others = notification.alerts.flatMap(({ id, severity }): [string, Severity[]][] => {
    const known = told.get(id);
    return known === undefined || (known.size === 1 && known.has(severity)) ? [] : [[id, [...known]]];
  });
  return others.length === 0 ? notification : { ...notification, toldAs: Object.fromEntries(others) };
}
