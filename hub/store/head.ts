import type { Samples } from "../core/block.ts";
import { firstAtOrAfter, type Track } from "../core/sampling.ts";
import type { Layout } from "./catalogue.ts";
import { OpenSlab, SealedSlab, type Slab, slabRows } from "./slab.ts";

/** One column of a slab. */
const piece = new Float64Array(slabRows);

/** When a full slab gets its small form: as the next row comes, or when `sealNext` is called. To make it takes twice as long as to fill it. */
export type Sealing = "at-once" | "later";

/** Frames of one layout in strictly ascending time: what is not in blocks yet. */
export class Chunk {
  times = new Float64Array(slabRows * 2);
  /** Sequence numbers of the rows' frames. */
  private seqs = new Float64Array(slabRows * 2);
  rows = 0;
  /** So many leading rows are in blocks already; they stay a while for the live table. */
  stored = 0;
  /** All but the last are sealed, or will be by `sealNext`; after `freeze` that one too. */
  private slabs: Slab[] = [];
  private open: OpenSlab | undefined;
  /** Rows of the first slab that were dropped. */
  private skipped = 0;

  constructor(readonly layout: Layout) {}

  get width(): number {
    return this.layout.ids.length;
  }

  get firstAt(): number {
    return this.times[0] as number;
  }

  get lastAt(): number {
    return this.rows === 0 ? Number.NEGATIVE_INFINITY : (this.times[this.rows - 1] as number);
  }

  get bytes(): number {
    return this.slabs.reduce((sum, slab) => sum + slab.bytes, this.times.byteLength + this.seqs.byteLength);
  }

  /** Takes a row: `values` where `present`. */
  append(at: number, seq: number, values: Float64Array, present: Uint8Array, sealing: Sealing = "at-once"): void {
    if (this.rows === this.times.length) {
      this.times = resized(this.times, 0, this.rows, this.rows * 2);
      this.seqs = resized(this.seqs, 0, this.rows, this.rows * 2);
    }
    const slot = (this.skipped + this.rows) % slabRows;
    if (slot === 0) {
      if (sealing === "at-once") this.seal(slabRows);
      else this.open = undefined;
    }
    this.open ??= this.begin();
    this.open.put(slot, values, present);
    this.seqs[this.rows] = seq;
    this.times[this.rows++] = at;
  }

  seqAt(row: number): number {
    return this.seqs[row] as number;
  }

  /** The first rows, whose records have no higher seq. */
  rowsUpTo(seq: number): number {
    return firstAtOrAfter(this.seqs, this.rows, seq + 1);
  }

  private begin(): OpenSlab {
    const slab = new OpenSlab(this.width);
    this.slabs.push(slab);
    return slab;
  }

  /** The last slab, of so many rows, takes no more. Its memory serves the next one. */
  private seal(rows: number): void {
    const { open } = this;
    if (open === undefined) return;
    this.slabs[this.slabs.length - 1] = new SealedSlab(open, rows);
    this.slabs.push(open);
  }

  /** Seals one of the full slabs that were left for later. Returns whether there was one. */
  sealNext(): boolean {
    const index = this.slabs.findIndex((slab) => slab instanceof OpenSlab && slab !== this.open);
    if (index < 0) return false;
    this.slabs[index] = new SealedSlab(this.slabs[index] as OpenSlab, slabRows);
    return true;
  }

  /** Gives back the memory that its rows don't need: nothing will be appended. */
  freeze(): void {
    const used = (this.skipped + this.rows) % slabRows;
    if (this.open !== undefined) this.slabs[this.slabs.length - 1] = new SealedSlab(this.open, used === 0 ? slabRows : used);
    this.open = undefined;
    this.times = this.times.slice(0, this.rows);
    this.seqs = this.seqs.slice(0, this.rows);
  }

  valueAt(row: number, column: number): number {
    const place = this.skipped + row;
    return (this.slabs[Math.floor(place / slabRows)] as Slab).valueAt(column, place % slabRows);
  }

  /** Calls with each piece of the rows [from, to): `length` rows from `row` on are the slab's slots from `slot` on. */
  private eachPiece(from: number, to: number, take: (slab: Slab, slot: number, row: number, length: number) => void): void {
    for (let row = from; row < to; ) {
      const place = this.skipped + row;
      const slot = place % slabRows;
      const length = Math.min(slabRows - slot, to - row);
      take(this.slabs[Math.floor(place / slabRows)] as Slab, slot, row, length);
      row += length;
    }
  }

  private firstUnstored(from: number): number {
    return Math.max(this.stored, firstAtOrAfter(this.times, this.rows, from));
  }

  /** Adds the samples of one column in [from, to) that are not in blocks. */
  collect(column: number, from: number, to: number, track: Track): void {
    const end = firstAtOrAfter(this.times, this.rows, to);
    this.eachPiece(this.firstUnstored(from), end, (slab, slot, row, length) => {
      slab.copy(column, slot, length, piece, 0);
      track.add(this.times.subarray(row), piece, 0, length);
    });
  }

  /** Calls with each piece of the rows [from, to) that is not in blocks: `length` rows from `row` on are the slab's slots from `slot` on. */
  eachUnstored(from: number, to: number, take: (slab: Slab, slot: number, row: number, length: number) => void): void {
    this.eachPiece(Math.max(this.stored, from), to, take);
  }

  /** Forgets the first `count` rows; as many of the stored ones are gone then. */
  dropFirst(count: number): void {
    const skipped = this.skipped + count;
    this.slabs = this.slabs.slice(Math.floor(skipped / slabRows));
    this.skipped = skipped % slabRows;
    const rest = this.rows - count;
    this.times = resized(this.times, count, this.rows, Math.max(slabRows * 2, rest));
    this.seqs = resized(this.seqs, count, this.rows, Math.max(slabRows * 2, rest));
    this.rows = rest;
    this.stored = Math.max(0, this.stored - count);
  }

  /** Rows [from, to) of these columns, column after column: in `room`, where it is given and large enough. */
  samplesOf(columns: Uint32Array, from: number, to: number, room?: Float64Array): Samples {
    const rows = to - from;
    const size = rows * columns.length;
    const values = room !== undefined && room.length >= size ? room : new Float64Array(size);
    this.eachPiece(from, to, (slab, slot, row, length) => {
      for (let i = 0; i < columns.length; i++) slab.copy(columns[i] as number, slot, length, values, i * rows + row - from);
    });
    return {
      times: this.times.slice(from, to),
      ids: Uint32Array.from(columns, (column) => this.layout.ids[column] as number),
      columns: Uint32Array.from(columns, (_, i) => i * rows),
      stride: 1,
      values,
    };
  }
}

function resized(array: Float64Array, from: number, to: number, size: number): Float64Array<ArrayBuffer> {
  const copy = new Float64Array(size);
  copy.set(array.subarray(from, to));
  return copy;
}

/** Columns of a layout by group, each group's in ascending order of their ids. */
export function columnsByGroup(layout: Layout): Map<number, Uint32Array> {
  const lists = new Map<number, number[]>();
  for (let column = 0; column < layout.ids.length; column++) {
    const group = layout.groups[column] as number;
    const list = lists.get(group);
    if (list) list.push(column);
    else lists.set(group, [column]);
  }
  const ordered = new Map<number, Uint32Array>();
  for (const [group, columns] of lists) {
    columns.sort((a, b) => (layout.ids[a] as number) - (layout.ids[b] as number));
    ordered.set(group, Uint32Array.from(columns));
  }
  return ordered;
}
