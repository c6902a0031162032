import type { AlertView } from "#protocol/alerting.ts";
import { severities } from "#protocol/alerting.ts";
import { clusterKey, type EpochMs } from "#protocol/ids.ts";
import type { Notification, NotifyReason, ReceiverType } from "#protocol/notifications.ts";
import { byText } from "#protocol/order.ts";
import type { AlertGroup } from "./alert-record.ts";
import { severityOf, verdictOf } from "./alert-verdict.ts";

/** Alerts one message lists; the rest is a number. */
const listedMax = 100;
/** Nobody reads an Alertmanager's: one that is not in the message neither begins nor ends there. */
const postedMax = 10_000;
export const listedFor = (receiver: ReceiverType): number => (receiver === "alertmanager" ? postedMax : listedMax);

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
  const group = `${id}@${openedAt}`;
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
