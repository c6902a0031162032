import { spawnSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Bytes the files occupy on disk; holes do not count. A file that is deleted meanwhile counts nothing. */
export function diskBytes(directory: string): number {
  return filesBelow(directory).reduce((sum, path) => sum + (statSync(path, { throwIfNoEntry: false })?.blocks ?? 0) * 512, 0);
}

/**
 * Writes the files out and drops them from the page cache (coreutils' `dd iflag=nocache count=0` is posix_fadvise DONTNEED for a whole file).
 * Pages that a living process has mapped stay: stop it first.
 */
export function evict(directory: string): void {
  spawnSync("sync");
  for (const path of filesBelow(directory)) {
    if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0) evictFile(path);
  }
}

/** One file that is on the disk already. */
export function evictFile(path: string): void {
  spawnSync("dd", [`if=${path}`, "iflag=nocache", "count=0", "status=none"]);
}
