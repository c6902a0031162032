import type { FormatReader } from "./feeder.ts";

const compressions = ["none", "zst", "gz", "lzo"] as const;
export type Compression = (typeof compressions)[number];
export type ArchiveKind = { container: "vma" | "tar"; compression: Compression };

/** By the file's name, as vzdump writes it (pve-storage `PVE/Storage.pm` archive_info). */
export function archiveKindOf(name: string): ArchiveKind | undefined {
  const match = /\.(vma|tar|tgz)(?:\.(zst|gz|lzo))?$/.exec(name);
  if (match === null) return undefined;
  if (match[1] === "tgz") return { container: "tar", compression: "gz" };
  return { container: match[1] as "vma" | "tar", compression: (match[2] ?? "none") as Compression };
}

/** Unpacks stdin to stdout and fails on a wrong checksum; the programs vzdump and restores use themselves. */
export const decompressors: Readonly<Record<Exclude<Compression, "none">, readonly [string, ...string[]]>> = {
  zst: ["zstd", "-q", "-d", "-c"],
  gz: ["gzip", "-d", "-c"],
  lzo: ["lzop", "-d", "-c"],
};

/** Whether every part of a compressed file carries a checksum over its content. Undefined: not known yet. */
export type ChecksumFacts = { all: boolean | undefined };

/**
 * Zstandard's frames (RFC 8878): the checksum is optional, and a frame without one would be unpacked whatever its bytes are. Only the borders of
 * blocks are looked at; what is wrong with them the program itself tells.
 */
export function* readZstdFrames(facts: ChecksumFacts): FormatReader {
  for (;;) {
    const { bytes: magic } = yield { take: 4 };
    if (magic.length < 4) return;
    const word = magic.readUInt32LE(0);
    if ((word & 0xffff_fff0) >>> 0 === 0x184d_2a50) {
      const { bytes: size } = yield { take: 4 };
      if (size.length < 4) return;
      yield { skip: size.readUInt32LE(0) };
      continue;
    }
    const checksummed = word === 0xfd2f_b528 && (yield* readZstdFrame());
    facts.all = checksummed && facts.all !== false;
    if (word !== 0xfd2f_b528) return;
  }
}

/** True: it ends with its checksum. */
function* readZstdFrame(): Generator<{ take: number } | { skip: number }, boolean, { bytes: Buffer; skipped: number }> {
  const { bytes } = yield { take: 1 };
  if (bytes.length < 1) return false;
  const descriptor = bytes[0] as number;
  const single = (descriptor & 0x20) !== 0;
  const sizeBytes = [single ? 1 : 0, 2, 4, 8][descriptor >> 6] as number;
  const headBytes = (single ? 0 : 1) + ([0, 1, 2, 4][descriptor & 3] as number) + sizeBytes;
  if (headBytes > 0) yield { skip: headBytes };
  for (let last = false; !last; ) {
    const { bytes: block } = yield { take: 3 };
    if (block.length < 3) return false;
    const word = block.readUIntLE(0, 3);
    last = (word & 1) === 1;
    const size = ((word >> 1) & 3) === 1 ? 1 : word >> 3;
    if (size > 0 && (yield { skip: size }).skipped < size) return false;
  }
  if ((descriptor & 4) === 0) return false;
  return (yield { take: 4 }).bytes.length === 4;
}

const lzopMagic = Buffer.from([0x89, 0x4c, 0x5a, 0x4f, 0x00, 0x0d, 0x0a, 0x1a, 0x0a]);
/** `F_ADLER32_D | F_CRC32_D` of lzop's `conf.h`: a checksum over the unpacked data. */
const lzopChecksums = 0x0101;

/** lzop's header (its `lzop.c`, read_header): from version 0.940 on there are two more fields before the flags. */
export function* readLzopHeader(facts: ChecksumFacts): FormatReader {
  const { bytes } = yield { take: 21 };
  if (bytes.length < 21 || !bytes.subarray(0, 9).equals(lzopMagic)) return;
  const flags = bytes.readUInt32BE(bytes.readUInt16BE(9) >= 0x0940 ? 17 : 14);
  facts.all = (flags & lzopChecksums) !== 0;
}

/** gzip always has a CRC-32 and the length of its content (RFC 1952). */
// biome-ignore lint/correctness/useYield: nothing to look at, and the others are readers
export function* readGzip(facts: ChecksumFacts): FormatReader {
  facts.all = true;
}
