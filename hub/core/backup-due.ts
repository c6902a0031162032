import type { EpochMs } from "#protocol/ids.ts";
import type { BackupJobFacts, GuestFacts } from "#protocol/inventory.ts";
import { nextInstant, parseCalendar, previousInstant } from "./calendar.ts";
import type { BackupTask } from "./task-memory.ts";
import { isTimezone } from "./zoned-time.ts";

/** Jobs start within the minute, and clocks differ a little. */
const startSlackMs = 60_000;

/** Does a job back up this guest? As pve-manager `PVE/VZDump.pm` get_included_guests chooses. */
export function includesGuest(job: BackupJobFacts, guest: Pick<GuestFacts, "vmid" | "pool">, node: string): boolean {
  if (!job.enabled || job.type !== "vzdump" || (job.node !== undefined && job.node !== node)) return false;
  if (job.pool !== undefined) return job.pool === guest.pool && !job.exclude.includes(guest.vmid);
  if (job.all) return !job.exclude.includes(guest.vmid);
  return job.vmids.includes(guest.vmid);
}

/** When a calendar's newest instant was, worked out again only when the next one may have come. */
export class DueTimes {
  private readonly known = new Map<string, { due: EpochMs | undefined; at: EpochMs }>();
  private readonly zones = new Map<string, boolean>();

  /** `fallback`: where a node did not say its timezone, or one that nobody knows. */
  constructor(private readonly fallback: () => string) {}

  /** At or before `now`, in a node's timezone; undefined: never yet, or no calendar. */
  newest(schedule: string, timezone: string | undefined, now: EpochMs): EpochMs | undefined {
    const zone = this.zoneOf(timezone);
    const key = `${zone} ${schedule}`;
    const cached = this.known.get(key);
    // To the minute: no schedule of Proxmox is finer.
    if (cached !== undefined && now >= cached.at && Math.floor(now / 60_000) === Math.floor(cached.at / 60_000))
      return cached.due;
    const parsed = parseCalendar(schedule);
    const due = parsed.ok ? previousInstant(parsed.event, now, zone) : undefined;
    this.known.set(key, { due, at: now });
    return due;
  }

  /** The first instant after `at`. */
  after(schedule: string, timezone: string | undefined, at: EpochMs): EpochMs | undefined {
    const parsed = parseCalendar(schedule);
    return parsed.ok ? nextInstant(parsed.event, at, this.zoneOf(timezone)) : undefined;
  }

  private zoneOf(timezone: string | undefined): string {
    if (timezone === undefined) return this.fallback();
    const known = this.zones.get(timezone) ?? isTimezone(timezone);
    this.zones.set(timezone, known);
    return known ? timezone : this.fallback();
  }
}

/** Since when jobs take a guest, where somebody put it into them while the hub looked on: a time by job and calendar. */
export type JobTimes = Readonly<Record<string, EpochMs>>;

export type SavedJobTimes = {
  /** Undefined: nothing was kept. */
  read(cluster: string, vmid: number): JobTimes | undefined;
  /** Keeps them through a restart of the hub; none: they may go. */
  write(cluster: string, vmid: number, times: JobTimes): void;
};

/** Since when each job takes each guest. A run that was due before somebody put the guest into the job is not missing. */
export class JobMemory {
  private readonly known = new Map<string, ReadonlyMap<string, number>>();

  constructor(private readonly saved: SavedJobTimes) {}

  /** `jobs`: all that take this guest now. Those of the first look took it before, nobody knows how long: 0. */
  look(cluster: string, vmid: number, jobs: readonly BackupJobFacts[], now: EpochMs): (job: BackupJobFacts) => number {
    const guest = `${cluster}/${vmid}`;
    const before = this.known.get(guest);
    const kept = before === undefined ? this.saved.read(cluster, vmid) : undefined;
    const since = new Map(
      jobs.map((job) => [keyOf(job), before === undefined ? (kept?.[keyOf(job)] ?? 0) : (before.get(keyOf(job)) ?? now)]),
    );
    this.known.set(guest, since);
    if (before !== undefined && !sameKeys(before, since)) this.saved.write(cluster, vmid, timesOf(since));
    return (job) => since.get(keyOf(job)) ?? now;
  }
}

const sameKeys = (a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>) =>
  a.size === b.size && [...b.keys()].every((key) => a.has(key));

const timesOf = (since: ReadonlyMap<string, number>) =>
  Object.fromEntries([...since].filter(([, at]) => at > 0)) as Record<string, EpochMs>;

const keyOf = ({ id, schedule }: BackupJobFacts) => `${id} ${schedule ?? ""}`;

export type BackupFacts = {
  /** Ms past the first run that was due and is missing; 0: every due one was made, or runs; undefined: no job, or nobody can say. */
  overdueMs: number | undefined;
  /** The newest that says something about this guest: a job that failed does not say of whom. */
  newest: BackupTask | undefined;
  /** Begin of the newest good backup, jobs or not; of one that never had any: since when that is known. A failed run makes nothing younger. */
  goodSince: EpochMs;
};

/** What storages hold of one guest. */
export type CataloguedBackups = {
  /** Begin of its newest backup, the storage that holds it, and begin of its oldest one; undefined: none is known. */
  span: { newestAt: EpochMs; newestOn: string; oldestAt: EpochMs } | undefined;
  /** Begin of the newest backup with its number of which nobody can tell yet whether it is this guest's; undefined: there is none. */
  unknownAt: EpochMs | undefined;
  /** When this storage was last listed to the end; undefined: never, or it can't be listed now. */
  listedAt(storage: string): EpochMs | undefined;
  /** Whether any storage of the cluster was ever listed: that none is known says something. */
  isListed: boolean;
};

/** Where nobody listed any storage. */
export const nothingCatalogued: CataloguedBackups = {
  span: undefined,
  unknownAt: undefined,
  listedAt: () => undefined,
  isListed: false,
};

export type BackupTimes = {
  newestDue(schedule: string): EpochMs | undefined;
  /** The first instant after that time. */
  dueAfter(schedule: string, at: EpochMs): EpochMs | undefined;
  /** Before it tasks are unknown. */
  knownSince: number;
  /** The guest is there since, as far as the hub saw. */
  guestSince: number;
  /** This job takes it since, as far as the hub saw. */
  jobSince(job: BackupJobFacts): number;
  now: EpochMs;
};

/**
 * How a guest stands by the calendars of the jobs that take it. Two witnesses: tasks, which say that a run ended well, and the catalogue, which says
 * what is there. A backup in any storage counts, whoever made it; of a run that ended before its storage was listed only the catalogue's word counts.
 */
export function backupFacts(
  jobs: readonly BackupJobFacts[],
  tasks: readonly BackupTask[],
  times: BackupTimes,
  catalogued: CataloguedBackups,
): BackupFacts {
  let overdueMs: number | undefined;
  for (const job of jobs) {
    const overdue = overdueOf(job, tasks, times, catalogued);
    if (overdue !== undefined) overdueMs = Math.max(overdueMs ?? 0, overdue);
  }
  return { overdueMs, newest: newestOf(tasks, catalogued), goodSince: goodSinceOf(jobs, tasks, times, catalogued) };
}

/** One of which nobody can tell whose it is counts: so long ago at least was the guest's own. */
function goodSinceOf(
  jobs: readonly BackupJobFacts[],
  tasks: readonly BackupTask[],
  { guestSince, knownSince }: BackupTimes,
  { span, unknownAt, listedAt, isListed }: CataloguedBackups,
): EpochMs {
  // A job's task names no guests, and of what it made before all its storages were listed they tell.
  const seenAt = Math.min(...jobs.map(({ storage }) => (storage === undefined ? undefined : listedAt(storage)) ?? 0));
  const made = tasks.filter(
    (task) => isGood(task) && (!task.ofJob || (task.endedAt ?? Number.POSITIVE_INFINITY) + startSlackMs > seenAt),
  );
  const newest = Math.max(span?.newestAt ?? 0, unknownAt ?? 0, ...made.map(({ at }) => at));
  // Tasks are forgotten after some weeks, or days where there are many: that makes no missing backup younger where storages tell.
  const since = isListed ? guestSince : Math.max(guestSince, knownSince);
  return (newest > 0 ? newest : since) as EpochMs;
}

function newestOf(tasks: readonly BackupTask[], { span }: CataloguedBackups): BackupTask | undefined {
  const ended = tasks.filter((task) => task.state !== "running" && !isMixed(task));
  const newest = ended.reduce<BackupTask | undefined>(
    (best, task) => (best === undefined || task.at > best.at ? task : best),
    undefined,
  );
  // One that a job of several guests made before it failed, or a task that nobody told of. Never one that the newest task itself left.
  if (span === undefined || span.newestAt <= (newest?.endedAt ?? newest?.at ?? 0)) return newest;
  return { at: span.newestAt, endedAt: span.newestAt, state: "ok", ofJob: false };
}

function overdueOf(
  job: BackupJobFacts,
  tasks: readonly BackupTask[],
  { newestDue, dueAfter, knownSince, guestSince, jobSince, now }: BackupTimes,
  { span, unknownAt = 0 as EpochMs, listedAt }: CataloguedBackups,
): number | undefined {
  const { schedule, storage } = job;
  const due = schedule === undefined ? undefined : newestDue(schedule);
  const bornAt = Math.max(jobSince(job), Math.min(guestSince, span?.oldestAt ?? guestSince));
  if (schedule === undefined || due === undefined || due < bornAt) return undefined;
  const seenAt = (storage === undefined ? undefined : listedAt(storage)) ?? 0;
  const open = tasks.filter(({ endedAt }) => endedAt === null || endedAt + startSlackMs > seenAt);
  const since = due - startSlackMs;
  const made = open.filter((task) => isGood(task)).map(({ at }) => at);
  const madeAt = Math.max(span?.newestAt ?? 0, ...made);
  if (madeAt >= since) return 0;
  // Counted from the first run that was missed: the next one that is missed must not begin it anew.
  const from = Math.max(bornAt, madeAt > 0 ? madeAt + startSlackMs : seenAt > 0 ? 0 : knownSince);
  const missedAt = Math.min(due, dueAfter(schedule, (from - 1) as EpochMs) ?? due);
  // One that still runs is not missed, however long it takes. What was missed before it stays so until one has ended well.
  const secondAt = dueAfter(schedule, missedAt as EpochMs) ?? Number.POSITIVE_INFINITY;
  const covers = open.find(
    ({ state, at }) => state === "running" && at >= missedAt - startSlackMs && at < secondAt - startSlackMs,
  );
  if (covers !== undefined) return Math.max(0, now - (dueAfter(schedule, (covers.at + startSlackMs) as EpochMs) ?? now));
  if (open.some((task) => task.at >= since && isMixed(task)) || unknownAt >= since || (due < knownSince && due > seenAt)) {
    return undefined;
  }
  return now - missedAt;
}

/** A job of several guests ended badly: some of them have their backup, and nobody says which. Its node's alert tells. */
const isMixed = (task: BackupTask) => task.ofJob && task.state !== "running" && !isGood(task);

const isGood = ({ state }: BackupTask) => state === "ok" || state === "warnings";
