const minuteMs = 60_000;

/** How often a guest's own agent is asked. */
export const askEveryMs = 5 * minuteMs;
const backoffMs = [5, 10, 20, 40, 60].map((minutes) => minutes * minuteMs);

/** What is known about asking one guest. Monotonic ms. `failures`: in a row. */
export type Asked = { atMs: number; failures: number };

/** When a guest is asked again; one that was never asked: at once. After failures 5, 10, 20, 40 and from then on 60 minutes. */
export function nextAskMs(asked: Asked | undefined): number {
  if (asked === undefined) return Number.NEGATIVE_INFINITY;
  if (asked.failures === 0) return asked.atMs + askEveryMs;
  return asked.atMs + (backoffMs[Math.min(asked.failures, backoffMs.length) - 1] as number);
}

/**
 * So many rounds for everyone in his five minutes: the first question of a round pays for the connection and for code that has gone cold, the
 * next ones cost a third of it; all at once would keep PVE's daemon busy.
 */
const roundsPerCycle = 6;
/** A round that would be smaller is put off until somebody has waited for so long. */
const gatherMs = minuteMs;
const newcomersPerRound = 20;

/**
 * The guests to ask in this round, the longest waiting first; those never asked go before all, within a minute. Nobody, while too few are due.
 * `asked`: by guest.
 */
export function planRound<K>(guests: readonly K[], asked: ReadonlyMap<K, Asked>, nowMs: number): K[] {
  const due = guests.map((guest) => ({ guest, dueMs: nextAskMs(asked.get(guest)) })).filter(({ dueMs }) => dueMs <= nowMs);
  const waiting = due.sort((a, b) => (a.dueMs < b.dueMs ? -1 : a.dueMs > b.dueMs ? 1 : 0));
  const share = Math.max(1, Math.ceil(guests.length / roundsPerCycle));
  const longestMs = nowMs - (waiting[0]?.dueMs ?? nowMs);
  if (waiting.length < share && longestMs < gatherMs) return [];
  const newcomers = waiting.filter(({ guest }) => !asked.has(guest)).length;
  return waiting.slice(0, Math.max(share, Math.min(newcomers, newcomersPerRound))).map(({ guest }) => guest);
}
