import { asNumber, asObject, asText, type JsonObject, parseJsonObject } from "../core/values.ts";

/** Pure parsers of what zpool prints, as JSON (OpenZFS ≥ 2.3) and as text. After its manual pages and source, never seen from a real system. */

/** Bytes; `fragmentation` 0 … 1. NaN where zpool says `-`. */
export type Zpool = { pool: string; size: number; allocated: number; free: number; fragmentation: number; health: string };

/** The newest scrub or resilver. `endedSec`: NaN while it runs. */
export type ZpoolScan = { what: "scrub" | "resilver" | "other"; state: string; endedSec: number; errors: number };
export type ZpoolStatus = { read: number; write: number; checksum: number; dataErrors: number; scan?: ZpoolScan };

/** `zpool list -j --json-int`. */
export function parseZpoolListJson(text: string): Zpool[] | undefined {
  const pools = asObject(parseJsonObject(text)?.pools);
  if (pools === undefined) return undefined;
  return Object.entries(pools).flatMap(([pool, value]) => {
    const entry = asObject(value);
    if (entry === undefined) return [];
    const properties = asObject(entry.properties);
    const of = (name: string) => asObject(properties?.[name])?.value;
    return [
      {
        pool,
        size: asNumber(of("size")),
        allocated: asNumber(of("allocated")),
        free: asNumber(of("free")),
        fragmentation: asNumber(of("fragmentation")) / 100,
        health: asText(of("health")) ?? asText(entry.state) ?? "",
      },
    ];
  });
}

/** Columns of `zpool list -Hp -o …`, tab-separated. */
export const zpoolListColumns = "name,size,allocated,free,fragmentation,health";

export function parseZpoolListTabs(text: string): Zpool[] {
  return text.split("\n").flatMap((line) => {
    const [pool, size, allocated, free, fragmentation, health] = line.split("\t");
    if (pool === undefined || pool === "" || health === undefined) return [];
    return [
      {
        pool,
        size: asNumber(size),
        allocated: asNumber(allocated),
        free: asNumber(free),
        fragmentation: asNumber(fragmentation) / 100,
        health: health.trim(),
      },
    ];
  });
}

/** Where a pool keeps vdevs beside the usual ones (`status_callback_json` in OpenZFS' cmd/zpool/zpool_main.c). */
const otherClasses = ["special", "dedup", "logs"] as const;

/** `zpool status -j --json-int`: errors of all vdevs, whatever their class, and the newest scan. */
export function parseZpoolStatusJson(text: string): Map<string, ZpoolStatus> | undefined {
  const pools = asObject(parseJsonObject(text)?.pools);
  if (pools === undefined) return undefined;
  const found = new Map<string, ZpoolStatus>();
  for (const [name, value] of Object.entries(pools)) {
    const pool = asObject(value);
    if (pool === undefined || asObject(Object.values(asObject(pool.vdevs) ?? {})[0]) === undefined) continue;
    const errors = { read: 0, write: 0, checksum: 0 };
    for (const vdevs of [pool.vdevs, ...otherClasses.map((each) => pool[each])]) addErrors(errors, vdevs, 0);
    const scan = parseScanJson(asObject(pool.scan_stats));
    found.set(name, { ...errors, dataErrors: asNumber(pool.error_count), ...(scan === undefined ? {} : { scan }) });
  }
  return found;
}

function addErrors(to: { read: number; write: number; checksum: number }, vdevs: unknown, depth: number): void {
  if (depth > 8) return;
  const counted = (value: unknown) => (Number.isFinite(asNumber(value)) ? asNumber(value) : 0);
  for (const value of Object.values(asObject(vdevs) ?? {})) {
    const vdev = asObject(value);
    to.read += counted(vdev?.read_errors);
    to.write += counted(vdev?.write_errors);
    to.checksum += counted(vdev?.checksum_errors);
    addErrors(to, vdev?.vdevs, depth + 1);
  }
}

/** `scan_stats` (`scan_status_nvlist` in OpenZFS' cmd/zpool/zpool_main.c). */
function parseScanJson(stats: JsonObject | undefined): ZpoolScan | undefined {
  const state = asText(stats?.state)?.toLowerCase();
  if (stats === undefined || state === undefined) return undefined;
  const word = asText(stats.function)?.toLowerCase();
  const paused = state === "scanning" && asNumber(stats.scrub_pause) > 0;
  const endedSec = asNumber(stats.end_time);
  return {
    what: word === "scrub" || word === "resilver" ? word : "other",
    state: paused ? "paused" : state,
    endedSec: endedSec > 0 && state !== "scanning" ? endedSec : Number.NaN,
    errors: asNumber(stats.errors),
  };
}

/** `zpool status -p`: the table `NAME STATE READ WRITE CKSUM` and the lines `scan:` and `errors:` below each `pool:`. */
export function parseZpoolStatusText(text: string): Map<string, ZpoolStatus> {
  const found = new Map<string, ZpoolStatus>();
  let pool: string | undefined;
  let scan: ZpoolScan | undefined;
  for (const line of text.split("\n")) {
    const [, key, value = ""] = /^\s*(pool|scan|errors):\s*(\S.*?)\s*$/.exec(line) ?? [];
    if (key === "pool") [pool, scan] = [value, undefined];
    if (key === "scan") scan = parseScanText(value);
    const known = pool === undefined ? undefined : found.get(pool);
    if (key === "errors" && known !== undefined) known.dataErrors = countDataErrors(value);
    const row = /^\t(\s*)(\S+)\s+[A-Z]+\s+(\d+)\s+(\d+)\s+(\d+)/.exec(line);
    if (row === null || pool === undefined) continue;
    const [read, write, checksum] = [Number(row[3]), Number(row[4]), Number(row[5])];
    if (known !== undefined) {
      known.read += read;
      known.write += write;
      known.checksum += checksum;
    } else if (row[2] === pool) {
      found.set(pool, { read, write, checksum, dataErrors: Number.NaN, ...(scan === undefined ? {} : { scan }) });
    }
  }
  return found;
}

function countDataErrors(text: string): number {
  if (text === "No known data errors") return 0;
  return asNumber(/^(\d+) data errors/.exec(text)?.[1]);
}

/** zpool prints local time, as this process has it. */
function parseScanText(text: string): ZpoolScan | undefined {
  if (text.startsWith("none requested")) return { what: "other", state: "none", endedSec: Number.NaN, errors: Number.NaN };
  const [, word = ""] = /^(scrub|resilver)/.exec(text) ?? [];
  const what = word === "scrub" || word === "resilver" ? word : "other";
  const finished = / with (\d+) errors on (.+)$/.exec(text);
  if (finished !== null) {
    return { what, state: "finished", endedSec: Date.parse(finished[2] ?? "") / 1000, errors: Number(finished[1]) };
  }
  const state = /^\w+ (in progress|paused|canceled)/.exec(text)?.[1];
  if (state === undefined) return undefined;
  return { what, state: state === "in progress" ? "scanning" : state, endedSec: Number.NaN, errors: Number.NaN };
}
