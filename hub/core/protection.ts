import type { EpochMs, Vmid } from "#protocol/ids.ts";
import { guestKey } from "#protocol/ids.ts";
import type { BackupJobFacts } from "#protocol/messages.ts";
import type { ProtectionState, ProtectionView } from "#protocol/panel.ts";
import { type BackupFacts, backupFacts, type DueTimes, includesGuest } from "./backup-due.ts";
import { type ClusterPicture, spokesman } from "./cluster.ts";
import type { OwnedGuest } from "./inventory.ts";
import type { TaskMemory } from "./task-memory.ts";

export type BackupKnowledge = { tasks: TaskMemory; due: DueTimes };

/** How each guest of a cluster stands by its own backup calendars, by vmid. Templates are left out: they don't change. */
export function protectionsOf(picture: ClusterPicture, known: BackupKnowledge, now: EpochMs): ProtectionView[] {
  const jobs = spokesman(picture, now)?.inventory?.inventory.backupJobs;
  return [...picture.owners.values()]
    .filter(({ facts }) => !facts.template)
    .map((owned) => protectionOf(picture, owned, jobs, known, now))
    .sort((a, b) => a.vmid - b.vmid);
}

function protectionOf(
  { cluster }: ClusterPicture,
  { facts, owner }: OwnedGuest,
  all: readonly BackupJobFacts[] | undefined,
  { tasks, due }: BackupKnowledge,
  now: EpochMs,
): ProtectionView {
  const { node } = owner.agent;
  const { timezone } = owner.inventory.node;
  const jobs = all?.filter((job) => includesGuest(job, facts, node));
  const made = tasks.backupsOf(cluster, node, facts.vmid);
  const stands = backupFacts(jobs ?? [], made, {
    newestDue: (schedule) => due.newest(schedule, timezone, now),
    knownSince: tasks.knownSince(cluster, node) ?? now,
    guestSince: owner.claims[facts.vmid] ?? owner.receivedAt,
    now,
  });
  // A job's task names no guests: where no job takes this one, it was another's backup.
  const own = made.filter(({ ofJob }) => !ofJob || (jobs !== undefined && jobs.length > 0));
  const good = own.filter(({ state }) => state === "ok" || state === "warnings").map(({ at }) => at);
  const next = (jobs ?? []).flatMap(({ schedule }) => (schedule === undefined ? [] : (due.after(schedule, timezone, now) ?? [])));
  const { overdueMs = 0 } = stands;
  return {
    cluster,
    entity: guestKey(facts.vmid as Vmid),
    vmid: facts.vmid,
    state: protectionState(jobs, stands),
    backedUpAt: good.length > 0 ? Math.max(...good) : null,
    overdueSince: overdueMs > 0 ? now - overdueMs : null,
    nextAt: next.length > 0 ? Math.min(...next) : null,
  };
}

/** `jobs`: those that take the guest; undefined: nobody said which jobs there are. */
export function protectionState(
  jobs: readonly BackupJobFacts[] | undefined,
  { overdueMs, newest }: BackupFacts,
): ProtectionState {
  if (jobs === undefined) return "unknown";
  if (jobs.length === 0) return "none";
  if (overdueMs !== undefined && overdueMs > 0) return "overdue";
  if (newest?.state === "failed" || newest?.state === "lost") return "failed";
  return overdueMs === undefined ? "unknown" : "current";
}
