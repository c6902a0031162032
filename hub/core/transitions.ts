import type { GuestView, NodeView, StorageView } from "#protocol/api.ts";

/**
 * What was last known of something's state. `unknown` lies over it and does not erase it: after a restart of the hub, or a silence, coming
 * back to the same state is no news.
 */
export type Known<S extends string> = { state: S | undefined; unknown: boolean };

/** The next memory, and what to tell: the new state when it differs from the last known one, `unknown` when sight was lost. */
export function stepKnown<S extends string>(
  known: Known<S> | undefined,
  seen: S | "unknown",
): { known: Known<S>; news: { from: S | undefined; to: S | "unknown" } | undefined } {
  if (seen === "unknown") {
    const lost = known !== undefined && known.state !== undefined && !known.unknown;
    return { known: { state: known?.state, unknown: true }, news: lost ? { from: known.state, to: "unknown" } : undefined };
  }
  const next = { state: seen, unknown: false };
  const changed = known?.state !== undefined && known.state !== seen;
  return { known: next, news: changed ? { from: known.state, to: seen } : undefined };
}

type NodeState = Exclude<NodeView["state"], "unknown">;
type GuestState = Exclude<GuestView["state"], "unknown">;
type StorageState = Exclude<StorageView["state"], "unknown">;
export type KnownNode = Known<NodeState>;
export type KnownGuest = Known<GuestState> & { node: string };
export type KnownStorage = Known<StorageState>;

export type GuestNews = "guest.started" | "guest.stopped" | "guest.io-error";

/** A guest on the move shows other states for moments: neither a migration nor what it passes through is a start or a stop. */
export function stepGuest(
  known: KnownGuest | undefined,
  seen: Pick<GuestView, "state" | "node" | "lock">,
): { known: KnownGuest; news: GuestNews | undefined } {
  const moves = seen.lock === "migrate" || (known !== undefined && known.node !== seen.node);
  const { known: next, news } = stepKnown(known, seen.state);
  const remembered = { ...next, node: seen.node };
  if (news === undefined || moves) return { known: remembered, news: undefined };
  if (news.to === "io-error") return { known: remembered, news: "guest.io-error" };
  if (news.to === "running" && news.from === "stopped") return { known: remembered, news: "guest.started" };
  return { known: remembered, news: news.to === "stopped" ? "guest.stopped" : undefined };
}

export function storageNews(news: { from: StorageState | undefined; to: StorageView["state"] } | undefined) {
  if (news?.to === "inactive") return "storage.inactive" as const;
  return news?.to === "available" && news.from === "inactive" ? ("storage.active" as const) : undefined;
}
