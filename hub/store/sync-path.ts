import { closeSync, fsyncSync, openSync } from "node:fs";

/** A file's contents, or a directory's names, are on the disk when it returns. */
export function syncPath(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
