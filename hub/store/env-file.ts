import { closeSync, existsSync, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { pageSize, walkPages } from "./page-walk.ts";

/** Page size of the hub's LMDB environments, bytes. */
export const envPageSize = pageSize;

/**
 * What is wrong with the LMDB file in `dir`; undefined: nothing, or there is none yet. To be asked before it is opened: LMDB maps the file,
 * and a page that is foreign or missing ends the whole process.
 */
export function envFileProblem(dir: string): string | undefined {
  const path = join(dir, "data.mdb");
  if (!existsSync(path)) return undefined;
  const descriptor = openSync(path, "r");
  try {
    return walkPages(fstatSync(descriptor).size, (page) => {
      const bytes = Buffer.alloc(pageSize);
      return bytes.subarray(0, readSync(descriptor, bytes, 0, pageSize, page * pageSize));
    });
  } finally {
    closeSync(descriptor);
  }
}
