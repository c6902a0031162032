import type { AlertSubject, Decision, Severity, Suppression } from "#protocol/alerting.ts";
import type { EpochMs } from "#protocol/ids.ts";
import { type Alert, episodeOf, newestOf, shiftAlert } from "./alert.ts";

/** An alert as it is stored: its state, and all that a message about it has to say even when its entity is gone. */
export type AlertRecord = {
  id: string;
  rule: string;
  ruleName: string;
  severity: Severity;
  subject: AlertSubject;
  /** Pending, firing or resolved; a pending one that comes to nothing is removed. */
  alert: Alert;
  reason: string;
  node: string | null;
  title: string;
  tags: string[];
  pool: string | null;
  value: number | null;
  valueText: string | null;
  unit: string | null;
  threshold: number | null;
  /** The worst value of this episode; null where values have no order. */
  worst: number | null;
  text: string;
  remedy: string | null;
  /** Its rule's: what it is the cause of is not told. */
  inhibits: boolean;
  affected: string[];
  fires: EpochMs[];
  flapping: boolean;
  acknowledged: { by: string; at: number; until: number | null; note: string | null } | null;
  /** What keeps it from being told now. */
  heldBy: Suppression | null;
  /** It was held back at some time of this episode, so that telling it late is catching up. */
  wasHeld: boolean;
  /** A snooze or a silence ended then and it still fired: who was told before is reminded. */
  freedAt: EpochMs | null;
  /** First time of each receiver in this episode. */
  told: { receiver: string; at: EpochMs }[];
  /** Groups that told of this episode: it stays in them whatever changes, so that they tell its end. */
  groups: string[];
  /** The newest last. */
  decisions: Decision[];
};

const decisionsMax = 40;

/** Adds a decision, the oldest ones give way. */
export function withDecision(record: AlertRecord, decision: Decision): AlertRecord {
  return { ...record, decisions: [...record.decisions, decision].slice(-decisionsMax) };
}

/** `endText`: the sentence of its end, once it is over. */
export type ToldEpisode = {
  key: string;
  alert: string;
  /** As it was told first. */
  severity: Severity;
  /** All as which it was told; absent: as the first alone. */
  toldAs?: Severity[];
  firedAt: EpochMs;
  toldAt: EpochMs;
  resolvedAt: EpochMs | null;
  endText: string | null;
};

/** What one receiver was told in one group. It counts from the group's first message of a trouble to the one that says that all is over. */
export type Told = {
  /** Of its newest message. */
  sequence: number;
  at: EpochMs;
  /** The highest escalation step that reached it. */
  step: number;
  /** Told as firing and not yet told as over. */
  episodes: ToldEpisode[];
};

/** Alerts that are told together; id: `<route>|<labels>`. */
export type AlertGroup = {
  id: string;
  route: string;
  labels: Record<string, string>;
  /** First message of this trouble; 0 before it. */
  openedAt: EpochMs;
  /** By receiver. */
  told: Record<string, Told>;
};

/** When anything was last seen or told of it, as far as shiftRecord moves it. */
export function newestOfRecord({ alert, freedAt, told }: AlertRecord): number {
  return Math.max(newestOf(alert), freedAt ?? 0, ...told.map(({ at }) => at));
}

/** The wall clock was set by `ms`: see shiftAlert. An acknowledgement's end is a time somebody chose and stays. */
export function shiftRecord(record: AlertRecord, ms: number): AlertRecord {
  const moved = (at: EpochMs) => (at + ms) as EpochMs;
  const { heldBy } = record;
  const lingers = heldBy?.by === "inhibited" && heldBy.until !== null;
  return {
    ...record,
    alert: shiftAlert(record.alert, ms),
    freedAt: record.freedAt === null ? null : moved(record.freedAt),
    heldBy: lingers ? { ...heldBy, until: (heldBy.until ?? 0) + ms } : heldBy,
    fires: record.fires.map(moved),
    told: record.told.map(({ receiver, at }) => ({ receiver, at: moved(at) })),
  };
}

/** As shiftRecord: when alerts were told, and when they fired, moves with the clock. */
export function shiftGroup(group: AlertGroup, ms: number): AlertGroup {
  const moved = (at: EpochMs) => (at + ms) as EpochMs;
  const told = Object.entries(group.told).map(([receiver, one]): [string, Told] => {
    const episodes = one.episodes.map((episode) => {
      const firedAt = moved(episode.firedAt);
      const resolvedAt = episode.resolvedAt === null ? null : moved(episode.resolvedAt);
      return { ...episode, key: episodeOf(episode.alert, firedAt), firedAt, toldAt: moved(episode.toldAt), resolvedAt };
    });
    return [receiver, { ...one, at: moved(one.at), episodes }];
  });
  return { ...group, told: Object.fromEntries(told) };
}
