import type { IntegrityResult } from "../restore/ports.ts";
import type { ReadingFacts } from "./archive-reading.ts";
import type { ArchiveKind } from "./compression.ts";

/** The agent's own SHA-256 of a file, taken when it was new. */
export type KnownSum = { sha256: string; at: number };

const day = (at: number) => `${new Date(at).toISOString().slice(0, 16).replace("T", " ")} UTC`;

/**
 * What a reading proves. A checksum over all data that fitted, the compressor's or our own, is `verified`; anything that contradicts is `damaged`;
 * an archive that merely has the right shape is `not-checked`: an uncompressed `.vma` with a flipped byte restores without a word.
 */
export function judgeReading(
  facts: ReadingFacts,
  { container, compression }: ArchiveKind,
  known: KnownSum | undefined,
): IntegrityResult {
  const { bytes, log, damages } = facts;
  const result = { bytes, log };
  if (facts.unreadable !== undefined) return { state: "unreadable", reason: facts.unreadable.slice(0, 2000), log };
  if (damages.length > 0) return { ...result, state: "damaged", reason: damages.join("; ").slice(0, 2000) };
  if (known !== undefined && known.sha256 !== facts.sha256) {
    return {
      ...result,
      state: "damaged",
      reason: `its bytes are no longer those of ${day(known.at)}: SHA-256 ${facts.sha256}, then ${known.sha256}`,
    };
  }
  if (facts.checksummed) {
    const reason = `read to its end: the checksums of ${compression} over all data fit, and so does the structure of the ${container}`;
    return { ...result, state: "verified", by: "compressor-checksum", reason };
  }
  if (known !== undefined) {
    return {
      ...result,
      state: "verified",
      by: "own-sha256",
      reason: `its SHA-256 is still that of ${day(known.at)}, when the file was new`,
    };
  }
  const why =
    compression === "none"
      ? `an uncompressed .${container} has no checksum over its data`
      : `its compressor left no checksum (${compression})`;
  return {
    ...result,
    state: "not-checked",
    reason: `read to its end, and its structure fits, but ${why}, and no SHA-256 was taken when it was new`,
  };
}
