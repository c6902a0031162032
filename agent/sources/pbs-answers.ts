import type { DatastoreJob } from "#protocol/inventory.ts";
import { asNumber, asObject, asObjects, asText, type JsonObject } from "../core/values.ts";

/**
 * Answers of a Backup Server, after pbs-api-types (datastore.rs, jobs.rs) and proxmox-backup 3.2.4 (src/api2/admin); none was ever seen from a
 * real one. What does not fit is NaN or left out.
 */

/** Bytes; `gc…` of the newest garbage collection, `gcStartSec` NaN when none ran. */
export type DatastoreStatus = {
  total: number;
  used: number;
  avail: number;
  dedupFactor: number;
  gcRemoved: number;
  gcPending: number;
  gcStillBad: number;
  gcStartSec: number;
};

/**
 * Data of `GET /admin/datastore/{store}/status?verbose=1`. Who has rights on a namespace alone is told three zeros and no garbage collection
 * (`status` in proxmox-backup `src/api2/admin/datastore.rs`): that is unknown, not full.
 */
export function parseDatastoreStatus(data: unknown): DatastoreStatus | undefined {
  const status = asObject(data);
  if (status === undefined || !Number.isFinite(asNumber(status.total))) return undefined;
  const told = asNumber(status.total) > 0;
  const space = (value: unknown) => (told ? asNumber(value) : Number.NaN);
  const gc = asObject(status["gc-status"]);
  const disk = asNumber(gc?.["disk-bytes"]);
  const gcStartSec = pbsTaskStartSec(gc?.upid);
  return {
    total: space(status.total),
    used: space(status.used),
    avail: space(status.avail),
    dedupFactor: disk > 0 ? asNumber(gc?.["index-data-bytes"]) / disk : Number.NaN,
    gcRemoved: asNumber(gc?.["removed-bytes"]),
    gcPending: asNumber(gc?.["pending-bytes"]),
    gcStillBad: asNumber(gc?.["still-bad"]),
    gcStartSec,
  };
}

/** Start of a task by its UPID, which has one field more than PVE's: `UPID:node:pid:pstart:task:start:type:id:user:`. */
export function pbsTaskStartSec(upid: unknown): number {
  const hex = /^UPID:[^:]*:[0-9A-Fa-f]+:[0-9A-Fa-f]+:[0-9A-Fa-f]+:([0-9A-Fa-f]{8,9}):/.exec(asText(upid) ?? "")?.[1];
  return hex === undefined ? Number.NaN : Number.parseInt(hex, 16);
}

/** Data of `GET /admin/{verify|prune|sync|gc}`: the jobs of one datastore. */
export function parseJobs(kind: DatastoreJob["kind"], data: unknown, store: string): DatastoreJob[] {
  return asObjects(data)
    .filter((job) => job.store === store)
    .map((job) => {
      const [schedule, state] = [asText(job.schedule), asText(job["last-run-state"])];
      const [ended, next] = [asNumber(job["last-run-endtime"]), asNumber(job["next-run"])];
      return {
        kind,
        id: (asText(job.id) ?? store).slice(0, 200),
        ...(schedule === undefined ? {} : { schedule: schedule.slice(0, 200) }),
        ...(state === undefined ? {} : { state: state.slice(0, 500) }),
        ...(isTime(ended) ? { endedAt: ended * 1000 } : {}),
        ...(isTime(next) ? { nextRunAt: next * 1000 } : {}),
      };
    });
}

const isTime = (sec: number) => Number.isInteger(sec) && sec > 0 && sec < 1e11;

/** `OK` and `WARNINGS: n` are good ends; a job that never ran has none. */
export const hasFailed = ({ state }: DatastoreJob) => state !== undefined && !/^(OK|WARNINGS: \d+)$/.test(state);

/** Data of `GET /admin/datastore/{store}/namespace`; the root is the empty one. */
export function parseNamespaces(data: unknown): string[] {
  return asObjects(data)
    .flatMap(({ ns }) => (typeof ns === "string" ? [ns] : []))
    .filter((ns) => ns.length <= 256);
}

/** Backups of one namespace. Without `verification` a backup was never verified, which is not good. */
export class SnapshotCount {
  total = 0;
  ok = 0;
  failed = 0;
  /** NaN: none. */
  newestSec = Number.NaN;

  /** One entry of `GET /admin/datastore/{store}/snapshots`. */
  add(snapshot: JsonObject): void {
    const at = asNumber(snapshot["backup-time"]);
    if (!(at > 0)) return;
    this.total++;
    const state = asObject(snapshot.verification)?.state;
    if (state === "ok") this.ok++;
    else if (state === "failed") this.failed++;
    if (!(at <= this.newestSec)) this.newestSec = at;
  }
}
