import type { EntityMetrics } from "#protocol/api.ts";
import type { MetricName } from "#protocol/metrics.ts";
import { instancesWith, newestOf } from "./entity-values.ts";

/** A virtual drive over the last sample; undefined: unknown. Bytes and operations a second, times in ms. */
export type DriveRow = {
  drive: string;
  reads: number | undefined;
  writes: number | undefined;
  read: number | undefined;
  written: number | undefined;
  readMs: number | undefined;
  writeMs: number | undefined;
  /** Requests that failed, a second. */
  failed: number | undefined;
};

/** Drives of a guest from its newest values: counters come as rates. A drive without requests has no latency. */
export function drivesOf(metrics: Pick<EntityMetrics, "metrics">, now: number): DriveRow[] {
  return instancesWith(metrics, "drive_reads").map((drive) => {
    const of = (metric: MetricName) => newestOf(metrics, metric, now, drive);
    const per = (time: number | undefined, count: number | undefined) =>
      time === undefined || count === undefined || count <= 0 ? undefined : (time / count) * 1e-6;
    const [reads, writes] = [of("drive_reads"), of("drive_writes")];
    return {
      ...{ drive, reads, writes, read: of("drive_read"), written: of("drive_written"), failed: of("drive_failed") },
      readMs: per(of("drive_read_ns"), reads),
      writeMs: per(of("drive_write_ns"), writes),
    };
  });
}

/** A file system as the guest's own agent tells it, bytes. */
export type FileSystemRow = { path: string; used: number | undefined; total: number | undefined };

export function fileSystemsOf(metrics: Pick<EntityMetrics, "metrics">, now: number): FileSystemRow[] {
  return instancesWith(metrics, "fs_used").map((path) => ({
    path,
    used: newestOf(metrics, "fs_used", now, path),
    total: newestOf(metrics, "fs_total", now, path),
  }));
}
