import type { AlertView } from "#protocol/alerting.ts";
import { severities } from "#protocol/alerting.ts";
import type { EpochMs } from "#protocol/ids.ts";
import type { Notification, NotifyReason } from "#protocol/notifications.ts";
import { byText } from "#protocol/order.ts";
import type { AlertGroup } from "./alert-record.ts";
import { severityOf, verdictOf } from "./alert-verdict.ts";

/** Alerts one message lists; the rest is a number. */
const listedMax = 100;

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
): Notification {
  const group = `${id}@${openedAt}`;
  const all = [...[...firing].sort(worstFirst), ...[...over].sort(worstFirst)];
  const alerts = all.slice(0, listedMax);
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
    verdict: verdictOf(reason, all, fresh, now),
    alerts,
    more: all.length - alerts.length,
    nodes: [...places.values()],
  };
}
