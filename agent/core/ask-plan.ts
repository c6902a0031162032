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

/** Of so many a round comes up: everyone in his five minutes without all of them at once, and who was never asked within a minute. */
const roundsPerCycle = 30;
const newcomersPerRound = 20;

/** The guests to ask in this round, the longest waiting first; those never asked go before all. `asked`: by guest. */
export function planRound<K>(guests: readonly K[], asked: ReadonlyMap<K, Asked>, nowMs: number): K[] {
  const due = guests.filter((guest) => nextAskMs(asked.get(guest)) <= nowMs);
  const waiting = due.sort((a, b) => {
    const [first, second] = [nextAskMs(asked.get(a)), nextAskMs(asked.get(b))];
    return first < second ? -1 : first > second ? 1 : 0;
  });
  const newcomers = waiting.filter((guest) => !asked.has(guest)).length;
  return waiting.slice(0, Math.max(1, Math.ceil(guests.length / roundsPerCycle), Math.min(newcomers, newcomersPerRound)));
}
