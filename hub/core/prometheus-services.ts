import type { EpochMs } from "#protocol/ids.ts";
import { guestKey, parseVmid } from "#protocol/ids.ts";
import type { ReplicationFacts } from "#protocol/inventory.ts";
import type { MetricName } from "#protocol/metrics.ts";
import { type AgentStatus, speaks, spokesman } from "./cluster.ts";
import { isFresh } from "./freshness.ts";
import type { Family, Labels } from "./prometheus-names.ts";
import { type ClusterNames, guestId, type Row } from "./prometheus-series.ts";
import type { Sight } from "./views.ts";

const gauge = (name: string, help: string): Family => ({ name, type: "gauge", help });

/** Names, labels, states and texts of prometheus-pve-exporter 3.10: `HighAvailabilityStateMetric` and `NodeReplicationCollector`. */
const haState = gauge("pve_ha_state", "HA service status (for HA managed VMs).");
const guestStates = [
  "stopped",
  "request_stop",
  "request_start",
  "request_start_balance",
  "started",
  "fence",
  "recovery",
  "migrate",
  "relocate",
  "freeze",
  "error",
];
const nodeStates = ["online", "maintenance", "unknown", "fence", "gone"];
const replicationInfo = gauge("pve_replication_info", "Proxmox vm replication info");
const replicationDuration = gauge("pve_replication_duration_seconds", "Proxmox vm replication duration");
const replicationLastSync = gauge("pve_replication_last_sync_timestamp_seconds", "Proxmox vm replication last_sync");
const replicationFailed = gauge("pve_replication_failed_syncs", "Proxmox vm replication fail_count");

/** One row a state, 1 for the one that is. Nothing where HA was never used, and nothing of nodes that don't speak. */
export function haRows({ picture }: ClusterNames, now: EpochMs): Row[] {
  const agent = spokesman(picture, now);
  const ha = agent?.inventory?.inventory.cluster.ha;
  if (agent === undefined || ha === undefined || !speaks(agent, now)) return [];
  const rows = (id: string, states: readonly string[], present: string | undefined): Row[] =>
    states.map((state) => ({
      family: haState,
      labels: [
        ["id", id],
        ["state", state],
      ],
      value: state === present ? 1 : 0,
    }));
  const guests = [...picture.owners.values()].filter(({ owner }) => {
    const own = picture.agents.get(owner.agent.node);
    return own !== undefined && speaks(own, now);
  });
  return [
    ...ha.nodes.flatMap(({ node, state }) => rows(`node/${node}`, nodeStates, state)),
    ...guests.flatMap(({ facts }) => rows(`${facts.type}/${facts.vmid}`, guestStates, facts.ha)),
  ];
}

/** Jobs whose source node speaks. `last_try` and `next_sync` are not read. */
export function replicationRows(sight: Sight, names: ClusterNames): Row[] {
  return [...names.picture.agents.values()].flatMap((agent) => {
    if (!speaks(agent, sight.now)) return [];
    return (agent.inventory?.inventory.replication ?? []).flatMap((job) => jobRows(sight, names, agent, job));
  });
}

function jobRows(sight: Sight, names: ClusterNames, agent: AgentStatus, job: ReplicationFacts): Row[] {
  const vmid = parseVmid(job.vmid);
  if (vmid === undefined) return [];
  const entity = guestKey(vmid);
  const id: Labels = [["id", job.id]];
  // `local` is the only type PVE has (api-schema: /cluster/replication, type).
  const info: Labels = [
    ...id,
    ["type", "local"],
    ["source", `node/${agent.node}`],
    ["target", `node/${job.target}`],
    ["guest", guestId(names, entity) ?? ""],
  ];
  const newest = (metric: MetricName) => {
    const series = sight.reader.find({ cluster: names.picture.cluster, entity, metric, instance: job.id });
    const latest = series === undefined ? undefined : sight.live.latest(series.id);
    return latest !== undefined && isFresh(latest.at, sight.now, agent.clockSkewMs ?? 0) ? latest : undefined;
  };
  const [age, duration, fails] = [newest("replication_age"), newest("replication_duration"), newest("replication_fails")];
  const rows: Row[] = [{ family: replicationInfo, labels: info, value: 1 }];
  if (duration !== undefined) rows.push({ family: replicationDuration, labels: id, value: duration.value });
  if (age !== undefined) rows.push({ family: replicationLastSync, labels: id, value: Math.round(age.at / 1000 - age.value) });
  if (fails !== undefined) rows.push({ family: replicationFailed, labels: id, value: fails.value });
  return rows;
}
