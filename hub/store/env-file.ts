import { closeSync, existsSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { pageSize, walkPages } from "./page-walk.ts";

/** Page size of the hub's LMDB environments, bytes. */
export const envPageSize = pageSize;

/**
 * What is wrong with the LMDB file in `dir`; undefined: nothing, or there is none yet. To be asked before it is opened: LMDB maps the file,
 * and a page that is foreign or missing ends the whole process.
 */
export function envFileProblem(dir: string, uid = process.getuid?.()): string | undefined {
  const path = join(dir, "data.mdb");
  const foreign = ownerProblem(dir, uid) ?? ownerProblem(path, uid);
  if (foreign !== undefined) return foreign;
  if (!existsSync(path)) return undefined;
  return pagesProblem(path);
}

/** What is wrong with the pages of an LMDB file that is there. */
export function pagesProblem(path: string): string | undefined {
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

/** Another user who has it could change what is decided, and LMDB would leave files that its owner can't open. Root looks at every store. */
function ownerProblem(path: string, uid: number | undefined): string | undefined {
  try {
    const { uid: owner, mode } = statSync(path);
    if (uid !== 0 && uid !== undefined && owner !== uid)
      return `${path} belongs to the user ${owner}, and this hub runs as ${uid}: run it as that user, or chown it`;
    return (mode & 0o002) === 0 ? undefined : `everybody may change ${path}: chmod o-w`;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    return `${path} can't be looked at by the user ${uid} (${code}): it belongs to somebody else`;
  }
}
