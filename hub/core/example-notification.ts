import type { AlertView } from "#protocol/alerting.ts";
import type { EpochMs } from "#protocol/ids.ts";
import type { Notification } from "#protocol/notifications.ts";

const minuteMs = 60_000;

/** Two alerts as they could be, for previews of templates. */
export function exampleNotification(now: EpochMs): Notification {
  const storage = example(now, {
    rule: "storage-full",
    ruleName: "Storage nearly full",
    severity: "critical",
    entity: "storage/tank",
    title: "storage tank",
    node: null,
    value: 0.97,
    threshold: 0.95,
    text: "Storage nearly full: storage tank is at 97 %, above 95 %",
    remedy: "Remove old backups or enlarge the pool",
  });
  const guest = example(now, {
    rule: "guest-cpu",
    ruleName: "Guest CPU",
    severity: "warning",
    entity: "guest/100",
    title: "web (VM 100)",
    node: "pve1",
    tags: ["prod"],
    value: 0.93,
    threshold: 0.9,
    text: "Guest CPU: web (VM 100) is at 93 %, above 90 %",
    remedy: null,
  });
  return {
    id: "example",
    kind: "firing",
    reason: "first",
    at: now,
    group: "default|",
    sequence: 1,
    route: "default",
    receiver: "example",
    step: 0,
    severity: "critical",
    verdict: `CRITICAL: ${storage.text} (and 1 more)`,
    alerts: [storage, guest],
    more: 0,
    nodes: [{ cluster: storage.cluster, node: "pve1" }],
  };
}

type Told = "rule" | "ruleName" | "severity" | "entity" | "title" | "node" | "value" | "threshold" | "text" | "remedy";

function example(now: EpochMs, given: Pick<AlertView, Told> & Partial<AlertView>): AlertView {
  const cluster = "00000000000000aa";
  return {
    cluster,
    incarnation: 1,
    instance: null,
    id: `${given.rule}@${cluster}/${given.entity}#1`,
    state: "firing",
    activeAt: now - 12 * minuteMs,
    firedAt: now - 7 * minuteMs,
    resolvedAt: null,
    tags: [],
    pool: null,
    valueText: null,
    unit: "ratio",
    reason: "breach",
    flapping: false,
    acknowledged: null,
    suppressedBy: null,
    disposition: "waiting",
    notified: [],
    affected: [],
    ...given,
  };
}
