import type { EpochMs } from "#protocol/ids.ts";
import type { BackupJobFacts } from "#protocol/inventory.ts";
import type { DueTimes } from "./backup-due.ts";

/** A job starts within the minute after its time, and is a task that somebody has heard of a little later. */
const startsWithinMs = 2 * 60_000;

/**
 * The job that would find a test guest on its node if a test that takes `needMs` began now: one of all guests, whose list it makes when it starts. The
 * guest would get a backup of its own, or be gone at its turn and spoil the job. A job that comes again sooner than a test ends is no reason to wait.
 */
export function backupAhead(
  jobs: readonly BackupJobFacts[],
  { node, timezone, needMs }: { node: string; timezone: string | undefined; needMs: number },
  due: Pick<DueTimes, "after">,
  now: EpochMs,
): { job: string; at: EpochMs } | undefined {
  let first: { job: string; at: EpochMs } | undefined;
  for (const { id, type, enabled, schedule, all, pool, node: only } of jobs) {
    const takesAll = enabled && type === "vzdump" && all && pool === undefined && (only === undefined || only === node);
    if (!takesAll || schedule === undefined) continue;
    const at = due.after(schedule, timezone, (now - startsWithinMs) as EpochMs);
    if (at === undefined || at - now >= needMs || (first !== undefined && first.at <= at)) continue;
    const again = due.after(schedule, timezone, at);
    if (again === undefined || again - at > needMs + startsWithinMs) first = { job: id, at };
  }
  return first;
}
