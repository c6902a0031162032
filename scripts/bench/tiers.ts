import { open } from "lmdb";
import { openBlock } from "../../hub/core/block.ts";

/** What the series store holds, measured in its file; bytes are whole pages of each tier's tree, page waste included. */
export type Tiers = {
  rawBytes: number;
  rawSamples: number;
  rollupBytes: number;
  /** 15 minute points (avg, min, max and count together are one). */
  rollupPoints: number;
};

const pageBytes = 4096;

/** A tier's pages, and its cells (rows × series) with the bytes of their blocks. */
type TierSize = { pages: number; cells: number; blockBytes: number; newestSpan: number };

function sizeOf(dir: string, name: "blocks" | "rollups", countSpan: (span: number, newest: number) => boolean): TierSize {
  const root = open({ path: dir, readOnly: true, maxDbs: 12, encoding: "binary" });
  try {
    const tier = root.openDB<Buffer, Buffer>(name, { encoding: "binary", keyEncoding: "binary" });
    const { treeBranchPageCount, treeLeafPageCount, overflowPages } = tier.getStats() as Record<string, number>;
    const pages = (treeBranchPageCount ?? 0) + (treeLeafPageCount ?? 0) + (overflowPages ?? 0);
    const [last] = tier.getKeys({ reverse: true, limit: 1 });
    const newestSpan = last === undefined ? 0 : last.readUInt32BE(0);
    const size: TierSize = { pages, cells: 0, blockBytes: 0, newestSpan };
    for (const { key, value } of tier.getRange({})) {
      if (!countSpan(key.readUInt32BE(0), newestSpan)) continue;
      const { rows, series } = openBlock(value);
      size.cells += rows * series;
      size.blockBytes += value.length;
    }
    return size;
  } finally {
    void root.close();
  }
}

/** `dir`: the series store of a hub that does not run. The day that has not ended yet does not count as points. */
export function measureTiers(dir: string): Tiers {
  const raw = sizeOf(dir, "blocks", () => true);
  const all = sizeOf(dir, "rollups", () => true);
  const ended = sizeOf(dir, "rollups", (span, newest) => span < newest);
  const waste = all.blockBytes === 0 ? 1 : (all.pages * pageBytes) / all.blockBytes;
  return {
    rawBytes: raw.pages * pageBytes,
    rawSamples: raw.cells,
    rollupBytes: ended.blockBytes * waste,
    rollupPoints: ended.cells,
  };
}
