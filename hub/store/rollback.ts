import { existsSync, linkSync, mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { open, type RootDatabase } from "lmdb";
import { envFileProblem, envPageSize } from "./env-file.ts";
import { StoreError } from "./store-error.ts";
import { syncPath } from "./sync-path.ts";
import { copyBefore, type StoreSchema, stepsFrom } from "./upgrade.ts";

/** One of the hub's stores, as far as going back is concerned. */
export type RolledStore = {
  name: string;
  dir: string;
  schema: StoreSchema<never>;
  /** Undefined: an empty one. @throws StoreError for something else. */
  version(root: RootDatabase<unknown, string>, dir: string): number | undefined;
};

/** What to do to one store. `copy`: what goes in its place, made at `copiedAt` (ms). `aside`: where what is there now goes. */
export type Rollback = { name: string; dir: string; from: number; to: number; copy: string; copiedAt: number; aside: string };

/**
 * Stores of a newer version than this program reads, each with the newest copy that it does read. Nothing is changed.
 * @throws StoreError when one of them has no such copy: then none is rolled back.
 */
export async function planRollback(stores: readonly RolledStore[]): Promise<Rollback[]> {
  const plans: Rollback[] = [];
  for (const store of stores) {
    const { name, dir, schema } = store;
    const from = await versionIn(store, dir);
    if (from === undefined || from <= schema.version) continue;
    const to = await newestCopy(store);
    if (to === undefined) {
      throw new StoreError(
        `${dir} has version ${from}, this program reads up to ${schema.version}, and no copy from before the upgrade is beside it: restore a backup, or install the newer proven-hub again`,
      );
    }
    const copy = copyBefore(dir, to);
    const copiedAt = statSync(join(copy, "data.mdb")).mtimeMs;
    plans.push({ name, dir, from, to, copy, copiedAt, aside: asideOf(dir, from) });
  }
  return plans;
}

/**
 * Puts the copy in the store's place, and keeps what was there. Nobody may have the store open. Killed in between, the store is the one or the
 * other, and doing it again ends it.
 */
export function rollBack({ dir, copy, aside }: Rollback): void {
  const file = join(dir, "data.mdb");
  if (!existsSync(aside)) {
    const partial = `${aside}.partial`;
    rmSync(partial, { recursive: true, force: true });
    mkdirSync(partial, { mode: 0o700 });
    linkSync(file, join(partial, "data.mdb")); // the same bytes under a second name: costs no room
    syncPath(partial);
    renameSync(partial, aside);
    syncPath(dirname(aside));
  }
  renameSync(join(copy, "data.mdb"), file);
  syncPath(dir);
  rmSync(copy, { recursive: true });
}

async function newestCopy(store: RolledStore): Promise<number | undefined> {
  const { dir, schema } = store;
  for (let version = schema.version; version > 0; version--) {
    const copy = copyBefore(dir, version);
    if (stepsFrom(version, schema) === undefined || !existsSync(join(copy, "data.mdb"))) continue;
    if ((await versionIn(store, copy)) === version) return version;
  }
  return undefined;
}

/** @throws StoreError for a file that LMDB must not map. */
async function versionIn(store: RolledStore, dir: string): Promise<number | undefined> {
  if (!existsSync(join(dir, "data.mdb"))) return undefined;
  const problem = envFileProblem(dir);
  if (problem !== undefined) throw new StoreError(`${dir} can't be read (${problem}): restore it from a backup`);
  const root = open<unknown, string>({
    path: dir,
    encoding: "json",
    maxDbs: 12,
    pageSize: envPageSize,
    noSubdir: false,
    readOnly: true,
  });
  try {
    return store.version(root, dir);
  } finally {
    await root.close();
  }
}

/** A name that is free, or that a rollback which was interrupted has already given to the very same file. */
function asideOf(dir: string, version: number): string {
  const { ino } = statSync(join(dir, "data.mdb"));
  for (let number = 1; ; number++) {
    const aside = `${dir}.set-aside-${version}${number === 1 ? "" : `.${number}`}`;
    if (!existsSync(aside) || statSync(join(aside, "data.mdb")).ino === ino) return aside;
  }
}
