import { constants, copyFileSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Log } from "../ports.ts";
import { ringValueWithSum } from "./ring.ts";
import type { SeriesEnv } from "./series-env.ts";
import { StoreError } from "./state.ts";

/** Brings a store of version `from` to the next one, with synchronous puts and removals: they are one transaction together with its version. */
export type Migration = { from: number; what: string; run(env: SeriesEnv): void };

/** The version that this program reads and writes, and the way there from each earlier one. */
export type StoreSchema = { version: number; migrations: readonly Migration[] };

/** Under this key of `meta`: databases whose blocks are yet to get checksums (sealing.ts). Absent: none. */
export const unsealedKey = "unsealed";

/** The ring at once; blocks tell their version themselves and are written anew while the hub runs: there may be gigabytes of them. */
const addsChecksums: Migration = {
  from: 1,
  what: "checksums of frames",
  run(env) {
    for (const { key, value } of [...env.ring.getRange({})]) env.ring.putSync(key, ringValueWithSum(value));
    env.meta.putSync(unsealedKey, ["blocks", "rollups"]);
  },
};

/** A new layout is a new version, and a row here for stores of the version before. */
export const seriesSchema: StoreSchema = { version: 2, migrations: [addsChecksums] };

export const seriesFormat = "proven-series";

/** Where the copy from before a migration is kept, beside the store, until somebody removes it. */
export const copyBefore = (dir: string, version: number) => `${dir}.version-${version}`;

/**
 * Brings the store to the schema's version, after a copy of it was made beside it. A crash in between leaves it at one version or the next.
 * @throws StoreError with the remedy: for a newer version, an older one without a way here, no room for the copy, a step that failed.
 */
export function migrate(env: SeriesEnv, dir: string, schema: StoreSchema, log: Log): void {
  const found = env.meta.get("format") as { format?: unknown; version?: unknown } | undefined;
  if (found === undefined) {
    env.meta.putSync("format", { format: seriesFormat, version: schema.version });
    return;
  }
  const { format, version } = found;
  if (format !== seriesFormat || typeof version !== "number") {
    throw new StoreError(`${dir} holds ${String(format)} version ${String(version)}: move it away to start with an empty store`);
  }
  if (version === schema.version) return;
  if (version > schema.version) throw newer(dir, version, schema.version);
  const steps = stepsFrom(version, schema);
  if (steps === undefined) {
    throw new StoreError(
      `${dir} has version ${version}, this hub reads ${schema.version} and knows no way from there: install a proven-hub between the two first`,
    );
  }
  const copy = copyOf(dir, version);
  log(5, "the series store is of an earlier version and is brought to this one", { from: version, to: schema.version, copy });
  for (const step of steps) runStep(env, dir, step, copy);
}

function newer(dir: string, version: number, known: number): StoreError {
  return new StoreError(
    `${dir} has version ${version}, this hub reads up to ${known}: install the newer proven-hub again, or put the copy ${copyBefore(dir, known)}, made before it was upgraded, in its place`,
  );
}

function stepsFrom(version: number, { version: target, migrations }: StoreSchema): Migration[] | undefined {
  const steps: Migration[] = [];
  for (let from = version; from < target; from++) {
    const step = migrations.find((one) => one.from === from);
    if (step === undefined) return undefined;
    steps.push(step);
  }
  return steps;
}

/** Nobody writes to the store meanwhile: its file is consistent as it lies. */
function copyOf(dir: string, version: number): string {
  const copy = copyBefore(dir, version);
  const partial = `${copy}.partial`;
  try {
    for (const path of [partial, copy]) rmSync(path, { recursive: true, force: true });
    mkdirSync(partial, { recursive: true, mode: 0o700 });
    // Where the file system can share blocks the copy costs no room.
    copyFileSync(join(dir, "data.mdb"), join(partial, "data.mdb"), constants.COPYFILE_FICLONE);
    renameSync(partial, copy);
  } catch (cause) {
    rmSync(partial, { recursive: true, force: true });
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new StoreError(
      `${dir} must be brought from version ${version} to this hub's, and the copy before that can't be made (${problem}): make room beside it and start again`,
      { cause },
    );
  }
  return copy;
}

function runStep(env: SeriesEnv, dir: string, { from, what, run }: Migration, copy: string): void {
  try {
    env.root.transactionSync(() => {
      run(env);
      env.meta.putSync("format", { format: seriesFormat, version: from + 1 });
    });
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new StoreError(
      `${dir} stays at version ${from}: "${what}" failed (${problem}). The store as it was before is in ${copy}; the proven-hub that wrote it reads it`,
      { cause },
    );
  }
}
