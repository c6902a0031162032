import type { NodeView } from "#protocol/api.ts";
import type { ClusterId, EpochMs, NodeName } from "#protocol/ids.ts";
import { parseNodeName } from "#protocol/ids.ts";
import type { Member, StorageFacts } from "#protocol/inventory.ts";
import type { Duty } from "#protocol/messages.ts";
import { isFresh } from "./freshness.ts";
import type { AgentInventory, Owners } from "./inventory.ts";

/** All the hub knows of one agent apart from its samples. */
export type AgentStatus = {
  node: NodeName;
  state: "connected" | "away" | "revoked";
  software: string | null;
  connectedAt: EpochMs | null;
  lastSeenAt: EpochMs | null;
  /** Null: never measured. */
  clockSkewMs: number | null;
  newestFrame: EpochMs | undefined;
  duties: readonly Duty[];
  inventory: AgentInventory | undefined;
};

export type ClusterPicture = { cluster: ClusterId; name: string; agents: ReadonlyMap<NodeName, AgentStatus>; owners: Owners };

/** One whose agents were all revoked, as when its only node joined another cluster, is no more. */
export const isServed = ({ agents }: Pick<ClusterPicture, "agents">) =>
  [...agents.values()].some(({ state }) => state !== "revoked");

/** When a node booted, by its agent's clock; undefined: nobody said so. */
export const bootOf = ({ agents }: Pick<ClusterPicture, "agents">, node: NodeName): number | undefined =>
  agents.get(node)?.inventory?.inventory.node.bootedAt;

export const speaks = (agent: AgentStatus, now: EpochMs) => isFresh(agent.newestFrame, now, agent.clockSkewMs ?? 0);

/** The inventory to believe about what all members see: of the agents that speak, a quorate one first, then the newest; else the newest. */
export function spokesman(picture: ClusterPicture, now: EpochMs): AgentStatus | undefined {
  const rank = (agent: AgentStatus) =>
    (agent.state === "connected" && speaks(agent, now) ? 2 : 0) + (agent.inventory?.inventory.cluster.quorate ? 1 : 0);
  let best: AgentStatus | undefined;
  for (const agent of picture.agents.values()) {
    if (agent.inventory === undefined || agent.state === "revoked") continue;
    const better =
      best === undefined ||
      rank(agent) > rank(best) ||
      (rank(agent) === rank(best) && agent.inventory.receivedAt > (best.inventory?.receivedAt ?? 0));
    if (better) best = agent;
  }
  return best;
}

/** Members as corosync lists them, and every node with an agent of ours. A revoked agent's node stays only while it is a member. */
export function nodesOf(picture: ClusterPicture, now: EpochMs): Map<NodeName, Member | undefined> {
  const nodes = new Map<NodeName, Member | undefined>();
  for (const member of spokesman(picture, now)?.inventory?.inventory.cluster.members ?? []) {
    const node = parseNodeName(member.node);
    if (node !== undefined) nodes.set(node, member);
  }
  for (const agent of picture.agents.values()) {
    if (agent.state !== "revoked" && !nodes.has(agent.node)) nodes.set(agent.node, undefined);
  }
  return nodes;
}

/**
 * The agent's own word counts first. Else what the other members see: one that speaks and sees it makes it online; offline takes one that
 * speaks and has quorum, because a cut-off minority sees everybody else as gone. Else nobody can tell.
 */
export function nodeState(picture: ClusterPicture, node: NodeName, now: EpochMs): NodeView["state"] {
  const own = picture.agents.get(node);
  if (own?.state === "connected" && speaks(own, now)) return "online";
  let offline = false;
  for (const agent of picture.agents.values()) {
    if (agent.node === node || agent.state !== "connected" || !speaks(agent, now)) continue;
    const cluster = agent.inventory?.inventory.cluster;
    const member = cluster?.members.find((one) => one.node === node);
    if (member?.online) return "online";
    if (member !== undefined && cluster?.quorate) offline = true;
  }
  return offline ? "offline" : "unknown";
}

/** Members that the cluster's spokesman sees as gone, quorate or not; none while no agent speaks. */
export function nodesSeenOffline(picture: ClusterPicture, now: EpochMs): Set<string> {
  const agent = spokesman(picture, now);
  const members = agent !== undefined && speaks(agent, now) ? (agent.inventory?.inventory.cluster.members ?? []) : [];
  return new Set(members.filter(({ online }) => !online).map(({ node }) => node));
}

/** Whether members that speak and have quorum list this node no more, as after `pvecm delnode`. */
export function hasLeft(picture: ClusterPicture, node: NodeName, now: EpochMs): boolean {
  const agent = spokesman(picture, now);
  if (agent === undefined || agent.node === node || !speaks(agent, now)) return false;
  const { quorate = false, members = [] } = agent.inventory?.inventory.cluster ?? {};
  return quorate && members.length > 0 && members.every((member) => member.node !== node);
}

/** Whether somebody speaks who would tell of what is on this node; of what is nobody's own, and where our agent was revoked, any agent. */
export function isToldOf({ agents }: ClusterPicture, node: NodeName | undefined, now: EpochMs): boolean {
  const own = node === undefined ? undefined : agents.get(node);
  const tellers = own === undefined || own.state === "revoked" ? [...agents.values()] : [own];
  return tellers.some((agent) => agent.state === "connected" && speaks(agent, now));
}

/** Quorum as the cluster's spokesman has it; undefined while no agent speaks. */
export function quorumOf(picture: ClusterPicture, now: EpochMs): boolean | undefined {
  const agent = spokesman(picture, now);
  return agent !== undefined && speaks(agent, now) ? agent.inventory?.inventory.cluster.quorate : undefined;
}

/** Each storage where it exists: a shared one once (`node` undefined), a local one on each node that may use it. */
export function storagesOf(picture: ClusterPicture, now: EpochMs): { facts: StorageFacts; node: NodeName | undefined }[] {
  const facts = spokesman(picture, now)?.inventory?.inventory.storages ?? [];
  const nodes = [...nodesOf(picture, now).keys()];
  return facts.flatMap((storage): { facts: StorageFacts; node: NodeName | undefined }[] => {
    if (storage.shared) return [{ facts: storage, node: undefined }];
    const allowed = nodes.filter((node) => storage.nodes.length === 0 || storage.nodes.includes(node));
    return allowed.map((node) => ({ facts: storage, node }));
  });
}
