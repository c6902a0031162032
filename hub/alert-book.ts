import type { EpochMs } from "#protocol/ids.ts";
import { type AlertGroup, type AlertRecord, shiftGroup, shiftRecord } from "./core/alert-record.ts";
import type { StateStore } from "./store/state.ts";

const observed = { actor: "hub", reason: "observed" };
const atWidth = 15;

/** Alerts and groups in memory, and their way to the disk. What failed to be written is tried again with the next change. */
export class AlertBook {
  readonly records = new Map<string, AlertRecord>();
  readonly groups = new Map<string, AlertGroup>();
  /** When alerts that ended lately fired, to know flapping. */
  readonly recentFires = new Map<string, readonly EpochMs[]>();
  private dirtyRecords = new Set<string>();
  private dirtyGroups = new Set<string>();
  private ended: AlertRecord[] = [];

  constructor(private readonly state: StateStore) {
    for (const { id, document } of state.list("alert")) this.records.set(id, document);
    for (const { document } of state.list("alertHistory")) this.recentFires.set(document.id, document.fires);
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

  /** Ended episodes that ended before `before` are dropped. */
  prune(before: EpochMs): void {
    for (const { id } of this.state.list("alertHistory")) {
      if (Number(id.slice(0, atWidth)) < before) this.state.remove("alertHistory", id, observed);
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
  return `${String(at).padStart(atWidth, "0")} ${id}`;
}
