import type { EpochMs } from "#protocol/ids.ts";
import type { BackupJobFacts, GuestFacts } from "#protocol/messages.ts";
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
  constructor(private readonly fallback: string) {}

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
    if (timezone === undefined) return this.fallback;
    const known = this.zones.get(timezone) ?? isTimezone(timezone);
    this.zones.set(timezone, known);
    return known ? timezone : this.fallback;
  }
}

export type BackupFacts = {
  /** Ms past the newest run that was due; 0: it was made, or runs; undefined: no job, or nobody can say. */
  overdueMs: number | undefined;
  /** The newest that says something about this guest: a job that failed does not say of whom. */
  newest: BackupTask | undefined;
};

/** What tasks tell of a guest's backups. `knownSince`: before it tasks are unknown; `guestSince`: the guest is there since. */
export function backupFacts(
  jobs: readonly BackupJobFacts[],
  tasks: readonly BackupTask[],
  times: { newestDue(schedule: string): EpochMs | undefined; knownSince: number; guestSince: number; now: EpochMs },
): BackupFacts {
  const ended = tasks.filter((task) => task.state !== "running" && !isMixed(task));
  const newest = ended.reduce<BackupTask | undefined>(
    (best, task) => (best === undefined || task.at > best.at ? task : best),
    undefined,
  );
  let overdueMs: number | undefined;
  for (const { schedule } of jobs) {
    const due = schedule === undefined ? undefined : times.newestDue(schedule);
    if (due === undefined || due < times.knownSince || due < times.guestSince) continue;
    const since = tasks.filter((task) => task.at >= due - startSlackMs);
    const made = since.some((task) => task.state === "running" || isGood(task));
    if (!made && since.some(isMixed)) continue;
    overdueMs = Math.max(overdueMs ?? 0, made ? 0 : times.now - due);
  }
  return { overdueMs, newest };
}

/** A job of several guests ended badly: some of them have their backup, and nobody says which. Its node's alert tells. */
const isMixed = (task: BackupTask) => task.ofJob && task.state !== "running" && !isGood(task);

const isGood = ({ state }: BackupTask) => state === "ok" || state === "warnings";
