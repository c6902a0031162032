import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { open } from "lmdb";
import { envFileProblem, envPageSize } from "./env-file.ts";
import { StoreError } from "./store-error.ts";
import { syncPath } from "./sync-path.ts";

/** More than any store takes: address space, not memory. */
const mapSize = 2 ** 40;

/**
 * Copies the LMDB environment in `dir` into the new directory `target`, durably and as of one instant, while others write to it.
 * @throws StoreError where there is none that can be read
 */
export async function copyEnv(dir: string, target: string): Promise<void> {
  const problem = envFileProblem(dir);
  if (problem !== undefined) throw new StoreError(`${dir} can't be copied: ${problem}`);
  const env = open<unknown, string>({ path: dir, readOnly: true, noSubdir: false, maxDbs: 12, mapSize, pageSize: envPageSize });
  try {
    mkdirSync(target, { mode: 0o700 });
    await env.backup(target, false);
    const file = join(target, "data.mdb");
    chmodSync(file, 0o600); // a copy is moved about, and its folder's mode stays behind
    for (const path of [file, target]) syncPath(path);
  } finally {
    await env.close();
  }
}
