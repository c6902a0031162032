import { closeSync, existsSync, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";

/** Page size of the hub's LMDB environments, bytes. */
export const envPageSize = 4096;

/** Offsets in a meta page: `MDB_meta` behind the page header, in the LMDB that lmdb 3.5 carries. */
const metaAt = { magic: 0x18, pageSize: 0x30, lastPage: 0x90, transaction: 0x98 } as const;
const magic = 0xbeefc0de;

/**
 * What is wrong with the LMDB file in `dir`; undefined: nothing, or there is none yet. To be asked before it is opened: LMDB maps the file,
 * and a page that is foreign or missing ends the whole process.
 */
export function envFileProblem(dir: string): string | undefined {
  const path = join(dir, "data.mdb");
  if (!existsSync(path)) return undefined;
  const descriptor = openSync(path, "r");
  try {
    const { size } = fstatSync(descriptor);
    const metas = Buffer.alloc(2 * envPageSize);
    if (readSync(descriptor, metas, 0, metas.length, 0) < metas.length) return "data.mdb is cut off";
    return metaProblem(metas, size);
  } finally {
    closeSync(descriptor);
  }
}

/** Two meta pages take turns: the one of the later transaction says how many pages the file must have. */
function metaProblem(metas: Buffer, size: number): string | undefined {
  const pages = [0, envPageSize];
  if (pages.some((page) => metas.readUInt32LE(page + metaAt.magic) !== magic)) return "data.mdb is no LMDB file";
  if (pages.some((page) => metas.readUInt32LE(page + metaAt.pageSize) !== envPageSize)) return "data.mdb has another page size";
  const transactionOf = (page: number) => metas.readBigUInt64LE(page + metaAt.transaction);
  const newest = transactionOf(0) > transactionOf(envPageSize) ? 0 : envPageSize;
  const needed = (metas.readBigUInt64LE(newest + metaAt.lastPage) + 1n) * BigInt(envPageSize);
  return needed > BigInt(size) ? "data.mdb is cut off" : undefined;
}
