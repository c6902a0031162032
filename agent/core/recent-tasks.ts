import { type EpochMs, parseUpid } from "#protocol/ids.ts";
import type { TaskReport } from "#protocol/messages.ts";

const keepMs = 24 * 3600_000;

/** The tasks of the last day, for a hub that (re)connects: one report per task, the ended one wins. At most `max`, the oldest go first. */
export class RecentTasks {
  private readonly byUpid = new Map<string, TaskReport>();

  constructor(private readonly max = 2000) {}

  merge(reports: readonly TaskReport[], now: EpochMs): void {
    for (const report of reports) {
      const known = this.byUpid.get(report.upid);
      if (known?.endedAt !== undefined && report.endedAt === undefined) continue;
      this.byUpid.delete(report.upid);
      this.byUpid.set(report.upid, report);
    }
    for (const [upid, report] of this.byUpid) {
      const startedAt = parseUpid(upid)?.startedAt ?? 0;
      const old = report.endedAt !== undefined && Math.max(report.endedAt, startedAt) < now - keepMs;
      if (old || this.byUpid.size > this.max) this.byUpid.delete(upid);
    }
  }

  all(): TaskReport[] {
    return [...this.byUpid.values()];
  }
}
