import type { ClusterId, EpochMs, NodeName, Vmid } from "#protocol/ids.ts";
import type { SavedAgent } from "./agent-memory.ts";
import type { Holders } from "./core/duties.ts";
import { type AgentInventory, type OwnedGuest, type Owners, ownersOf } from "./core/inventory.ts";
import type { AgentId } from "./core/series.ts";
import type { StateStore } from "./store/state.ts";

/** `version`: of the link, in the newest session since the hub's start. */
export type Member = SavedAgent & { revoked: boolean; connected: boolean; version?: number };

type Vanished = { guest: OwnedGuest; since: EpochMs };
/** What the fleet keeps of one cluster. */
export type KnownCluster = {
  name: string;
  members: Map<NodeName, Member>;
  owners: Owners;
  vanished: Map<Vmid, Vanished>;
  holders: Holders;
  /** Those that the agents were told last, as one text. */
  speakers: string;
  /** Owners with those that vanished; undefined: to be made again. */
  shown: Owners | undefined;
};

/** Every agent that the hub ever knew, by cluster and node. */
export class Members {
  readonly clusters = new Map<ClusterId, KnownCluster>();

  /** As they were when the hub last stopped: nobody is connected. */
  constructor(state: StateStore) {
    const documents = state.list("agent");
    // What those that are there call their cluster counts more than what others once did.
    const revokedFirst = documents.sort((a, b) => Number(a.document.publicKey !== null) - Number(b.document.publicKey !== null));
    for (const { id, document } of revokedFirst) {
      const member = this.member({ cluster: document.cluster, node: document.node }, document.clusterName ?? undefined);
      const seen = state.get("agentSeen", id);
      member.revoked = document.publicKey === null;
      member.inventory = state.get("inventory", id);
      if (seen === undefined) continue;
      Object.assign(member, { software: seen.software, connectedAt: seen.connectedAt, lastSeenAt: seen.lastSeenAt });
      member.skewMs = seen.clockSkewMs;
    }
    for (const cluster of this.clusters.values()) cluster.owners = ownersOf(inventoriesOf(cluster));
  }

  all(): Member[] {
    return [...this.clusters.values()].flatMap((cluster) => [...cluster.members.values()]);
  }

  /** Made where there was none. */
  cluster(id: ClusterId): KnownCluster {
    const known = this.clusters.get(id);
    if (known !== undefined) return known;
    const cluster: KnownCluster = {
      name: id,
      members: new Map(),
      owners: new Map(),
      vanished: new Map(),
      holders: {},
      speakers: "",
      shown: undefined,
    };
    this.clusters.set(id, cluster);
    return cluster;
  }

  /** Made where there was none. `clusterName`: as it calls its cluster now. */
  member(agent: AgentId, clusterName?: string): Member {
    const cluster = this.cluster(agent.cluster);
    if (clusterName !== undefined) cluster.name = clusterName;
    const known = cluster.members.get(agent.node);
    if (known !== undefined) return known;
    const blank = { revoked: false, software: null, connected: false, connectedAt: null, lastSeenAt: null, skewMs: null };
    const member: Member = { agent, ...blank, inventory: undefined, unsaved: false, unsavedSeen: false };
    cluster.members.set(agent.node, member);
    return member;
  }
}

/** What counts towards the picture: a revoked agent's last word only while its node is still a member. */
export function inventoriesOf({ members }: Pick<KnownCluster, "members">): AgentInventory[] {
  const all = [...members.values()];
  const isMember = (node: NodeName) =>
    all.some((one) => !one.revoked && one.inventory?.inventory.cluster.members.some((member) => member.node === node));
  return all.flatMap((member) => (member.revoked && !isMember(member.agent.node) ? [] : (member.inventory ?? [])));
}

/** Owners with those that vanished a moment ago, made once for each change. */
export function shownOwners(cluster: KnownCluster): Owners {
  cluster.shown ??= withVanished(cluster);
  return cluster.shown;
}

function withVanished({ owners, vanished }: KnownCluster): Owners {
  const shown = new Map(owners);
  for (const [vmid, { guest }] of vanished) if (!shown.has(vmid)) shown.set(vmid, guest);
  return shown;
}
