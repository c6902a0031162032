/**
 * Looks at an LMDB file without LMDB, which maps it: touching a page that a cut file lacks ends the process (SIGBUS). The layout is that of
 * the LMDB version that lmdb 3.5 carries (dependencies/lmdb/libraries/liblmdb/mdb.c: MDB_page, MDB_node, MDB_db, MDB_meta), 64 bit,
 * little-endian; checked against files that it wrote.
 */
export const pageSize = 4096;
const headerSize = 24;
const pageFlags = { branch: 1, leaf: 2 } as const;
const nodeFlags = { bigData: 1, subDatabase: 2 } as const;
const at = {
  flags: 18,
  lower: 20,
  metaMagic: 24,
  metaPageSize: 48,
  freeRoot: 88,
  mainRoot: 136,
  lastPage: 144,
  transaction: 152,
} as const;
/** Root page number inside an MDB_db. */
const rootAt = 40;
const noPage = 2 ** 64;

/** Reads a page; shorter than a page: it isn't in the file. */
export type ReadPage = (page: number) => Buffer;

/** What is wrong with the file; undefined: every page that the newest commit refers to is there. */
export function walkPages(fileBytes: number, read: ReadPage): string | undefined {
  const metas = [read(0), read(1)];
  if (metas.some((meta) => meta.length < pageSize)) return "data.mdb is cut off";
  if (metas.some((meta) => meta.readUInt32LE(at.metaMagic) !== 0xbeefc0de)) return "data.mdb is no LMDB file";
  if (metas.some((meta) => meta.readUInt32LE(at.metaPageSize) !== pageSize)) return "data.mdb has another page size";
  const [first, second] = metas as [Buffer, Buffer];
  const newest = second.readBigUInt64LE(at.transaction) > first.readBigUInt64LE(at.transaction) ? second : first;
  const pages = Math.floor(fileBytes / pageSize);
  if (Number(newest.readBigUInt64LE(at.lastPage)) < pages) return undefined;
  // Shorter than what was ever allocated. That is well where the missing pages were given back before their commit ended: look at all.
  for (const root of [at.freeRoot, at.mainRoot]) {
    if (!treeIsThere(Number(newest.readBigUInt64LE(root)), pages, read)) return "data.mdb is cut off";
  }
  return undefined;
}

function treeIsThere(root: number, pages: number, read: ReadPage): boolean {
  if (root === noPage) return true;
  const open = [root];
  for (let page = open.pop(); page !== undefined; page = open.pop()) {
    if (page >= pages) return false;
    const bytes = read(page);
    const branch = (bytes.readUInt16LE(at.flags) & pageFlags.branch) !== 0;
    if (!branch && (bytes.readUInt16LE(at.flags) & pageFlags.leaf) === 0) return false;
    const nodes = bytes.readUInt16LE(at.lower) / 2;
    for (let i = 0; i < nodes; i++) {
      const node = headerSize + bytes.readUInt16LE(headerSize + i * 2);
      if (branch) open.push(bytes.readUIntLE(node, 6));
      else if (!leafNodeIsThere(bytes, node, pages, open)) return false;
    }
  }
  return true;
}

/** A value on pages of its own must fit into the file; a named database is walked too. */
function leafNodeIsThere(bytes: Buffer, node: number, pages: number, open: number[]): boolean {
  const dataSize = bytes.readUInt32LE(node);
  const flags = bytes.readUInt16LE(node + 4);
  const keySize = bytes.readUInt16LE(node + 6);
  const data = node + 8 + keySize;
  if ((flags & nodeFlags.bigData) !== 0) {
    return Number(bytes.readBigUInt64LE(data)) + Math.ceil((headerSize + dataSize) / pageSize) <= pages;
  }
  if ((flags & nodeFlags.subDatabase) !== 0) {
    const root = Number(bytes.readBigUInt64LE(data + rootAt));
    if (root !== noPage) open.push(root);
  }
  return true;
}
