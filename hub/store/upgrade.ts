import { constants, copyFileSync, mkdirSync, renameSync, rmSync, statfsSync, statSync } from "node:fs";
import { join } from "node:path";
import type { RootDatabase } from "lmdb";
import { errorMessage } from "../core/error.ts";
import type { Log } from "../ports.ts";
import { StoreError } from "./store-error.ts";
import { syncPath } from "./sync-path.ts";

/** Brings a store of version `from` to the next one, with synchronous puts and removals: they are one transaction together with its version. */
export type Migration<Env> = { from: number; what: string; run(env: Env): void };

/** The version that this program reads and writes, and the way there from each earlier one. */
export type StoreSchema<Env> = { version: number; migrations: readonly Migration<Env>[] };

/** A store that is open, by nobody else but for reading. */
export type UpgradedStore<Env> = {
  dir: string;
  env: Env;
  root: Pick<RootDatabase<unknown, string>, "transactionSync">;
  /** Called inside the step's transaction. */
  writeVersion(version: number): void;
};

export type UpgradePorts = {
  log: Log;
  /** Free on the file system of `dir`, bytes. */
  freeBytes?: (dir: string) => number;
};

/** Room that a copy must leave for what the hub writes meanwhile, bytes. */
const reserveBytes = 64 << 20;

/** Where the copy from before an upgrade is kept, beside the store, until somebody removes it. */
export const copyBefore = (dir: string, version: number) => `${dir}.version-${version}`;

/**
 * Brings the store from version `found` to the schema's, after a copy of it was made beside it. A crash in between leaves it at one version or the
 * next, and the copy whole.
 * @throws StoreError with the remedy: for a newer version, an older one without a way here, no room for the copy, a step that failed.
 */
export function upgradeStore<Env>(
  found: number,
  store: UpgradedStore<Env>,
  schema: StoreSchema<Env>,
  { log, freeBytes = freeOn }: UpgradePorts,
): void {
  const { dir } = store;
  if (found === schema.version) return;
  if (found > schema.version) throw newer(dir, found, schema.version);
  const steps = stepsFrom(found, schema);
  if (steps === undefined) {
    throw new StoreError(
      `${dir} has version ${found}, this hub reads ${schema.version} and knows no way from there: install a proven-hub between the two first`,
    );
  }
  // With the writers' lock: not even a command beside the hub changes the file meanwhile.
  const copy = store.root.transactionSync(() => makeCopy(dir, found, freeBytes));
  log(5, "a store is of an earlier version and is brought to this one", { dir, from: found, to: schema.version, copy });
  for (const step of steps) runStep(store, step, copy);
}

function newer(dir: string, version: number, known: number): StoreError {
  return new StoreError(
    `${dir} has version ${version}, this hub reads up to ${known}: install the newer proven-hub again, or go back with proven-hub store rollback to ${copyBefore(dir, known)}, the copy from before it was upgraded; what came since then is set aside`,
  );
}

/** Undefined: there is no way. */
export function stepsFrom<Env>(version: number, { version: target, migrations }: StoreSchema<Env>): Migration<Env>[] | undefined {
  const steps: Migration<Env>[] = [];
  for (let from = version; from < target; from++) {
    const step = migrations.find((one) => one.from === from);
    if (step === undefined) return undefined;
    steps.push(step);
  }
  return steps;
}

function freeOn(dir: string): number {
  const { bavail, bsize } = statfsSync(dir);
  return bavail * bsize;
}

function makeCopy(dir: string, version: number, freeBytes: (dir: string) => number): string {
  const copy = copyBefore(dir, version);
  const partial = `${copy}.partial`;
  try {
    for (const path of [partial, copy]) rmSync(path, { recursive: true, force: true });
    mkdirSync(partial, { recursive: true, mode: 0o700 });
    copyFile(join(dir, "data.mdb"), join(partial, "data.mdb"), () => freeBytes(dir));
    for (const path of [join(partial, "data.mdb"), partial]) syncPath(path);
    renameSync(partial, copy);
    syncPath(join(copy, ".."));
  } catch (cause) {
    rmSync(partial, { recursive: true, force: true });
    const problem = errorMessage(cause);
    throw new StoreError(
      `${dir} must be brought from version ${version} to this hub's, and the copy before that can't be made (${problem}): make room beside it and start again`,
      { cause },
    );
  }
  return copy;
}

/** Where the file system can share blocks the copy costs no room; elsewhere there must be enough before it begins. */
function copyFile(from: string, to: string, freeBytes: () => number): void {
  try {
    copyFileSync(from, to, constants.COPYFILE_FICLONE_FORCE);
  } catch {
    const needed = statSync(from).size + reserveBytes;
    const free = freeBytes();
    if (free < needed) throw new Error(`it takes ${megabytes(needed)}, and ${megabytes(free)} are free`);
    copyFileSync(from, to);
  }
}

const megabytes = (bytes: number) => `${Math.ceil(bytes / 1e6)} MB`;

function runStep<Env>(store: UpgradedStore<Env>, { from, what, run }: Migration<Env>, copy: string): void {
  try {
    store.root.transactionSync(() => {
      run(store.env);
      store.writeVersion(from + 1);
    });
  } catch (cause) {
    const problem = errorMessage(cause);
    throw new StoreError(
      `${store.dir} stays at version ${from}: "${what}" failed (${problem}). The store as it was before is in ${copy}; the proven-hub that wrote it reads it`,
      { cause },
    );
  }
}
