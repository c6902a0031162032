import type { AlertView } from "#protocol/alerting.ts";
import type { GuestView, NodeView, Reading, StorageView } from "#protocol/api.ts";
import type { EpochMs } from "#protocol/ids.ts";
import { type ClusterPicture, quorumOf } from "./cluster.ts";

/** A field that is not known now is null: Home Assistant shows it as unknown. Never 0. */
export type StateDocument = Record<string, string | number | string[] | null>;

/** Alerts that fire, by cluster and entity; undefined: nobody judges rules yet. */
export type FiringAlerts = ReadonlyMap<string, readonly AlertView[]> | undefined;

/** Alerts that fire, by `<cluster> <entity>`. */
export function firingByEntity(alerts: readonly AlertView[]): ReadonlyMap<string, readonly AlertView[]> {
  const found = new Map<string, AlertView[]>();
  for (const alert of alerts) {
    if (alert.state !== "firing") continue;
    const key = `${alert.cluster} ${alert.entity}`;
    found.set(key, [...(found.get(key) ?? []), alert]);
  }
  return found;
}

const fresh = ({ state, value }: Reading) => (state === "fresh" ? value : null);
const round = (value: number | null, digits: number) => (value === null ? null : Number(value.toFixed(digits)));
const percent = (part: number | null, whole: number | null) =>
  part === null || whole === null || whole <= 0 ? null : round((100 * part) / whole, 1);
const gib = (bytes: number | null) => round(bytes === null ? null : bytes / 2 ** 30, 2);
/** Whole minutes, in seconds: an uptime that grew by ten seconds is no news. */
const uptime = (reading: Reading) => {
  const value = fresh(reading);
  return value === null ? null : Math.floor(value / 60) * 60;
};

type Standing = "bad" | "good" | "unknown";

function standingOf<S extends string>(state: S | "unknown", bad: S): Standing {
  if (state === "unknown") return "unknown";
  return state === bad ? "bad" : "good";
}

/** What a binary sensor of class `problem` shows. Information is no problem, and what is not seen is neither. */
function problemOf(alerts: FiringAlerts, key: string, standing: Standing): StateDocument {
  const firing = alerts?.get(key)?.filter(({ severity }) => severity !== "info") ?? [];
  const texts = firing.map(({ text }) => text).slice(0, 20);
  if (firing.length > 0 || standing === "bad") return { problem: "ON", alerts: texts };
  return { problem: standing === "unknown" || alerts === undefined ? null : "OFF", alerts: texts };
}

const known = <S extends string>(state: S | "unknown") => (state === "unknown" ? null : state);

export function nodeDocument(node: NodeView, alerts: FiringAlerts): StateDocument {
  return {
    state: known(node.state),
    cpu: round(fresh(node.cpu) === null ? null : 100 * (fresh(node.cpu) ?? 0), 1),
    memory: percent(fresh(node.memUsed), fresh(node.memTotal)),
    disk: percent(fresh(node.rootUsed), fresh(node.rootTotal)),
    uptime: uptime(node.uptime),
    guests_running: node.state === "online" && node.guests.unknown === 0 ? node.guests.running : null,
    ...problemOf(alerts, `${node.cluster} ${node.entity}`, standingOf(node.state, "offline")),
  };
}

export function guestDocument(guest: GuestView, alerts: FiringAlerts): StateDocument {
  const cpu = fresh(guest.cpu);
  return {
    state: known(guest.state),
    node: guest.node,
    cpu: cpu === null ? null : round(100 * cpu, 1),
    memory: percent(fresh(guest.memUsed), fresh(guest.memMax)),
    memory_used: gib(fresh(guest.memUsed)),
    disk: percent(fresh(guest.diskUsed), fresh(guest.diskMax)),
    uptime: uptime(guest.uptime),
    ...problemOf(alerts, `${guest.cluster} ${guest.entity}`, standingOf(guest.state, "io-error")),
  };
}

export function storageDocument(storage: StorageView, alerts: FiringAlerts): StateDocument {
  return {
    state: known(storage.state),
    usage: percent(fresh(storage.used), fresh(storage.total)),
    used: gib(fresh(storage.used)),
    total: gib(fresh(storage.total)),
    ...problemOf(alerts, `${storage.cluster} ${storage.entity}`, standingOf(storage.state, "inactive")),
  };
}

const quorumWords = new Map<boolean | undefined, "quorate" | "no-quorum">([
  [true, "quorate"],
  [false, "no-quorum"],
]);

/** `problem` of a cluster is about anything in it: it is the one sensor to look at. */
export function clusterDocument(
  picture: ClusterPicture,
  nodes: readonly NodeView[],
  guests: readonly GuestView[],
  alerts: FiringAlerts,
  now: EpochMs,
): StateDocument {
  const quorum = quorumWords.get(quorumOf(picture, now)) ?? "unknown";
  const running = guests.some(({ state, template }) => state === "unknown" && !template)
    ? null
    : guests.filter(({ state }) => state === "running").length;
  const all = [...(alerts ?? [])].filter(([key]) => key.startsWith(`${picture.cluster} `)).flatMap(([, list]) => list);
  const ownAlerts = alerts === undefined ? undefined : new Map([[picture.cluster as string, all]]);
  return {
    state: known(quorum),
    nodes: nodes.length,
    nodes_online: nodes.some(({ state }) => state === "unknown") ? null : nodes.filter(({ state }) => state === "online").length,
    guests_running: running,
    alerts_firing: alerts === undefined ? null : all.length,
    alerts_critical: alerts === undefined ? null : all.filter(({ severity }) => severity === "critical").length,
    ...problemOf(ownAlerts, picture.cluster, standingOf(quorum, "no-quorum")),
  };
}

/** One alert for its topic. Pending ones are nobody's business yet. */
export function alertDocument(alert: AlertView): Record<string, unknown> {
  return {
    id: alert.id,
    state: alert.state,
    severity: alert.severity,
    rule: alert.rule,
    cluster: alert.cluster,
    entity: alert.entity,
    instance: alert.instance,
    node: alert.node,
    title: alert.title,
    text: alert.text,
    remedy: alert.remedy,
    value: alert.value === null ? alert.valueText : round(alert.value, 4),
    unit: alert.unit,
    threshold: alert.threshold,
    fired_at: alert.firedAt,
    resolved_at: alert.resolvedAt,
    acknowledged_by: alert.acknowledged?.by ?? null,
    suppressed_by: alert.suppressedBy?.by ?? null,
    affected: alert.affected,
  };
}
