import type { AlertView, Severity } from "#protocol/alerting.ts";

export type AlertFilter = {
  severity?: Severity | undefined;
  rule?: string | undefined;
  cluster?: string | undefined;
  entity?: string | undefined;
  node?: string | undefined;
  tag?: string | undefined;
  since?: number | undefined;
};

export function matchesAlert(alert: AlertView, { severity, rule, cluster, entity, node, tag, since }: AlertFilter): boolean {
  return (
    (severity === undefined || alert.severity === severity) &&
    (rule === undefined || alert.rule === rule) &&
    (cluster === undefined || alert.cluster === cluster) &&
    (entity === undefined || alert.entity === entity) &&
    (node === undefined || alert.node === node) &&
    (tag === undefined || alert.tags.includes(tag)) &&
    (since === undefined || (alert.resolvedAt ?? 0) >= since)
  );
}

/**
 * One page of ended alerts, the newest end first. The cursor is a time of ending: what ended in the same millisecond as the last of `limit`
 * is on this page too, so that none is lost between two pages.
 */
export function alertHistoryPage(
  ended: readonly AlertView[],
  filter: AlertFilter,
  { limit, cursor }: { limit: number; cursor: number | undefined },
): { items: AlertView[]; next: number | null } {
  const endOf = (alert: AlertView) => alert.resolvedAt ?? 0;
  const wanted = ended
    .filter((alert) => matchesAlert(alert, filter) && (cursor === undefined || endOf(alert) < cursor))
    .sort((a, b) => endOf(b) - endOf(a));
  const last = wanted[limit - 1];
  if (last === undefined || wanted.length === limit) return { items: wanted, next: null };
  const items = wanted.filter((alert) => endOf(alert) >= endOf(last));
  return { items, next: items.length < wanted.length ? endOf(last) : null };
}
