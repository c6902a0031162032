import type { Reading } from "#protocol/api.ts";
import type { EntityView } from "#protocol/entities.ts";
import type { MetricName, zpoolHealthCodes, zpoolScanCodes } from "#protocol/metrics.ts";
import { newestOf } from "./entity-values.ts";
import type { Translate } from "./text.ts";
import { formatDuration, formatValue } from "./units.ts";

/** The compiler holds these to the codes of protocol/metrics.ts. */
export const zpoolHealths: typeof zpoolHealthCodes = [
  "ONLINE",
  "DEGRADED",
  "FAULTED",
  "OFFLINE",
  "UNAVAIL",
  "REMOVED",
  "SUSPENDED",
];
const scans: typeof zpoolScanCodes = ["none", "scanning", "finished", "canceled", "paused"];

const absent: Reading = { state: "absent", value: null, at: null };

/** A metric as tiles take it, which judge its age themselves. */
export const tileReading = (pool: EntityView, metric: MetricName): Reading =>
  pool.metrics.find((one) => one.metric === metric && one.instance === null) ?? absent;

/** How something that holds data stands, in a sentence; `dim`: nobody can say. */
export type PoolVerdict = { level: "ok" | "warn" | "crit" | "dim"; text: string };

/** A month and a bit: Debian scrubs on the second Sunday of each month. */
const scrubOldSec = 40 * 86_400;

/** What an admin must know of a pool, thin pool or datastore first; the gravest alone. */
export function poolVerdict(pool: EntityView, now: number, t: Translate): PoolVerdict {
  const of = (metric: MetricName) => newestOf(pool, metric, now);
  if (pool.kind === "thinpool") return thinpoolVerdict(of("data"), of("metadata"), t);
  return pool.kind === "zpool" ? zpoolVerdict(of, t) : datastoreVerdict(of, t);
}

type Of = (metric: MetricName) => number | undefined;

function zpoolVerdict(of: Of, t: Translate): PoolVerdict {
  const code = of("health");
  const health = code === undefined ? undefined : zpoolHealths[code];
  if (health === undefined)
    return { level: "dim", text: t("Its health is unknown now: the agent of its node says nothing of it") };
  if (health === "DEGRADED")
    return {
      level: "crit",
      text: t("DEGRADED: a disk is missing or failing; one more can cost data. On the node: zpool status -x"),
    };
  if (health !== "ONLINE")
    return { level: "crit", text: t("{health}: the pool doesn't work. On the node: zpool status -x", { health }) };
  const errors = of("data_errors");
  if ((errors ?? 0) > 0)
    return {
      level: "crit",
      text: t("{n} places of data are damaged: restore them from a backup. On the node: zpool status -v", { n: errors ?? 0 }),
    };
  const share = (of("allocated") ?? 0) / (of("size") ?? Number.POSITIVE_INFINITY);
  if (share >= 0.9) return { level: "warn", text: t("Nearly full: ZFS gets slow above 90 %, and stops at 100 %") };
  const age = of("scrub_age");
  if (age !== undefined && age > scrubOldSec)
    return {
      level: "warn",
      text: t("ONLINE, but not scrubbed for {time}: bad sectors stay unseen", { time: formatDuration(age) }),
    };
  if (errors === undefined)
    return { level: "dim", text: t("ONLINE, but whether data is damaged is unknown: zpool status could not be read") };
  return { level: "ok", text: t("ONLINE, no known data errors") };
}

function thinpoolVerdict(data: number | undefined, metadata: number | undefined, t: Translate): PoolVerdict {
  if (data === undefined || metadata === undefined)
    return { level: "dim", text: t("Its use is unknown now: the agent of its node says nothing of it") };
  const worst = Math.max(data, metadata);
  const what = metadata >= data ? t("Metadata") : t("Data");
  const share = formatValue(worst, "percent");
  if (worst >= 0.95)
    return {
      level: "crit",
      text: t("{what} is {share} full: at 100 % all guests on it stop with I/O errors. Extend it: lvextend", { what, share }),
    };
  if (worst >= 0.8)
    return { level: "warn", text: t("{what} is {share} full: extend it before 100 %, when all writes stop", { what, share }) };
  return { level: "ok", text: t("Data and metadata have room") };
}

function datastoreVerdict(of: Of, t: Translate): PoolVerdict {
  const up = of("up");
  if (up === undefined) return { level: "dim", text: t("Nothing is known of it now: no agent has asked its server lately") };
  if (up === 0) return { level: "crit", text: t("The Backup Server doesn't answer: backups to it fail now") };
  if ((of("gc_still_bad") ?? 0) > 0)
    return {
      level: "crit",
      text: t("It holds damaged chunks: backups that need them can't be restored. Verify it on the Backup Server"),
    };
  if ((of("jobs_failed") ?? 0) > 0)
    return { level: "warn", text: t("A job of this datastore failed at its newest run: see the Backup Server's tasks") };
  const share = (of("used") ?? 0) / (of("total") ?? Number.POSITIVE_INFINITY);
  if (share >= 0.9) return { level: "warn", text: t("Nearly full: prune, collect garbage, or extend it") };
  return { level: "ok", text: t("Its server answers; no damaged chunks are known") };
}

/** What the newest scrub did, in words. */
export function scrubText(pool: EntityView, now: number, t: Translate): string | null {
  const code = newestOf(pool, "scan_state", now);
  const [state, age, errors] = [
    code === undefined ? undefined : scans[code],
    newestOf(pool, "scrub_age", now),
    newestOf(pool, "scrub_errors", now),
  ];
  if (state === "scanning") return t("under way");
  if (state === "paused") return t("paused");
  if (age === undefined) return state === undefined ? null : t("none is known");
  const ago = t("ended {time} ago", { time: formatDuration(age) });
  return errors === undefined ? ago : t("{ended}, {n} errors", { ended: ago, n: errors });
}
