import type { ClusterId, EpochMs } from "#protocol/ids.ts";
import { type AgentId, agentKey } from "./core/series.ts";
import type { AgentDocument } from "./store/documents.ts";
import type { Actor, StateStore } from "./store/state.ts";

/**
 * The cluster as the hub knows it. Agents name it by its name and CA, so that a lone node names another one after `pvecm create` and after it was
 * renamed. The hub goes on to know it by the first: history, proofs, alerts and what rules say of its guests all hang on that.
 */
export function knownCluster(state: StateStore, named: ClusterId): ClusterId {
  return state.get("succession", named)?.knownAs ?? named;
}

/**
 * As whom the hub knows the machine with this key that comes as another cluster's: the lone node that it was. Undefined: it was none, the cluster that
 * it names has agents of its own, or there is a choice.
 */
export function formerPlace(
  state: StateStore,
  named: AgentId,
  publicKey: string,
  isConnected: (former: AgentId) => boolean,
): AgentId | undefined {
  const present = state.list("agent").filter(({ document }) => document.publicKey !== null);
  if (present.some(({ document }) => document.cluster === named.cluster)) return undefined;
  const [former, ...others] = present.filter(({ document }) => document.publicKey === publicKey);
  if (former === undefined || others.length > 0) return undefined;
  const { cluster, node } = former.document;
  if (present.some(({ id, document }) => id !== former.id && document.cluster === cluster)) return undefined;
  return isLone(state, former) && !isConnected({ cluster, node }) ? { cluster, node } : undefined;
}

/** It joined as a node by itself, or is the only member. */
function isLone(state: StateStore, { id, document }: { id: string; document: AgentDocument }): boolean {
  const members = state.get("inventory", id)?.inventory.cluster.members ?? [];
  return document.clusterName === null || members.length <= 1;
}

/** From now on `named` is the cluster that the hub knows as `knownAs`. */
export function succeed(state: StateStore, named: AgentId, knownAs: ClusterId, since: EpochMs): void {
  const by = { actor: `agent ${agentKey(named)}`, reason: `its machine was the lone node of ${knownAs}: its history goes on` };
  state.put("succession", named.cluster, { knownAs, since }, by);
}

/**
 * The name under which another machine with this key is connected to `agent`'s cluster right now: one of the two has a copy of the other's disk.
 * Undefined: there is none.
 */
export function namedByCopy(
  state: StateStore,
  cluster: ClusterId,
  publicKey: string,
  namedBy: (agent: AgentId) => ClusterId | undefined,
): ClusterId | undefined {
  const names = state.list("succession").filter(({ document }) => document.knownAs === cluster);
  if (names.length === 0) return undefined;
  const present = state
    .list("agent", cluster)
    .filter(({ document }) => document.cluster === cluster && document.publicKey !== null);
  const holders = present.filter(({ document }) => document.publicKey === publicKey);
  // Members that came since know it by that name alone, and may have nothing to join by once more: parting would shut them out.
  if (holders.length < present.length) return undefined;
  return holders
    .map(({ document }) => namedBy({ cluster, node: document.node }))
    .find((named) => named !== undefined && names.some(({ id }) => id === named));
}

/** `named` is a cluster of its own after all. */
export function part(state: StateStore, named: ClusterId, by: Actor): void {
  state.remove("succession", named, by);
}

/**
 * At the hub's start. While a hub of an earlier version ran, agents joined under the names that they say: what they are known as now is that, and the keys
 * that they had before were revoked.
 */
export function partFromJoined(state: StateStore): void {
  const present = new Set(state.list("agent").flatMap(({ document }) => (document.publicKey === null ? [] : document.cluster)));
  const by = { actor: "hub", reason: "agents joined by this name while an earlier version ran" };
  for (const { id } of state.list("succession")) if (present.has(id as ClusterId)) part(state, id as ClusterId, by);
}
