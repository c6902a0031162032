import type { AlertView } from "#protocol/alerting.ts";
import type { EpochMs } from "#protocol/ids.ts";
import type { Notification, Receiver, Route } from "#protocol/notifications.ts";
import { episodeOf } from "../core/alert.ts";
import type { AlertRecord } from "../core/alert-record.ts";
import { markTold, resolvedView, sameHold, withHold, withQuiet } from "../core/alert-steps.ts";
import { type DueTelling, type Placement, planTellings } from "../core/group.ts";
import { type ClusterNames, listedFor, notificationOf, partsOf, withToldAs } from "../core/notification.ts";
import { afterTelling } from "../core/notify.ts";
import { factsOfRecord } from "../core/route.ts";
import type { EntityFacts } from "../core/scope.ts";
import { nextFreedAt } from "../core/telling-times.ts";
import type { AlertBook } from "./alert-book.ts";
import type { AlertHolds } from "./alert-holds.ts";
import type { Dispatcher } from "./alert-ports.ts";

export type TellerPorts = {
  book: AlertBook;
  holds: AlertHolds;
  dispatcher: Dispatcher;
  factsOf(record: AlertRecord): EntityFacts | undefined;
  /** Of its rule, ms. */
  holdMsOf(record: AlertRecord): number;
  /** Its hold counts from now on: the record of that. */
  holdAnew(record: AlertRecord, now: EpochMs): AlertRecord;
  view(record: AlertRecord): AlertView;
  /** What clusters are called, where there are several. */
  names(): ClusterNames;
};

/** After a pass that changed something another one looks what follows from it. */
const unsettledMs = 1000;

/** Finds what is due to be told, hands it over, and records it as told in the same transaction. */
export class AlertTeller {
  /** Where each firing alert belongs, as of the newest pass. */
  placements = new Map<string, Placement>();
  /** When a pass may have something to tell, or a hold to end, though nothing happens; Infinity: never. */
  nextAt = Number.POSITIVE_INFINITY;
  private routes: readonly Route[] = [];
  private receivers = new Map<string, Receiver>();

  constructor(private readonly ports: TellerPorts) {}

  use(routes: readonly Route[], receivers: readonly Receiver[]): void {
    this.routes = routes;
    this.receivers = new Map(receivers.map((receiver) => [receiver.id, receiver]));
  }

  get routing(): { routes: readonly Route[]; receivers: ReadonlyMap<string, Receiver> } {
    return { routes: this.routes, receivers: this.receivers };
  }

  /** `remindsInMs`: until then nobody is reminded of what he knows. */
  tell(now: EpochMs, remindsInMs: number): void {
    const { firing, freedAt } = this.judgeHolds(now);
    const { due, placements, nextAt } = planTellings({
      alerts: firing,
      groups: this.ports.book.groups,
      routes: this.routes,
      receivers: this.receivers,
      factsOf: (record) => this.ports.factsOf(record),
      isOn: (times) => this.ports.holds.isOn(times),
      reminds: remindsInMs <= 0,
      now,
    });
    this.placements = placements;
    for (const record of firing) {
      const quiet = placements.get(record.id)?.quiet;
      if (quiet !== undefined && record.told.length === 0 && !record.wasHeld) this.ports.book.put(withQuiet(record, quiet, now));
    }
    const notifications = due.flatMap((telling) => this.record(telling, now));
    this.endTold();
    const remindsAt = remindsInMs > 0 ? now + remindsInMs : Number.POSITIVE_INFINITY;
    const isSettled = !this.ports.book.hasChanges && notifications.length === 0;
    this.nextAt = isSettled ? Math.min(nextAt, freedAt, this.ports.holds.nextAt(), remindsAt) : now + unsettledMs;
    if (isSettled) return;
    this.ports.book.commit(() => {
      for (const notification of notifications) this.ports.dispatcher.enqueue(notification);
    });
    if (notifications.length > 0) this.ports.dispatcher.committed();
  }

  /** `freedAt`: when the first hold or acknowledgement ends by itself. */
  private judgeHolds(now: EpochMs): { firing: AlertRecord[]; freedAt: number } {
    this.ports.holds.begin(this.ports.book.records.values(), now);
    const firing: AlertRecord[] = [];
    let freedAt = Number.POSITIVE_INFINITY;
    for (const record of this.ports.book.records.values()) {
      const { state } = record.alert;
      if (state !== "firing" && state !== "pending") continue;
      const facts = factsOfRecord(record, this.ports.factsOf(record));
      const { suppression, anew } = this.ports.holds.holdOf(record, facts, this.ports.holdMsOf(record));
      const judged = sameHold(record.heldBy, suppression) ? record : withHold(record, suppression, now);
      const held = anew && state === "pending" ? this.ports.holdAnew(judged, now) : judged;
      if (held !== record) this.ports.book.put(held);
      freedAt = Math.min(freedAt, nextFreedAt(held, now));
      if (state === "firing") firing.push(held);
    }
    return { firing, freedAt };
  }

  /** Notes in the book that a receiver is being told, and makes the message. */
  private record({ group: planned, receiver, step, telling }: DueTelling, now: EpochMs): Notification[] {
    const group = this.ports.book.groups.get(planned.id) ?? planned;
    const openedAt = group.openedAt === 0 ? now : group.openedAt;
    const told = afterTelling(group.told[receiver], telling, step, now);
    for (const { alert } of telling.firing) {
      const record = this.ports.book.records.get(alert);
      if (record !== undefined) this.ports.book.put(markTold(record, group.id, receiver, telling.reason, now));
    }
    const rest = Object.fromEntries(Object.entries(group.told).filter(([id]) => id !== receiver));
    const next = { ...group, openedAt, told: { ...rest, [receiver]: told } };
    const isOver = Object.values(next.told).every(({ episodes }) => episodes.length === 0);
    if (isOver) this.ports.book.removeGroup(group.id);
    else this.ports.book.putGroup(next);
    const listener = this.receivers.get(receiver);
    const tellsEnds = telling.reason === "all-resolved" || telling.reason === "some-resolved";
    // An Alertmanager says itself whom it tells of ends, and an alert that is not ended there fires on.
    const wantsEnds = listener?.resolved === true || listener?.type === "alertmanager";
    if (!listener?.enabled || (tellsEnds && !wantsEnds)) return [];
    const firing = telling.firing.flatMap(({ alert }) => this.viewOf(alert));
    const again = new Set(telling.firing.map(({ alert }) => alert));
    const over = telling.over.flatMap((episode) => {
      if (again.has(episode.alert)) return [];
      const record = this.ports.book.records.get(episode.alert);
      return record === undefined ? [] : [resolvedView(this.ports.view(record), episode, now)];
    });
    const before = group.told[receiver]?.episodes ?? [];
    const known = new Set(before.map(({ key }) => key));
    const fresh = new Set(telling.firing.filter(({ key }) => !known.has(key)).map(({ alert }) => alert));
    const { names } = this.ports;
    const listed = listedFor(listener.type);
    const { sequence } = told;
    const message = notificationOf(next, receiver, step, sequence, telling.reason, firing, over, fresh, now, names(), listed);
    return listener.type === "alertmanager" ? partsOf(withToldAs(message, before)) : [message];
  }

  private viewOf(id: string): AlertView[] {
    const record = this.ports.book.records.get(id);
    return record === undefined ? [] : [this.ports.view(record)];
  }

  /** Ended episodes that nobody still has to hear of become history. */
  private endTold(): void {
    for (const record of this.ports.book.records.values()) {
      const { alert } = record;
      if (alert.state !== "resolved") continue;
      const key = episodeOf(record.id, alert.firedAt);
      const open = record.groups.some((id) =>
        Object.values(this.ports.book.groups.get(id)?.told ?? {}).some(({ episodes }) => episodes.some((one) => one.key === key)),
      );
      if (!open) this.ports.book.remove(record, true);
    }
  }
}
