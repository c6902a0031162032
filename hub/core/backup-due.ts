import type { EpochMs } from "#protocol/ids.ts";
import type { BackupJobFacts, GuestFacts } from "#protocol/messages.ts";
import { parseCalendar, previousInstant } from "./calendar.ts";
import type { BackupTask } from "./task-memory.ts";

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

  constructor(private readonly timezone: string) {}

  /** At or before `now`; undefined: never yet, or no calendar. */
  newest(schedule: string, now: EpochMs): EpochMs | undefined {
    const cached = this.known.get(schedule);
    // To the minute: no schedule of Proxmox is finer.
    if (cached !== undefined && now >= cached.at && Math.floor(now / 60_000) === Math.floor(cached.at / 60_000))
      return cached.due;
    const parsed = parseCalendar(schedule);
    const due = parsed.ok ? previousInstant(parsed.event, now, this.timezone) : undefined;
    this.known.set(schedule, { due, at: now });
    return due;
  }
}

export type BackupFacts = {
  /** Ms past the newest run that was due; 0: it was made, or runs; undefined: no job, or nobody can say. */
  overdueMs: number | undefined;
  newest: BackupTask | undefined;
};

/** What tasks tell of a guest's backups. `knownSince`: before it tasks are unknown; `guestSince`: the guest is there since. */
export function backupFacts(
  jobs: readonly BackupJobFacts[],
  tasks: readonly BackupTask[],
  times: { newestDue(schedule: string): EpochMs | undefined; knownSince: number; guestSince: number; now: EpochMs },
): BackupFacts {
  const ended = tasks.filter((task) => task.state !== "running");
  const newest = ended.reduce<BackupTask | undefined>(
    (best, task) => (best === undefined || task.at > best.at ? task : best),
    undefined,
  );
  let overdueMs: number | undefined;
  for (const { schedule } of jobs) {
    const due = schedule === undefined ? undefined : times.newestDue(schedule);
    if (due === undefined || due < times.knownSince || due < times.guestSince) continue;
    const made = tasks.some((task) => task.at >= due - startSlackMs && (task.state === "running" || isGood(task)));
    overdueMs = Math.max(overdueMs ?? 0, made ? 0 : times.now - due);
  }
  return { overdueMs, newest };
}

const isGood = ({ state }: BackupTask) => state === "ok" || state === "warnings";
