import type { EpochMs } from "#protocol/ids.ts";
import type { AgentInventory } from "./core/inventory.ts";
import { type AgentId, agentKey } from "./core/series.ts";
import type { Clock } from "./ports.ts";
import type { StateStore } from "./store/state.ts";

/** What is kept of an agent across restarts of the hub. */
export type SavedAgent = {
  agent: AgentId;
  software: string | null;
  connectedAt: EpochMs | null;
  lastSeenAt: EpochMs | null;
  skewMs: number | null;
  inventory: AgentInventory | undefined;
  /** The inventory is newer than what is stored. */
  unsaved: boolean;
  /** When it was last here, and by what, is newer than what is stored. */
  unsavedSeen: boolean;
};

const observed = { actor: "hub", reason: "observed" };

/**
 * Writes what is newer than what is stored, in one transaction: a sync of the disk for each agent would hold the hub up. After `budgetMs` the rest is
 * left unsaved.
 */
export function saveAgents(
  { state, clock }: { state: StateStore; clock: Pick<Clock, "monotonicMs"> },
  agents: readonly SavedAgent[],
  budgetMs: number,
): void {
  const unsaved = agents.filter(({ unsaved, unsavedSeen }) => unsaved || unsavedSeen);
  if (unsaved.length === 0) return;
  const until = clock.monotonicMs() + budgetMs;
  const written: SavedAgent[] = [];
  state.together(() => {
    for (const agent of unsaved) {
      if (written.length > 0 && clock.monotonicMs() >= until) return;
      write(state, agent);
      written.push(agent);
    }
  });
  for (const agent of written) Object.assign(agent, { unsaved: false, unsavedSeen: false });
}

function write(state: StateStore, { agent, inventory, unsaved, unsavedSeen, ...seen }: SavedAgent): void {
  const { software, connectedAt, lastSeenAt, skewMs: clockSkewMs } = seen;
  const key = agentKey(agent);
  if (unsavedSeen && software !== null && connectedAt !== null && lastSeenAt !== null) {
    state.put("agentSeen", key, { software, connectedAt, lastSeenAt, clockSkewMs }, observed);
  }
  if (unsaved && inventory !== undefined) {
    state.put("inventory", key, { ...inventory, claims: { ...inventory.claims } }, observed);
  }
}
