import type { AlertView } from "#protocol/alerting.ts";
import type { EpochMs } from "#protocol/ids.ts";
import type { AlertRecord } from "./alert-record.ts";
import type { Placement } from "./group.ts";

/** What became of a firing alert: told, taken, held back, without a route, or on its way. */
function dispositionOf(record: AlertRecord, placement: Placement | undefined, now: EpochMs): AlertView["disposition"] {
  if (record.alert.state !== "firing") return null;
  const { acknowledged } = record;
  if (acknowledged !== null && (acknowledged.until === null || now < acknowledged.until)) return "acknowledged";
  if (record.told.length > 0) return "notified";
  if (record.heldBy !== null || (placement?.quiet !== undefined && placement.receivers > 0)) return "suppressed";
  return placement === undefined || placement.receivers > 0 ? "waiting" : "no-route";
}

export function alertView(record: AlertRecord, placement: Placement | undefined, now: EpochMs): AlertView {
  const { alert, subject } = record;
  const quiet = placement?.quiet;
  return {
    // One by one: an object that begins with a spread gets each further field by a map of its own, which was half of the cost of many alerts.
    cluster: subject.cluster,
    entity: subject.entity,
    incarnation: subject.incarnation,
    instance: subject.instance,
    id: record.id,
    rule: record.rule,
    ruleName: record.ruleName,
    severity: record.severity,
    state: alert.state,
    activeAt: alert.state === "inactive" ? null : alert.activeAt,
    firedAt: alert.state === "firing" || alert.state === "resolved" ? alert.firedAt : null,
    resolvedAt: alert.state === "resolved" ? alert.resolvedAt : null,
    node: record.node,
    title: record.title,
    tags: record.tags,
    pool: record.pool,
    value: record.value,
    valueText: record.valueText,
    unit: record.unit,
    threshold: record.threshold,
    worst: record.worst,
    text: record.text,
    remedy: record.remedy,
    reason: record.reason,
    flapping: record.flapping,
    acknowledged: record.acknowledged,
    suppressedBy:
      record.heldBy ??
      (quiet === undefined ? null : { by: "quiet-hours", id: quiet, until: null, text: `Quiet hours of the route ${quiet}` }),
    disposition: dispositionOf(record, placement, now),
    notified: record.told,
    affected: record.affected,
  };
}

/** Whether two views of one alert show the same. Thousands of alerts are compared each second: only what may be another object is gone through. */
export function sameView(a: AlertView, b: AlertView): boolean {
  for (const field of Object.keys(a) as (keyof AlertView)[]) if (!sameValue(a[field], b[field])) return false;
  return true;
}

function sameValue(a: AlertView[keyof AlertView], b: AlertView[keyof AlertView]): boolean {
  if (Object.is(a, b)) return true;
  return typeof a === "object" && typeof b === "object" && JSON.stringify(a) === JSON.stringify(b);
}
