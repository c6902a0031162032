import type { EpochMs, NodeName } from "#protocol/ids.ts";
import { type Duty, duties } from "#protocol/messages.ts";
import { byText } from "#protocol/order.ts";

/** An agent as far as duties go. `awaySince` null: its session lives. */
export type DutyAgent = { node: NodeName; awaySince: EpochMs | null };

/** Who does what in one cluster; a duty that nobody has is missing. */
export type Holders = Partial<Record<Duty, NodeName>>;

/** A holder may be away so long (a restart, an upgrade) before its duties move. */
export const dutyGraceMs = 30_000;

/** Whether somebody away since then may be back in a moment. By a clock that was set back nobody can tell: no. */
export const inGrace = (awaySince: number, now: number) => now >= awaySince && now - awaySince <= dutyGraceMs;

/**
 * The next holders of one cluster's duties. Sticky: a holder keeps its duty while it is there, or away no longer than dutyGraceMs. A free duty
 * goes to the present agent with the fewest, the first by name among equals; with nobody present it stays free.
 */
export function assignDuties(holders: Holders, agents: readonly DutyAgent[], now: EpochMs): Holders {
  const next: Holders = {};
  const keeps = (node: NodeName | undefined) =>
    agents.some((agent) => agent.node === node && (agent.awaySince === null || inGrace(agent.awaySince, now)));
  for (const duty of duties) {
    const holder = holders[duty];
    if (holder !== undefined && keeps(holder)) next[duty] = holder;
  }
  const present = agents.filter((agent) => agent.awaySince === null).map((agent) => agent.node);
  const load = (node: NodeName) => Object.values(next).filter((holder) => holder === node).length;
  for (const duty of duties) {
    if (next[duty] !== undefined) continue;
    const [chosen] = [...present].sort((a, b) => load(a) - load(b) || byText(a, b));
    if (chosen !== undefined) next[duty] = chosen;
  }
  return next;
}

export function dutiesOf(holders: Holders, node: NodeName): Duty[] {
  return duties.filter((duty) => holders[duty] === node);
}
