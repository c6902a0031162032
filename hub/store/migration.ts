import type { RootDatabase } from "lmdb";
import { ringValueWithSum } from "./ring.ts";
import type { SeriesEnv } from "./series-env.ts";
import { StoreError } from "./store-error.ts";
import { type Migration, type StoreSchema, type UpgradePorts, upgradeStore } from "./upgrade.ts";

/** Under this key of `meta`: databases whose blocks are yet to get checksums (sealing.ts). Absent: none. */
export const unsealedKey = "unsealed";

/** The ring at once; blocks tell their version themselves and are written anew while the hub runs: there may be gigabytes of them. */
const addsChecksums: Migration<SeriesEnv> = {
  from: 1,
  what: "checksums of frames",
  run(env) {
    for (const { key, value } of [...env.ring.getRange({})]) env.ring.putSync(key, ringValueWithSum(value));
    env.meta.putSync(unsealedKey, ["blocks", "rollups"]);
  },
};

/** A new layout is a new version, and a row here for stores of the version before. */
export const seriesSchema: StoreSchema<SeriesEnv> = { version: 2, migrations: [addsChecksums] };

const format = "proven-series";

/** Version of the series store in this environment. Undefined: an empty one. @throws StoreError for something else than a series store. */
export function seriesVersion(root: RootDatabase<unknown, string>, dir: string): number | undefined {
  const found = root.openDB<unknown, string>("meta", { encoding: "json" }).get("format") as
    | { format?: unknown; version?: unknown }
    | undefined;
  if (found === undefined) return undefined;
  if (found.format === format && typeof found.version === "number") return found.version;
  throw new StoreError(
    `${dir} holds ${String(found.format)} version ${String(found.version)}: move it away to start with an empty store`,
  );
}

/** Brings a store of an earlier version to the schema's (upgrade.ts); an empty one is of it from the beginning. @throws StoreError */
export function migrate(env: SeriesEnv, dir: string, schema: StoreSchema<SeriesEnv>, ports: UpgradePorts): void {
  const writeVersion = (version: number) => void env.meta.putSync("format", { format, version });
  const found = seriesVersion(env.root, dir);
  if (found === undefined) writeVersion(schema.version);
  else upgradeStore(found, { dir, env, root: env.root, writeVersion }, schema, ports);
}
