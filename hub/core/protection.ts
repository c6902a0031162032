import type { EpochMs, NodeName } from "#protocol/ids.ts";
import { guestKey } from "#protocol/ids.ts";
import type { BackupJobFacts, GuestFacts } from "#protocol/inventory.ts";
import type { ProtectionState, ProtectionView } from "#protocol/panel.ts";
import {
  type BackupFacts,
  backupFacts,
  type CataloguedBackups,
  type DueTimes,
  includesGuest,
  type JobMemory,
  nothingCatalogued,
} from "./backup-due.ts";
import { type ClusterPicture, spokesman } from "./cluster.ts";
import type { OwnedGuest } from "./inventory.ts";
import type { TaskMemory } from "./task-memory.ts";

export type BackupKnowledge = {
  tasks: TaskMemory;
  due: DueTimes;
  jobs: JobMemory;
  /** What storages hold of a guest; absent: nobody lists any. */
  catalogued?: ((cluster: string, guest: GuestFacts, node: NodeName) => CataloguedBackups) | undefined;
  /** Numbers of our own test guests, which nobody has to protect; absent: the hub tests nothing. */
  testGuests?: ((picture: ClusterPicture, now: EpochMs) => ReadonlySet<number>) | undefined;
};

/** The jobs that take a guest, what storages hold of it, and how it stands by both; `all`: the cluster's jobs. */
export function backupStanding(
  cluster: string,
  owned: OwnedGuest,
  all: readonly BackupJobFacts[],
  { tasks, due, jobs: memory, catalogued }: BackupKnowledge,
  now: EpochMs,
): { jobs: BackupJobFacts[]; storages: CataloguedBackups; stands: BackupFacts } {
  const { facts, owner } = owned;
  const { node } = owner.agent;
  const { timezone } = owner.inventory.node;
  const jobs = all.filter((job) => includesGuest(job, facts, node));
  const times = {
    newestDue: (schedule: string) => due.newest(schedule, timezone, now),
    dueAfter: (schedule: string, at: EpochMs) => due.after(schedule, timezone, at),
    knownSince: tasks.knownSince(cluster, node) ?? now,
    guestSince: owner.claims[facts.vmid] ?? owner.receivedAt,
    jobSince: memory.look(cluster, facts.vmid, jobs, now),
    now,
  };
  const storages = catalogued?.(cluster, facts, node) ?? nothingCatalogued;
  return { jobs, storages, stands: backupFacts(jobs, tasks.backupsOf(cluster, node, facts.vmid), times, storages) };
}

/** How each guest of a cluster stands by its own backup calendars, by vmid. Templates are left out, which don't change, and our own test guests. */
export function protectionsOf(picture: ClusterPicture, known: BackupKnowledge, now: EpochMs): ProtectionView[] {
  const jobs = spokesman(picture, now)?.inventory?.inventory.backupJobs;
  const tests = known.testGuests?.(picture, now);
  return [...picture.owners.values()]
    .filter(({ facts }) => !facts.template && tests?.has(facts.vmid) !== true)
    .map((owned) => protectionOf(picture, owned, jobs, known, now))
    .sort((a, b) => a.vmid - b.vmid);
}

function protectionOf(
  { cluster }: ClusterPicture,
  owned: OwnedGuest,
  all: readonly BackupJobFacts[] | undefined,
  known: BackupKnowledge,
  now: EpochMs,
): ProtectionView {
  const { facts, owner } = owned;
  const { timezone } = owner.inventory.node;
  const standing = all === undefined ? undefined : backupStanding(cluster, owned, all, known, now);
  const jobs = standing?.jobs ?? [];
  const span = standing?.storages.span;
  // A job's task names no guests: where no job takes this one, it was another's backup.
  const own = known.tasks.backupsOf(cluster, owner.agent.node, facts.vmid).filter(({ ofJob }) => !ofJob || jobs.length > 0);
  const good = own.filter(({ state }) => state === "ok" || state === "warnings").map(({ at }) => at);
  const backedUpAt = Math.max(span?.newestAt ?? 0, ...good);
  const next = jobs.flatMap(({ schedule }) => (schedule === undefined ? [] : (known.due.after(schedule, timezone, now) ?? [])));
  const overdueMs = standing?.stands.overdueMs ?? 0;
  return {
    cluster,
    entity: guestKey(facts.vmid),
    vmid: facts.vmid,
    state: protectionState(standing, facts.unprotected),
    jobs: jobs.map(({ id, schedule }) => ({ id, schedule: schedule ?? null })),
    unprotected: facts.unprotected ?? null,
    backedUpAt: backedUpAt > 0 ? backedUpAt : null,
    backupStorage: span !== undefined && span.newestAt === backedUpAt ? span.newestOn : null,
    overdueSince: overdueMs > 0 ? now - overdueMs : null,
    nextAt: next.length > 0 ? Math.min(...next) : null,
  };
}

/** `standing`: by the jobs that take the guest; undefined: nobody said which jobs there are. `disks`: that no backup holds; undefined: nobody said. */
export function protectionState(
  standing: { jobs: readonly unknown[]; stands: Pick<BackupFacts, "overdueMs" | "newest"> } | undefined,
  disks: readonly unknown[] | undefined,
): ProtectionState {
  if (standing === undefined) return "unknown";
  const { overdueMs, newest } = standing.stands;
  if (standing.jobs.length === 0) return "none";
  if (overdueMs !== undefined && overdueMs > 0) return "overdue";
  if (newest?.state === "failed" || newest?.state === "lost") return "failed";
  if (disks !== undefined && disks.length > 0) return "partial";
  return overdueMs === undefined || disks === undefined ? "unknown" : "current";
}
