import type { AgentView, EntityMetrics, GuestView, NodeView, Reading, StorageView } from "#protocol/api.ts";
import type { ClusterId, EntityKey, EpochMs, NodeName, StorageId } from "#protocol/ids.ts";
import { clusterKey, guestKey, nodeKey, storageKey } from "#protocol/ids.ts";
import type { StorageFacts } from "#protocol/inventory.ts";
import { guestStatusCodes, type MetricName } from "#protocol/metrics.ts";
import { byText } from "#protocol/order.ts";
import type { ProofBadge } from "#protocol/proof.ts";
import { type AgentStatus, type ClusterPicture, nodeState, nodesOf, speaks, storagesOf } from "./cluster.ts";
import { absentReading, isFresh, readingOf } from "./freshness.ts";
import { guestName, type OwnedGuest } from "./inventory.ts";
import type { RestoreFigure } from "./restore-figures.ts";
import type { Latest, LiveTable, SeriesInfo, SeriesReader } from "./series.ts";

/** Where views take numbers from, at one instant. */
export type Sight = {
  reader: SeriesReader;
  live: LiveTable;
  now: EpochMs;
  /** What tests of its backups have proven; absent: the hub tests none. */
  proofOf?: ((picture: ClusterPicture, owned: OwnedGuest) => ProofBadge) | undefined;
  /** What its tests measured last. */
  figuresOf?: ((picture: ClusterPicture, owned: OwnedGuest) => readonly RestoreFigure[]) | undefined;
};

/** What a hub that tests backups can say of them. */
export type ProofSight = {
  badge(picture: ClusterPicture, owned: OwnedGuest, now: EpochMs): ProofBadge;
  figures(picture: ClusterPicture, owned: OwnedGuest): readonly RestoreFigure[];
};

/** The part of a sight that is about proofs. */
export const proofSight = (proofs: ProofSight | undefined, now: EpochMs): Pick<Sight, "proofOf" | "figuresOf"> =>
  proofs === undefined
    ? {}
    : { proofOf: (...guest) => proofs.badge(...guest, now), figuresOf: (...guest) => proofs.figures(...guest) };

type Sampled = { info: SeriesInfo; latest: Latest | undefined };

/** An entity's series without instances, by metric; where a metric had several sources the one sampled last. */
function sampled({ reader, live }: Sight, picture: ClusterPicture, entity: EntityKey): Map<string, Sampled> {
  const found = new Map<string, Sampled>();
  for (const info of reader.seriesOf(picture.cluster, entity)) {
    if (info.instance !== undefined) continue;
    const latest = live.latest(info.id);
    const rival = found.get(info.metric.name);
    if (rival === undefined || (latest?.at ?? 0) > (rival.latest?.at ?? 0)) found.set(info.metric.name, { info, latest });
  }
  return found;
}

type Read = (metric: MetricName) => Reading;

function readings(found: Map<string, Sampled>, now: EpochMs, skewMs: number): Read {
  return (metric) => {
    const one = found.get(metric);
    return one === undefined ? absentReading : readingOf(one.latest, one.info.metric.kind, now, skewMs);
  };
}

/** Whose clock stamped an entity's samples: its node's agent, or for what is no node's own the agent that tells of it. */
export function skewOf(picture: ClusterPicture, node: NodeName | undefined, entity: EntityKey): number {
  const agent = node === undefined ? tellerOf(picture, entity) : picture.agents.get(node);
  return agent?.clockSkewMs ?? 0;
}

/** Who has the duty; of what only some nodes reach one of these (`speaksFor` of the agents): of several the first by name. */
function tellerOf({ agents }: ClusterPicture, entity: EntityKey): AgentStatus | undefined {
  const all = [...agents.values()].sort((a, b) => byText(a.node, b.node));
  const there = all.filter(({ state }) => state === "connected");
  const told = there.find(({ inventory }) => inventory?.inventory.datastores?.some(({ key }) => key === entity));
  if (told !== undefined) return told;
  const reach = there.flatMap(({ inventory }) => inventory?.inventory.storages ?? []).find(sharedAs(entity))?.nodes ?? [];
  const near = there.find(({ node }) => reach.includes(node));
  const duty = entity === clusterKey ? "cluster" : "shared-storage";
  return near ?? all.find(({ duties }) => duties.includes(duty));
}

const sharedAs =
  (entity: EntityKey) =>
  ({ storage, shared }: StorageFacts): boolean =>
    shared && storageKey(storage as StorageId, undefined) === entity;

const neverAgent: AgentView = {
  state: "never",
  software: null,
  connectedAt: null,
  lastSeenAt: null,
  clockSkewMs: null,
  duties: [],
  sources: [],
};

function agentView(agent: AgentStatus | undefined): AgentView {
  if (agent === undefined) return neverAgent;
  const { state, software, connectedAt, lastSeenAt, clockSkewMs, duties } = agent;
  const sources = agent.inventory?.inventory.node.sources ?? [];
  return {
    state,
    software,
    connectedAt,
    lastSeenAt,
    clockSkewMs,
    duties: [...duties],
    sources: sources.map(({ source, problem }) => ({ source, problem: problem ?? null })),
  };
}

/** Undefined: no such node. */
export function nodeView(sight: Sight, picture: ClusterPicture, node: NodeName): NodeView | undefined {
  const members = nodesOf(picture, sight.now);
  if (!members.has(node)) return undefined;
  const agent = picture.agents.get(node);
  const facts = agent?.inventory?.inventory.node;
  const entity = nodeKey(node);
  const read = readings(sampled(sight, picture, entity), sight.now, skewOf(picture, node, entity));
  return {
    cluster: picture.cluster,
    node,
    entity,
    state: nodeState(picture, node, sight.now),
    agent: agentView(agent),
    pveVersion: facts?.pveVersion ?? null,
    kernel: facts?.kernel ?? null,
    cpuModel: facts?.cpuModel ?? null,
    timezone: facts?.timezone ?? null,
    ip: members.get(node)?.ip ?? null,
    guests: countGuests(sight, picture, node),
    zpools: [...(facts?.zpools ?? [])],
    cpu: read("cpu"),
    cpus: read("cpus"),
    memUsed: read("mem_used"),
    memTotal: read("mem_total"),
    rootUsed: read("root_used"),
    rootTotal: read("root_total"),
    uptime: read("uptime"),
  };
}

/** Templates are not counted: they never run. */
function countGuests(sight: Sight, picture: ClusterPicture, node: NodeName): NodeView["guests"] {
  const counts = { total: 0, running: 0, unknown: 0 };
  for (const owned of picture.owners.values()) {
    if (owned.owner.agent.node !== node || owned.facts.template) continue;
    const state = guestState(sight, picture, owned);
    counts.total++;
    if (state === "running") counts.running++;
    if (state === "unknown") counts.unknown++;
  }
  return counts;
}

/** What the newest sample says; unknown when its node has not spoken in time, or said nothing about this guest. */
export function guestState(sight: Sight, picture: ClusterPicture, owned: OwnedGuest): GuestView["state"] {
  return guestStateBy(statusSeries(sight.reader, picture.cluster, owned), sight, picture, owned);
}

/** The series of a guest's status; undefined: it was never sampled. */
export function statusSeries(reader: SeriesReader, cluster: ClusterId, { facts }: OwnedGuest): number | undefined {
  return reader.find({ cluster, entity: guestKey(facts.vmid), metric: "status" })?.id;
}

/** `status`: as `statusSeries` found it. */
export function guestStateBy(
  status: number | undefined,
  { live, now }: Pick<Sight, "live" | "now">,
  picture: ClusterPicture,
  { owner }: OwnedGuest,
): GuestView["state"] {
  const agent = picture.agents.get(owner.agent.node);
  if (status === undefined || agent === undefined || !speaks(agent, now)) return "unknown";
  const latest = live.latest(status);
  if (latest === undefined || !isFresh(latest.at, now, agent.clockSkewMs ?? 0)) return "unknown";
  return guestStatusCodes[latest.value] ?? "other";
}

export function guestView(sight: Sight, picture: ClusterPicture, owned: OwnedGuest): GuestView {
  const { facts, owner } = owned;
  const entity = guestKey(facts.vmid);
  const node = owner.agent.node;
  const found = sampled(sight, picture, entity);
  const read = readings(found, sight.now, skewOf(picture, node, entity));
  const memUsed = read("mem_used");
  return {
    cluster: picture.cluster,
    vmid: facts.vmid,
    entity,
    incarnation: sight.reader.incarnationOf(picture.cluster, entity) ?? 1,
    type: facts.type,
    name: guestName(facts),
    node,
    state: guestState(sight, picture, owned),
    template: facts.template,
    lock: facts.lock ?? null,
    tags: [...facts.tags],
    pool: facts.pool ?? null,
    onboot: facts.onboot,
    cpu: read("cpu"),
    cpus: read("cpus"),
    memUsed,
    memMax: read("mem_max"),
    memSource: memUsed.state === "absent" ? null : (found.get("mem_used")?.info.source ?? null),
    diskUsed: read("disk_used"),
    diskMax: read("disk_max"),
    netIn: read("net_in"),
    netOut: read("net_out"),
    diskRead: read("disk_read"),
    diskWrite: read("disk_written"),
    uptime: read("uptime"),
    ...(sight.proofOf === undefined ? {} : { proof: sight.proofOf(picture, owned) }),
  };
}

export const storageEntity = ({ storage, shared }: StorageFacts, node: NodeName | undefined): EntityKey =>
  storageKey(storage as StorageId, shared ? undefined : node);

export function storageView(sight: Sight, picture: ClusterPicture, facts: StorageFacts, node: NodeName | undefined): StorageView {
  const entity = storageEntity(facts, node);
  const read = readings(sampled(sight, picture, entity), sight.now, skewOf(picture, node, entity));
  return {
    cluster: picture.cluster,
    storage: facts.storage,
    entity,
    node: node ?? null,
    type: facts.type,
    shared: facts.shared,
    content: [...facts.content],
    state: storageState(facts, read("active")),
    used: read("used"),
    total: read("total"),
    avail: read("avail"),
  };
}

function storageState(facts: StorageFacts, active: Reading): StorageView["state"] {
  if (!facts.enabled) return "disabled";
  if (active.state !== "fresh") return "unknown";
  return active.value === 1 ? "available" : "inactive";
}

export function nodeViews(sight: Sight, picture: ClusterPicture): NodeView[] {
  const names = [...nodesOf(picture, sight.now).keys()].sort(byText);
  return names.flatMap((node) => nodeView(sight, picture, node) ?? []);
}

export function guestViews(sight: Sight, picture: ClusterPicture): GuestView[] {
  const sorted = [...picture.owners.values()].sort((a, b) => a.facts.vmid - b.facts.vmid);
  return sorted.map((owned) => guestView(sight, picture, owned));
}

export function storageViews(sight: Sight, picture: ClusterPicture): StorageView[] {
  const views = storagesOf(picture, sight.now).map(({ facts, node }) => storageView(sight, picture, facts, node));
  return views.sort((a, b) => byText(a.entity, b.entity));
}

/** Newest values of everything an entity is sampled for, instances included. */
export function entityMetrics(
  sight: Sight,
  picture: ClusterPicture,
  entity: EntityKey,
  node: NodeName | undefined,
): EntityMetrics {
  const skewMs = skewOf(picture, node, entity);
  const metrics = sight.reader.seriesOf(picture.cluster, entity).map((info) => ({
    ...readingOf(sight.live.latest(info.id), info.metric.kind, sight.now, skewMs),
    metric: info.metric.name,
    instance: info.instance ?? null,
    unit: info.metric.unit,
    source: info.source,
  }));
  metrics.sort((a, b) => byText(a.metric, b.metric) || byText(a.instance ?? "", b.instance ?? ""));
  return { cluster: picture.cluster, entity, metrics };
}
