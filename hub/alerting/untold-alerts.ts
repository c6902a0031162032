import type { Rule } from "#protocol/alerting.ts";
import { type EpochMs, vmidOfKey } from "#protocol/ids.ts";
import type { AlertRecord } from "../core/alert-record.ts";
import { includesGuest } from "../core/backup-due.ts";
import { type ClusterPicture, isToldOf, spokesman } from "../core/cluster.ts";
import type { Evaluator } from "../core/evaluate.ts";
import { type Heard, mayBeUntold, type UntoldEnd, UntoldWatch } from "../core/untold.ts";
import type { AlertBook } from "./alert-book.ts";
import type { AlertSubjects, Watched } from "./alert-subjects.ts";

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
      const why = this.watch.look(record.id, this.heardOf(record, rule, slot, pictures, now), monotonicMs);
      if (why === undefined) continue;
      if (slot === undefined) end(record, why);
      else evaluator.giveUp(slot, record.rule, why, now);
    }
  }

  private heardOf(
    { subject }: AlertRecord,
    rule: Rule,
    slot: number | undefined,
    pictures: readonly ClusterPicture[],
    now: EpochMs,
  ): Heard {
    const { evaluator, subjects } = this.ports;
    const picture = pictures.find(({ cluster }) => cluster === subject.cluster);
    const node = subjects.entityOf(subject.cluster, subject.entity)?.node;
    const isDue = picture !== undefined && isAboutBackups(rule) && isStillTaken(picture, subject, now);
    const speaks = picture !== undefined && !isDue && isToldOf(picture, node, now);
    if (slot === undefined) return { heardAt: undefined, siblingAt: undefined, speaks };
    const siblings = subjects.siblingsOf(slot).map((one) => evaluator.heardAt(one.slot) ?? 0);
    return { heardAt: evaluator.heardAt(slot), siblingAt: siblings.length > 0 ? Math.max(...siblings) : undefined, speaks };
  }
}

const isAboutBackups = ({ condition }: Rule) =>
  condition.kind === "age" ? condition.of === "backup" : "signal" in condition && condition.signal === "backup_overdue";

/**
 * Whether a job still takes this guest, or nobody says which jobs there are. Whether its backup is there may be unknown for nights, as while a job of
 * several guests fails: what was missing before is missing all the same.
 */
function isStillTaken(picture: ClusterPicture, { entity }: AlertRecord["subject"], now: EpochMs): boolean {
  const vmid = vmidOfKey(entity);
  const owned = vmid === undefined ? undefined : picture.owners.get(vmid);
  const jobs = spokesman(picture, now)?.inventory?.inventory.backupJobs;
  if (owned === undefined || jobs === undefined) return true;
  return jobs.some((job) => job.schedule !== undefined && includesGuest(job, owned.facts, owned.owner.agent.node));
}
