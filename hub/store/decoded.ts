import { type BlockLayout, readColumn } from "../core/block.ts";

/** Columns of one metric's series in one block: series `ids[i]` has values[i * rows …], NaN = absent, NaN throughout where it isn't there. */
export type Decoded = { rows: number; values: Float32Array | Float64Array };

type Entry = Decoded & { block: number; ids: readonly number[]; mark: number; pass: number };

/** Differs where a block was written again, but for one chance in thousands. */
const markOf = ({ rows, series, leadAt, columnAt }: BlockLayout) => (columnAt(series - 1) * 4096 + leadAt) * 4096 + rows;

const same = (a: readonly number[], b: readonly number[]) => a.length === b.length && a.every((id, i) => id === b[i]);

const bytesMax = 6 << 20;

/**
 * Decoded columns of the blocks that rankings ask for again and again, up to a few MB: of guests' cpu over the last hour, 1.4 MB for 1000
 * guests. What one pass over many groups used is not given up for what it uses next, or a ranking of more than fits would keep nothing.
 */
export class DecodedColumns {
  private readonly entries = new Map<string, Entry>();
  private bytes = 0;
  private pass = 0;
  private room = new Float64Array(512);

  /** `damaged` hears of blocks with a column that can't be read: its series have no samples there. */
  constructor(private readonly damaged: (block: number) => void) {}

  /** A ranking begins. */
  begin(): void {
    this.pass++;
  }

  /** The columns of `ids`, all of one metric. A block that was written again must have been dropped. */
  get(block: number, metric: number, ids: readonly number[], layout: BlockLayout, bytes: Uint8Array): Decoded {
    const key = `${block} ${metric}`;
    const known = this.entries.get(key);
    // A read that began before the block was written again may end behind it: hence the mark, although the block was dropped.
    if (known && known.mark === markOf(layout) && same(known.ids, ids)) {
      known.pass = this.pass;
      // At the end of the map: it is ordered by use.
      this.entries.delete(key);
      this.entries.set(key, known);
      return known;
    }
    if (known) this.forget(key, known);
    const entry = { ...this.decode(block, ids, layout, bytes), block, ids, mark: markOf(layout), pass: this.pass };
    if (this.makeRoom(entry.values.byteLength)) {
      this.entries.set(key, entry);
      this.bytes += entry.values.byteLength;
    }
    return entry;
  }

  /** The block was written or removed. */
  drop(block: number): void {
    for (const [key, entry] of this.entries) if (entry.block === block) this.forget(key, entry);
  }

  private forget(key: string, { values }: Entry): void {
    this.entries.delete(key);
    this.bytes -= values.byteLength;
  }

  private makeRoom(more: number): boolean {
    for (const [key, entry] of this.entries) {
      if (this.bytes + more <= bytesMax || entry.pass >= this.pass - 1) break;
      this.forget(key, entry);
    }
    return this.bytes + more <= bytesMax;
  }

  private decode(block: number, ids: readonly number[], layout: BlockLayout, bytes: Uint8Array): Decoded {
    const { rows } = layout;
    if (this.room.length < rows) this.room = new Float64Array(rows);
    const { room } = this;
    const values = new Float64Array(rows * ids.length).fill(Number.NaN);
    for (const [i, id] of ids.entries()) {
      const position = layout.positionOf(id);
      if (position < 0) continue;
      if (!readColumn(bytes, layout, position, room)) this.damaged(block);
      for (let row = 0; row < rows; row++) values[i * rows + row] = room[row] as number;
    }
    const narrow = Float32Array.from(values);
    const exact = narrow.every((value, i) => value === values[i] || (Number.isNaN(value) && Number.isNaN(values[i])));
    return { rows, values: exact ? narrow : values };
  }
}
