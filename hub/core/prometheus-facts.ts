import type { GuestView, Health, NodeView, StorageView } from "#protocol/api.ts";
import type { EntityKey, EpochMs, NodeName } from "#protocol/ids.ts";
import { parseNodeName } from "#protocol/ids.ts";
import type { Member } from "#protocol/inventory.ts";
import { metricByName } from "#protocol/metrics.ts";
import { proofStates } from "#protocol/proof.ts";
import { proofLevels } from "#protocol/restore.ts";
import { nodesOf, quorumOf, speaks } from "./cluster.ts";
import type { OwnedGuest } from "./inventory.ts";
import { expressionsOf, type Family, type Labels } from "./prometheus-names.ts";
import { type ClusterNames, type Row, sharedStorageIds } from "./prometheus-series.ts";
import { haRows, replicationRows } from "./prometheus-services.ts";
import type { RestoreFigure } from "./restore-figures.ts";
import { guestView, nodeViews, type Sight, storageViews } from "./views.ts";

const gauge = (name: string, help: string): Family => ({ name, type: "gauge", help });
const counter = (name: string, help: string): Family => ({ name, type: "counter", help });

/** Names, labels and texts of prometheus-pve-exporter 3.10 (`collector/cluster.py`, `collector/node.py`). */
const up = gauge("pve_up", "Node/VM/CT-Status is online/running");
const version = gauge("pve_version_info", "Proxmox VE version info");
const clusterInfo = gauge("pve_cluster_info", "Cluster info");
const nodeInfo = gauge("pve_node_info", "Node info");
const guestInfo = gauge("pve_guest_info", "VM/CT info");
const storageInfo = gauge("pve_storage_info", "Storage info");
const storageShared = gauge("pve_storage_shared", "Whether or not the storage is shared among cluster nodes");
const onboot = gauge("pve_onboot_status", "Proxmox vm config onboot value");
const lockState = gauge("pve_lock_state", "The guest's current config lock (for types 'qemu' and 'lxc')");

/** `LockStateMetric.GUEST_STATES` of the exporter; a lock it doesn't know leaves all of them at 0 there, and here. */
const lockStates = [
  "backup",
  "clone",
  "create",
  "migrate",
  "rollback",
  "snapshot",
  "snapshot-delete",
  "suspended",
  "suspending",
] as const;

const agentConnected = gauge("proven_agent_connected", "1 while the node's agent has a session with the hub");
const agentSkew = gauge("proven_agent_clock_skew_seconds", "The agent's clock minus the hub's");
const sourceUp = gauge("proven_agent_source_up", "0 where a source of the node's agent has a problem");
const memorySource = gauge(
  "proven_guest_memory_source_info",
  "Who says pve_memory_usage_bytes: agent (Proxmox VE's figure less proven_guest_mem_reclaimable_bytes), balloon, cgroup, host (what the guest costs the node), or rrd",
);

const restoreProof = gauge(
  "proven_restore_proof",
  "1 for the state of the guest's restore proof: proven, failed, overdue, never, unknown",
);
const restoreLevel = gauge(
  "proven_restore_level",
  "What the guest's newest restore test reached: 0 nothing, 1 bytes verified, 2 boots, 3 works",
);
const restoreAge = gauge("proven_restore_age_seconds", "Age of the guest's newest restore test");

const flag = (value: boolean) => (value ? 1 : 0);

/** What is not a sample: states and facts of one cluster. What is not known is left out. */
export function factRows(sight: Sight, names: ClusterNames): Row[] {
  const { picture, extra } = names;
  const nodes = nodeViews(sight, picture);
  const members = nodesOf(picture, sight.now);
  const rows = [
    ...clusterRows(names, sight.now),
    ...versionRows(nodes),
    ...nodes.flatMap((node) => nodeRows(names, node, members, sight.now)),
    ...[...picture.owners.values()].flatMap((owned) => guestRows(sight, names, owned)),
    ...storageViews(sight, picture).flatMap((storage) => storageRows(names, storage)),
    ...haRows(names, sight.now),
    ...replicationRows(sight, names),
  ];
  return extra.length === 0 ? rows : rows.map((row) => ({ ...row, labels: [...row.labels, ...extra] }));
}

/** The exporter's `version` label is corosync's configuration version, which no inventory holds: left out, which Prometheus reads as empty. */
function clusterRows({ picture, clusterId, isCluster }: ClusterNames, now: EpochMs): Row[] {
  const quorate = quorumOf(picture, now);
  if (!isCluster || quorate === undefined) return [];
  const labels: Labels = [
    ["id", clusterId],
    ["nodes", String(nodesOf(picture, now).size)],
    ["quorate", String(flag(quorate))],
  ];
  return [
    { family: up, labels: [["id", clusterId]], value: flag(quorate) },
    { family: clusterInfo, labels, value: 1 },
  ];
}

/** One row a version, however many nodes have it: the exporter, which asks one node, has no label for the node. */
function versionRows(nodes: readonly NodeView[]): Row[] {
  const labels = new Map<string, Labels>();
  for (const { pveVersion } of nodes) {
    const match = /^pve-manager\/(([0-9]+\.[0-9]+)[^/]*)\/([^/\s]+)/.exec(pveVersion ?? "");
    if (match === null) continue;
    const [all, full = "", release = "", repoid = ""] = match;
    labels.set(all, [
      ["release", release],
      ["repoid", repoid],
      ["version", full],
    ]);
  }
  return [...labels.values()].map((one) => ({ family: version, labels: one, value: 1 }));
}

/** `level` (of the subscription) is not read: empty, which Prometheus takes for absent. */
function nodeRows(
  names: ClusterNames,
  { node, entity, state, agent }: NodeView,
  members: ReadonlyMap<NodeName, Member | undefined>,
  now: EpochMs,
): Row[] {
  const id: Labels = [["id", entity]];
  const name = parseNodeName(node);
  const status = name === undefined ? undefined : names.picture.agents.get(name);
  const member = name === undefined ? undefined : members.get(name);
  const info: Labels = [...id, ["level", ""], ["name", node], ["nodeid", member === undefined ? "" : String(member.nodeId)]];
  const rows: Row[] = [
    { family: nodeInfo, labels: info, value: 1 },
    { family: agentConnected, labels: id, value: flag(agent.state === "connected") },
  ];
  if (state !== "unknown") rows.push({ family: up, labels: id, value: flag(state === "online") });
  if (status === undefined || !speaks(status, now)) return rows;
  if (agent.clockSkewMs !== null) rows.push({ family: agentSkew, labels: id, value: agent.clockSkewMs / 1000 });
  for (const { source, problem } of agent.sources) {
    rows.push({ family: sourceUp, labels: [...id, ["source", source]], value: flag(problem === null) });
  }
  return rows;
}

/** In the exporter a guest is up when `/cluster/resources` says `running`: paused and the like are down. Facts of a silent node go stale with it. */
function guestRows(sight: Sight, { picture }: ClusterNames, owned: OwnedGuest): Row[] {
  const view = guestView(sight, picture, owned);
  const { configured } = owned.facts;
  const id: Labels = [["id", `${view.type}/${view.vmid}`]];
  const rows: Row[] = [{ family: guestInfo, labels: guestLabels(view, configured), value: 1 }];
  if (view.state !== "unknown") rows.push({ family: up, labels: id, value: flag(view.state === "running") });
  if (view.memUsed.state === "fresh" && view.memSource !== null)
    rows.push({ family: memorySource, labels: [...id, ["source", view.memSource]], value: 1 });
  rows.push(...proofRows(view, id, sight.now), ...figureRows(sight.figuresOf?.(picture, owned) ?? [], id));
  const agent = picture.agents.get(owned.owner.agent.node);
  if (!configured || agent === undefined || !speaks(agent, sight.now)) return rows;
  const place: Labels = [...id, ["node", view.node], ["type", view.type]];
  rows.push({ family: onboot, labels: place, value: flag(view.onboot) });
  for (const state of lockStates)
    rows.push({ family: lockState, labels: [...id, ["state", state]], value: flag(view.lock === state) });
  return rows;
}

/** Without a test only the state is told: an age or a level of nothing would be made up. */
function proofRows({ proof }: GuestView, id: Labels, now: EpochMs): Row[] {
  if (proof === undefined) return [];
  const rows = proofStates.map(
    (state): Row => ({ family: restoreProof, labels: [...id, ["state", state]], value: flag(proof.state === state) }),
  );
  if (proof.at === null) return rows;
  rows.push({ family: restoreLevel, labels: id, value: proofLevels.indexOf(proof.level) });
  rows.push({ family: restoreAge, labels: id, value: Math.max(0, now - proof.at) / 1000 });
  return rows;
}

/** Of each the newest test that measured it, however old that is: `proven_restore_age_seconds` says so. */
const figureRows = (figures: readonly RestoreFigure[], id: Labels): Row[] =>
  figures.flatMap(({ metric, value }) => {
    const known = metricByName("guest", metric);
    const [expression] = known === undefined ? [] : expressionsOf(known);
    return expression === undefined ? [] : [{ family: expression.family, labels: id, value }];
  });

/** Tags are written as PVE writes them, with semicolons. Without a readable configuration they and `template` are not known. */
function guestLabels(view: GuestView, configured: boolean): Labels {
  return [
    ["id", `${view.type}/${view.vmid}`],
    ["node", view.node],
    ["name", view.name],
    ["type", view.type],
    ["template", configured ? String(flag(view.template)) : ""],
    ["tags", configured ? view.tags.join(";") : ""],
  ];
}

/**
 * A shared storage stands once for each node that may use it, as PVE lists it. That none of them has it active is known of all; that some
 * node has it says nothing of the others, so `pve_up` is 1 only where there is one node (`proven_storage_active` has the whole cluster's).
 */
function storageRows(names: ClusterNames, storage: StorageView): Row[] {
  if (storage.state === "disabled") return [];
  const ids = storage.shared ? sharedStorageIds(names, storage.entity as EntityKey) : [storage.entity];
  const content = [...storage.content].sort().join(",");
  const known = storage.state === "inactive" || (storage.state === "available" && ids.length === 1);
  return ids.flatMap((id) => {
    const info: Labels = [
      ["id", id],
      ["node", id.split("/")[1] ?? ""],
      ["storage", storage.storage],
      ["plugintype", storage.type],
      ["content", content],
    ];
    const rows: Row[] = [
      { family: storageInfo, labels: info, value: 1 },
      { family: storageShared, labels: [["id", id]], value: flag(storage.shared) },
    ];
    if (known) rows.push({ family: up, labels: [["id", id]], value: flag(storage.state === "available") });
    return rows;
  });
}

const hubInfo = gauge("proven_hub_info", "The hub and its version");
const hubStart = gauge("proven_hub_start_time_seconds", "When the hub was started, seconds since the Unix epoch");
const hubAgents = gauge("proven_hub_agents", "Agents by state");
const hubProblems = gauge("proven_hub_problems", "Reasons why the hub is degraded; 0: it is not");
const newestAge = gauge("proven_hub_newest_sample_age_seconds", "Age of the newest sample of any agent");
const records = counter("proven_hub_records_total", "Records of agents taken since the hub started");
const samples = counter("proven_hub_samples_total", "Samples of agents taken since the hub started");
const duplicates = counter("proven_hub_duplicate_records_total", "Records that an agent sent again");
const refused = counter("proven_hub_refused_messages_total", "Messages that could not be understood, by reason");

export type HubFigures = Omit<Health, "status">;

/** The hub about itself. */
export function hubRows({ version: software, startedAt, agents, newestSampleAgeMs, problems, counters }: HubFigures): Row[] {
  const rows: Row[] = [
    { family: hubInfo, labels: [["version", software]], value: 1 },
    { family: hubStart, labels: [], value: startedAt / 1000 },
    { family: hubAgents, labels: [["state", "connected"]], value: agents.connected },
    { family: hubAgents, labels: [["state", "away"]], value: agents.total - agents.connected },
    { family: hubProblems, labels: [], value: problems.length },
    { family: records, labels: [], value: counters.records },
    { family: samples, labels: [], value: counters.samples },
    { family: duplicates, labels: [], value: counters.duplicates },
    ...Object.entries(counters.refused).map(([reason, value]): Row => ({ family: refused, labels: [["reason", reason]], value })),
  ];
  if (newestSampleAgeMs !== null) rows.push({ family: newestAge, labels: [], value: newestSampleAgeMs / 1000 });
  return rows;
}
