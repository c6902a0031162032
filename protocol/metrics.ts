import { guestMetrics } from "./guest-metrics.ts";
import type { EntityKind } from "./ids.ts";
import type { Metric } from "./metric-kinds.ts";
import { nodeMetrics } from "./node-metrics.ts";
import { storageMetrics } from "./storage-metrics.ts";

export type { InstanceKind, Metric, Unit } from "./metric-kinds.ts";

/** Every metric there is. Agent, store, API, rules and panel know no other. */
export const metrics = [...nodeMetrics, ...guestMetrics, ...storageMetrics] as const satisfies readonly Metric[];

export type MetricId = (typeof metrics)[number]["id"];
/** `cpu`, `mem_used` …: unique together with the kind of entity. */
export type MetricName = (typeof metrics)[number]["name"];

const byId = new Map<number, Metric>(metrics.map((metric) => [metric.id, metric]));
const byName = new Map<string, Metric>(metrics.map((metric) => [`${metric.entity} ${metric.name}`, metric]));

/** Undefined: no such metric in this version; a newer agent may have it. */
export function metricById(id: number): Metric | undefined {
  return byId.get(id);
}

export function metricByName(entity: EntityKind, name: string): Metric | undefined {
  return byName.get(`${entity} ${name}`);
}

export const guestStatusCodes = ["stopped", "running", "paused", "suspended", "prelaunch", "io-error", "other"] as const;
export const zpoolHealthCodes = ["ONLINE", "DEGRADED", "FAULTED", "OFFLINE", "UNAVAIL", "REMOVED", "SUSPENDED"] as const;
/** `dsl_scan_state` of OpenZFS; `paused`: a scrub that was told to wait. */
export const zpoolScanCodes = ["none", "scanning", "finished", "canceled", "paused"] as const;
export const cephHealthCodes = ["HEALTH_OK", "HEALTH_WARN", "HEALTH_ERR"] as const;
/** States of an HA resource (pve-ha-manager `PVE/HA/Manager.pm`); one that is none of them is `other`. */
export const haStateCodes = [
  "started",
  "stopped",
  "request_start",
  "request_start_balance",
  "request_stop",
  "migrate",
  "relocate",
  "freeze",
  "recovery",
  "fence",
  "error",
  "other",
] as const;
