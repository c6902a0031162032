import type { EpochMs } from "#protocol/ids.ts";
import type { BackupJobFacts } from "#protocol/inventory.ts";
import type { DueTimes } from "./backup-due.ts";

/** A job starts within the minute after its time, and is a task that somebody has heard of a little later. */
const startsWithinMs = 2 * 60_000;

/** A backup job's next start on a node, and the one after it, if there is one. */
export type JobStart = { job: string; at: EpochMs; again: EpochMs | undefined };

/** The next starts of jobs that would find a test guest on this node: those of all guests, which make their list when they start. The first one first. */
export function startsOfAll(
  jobs: readonly BackupJobFacts[],
  { node, timezone }: { node: string; timezone: string | undefined },
  due: Pick<DueTimes, "after">,
  now: EpochMs,
): JobStart[] {
  return jobs
    .flatMap(({ id, type, enabled, schedule, all, pool, node: only }): JobStart[] => {
      const takesAll = enabled && type === "vzdump" && all && pool === undefined && (only === undefined || only === node);
      if (!takesAll || schedule === undefined) return [];
      const at = due.after(schedule, timezone, (now - startsWithinMs) as EpochMs);
      return at === undefined ? [] : [{ job: id, at, again: due.after(schedule, timezone, at) }];
    })
    .sort((a, b) => a.at - b.at);
}

/**
 * The start that a test of `needMs` should wait for: the guest would get a backup of its own, or be gone at its turn and spoil the job. A job that
 * comes again sooner than a test ends is no reason to wait, nor one after which the test would not be over by `endBy`: it would never be made.
 */
export function startToWaitFor(
  starts: readonly JobStart[],
  { needMs, endBy }: { needMs: number; endBy: number },
  now: EpochMs,
): JobStart | undefined {
  return starts.find(
    ({ at, again }) => at - now < needMs && at + needMs <= endBy && (again === undefined || again - at > needMs + startsWithinMs),
  );
}
