import { join } from "node:path";
import { checkStore, sizeByMetric, sizeOf } from "../store/inspection.ts";
import { readSeriesEnv, type SeriesEnv } from "../store/series-env.ts";
import { StoreError } from "../store/store-error.ts";
import { type Say, UsageError } from "./command-line.ts";
import { backUpHub, backupFolder, checkSavedState } from "./store-backup.ts";
import { rollBackStores } from "./store-rollback.ts";

/** `dir`: the series store's, in the state directory. */
export type StoreCommandPorts = { stateDir: string; dir: string; say: Say };
/** What reads the series store needs no more. */
type ReadingPorts = Omit<StoreCommandPorts, "stateDir">;

/** Problems printed one by one; the rest is counted. */
const problemsShown = 20;

async function reading<T>(dir: string, read: (env: SeriesEnv) => Promise<T> | T): Promise<T> {
  const env = readSeriesEnv(dir);
  try {
    return await read(env);
  } finally {
    await env.root.close();
  }
}

/** Says what was read. @throws StoreError when anything is damaged. */
export async function checkSeriesStore({ dir, say }: ReadingPorts): Promise<void> {
  const { blocks, rollups, frames, entities, series, problems } = await reading(dir, checkStore);
  say(
    `${entities} entities with ${series} series, ${blocks} blocks of samples, ${rollups} rollups, ${frames} records in the ring`,
  );
  if (problems.length === 0) return say("series store: nothing is damaged");
  for (const problem of problems.slice(0, problemsShown)) say(`  ${problem}`);
  if (problems.length > problemsShown) say(`  and ${problems.length - problemsShown} more`);
  throw new StoreError(`${dir}: ${problems.length} parts are damaged. Restore it from a backup, or go on without them`);
}

const mb = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`.padStart(12);

function saySize(env: SeriesEnv, say: Say): void {
  const tiers = [
    ["samples", sizeOf(env.blocks), "blocks"],
    ["rollups", sizeOf(env.rollups), "blocks"],
    ["ring", sizeOf(env.ring), "values"],
    ["catalogue", sizeOf(env.catalogue), "entries"],
    ["schemas", sizeOf(env.schemas), "schemas"],
  ] as const;
  for (const [name, { count, bytes }, unit] of tiers) say(`${name.padEnd(28)}${mb(bytes)}  ${count} ${unit}`);
  const { lastPageNumber, pageSize } = env.root.getStats() as { lastPageNumber: number; pageSize: number };
  say(`${"file".padEnd(28)}${mb((lastPageNumber + 1) * pageSize)}`);
  say(`${"metric".padEnd(28)}${"samples".padStart(12)}${"rollups".padStart(12)}  series  bytes per sample`);
  for (const { metric, series, samples, rawBytes, rollupBytes } of sizeByMetric(env)) {
    const each = samples === 0 ? "-" : (rawBytes / samples).toFixed(2);
    say(`${metric.padEnd(28)}${mb(rawBytes)}${mb(rollupBytes)}  ${String(series).padStart(6)}  ${each}`);
  }
}

/** Verbs of the stores. All but `rollback` only read the series store: the hub may be running. */
export const storeCommands: Record<string, { usage: string; run: (args: string[], ports: StoreCommandPorts) => Promise<void> }> =
  {
    "store check": {
      usage: "store check",
      run: (_, ports) => checkSeriesStore(ports),
    },
    "store size": {
      usage: "store size",
      run: (_, { dir, say }) => reading(dir, (env) => saySize(env, say)),
    },
    "store rollback": {
      usage: "store rollback",
      async run(args, { stateDir, say }) {
        if (args.length > 0)
          throw new UsageError("store rollback takes nothing: it is about all stores that a newer hub has upgraded");
        await rollBackStores(stateDir, say);
      },
    },
    "store backup": {
      usage: "store backup DIRECTORY",
      async run(args, { stateDir, say }) {
        const path = backupFolder(args);
        await backUpHub(stateDir, path);
        await checkSeriesStore({ dir: join(path, "series"), say });
        say(`decisions: ${await checkSavedState(path)} audited changes, unbroken`);
        say(`saved; to go back to it, stop the hub and put it in the place of ${stateDir}`);
      },
    },
  };
