import type { NodeName } from "#protocol/ids.ts";
import type { StorageFacts } from "#protocol/inventory.ts";
import { type AgentStatus, type ClusterPicture, nodesOf, storagesOf } from "./cluster.ts";
import type { ClusterSight } from "./viewer.ts";

/**
 * The picture as one user has it: his guests, all nodes by name and state, facts of those he audits, his storages. Everything that is made
 * of pictures (lists, counts, rankings, groups, search) knows no more than this.
 */
export function pictureFor(sight: ClusterSight, picture: ClusterPicture): ClusterPicture {
  const owners = new Map([...picture.owners].filter(([vmid]) => sight.guests.has(vmid)));
  const agents = new Map<NodeName, AgentStatus>();
  for (const [node, agent] of picture.agents) if (sight.nodes.has(node)) agents.set(node, agentFor(sight, agent));
  return { ...picture, owners, agents };
}

/** Whether nothing of the cluster is hidden from this user: what has text of its own about everything is only for him. */
export function seesWhole(sight: ClusterSight, picture: ClusterPicture, now: Parameters<typeof nodesOf>[1]): boolean {
  if (sight.privileges.get("/")?.has("Sys.Audit") !== true) return false;
  for (const vmid of picture.owners.keys()) if (!sight.guests.has(vmid)) return false;
  for (const node of nodesOf(picture, now).keys()) if (!sight.auditedNodes.has(node)) return false;
  return storagesOf(picture, now).every(
    ({ facts, node }) => !facts.enabled || sight.storages.has(node === undefined ? facts.storage : `${node}/${facts.storage}`),
  );
}

function agentFor(sight: ClusterSight, agent: AgentStatus): AgentStatus {
  const own = agent.inventory;
  const audited = sight.auditedNodes.has(agent.node);
  const shown = audited ? agent : { ...agent, software: null, connectedAt: null, lastSeenAt: null };
  if (own === undefined) return shown;
  const { inventory } = own;
  const seen = {
    ...inventory,
    cluster: {
      ...inventory.cluster,
      members: inventory.cluster.members
        .filter(({ node }) => sight.nodes.has(node))
        .map(({ ip, ...member }) => (ip === undefined || !sight.auditedNodes.has(member.node) ? member : { ...member, ip })),
    },
    node: audited ? nodeFactsFor(sight, inventory.node) : { zpools: [], sources: [] },
    guests: inventory.guests.filter(({ vmid }) => sight.guests.has(vmid)),
    storages: inventory.storages.flatMap((storage) => storageFor(sight, storage) ?? []),
  };
  return { ...shown, inventory: { ...own, inventory: seen } };
}

/** `GET /nodes/{node}/disks/zfs` needs `Sys.Audit` on `/`, whatever one may on the node. */
function nodeFactsFor<T extends { zpools: string[] }>(sight: ClusterSight, facts: T): T {
  return sight.privileges.get("/")?.has("Sys.Audit") === true ? facts : { ...facts, zpools: [] };
}

/** A local storage stands on those of its nodes only where it is seen. */
function storageFor(sight: ClusterSight, storage: StorageFacts): StorageFacts | undefined {
  if (storage.shared) return sight.storages.has(storage.storage) ? storage : undefined;
  const nodes = [...sight.nodes].filter((node) => sight.storages.has(`${node}/${storage.storage}`));
  return nodes.length === 0 ? undefined : { ...storage, nodes };
}
