import type { EntityMetrics, GuestView, SeriesAnswer, SeriesQuery, SeriesSelector } from "#protocol/api.ts";
import type { TopAnswer, TopQuery } from "#protocol/class-queries.ts";
import { entityKind, parseEntityKey } from "#protocol/ids.ts";
import { type Metric, metricByName, metrics } from "#protocol/metrics.ts";
import { wave } from "./fake-cluster.ts";

const gib = 2 ** 30;
const instances: Record<string, readonly string[]> = {
  "node nic": ["eno1", "eno2", "vmbr0"],
  "node disk": ["nvme0n1", "sda"],
  "guest drive": ["scsi0", "scsi1"],
  "guest nic": ["net0", "net1"],
  "guest filesystem": ["/", "/boot"],
  "node sensor": ["k10temp/Tctl"],
  "node certificate": ["pve-ssl.pem"],
  "datastore namespace": ["/", "pve"],
};

/** Largest value of each generated metric, in the catalogue's unit (counters: per second). */
const largest: Record<string, number> = {
  "node cpu": 0.7,
  "node iowait": 0.06,
  "node mem_used": 100 * gib,
  "node arc": 24 * gib,
  "node nic_in": 60e6,
  "node nic_out": 40e6,
  "node disk_read": 90e6,
  "node disk_written": 60e6,
  "node psi_cpu_some": 6,
  "node psi_io_some": 11,
  "node psi_mem_some": 1,
  "node load1": 21,
  "node disk_reads": 300,
  "node disk_writes": 700,
  "node disk_read_ms": 200,
  "node disk_write_ms": 900,
  "node disk_busy_ms": 300,
  "node temperature": 60,
  "node root_used": 21 * gib,
  "guest cpu": 0.6,
  "guest mem_used": 5 * gib,
  "guest mem_host": 6 * gib,
  "guest net_in": 4e6,
  "guest net_out": 9e6,
  "guest disk_read": 12e6,
  "guest disk_written": 7e6,
  "guest psi_cpu_some": 8,
  "guest psi_io_some": 14,
  "guest psi_mem_some": 1,
  "guest drive_reads": 400,
  "guest drive_writes": 900,
  "guest drive_read_ns": 0.4e9,
  "guest drive_write_ns": 2.2e9,
  "guest drive_read": 3e6,
  "guest drive_written": 6e6,
  "guest nic_in": 2e6,
  "guest nic_out": 4e6,
  "guest fs_used": 10 * gib,
  "storage used": 7400 * gib,
  "zpool allocated": 1100 * gib,
  "thinpool data": 0.7,
  "thinpool provisioned": 900 * gib,
  "datastore used": 9000 * gib,
};
/** Time that goes with a number of requests, so that one request takes as long at every hour of the day. */
const goesWith: Record<string, string> = {
  disk_read_ms: "disk_reads",
  disk_write_ms: "disk_writes",
  drive_read_ns: "drive_reads",
  drive_write_ns: "drive_writes",
};
const constant: Record<string, number> = {
  "node mem_total": 128 * gib,
  "node cpus": 32,
  "guest mem_max": 8 * gib,
  "storage total": 8192 * gib,
  "storage avail": 760 * gib,
  "zpool size": 1800 * gib,
  "zpool fragmentation": 0.17,
  "zpool health": 0,
  "zpool free": 700 * gib,
  "zpool scan_state": 2,
  "zpool scrub_age": 500_000,
  "zpool scrub_errors": 0,
  "zpool data_errors": 0,
  "zpool read_errors": 0,
  "zpool write_errors": 0,
  "zpool checksum_errors": 0,
  "zpool vdev_errors": 0,
  "thinpool metadata": 0.86,
  "thinpool size": 740 * gib,
  "thinpool metadata_size": 8 * gib,
  "datastore up": 1,
  "datastore total": 20_480 * gib,
  "datastore avail": 10_000 * gib,
  "datastore snapshots": 24,
  "datastore snapshots_failed": 0,
  "datastore snapshots_unverified": 3,
  "datastore gc_age": 40_000,
  "datastore dedup_factor": 9.4,
  "disk healthy": 1,
  "disk wear": 0.06,
  "disk temperature": 36,
  "disk pending": 0,
  "disk power_on": 3e7,
  "node root_total": 94 * gib,
  "node certificate_left": 10 * 86_400,
  "node updates": 7,
  "guest fs_total": 30 * gib,
};

/** Answers a query as the hub does: steps begin on multiples of the step, a step without samples is null (in `gap`, and from `silentSince` on), a series never sampled has empty columns. */
export function fakeHistory(
  query: SeriesQuery,
  gap: { from: number; to: number },
  silentSince: (entity: string) => number,
): SeriesAnswer {
  const stepMs = query.stepMs ?? 10_000;
  const first = Math.floor(query.from / stepMs) * stepMs;
  const at = Array.from({ length: Math.max(0, Math.ceil((query.to - first) / stepMs)) }, (_, index) => first + index * stepMs);
  return {
    from: query.from,
    to: query.to,
    stepMs,
    tier: stepMs >= 900_000 ? "rollup" : "raw",
    series: query.series.flatMap((selector) => {
      const { offsetMs = 0 } = query;
      const end = Math.min(query.to - offsetMs, silentSince(selector.entity));
      const silent = (time: number) => time >= end || (time >= gap.from && time < gap.to);
      const then = at.map((time) => time - offsetMs);
      return seriesOf(selector, then, stepMs, silent, query.aggregates).map((one) => ({
        ...one,
        at: one.at.map((time) => time + offsetMs),
      }));
    }),
  };
}

function seriesOf(
  selector: SeriesSelector,
  at: number[],
  stepMs: number,
  silent: (time: number) => boolean,
  wanted: SeriesQuery["aggregates"],
): SeriesAnswer["series"] {
  const entity = parseEntityKey(selector.entity);
  const metric: Metric | undefined = entity === undefined ? undefined : metricByName(entityKind(entity), selector.metric);
  const key = metric === undefined ? "" : `${metric.entity} ${metric.name}`;
  if (metric === undefined) return [];
  const instance = selector.instance ?? null;
  const about = { entity: selector.entity, metric: metric.name, instance, unit: metric.unit };
  const sampled = largest[key] !== undefined || constant[key] !== undefined;
  if (!sampled || (metric.instance !== undefined) !== (instance !== null)) {
    return [
      { ...about, source: null, at: [], columns: metric.kind === "counter" ? { rate: [] } : { avg: [], min: [], max: [] } },
    ];
  }
  const column = (factor: number) =>
    at.map((time) => (silent(time) ? null : (valueAt(selector.entity, metric, instance, time + stepMs / 2) ?? 0) * factor));
  const spread = constant[key] !== undefined || stepMs <= 20_000 ? 0 : 0.22;
  const last = wanted?.includes("last") === true;
  const columns =
    metric.kind === "counter"
      ? { rate: column(1) }
      : last
        ? { last: column(1) }
        : { avg: column(1), min: column(1 - spread), max: column(1 + spread) };
  return [{ ...about, source: "fake", at, columns }];
}

/** Ranks guests by what history says of the window's last step; guests that are silent have no place. */
export function fakeTop(query: TopQuery, guests: readonly GuestView[], now: number): TopAnswer {
  const [from, n] = [now - 3_600_000, query.n ?? 10];
  const metricNames = [query.metric, ...(query.plus ?? [])];
  const alive = guests.filter((guest) => guest.state === "running");
  const valued = alive.map((guest) => {
    const sizeOf = (name: string) => wave(`${guest.entity} ${name}`, now) * (largest[`guest ${name}`] ?? 0);
    return { guest, value: metricNames.reduce((sum, name) => sum + sizeOf(name), 0) };
  });
  valued.sort((a, b) => b.value - a.value);
  const metric: Metric | undefined = metricByName("guest", query.metric);
  return {
    from,
    to: now,
    stepMs: now - from,
    tier: "raw",
    members: guests.length,
    ranked: valued.length,
    series: valued.slice(0, n).map(({ guest: { cluster, entity, name, node }, value }) => ({
      ...{ cluster, entity, name, node, metric: query.metric, instance: null, unit: metric?.unit ?? "", source: "fake" },
      at: [from],
      columns: metric?.kind === "counter" ? { rate: [value] } : { avg: [value] },
    })),
  };
}

/** Newest values of an entity, as history has them for its last sample; what is never sampled is absent. */
export function fakeMetrics(cluster: string, entity: string, now = Date.now()): EntityMetrics {
  const kind = entity.split("/")[0];
  const own = metrics.filter((metric) => metric.entity === kind);
  const at = Math.floor(now / 10_000) * 10_000;
  return {
    cluster,
    entity,
    metrics: own.flatMap((metric: Metric) => {
      const names = metric.instance === undefined ? [null] : (instances[`${metric.entity} ${metric.instance}`] ?? []);
      return names.map((instance) => {
        const value = valueAt(entity, metric, instance, at);
        const reading =
          value === undefined ? { state: "absent" as const, value: null, at: null } : { state: "fresh" as const, value, at };
        return { metric: metric.name, unit: metric.unit, source: "fake", ...reading, instance };
      });
    }),
  };
}

/** In the catalogue's unit, counters per second; undefined: never sampled. */
function valueAt(entity: string, metric: Metric, instance: string | null, at: number): number | undefined {
  const key = `${metric.entity} ${metric.name}`;
  const most = largest[key];
  const name = goesWith[metric.name] ?? metric.name;
  return constant[key] ?? (most === undefined ? undefined : wave(`${entity} ${name}${instance ?? ""}`, at) * most);
}
