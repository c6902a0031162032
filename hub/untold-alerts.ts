import type { Rule } from "#protocol/alerting.ts";
import type { EpochMs } from "#protocol/ids.ts";
import type { AlertBook } from "./alert-book.ts";
import type { AlertSubjects, Watched } from "./alert-subjects.ts";
import type { AlertRecord } from "./core/alert-record.ts";
import { type ClusterPicture, isToldOf } from "./core/cluster.ts";
import type { Evaluator } from "./core/evaluate.ts";
import { type Heard, mayBeUntold, type UntoldEnd, UntoldWatch } from "./core/untold.ts";

export type UntoldPorts = {
  book: Pick<AlertBook, "records">;
  evaluator: Pick<Evaluator, "heardAt" | "giveUp">;
  subjects: Pick<AlertSubjects, "entityOf" | "siblingsOf">;
  /** What watches an alert's figure; undefined: nothing does since the hub started. */
  watchedOf(record: AlertRecord): Watched | undefined;
  /** Ends an alert that nothing watches. */
  end(record: AlertRecord, why: UntoldEnd): void;
};

/** Ends alerts of what nobody tells of any more though who told of it speaks. */
export class UntoldAlerts {
  private readonly watch = new UntoldWatch();

  constructor(private readonly ports: UntoldPorts) {}

  look(rules: readonly Rule[], pictures: readonly ClusterPicture[], now: EpochMs, monotonicMs: number): void {
    const { book, evaluator, watchedOf, end } = this.ports;
    const byId = new Map(rules.map((rule) => [rule.id, rule]));
    this.watch.keep(book.records);
    for (const record of book.records.values()) {
      const rule = byId.get(record.rule);
      if (record.alert.state === "resolved" || rule === undefined || !mayBeUntold(rule, record.subject)) continue;
      const slot = watchedOf(record)?.slot;
      const why = this.watch.look(record.id, this.heardOf(record, slot, pictures, now), monotonicMs);
      if (why === undefined) continue;
      if (slot === undefined) end(record, why);
      else evaluator.giveUp(slot, record.rule, why, now);
    }
  }

  private heardOf({ subject }: AlertRecord, slot: number | undefined, pictures: readonly ClusterPicture[], now: EpochMs): Heard {
    const { evaluator, subjects } = this.ports;
    const picture = pictures.find(({ cluster }) => cluster === subject.cluster);
    const node = subjects.entityOf(subject.cluster, subject.entity)?.node;
    const speaks = picture !== undefined && isToldOf(picture, node, now);
    if (slot === undefined) return { heardAt: undefined, siblingAt: undefined, speaks };
    const siblings = subjects.siblingsOf(slot).map((one) => evaluator.heardAt(one.slot) ?? 0);
    return { heardAt: evaluator.heardAt(slot), siblingAt: siblings.length > 0 ? Math.max(...siblings) : undefined, speaks };
  }
}
