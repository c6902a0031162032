import type { EpochMs } from "#protocol/ids.ts";
import type { Delivery, deliveryStates } from "#protocol/notifications.ts";
import { isOpen } from "../core/delivery.ts";
import type { StateStore } from "../store/state.ts";

type State = (typeof deliveryStates)[number];
type Row = Pick<Delivery, "id" | "receiver" | "state" | "createdAt" | "nextAttemptAt" | "deliveredAt"> & {
  group: string;
  /** In its group, from 1; parts of one message share it. */
  sequence: number;
  isTest: boolean;
  /** Grows; the newest is the largest. */
  seq: number;
};

export type DeliveryFilter = { receiver?: string | undefined; state?: State | undefined };

const keptMs = 30 * 86_400_000;
const keptMax = 5000;

/** What became of notifications: an index in memory of the documents in the store, of which a page reads only its own. */
export class DeliveryLog {
  private readonly rows = new Map<string, Row>();
  private seq = 0;
  /** Dead letters. */
  private dead = 0;

  constructor(private readonly state: StateStore) {
    const deliveries = state.list("delivery").map(({ document }) => document);
    for (const delivery of deliveries.sort(byAge)) this.note(delivery);
  }

  /** A delivery as it is now. */
  note(delivery: Delivery): void {
    const { id, receiver, state, createdAt, nextAttemptAt, deliveredAt, notification } = delivery;
    const present = this.rows.get(id);
    const isSame = present !== undefined && present.createdAt === createdAt;
    // A replayed one is new.
    if (!isSame) this.rows.delete(id);
    const seq = isSame ? present.seq : ++this.seq;
    const { group, kind, sequence } = notification;
    if (present?.state !== "dead" && state === "dead") this.dead++;
    if (present?.state === "dead" && state !== "dead") this.dead--;
    const what = { group, sequence, isTest: kind === "test" };
    this.rows.set(id, { id, receiver, state, createdAt, nextAttemptAt, deliveredAt, ...what, seq });
  }

  /** Whether a group's first message is a dead letter, and no other of it got through to the receiver. One that is not known any more may have. */
  neverArrived(receiver: string, group: string): boolean {
    if (this.dead === 0) return false;
    const known = [...this.rows.values()].filter((row) => row.group === group && row.receiver === receiver);
    const isFirstDead = known.some(({ sequence, state }) => sequence === 1 && state === "dead");
    const sequences = new Set(known.map(({ sequence }) => sequence));
    return isFirstDead && sequences.size >= Math.max(...sequences) && known.every(({ state }) => state !== "delivered");
  }

  /** Dead letters of a receiver after which nothing of their group came: of a message in parts each that is one. */
  newestDead(receiver: string): string[] {
    const own = [...this.rows.values()].filter((row) => row.receiver === receiver && !row.isTest);
    const newest = new Map<string, number>();
    for (const { group, sequence } of own) newest.set(group, Math.max(sequence, newest.get(group) ?? 0));
    return own.filter((row) => row.state === "dead" && row.sequence === newest.get(row.group)).map(({ id }) => id);
  }

  /** Of a message that is known. */
  sequenceOf(id: string): number | undefined {
    return this.rows.get(id)?.sequence;
  }

  /** Those still on their way, oldest first. */
  open(): Row[] {
    return [...this.rows.values()].filter(isOpen);
  }

  /** The newest first. `cursor`: the `next` of the page before. */
  page(filter: DeliveryFilter, limit: number, cursor: number | undefined): { items: Delivery[]; next: number | null } {
    const found: Row[] = [];
    for (const row of [...this.rows.values()].reverse()) {
      if (cursor !== undefined && row.seq >= cursor) continue;
      if (!matches(row, filter)) continue;
      found.push(row);
      if (found.length > limit) break;
    }
    const shown = found.slice(0, limit);
    const items = shown.flatMap(({ id }) => this.state.get("delivery", id) ?? []);
    return { items, next: found.length > limit ? (shown.at(-1)?.seq ?? null) : null };
  }

  /** The newest of a receiver that `fits`. */
  newest(receiver: string, fits: (delivery: Delivery) => boolean): Delivery | undefined {
    for (const row of [...this.rows.values()].reverse()) {
      const delivery = row.receiver === receiver ? this.state.get("delivery", row.id) : undefined;
      if (delivery !== undefined && fits(delivery)) return delivery;
    }
    return undefined;
  }

  ids(filter: DeliveryFilter): string[] {
    return [...this.rows.values()].filter((row) => matches(row, filter)).map(({ id }) => id);
  }

  countsOf(receiver: string): { queued: number; dead: number; lastDeliveredAt: number | null } {
    const counts = { queued: 0, dead: 0, lastDeliveredAt: null as number | null };
    for (const row of this.rows.values()) {
      if (row.receiver !== receiver) continue;
      if (isOpen(row)) counts.queued++;
      if (row.state === "dead") counts.dead++;
      if (row.deliveredAt !== null) counts.lastDeliveredAt = Math.max(counts.lastDeliveredAt ?? 0, row.deliveredAt);
    }
    return counts;
  }

  /** Removes what is over for 30 days, and of what is delivered or dropped all but the newest 5,000. What waits stays. */
  prune(now: EpochMs): number {
    const over = [...this.rows.values()].filter((row) => !isOpen(row));
    const settled = over.filter(({ state }) => state !== "dead");
    const beyond = new Set(settled.slice(0, Math.max(0, settled.length - keptMax)));
    const removed = over.filter((row) => beyond.has(row) || now - row.createdAt > keptMs);
    if (removed.length === 0) return 0;
    this.state.together(() => {
      for (const { id } of removed) this.state.remove("delivery", id, { actor: "hub", reason: "old" });
    });
    for (const { id, state } of removed) {
      if (state === "dead") this.dead--;
      this.rows.delete(id);
    }
    return removed.length;
  }
}

const byAge = (a: Delivery, b: Delivery) => a.createdAt - b.createdAt || a.notification.sequence - b.notification.sequence;

const matches = (row: Row, { receiver, state }: DeliveryFilter) =>
  (receiver === undefined || row.receiver === receiver) && (state === undefined || row.state === state);
