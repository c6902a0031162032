import type { EpochMs } from "#protocol/ids.ts";
import { episodeOf, flapSpanMs } from "../core/alert.ts";
import { type AlertGroup, type AlertRecord, newestOfRecord, shiftGroup, shiftRecord } from "../core/alert-record.ts";
import type { StateStore } from "../store/state.ts";

const observed = { actor: "hub", reason: "observed" };
const atWidth = 15;
/** Each removal is a transaction, with the disk's sync: what is left comes with the next pass. */
const prunedAtOnce = 50;

const timeId = (at: number) => String(Math.max(0, at)).padStart(atWidth, "0");

/** Alerts and groups in memory, and their way to the disk. What failed to be written is tried again with the next change. */
export class AlertBook {
  readonly records = new Map<string, AlertRecord>();
  readonly groups = new Map<string, AlertGroup>();
  /** When alerts that ended lately fired, to know flapping. */
  readonly recentFires = new Map<string, readonly EpochMs[]>();
  private dirtyRecords = new Set<string>();
  private dirtyGroups = new Set<string>();
  private ended: AlertRecord[] = [];

  constructor(
    private readonly state: StateStore,
    now: EpochMs,
  ) {
    for (const { id, document } of state.list("alert")) this.records.set(id, document);
    for (const { document } of state.list("alertHistory", timeId(now - flapSpanMs)))
      this.recentFires.set(document.id, document.fires);
    for (const { id, document } of state.list("alertGroup")) this.groups.set(id, document);
  }

  get hasChanges(): boolean {
    return this.dirtyRecords.size > 0 || this.dirtyGroups.size > 0 || this.ended.length > 0;
  }

  put(record: AlertRecord): void {
    this.records.set(record.id, record);
    this.dirtyRecords.add(record.id);
  }

  /** `history`: an ended episode is kept as such. */
  remove(record: AlertRecord, history: boolean): void {
    if (history) {
      this.ended.push(record);
      this.recentFires.set(record.id, record.fires);
    }
    this.records.delete(record.id);
    this.dirtyRecords.add(record.id);
  }

  putGroup(group: AlertGroup): void {
    this.groups.set(group.id, group);
    this.dirtyGroups.add(group.id);
  }

  removeGroup(id: string): void {
    this.groups.delete(id);
    this.dirtyGroups.add(id);
  }

  /** Groups that told of an episode note when and how it ended. */
  noteEnd(id: string, firedAt: EpochMs, now: EpochMs): void {
    const record = this.records.get(id);
    const key = episodeOf(id, firedAt);
    const endText = record?.text ?? null;
    for (const groupId of record?.groups ?? []) {
      const group = this.groups.get(groupId);
      if (group === undefined) continue;
      const told = Object.entries(group.told).map(([receiver, one]) => {
        const episodes = one.episodes.map((episode) =>
          episode.key === key ? { ...episode, resolvedAt: now, endText } : episode,
        );
        return [receiver, { ...one, episodes }] as const;
      });
      this.putGroup({ ...group, told: Object.fromEntries(told) });
    }
  }

  /** The newest time of all that moves with the clock; 0: there is none. It lies ahead of now only where the clock was set back. */
  newestAt(): number {
    const records = [...this.records.values()].map(newestOfRecord);
    const groups = [...this.groups.values()].flatMap(({ told }) => Object.values(told).map(({ at }) => at));
    return [...records, ...groups].reduce((newest, at) => Math.max(newest, at), 0);
  }

  /** The wall clock was set: what lasts goes on by real time. */
  shift(ms: number): void {
    for (const record of this.records.values()) this.put(shiftRecord(record, ms));
    for (const group of this.groups.values()) this.putGroup(shiftGroup(group, ms));
    for (const [id, fires] of this.recentFires)
      this.recentFires.set(
        id,
        fires.map((at) => (at + ms) as EpochMs),
      );
  }

  /** Everything that changed becomes durable as one, `also` with it. @throws what the store threw: nothing was written then. */
  commit(also: () => void = () => undefined): void {
    this.state.together(() => {
      for (const id of this.dirtyRecords) this.write(id);
      for (const id of this.dirtyGroups) {
        const group = this.groups.get(id);
        if (group === undefined) this.state.remove("alertGroup", id, observed);
        else this.state.put("alertGroup", id, group, observed);
      }
      for (const record of this.ended) this.state.put("alertHistory", historyId(record), record, observed);
      also();
    });
    this.dirtyRecords = new Set();
    this.dirtyGroups = new Set();
    this.ended = [];
  }

  /** Ended episodes that ended before `before` are dropped, and the memory of what fired so long ago that it tells no flapping. */
  prune(before: EpochMs, now: EpochMs): void {
    for (const id of this.state.idsBefore("alertHistory", timeId(before), prunedAtOnce)) {
      this.state.remove("alertHistory", id, observed);
    }
    for (const [id, fires] of this.recentFires) {
      if (!fires.some((at) => now - at < flapSpanMs)) this.recentFires.delete(id);
    }
  }

  private write(id: string): void {
    const record = this.records.get(id);
    if (record === undefined) this.state.remove("alert", id, observed);
    else this.state.put("alert", id, record, observed);
  }
}

function historyId({ id, alert }: AlertRecord): string {
  const at = alert.state === "resolved" ? alert.resolvedAt : 0;
  return `${timeId(at)} ${id}`;
}
