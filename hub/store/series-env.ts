import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";
import { type Database, open, type RootDatabase } from "lmdb";
import { pageSize, walkPages } from "./page-walk.ts";
import { StoreError } from "./state.ts";

/** Version of the layout of all that is stored. A store of a newer one is refused, an older one is migrated (so far there is none). */
export const seriesVersion = 1;
const format = "proven-series";

/** The LMDB environment of the series store and its databases. Values are bytes or JSON; nothing is compressed again. */
export type SeriesEnv = {
  root: RootDatabase<unknown, string>;
  /** Sequence → frames of about a second (ring.ts). */
  ring: Database<Uint8Array, number>;
  /** (hour, group) → samples; (day, group) → rollups (core/block.ts). */
  blocks: Database<Uint8Array, Uint8Array>;
  rollups: Database<Uint8Array, Uint8Array>;
  /** (day, group) whose samples are newer than its rollup. */
  pending: Database<Uint8Array, Uint8Array>;
  /** Agents, entities with their series, groups (catalogue.ts). */
  catalogue: Database<unknown, string>;
  /** (lane) → its progress (lane.ts), and its schemas as they came. */
  lanes: Database<unknown, string>;
  schemas: Database<Uint8Array, string>;
  meta: Database<unknown, string>;
};

/** Virtual address space, not memory or disk. */
const mapSize = 2 ** 40;

/** @throws StoreError when the directory holds something else, a damaged store or one of a newer version; nothing is written then. */
export function openSeriesEnv(dir: string): SeriesEnv {
  const problem = existsSync(dir) ? inspect(dir) : undefined;
  if (problem !== undefined) throw refusal(dir, problem);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  let root: RootDatabase<unknown, string>;
  try {
    // overlappingSync off: a commit's promise is the disk's word, not the kernel's. Measured: no dearer, as commits are a second apart.
    // eventTurnBatching off: writes are explicit batches (commit.ts), and its own would reject promises that nobody can catch on a full disk.
    const sync = { overlappingSync: false, eventTurnBatching: false } as const;
    root = open({ path: dir, encoding: "json", maxDbs: 12, mapSize, pageSize, noMemInit: true, ...sync });
  } catch (cause) {
    throw refusal(dir, cause instanceof Error ? cause.message : String(cause), cause);
  }
  const bytes = { encoding: "binary" } as const;
  const env: SeriesEnv = {
    root,
    meta: root.openDB("meta", { encoding: "json" }),
    ring: root.openDB("ring", { ...bytes, keyEncoding: "uint32" }),
    blocks: root.openDB("blocks", { ...bytes, keyEncoding: "binary" }),
    rollups: root.openDB("rollups", { ...bytes, keyEncoding: "binary" }),
    pending: root.openDB("pending", { ...bytes, keyEncoding: "binary" }),
    catalogue: root.openDB("catalogue", { encoding: "json" }),
    lanes: root.openDB("lanes", { encoding: "json" }),
    schemas: root.openDB("schemas", bytes),
  };
  checkVersion(env, dir);
  return env;
}

function refusal(dir: string, problem: string, cause?: unknown): StoreError {
  return new StoreError(
    `${dir} can't be opened as the hub's series store (${problem}). Restore it from a backup, or move it away to start with an empty one`,
    { cause },
  );
}

function checkVersion(env: SeriesEnv, dir: string): void {
  const found = env.meta.get("format") as { format?: unknown; version?: unknown } | undefined;
  if (found === undefined) {
    env.meta.putSync("format", { format, version: seriesVersion });
    return;
  }
  if (found.format === format && found.version === seriesVersion) return;
  void env.root.close();
  throw refusal(
    dir,
    `it holds ${String(found.format)} version ${String(found.version)}, this program reads ${format} version ${seriesVersion}`,
  );
}

/** What is wrong with the directory, before LMDB maps its file. */
function inspect(dir: string): string | undefined {
  const file = join(dir, "data.mdb");
  if (!existsSync(file)) {
    const strangers = readdirSync(dir).filter((name) => name !== "lock.mdb");
    return strangers.length === 0 ? undefined : `it holds ${strangers.slice(0, 3).join(", ")} but no data.mdb`;
  }
  const descriptor = openSync(file, "r");
  try {
    return walkPages(fstatSync(descriptor).size, (page) => {
      const bytes = Buffer.alloc(pageSize);
      return bytes.subarray(0, readSync(descriptor, bytes, 0, pageSize, page * pageSize));
    });
  } finally {
    closeSync(descriptor);
  }
}
