const minuteMs = 60_000;

/** How often a guest's own agent is asked, and how often where nothing much happens. */
export const askEveryMs = 5 * minuteMs;
export const calmEveryMs = 10 * minuteMs;
const backoffMs = [5, 10, 20, 40, 60].map((minutes) => minutes * minuteMs);

/** What is known about asking one guest. Monotonic ms. `failures`: in a row. `calm`: as isCalm said of its newest answer. */
export type Asked = { atMs: number; failures: number; calm?: boolean };

/** Use of a file system, bytes. `instance`: its name. */
export type Use = { instance: string; total: number; used: number };

/** A fuller one is no calm one, nor one whose use moved by more than this share of it since the answer before. */
const fullFrom = 0.75;
const movesBy = 0.02;

/** True when none of a guest's file systems is full or moves; the first answer says nothing of that. */
export function isCalm(before: readonly Use[], now: readonly Use[]): boolean {
  const usedBefore = new Map(before.map(({ instance, used }) => [instance, used]));
  return now.every(({ instance, total, used }) => {
    const moved = Math.abs(used - (usedBefore.get(instance) ?? Number.POSITIVE_INFINITY));
    return used < fullFrom * total && moved <= movesBy * total;
  });
}

/**
 * When a guest is asked again; one that was never asked: at once. After an answer 5 minutes, 10 where all is calm; after failures 5, 10, 20, 40
 * and from then on 60 minutes.
 */
export function nextAskMs(asked: Asked | undefined): number {
  if (asked === undefined) return Number.NEGATIVE_INFINITY;
  if (asked.failures === 0) return asked.atMs + (asked.calm === true ? calmEveryMs : askEveryMs);
  return asked.atMs + (backoffMs[Math.min(asked.failures, backoffMs.length) - 1] as number);
}

/**
 * So many rounds for everyone in his five minutes: the first question of a round pays for the connection and for code that has gone
 * cold; all at once would keep PVE's daemon busy.
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
