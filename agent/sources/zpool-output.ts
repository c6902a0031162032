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

/** `zpool status -j --json-int`: reads and writes of the root vdev, checksum errors of all below it, the newest scan. */
export function parseZpoolStatusJson(text: string): Map<string, ZpoolStatus> | undefined {
  const pools = asObject(parseJsonObject(text)?.pools);
  if (pools === undefined) return undefined;
  const found = new Map<string, ZpoolStatus>();
  for (const [name, value] of Object.entries(pools)) {
    const pool = asObject(value);
    const root = asObject(Object.values(asObject(pool?.vdevs) ?? {})[0]);
    if (pool === undefined || root === undefined) continue;
    const scan = parseScanJson(asObject(pool.scan_stats));
    found.set(name, {
      read: asNumber(root.read_errors),
      write: asNumber(root.write_errors),
      checksum: sumChecksums(root.vdevs, 0),
      dataErrors: asNumber(pool.error_count),
      ...(scan === undefined ? {} : { scan }),
    });
  }
  return found;
}

function sumChecksums(vdevs: unknown, depth: number): number {
  if (depth > 8) return 0;
  return Object.values(asObject(vdevs) ?? {}).reduce<number>((sum, value) => {
    const vdev = asObject(value);
    const own = asNumber(vdev?.checksum_errors);
    return sum + (Number.isFinite(own) ? own : 0) + sumChecksums(vdev?.vdevs, depth + 1);
  }, 0);
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
    if (known !== undefined) known.checksum += Number(row[5]);
    else if (row[2] === pool) {
      const errors = { read: Number(row[3]), write: Number(row[4]), checksum: 0, dataErrors: Number.NaN };
      found.set(pool, { ...errors, ...(scan === undefined ? {} : { scan }) });
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
