import { closeSync, fsyncSync, openSync } from "node:fs";

/** A file that is new, renamed or removed is so for ever only when its folder says so on the disk. */
export function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
