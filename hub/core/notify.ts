import type { Severity } from "#protocol/alerting.ts";
import type { EpochMs } from "#protocol/ids.ts";
import type { NotifyReason } from "#protocol/notifications.ts";
import type { Told, ToldEpisode } from "./alert-record.ts";

/** A firing alert of a group, as telling goes. */
export type Member = {
  /** Its episode. */
  key: string;
  alert: string;
  severity: Severity;
  firedAt: EpochMs;
  /** Nothing holds it back. */
  tellable: boolean;
  acknowledged: boolean;
  /** It was held back before: telling it now is catching up. */
  wasHeld: boolean;
  /** A snooze, a silence or a timed acknowledgement of it ended then. */
  freedAt: number | null;
};

export type Policy = {
  waitMs: number;
  intervalMs: number;
  /** 0: never. */
  repeatMs: number;
  /** Whether what is known may be told again. */
  reminds: boolean;
  /** Quiet hours: the ends of alerts that are not told in them wait too. */
  holdsEndsOf(severity: Severity): boolean;
};

export type Telling = {
  reason: NotifyReason;
  firing: readonly Member[];
  /** Told before, over now. */
  over: Told["episodes"];
};

/**
 * Why to tell one receiver of one group now, and what; undefined: nothing. `told`: what it was told before and has not heard the end of.
 * Cf. alertmanager `notify.DedupStage.needsUpdate`. No end is told without its beginning, and no beginning twice.
 */
export function tellingOf(told: Told | undefined, members: readonly Member[], policy: Policy, now: EpochMs): Telling | undefined {
  const known = new Set(told?.episodes.map(({ key }) => key));
  const present = new Set(members.map(({ key }) => key));
  const over = (told?.episodes ?? []).filter(({ key }) => !present.has(key));
  const fresh = members.filter((member) => member.tellable && !known.has(member.key));
  const firing = members.filter((member) => known.has(member.key) || member.tellable);

  if (fresh.length > 0 && now >= freshDueAt(told, fresh, policy)) {
    const caughtUp = fresh.every((member) => member.wasHeld);
    const open = told !== undefined && told.episodes.length > over.length;
    return { reason: caughtUp ? "catch-up" : open ? "new-firing" : "first", firing, over };
  }
  if (told === undefined || told.episodes.length === 0) return undefined;
  if (over.length === told.episodes.length) {
    return over.every(({ severity }) => policy.holdsEndsOf(severity)) ? undefined : { reason: "all-resolved", firing: [], over };
  }
  return laterTellingOf(
    told,
    members.filter(({ key }) => known.has(key)),
    over,
    policy,
    now,
  );
}

/** What recovers one by one is told together: not sooner than so long after the message before. */
export const partlyAfterMs = 5 * 60_000;

/** What to say of trouble that is known, `firing`, and of what is `over` meanwhile. */
function laterTellingOf(
  told: Told,
  firing: readonly Member[],
  over: Told["episodes"],
  policy: Policy,
  now: EpochMs,
): Telling | undefined {
  const nagging = firing.filter((member) => member.tellable && !member.acknowledged);
  const freed = nagging.some(({ freedAt }) => freedAt !== null && told.at < freedAt && freedAt <= now);
  const isDue = nagging.length > 0 && policy.repeatMs > 0 && now - told.at >= policy.repeatMs;
  if (policy.reminds && (freed || isDue)) return { reason: "repeat", firing, over };
  const news = over.some(({ severity }) => !policy.holdsEndsOf(severity));
  if (!news || now - told.at < Math.max(policy.intervalMs, partlyAfterMs)) return undefined;
  return { reason: "some-resolved", firing, over };
}

/** A group's first message waits for company, later ones keep their distance. */
function freshDueAt(told: Told | undefined, fresh: readonly Member[], { waitMs, intervalMs }: Policy): number {
  const oldest = Math.min(...fresh.map((member) => member.firedAt));
  const open = told !== undefined && told.episodes.length > 0;
  return open ? Math.max(told.at + intervalMs, oldest + waitMs) : oldest + waitMs;
}

/** What its receiver knows after it was told. `step`: of the escalation, 0 for the route's own receivers. */
export function afterTelling(told: Told | undefined, { firing }: Telling, step: number, now: EpochMs): Told {
  const before = new Map(told?.episodes.map((episode) => [episode.key, episode]));
  return {
    sequence: (told?.sequence ?? 0) + 1,
    at: now,
    step: firing.length === 0 ? 0 : Math.max(step, told?.step ?? 0),
    episodes: firing.map(({ key, alert, severity, firedAt }) => {
      const known = before.get(key);
      return known === undefined
        ? { key, alert, severity, firedAt, toldAt: now, resolvedAt: null, endText: null }
        : withSeverity(known, severity);
    }),
  };
}

export const severitiesTold = ({ severity, toldAs = [severity] }: ToldEpisode): readonly Severity[] => toldAs;

function withSeverity(episode: ToldEpisode, severity: Severity): ToldEpisode {
  const told = severitiesTold(episode);
  return told.includes(severity) ? episode : { ...episode, toldAs: [...told, severity] };
}
