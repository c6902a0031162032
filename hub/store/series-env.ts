import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type Database, open, type RootDatabase } from "lmdb";
import { errorMessage } from "../core/error.ts";
import type { Log } from "../ports.ts";
import { pagesProblem } from "./env-file.ts";
import { migrate, seriesSchema } from "./migration.ts";
import { pageSize } from "./page-walk.ts";
import { StoreError } from "./store-error.ts";
import type { StoreSchema } from "./upgrade.ts";

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

/**
 * Opens (or makes) the store's environment, and brings one of an earlier version to this one.
 * @throws StoreError when the directory holds something else, a damaged store or one of a newer version; nothing is written then.
 */
export function openSeriesEnv(dir: string, log: Log, schema: StoreSchema<SeriesEnv> = seriesSchema): SeriesEnv {
  const problem = existsSync(dir) ? inspect(dir) : undefined;
  if (problem !== undefined) throw refusal(dir, problem);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const env = openEnv(dir, false);
  try {
    migrate(env, dir, schema, { log });
  } catch (cause) {
    void env.root.close();
    throw cause;
  }
  return env;
}

/** Opens a store that is there for reading only; the hub may be running on it. @throws StoreError */
export function readSeriesEnv(dir: string): SeriesEnv {
  if (!existsSync(join(dir, "data.mdb"))) throw new StoreError(`${dir} holds no series store: has the hub ever run?`);
  const problem = inspect(dir);
  if (problem !== undefined) throw refusal(dir, problem);
  const env = openEnv(dir, true);
  const { version } = (env.meta.get("format") ?? {}) as { version?: unknown };
  if (version === seriesSchema.version) return env;
  void env.root.close();
  throw new StoreError(
    `${dir} has version ${String(version)}, this program reads ${seriesSchema.version}: start the hub once, or use its own`,
  );
}

function openEnv(dir: string, readOnly: boolean): SeriesEnv {
  try {
    // overlappingSync off: a commit's promise is the disk's word, not the kernel's. Measured: no dearer, as commits are a second apart.
    // eventTurnBatching off: writes are explicit batches (commit.ts), and its own would reject promises that nobody can catch on a full disk.
    const sync = { overlappingSync: false, eventTurnBatching: false } as const;
    const root = open<unknown, string>({
      path: dir,
      encoding: "json",
      maxDbs: 12,
      mapSize,
      pageSize,
      noMemInit: true,
      // A directory whose name has a dot is one too.
      noSubdir: false,
      readOnly,
      ...sync,
    });
    const bytes = { encoding: "binary" } as const;
    return {
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
  } catch (cause) {
    throw refusal(dir, errorMessage(cause), cause);
  }
}

function refusal(dir: string, problem: string, cause?: unknown): StoreError {
  return new StoreError(
    `${dir} can't be opened as the hub's series store (${problem}). Restore it from a backup, or move it away to start with an empty one`,
    { cause },
  );
}

/** What is wrong with the directory, before LMDB maps its file. */
function inspect(dir: string): string | undefined {
  const file = join(dir, "data.mdb");
  if (!existsSync(file)) {
    const strangers = readdirSync(dir).filter((name) => name !== "lock.mdb");
    return strangers.length === 0 ? undefined : `it holds ${strangers.slice(0, 3).join(", ")} but no data.mdb`;
  }
  return pagesProblem(file);
}
