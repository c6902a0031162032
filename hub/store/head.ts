import type { Samples } from "../core/block.ts";
import { firstAtOrAfter, type Track } from "../core/sampling.ts";
import type { Layout } from "./catalogue.ts";

/** Rows of one piece of memory: small enough for a short-lived layout, large enough to seldom need one. */
const slabRows = 32;

/** Frames of one layout in strictly ascending time, row-major, NaN = absent: what is not in blocks yet. */
export class Chunk {
  times = new Float64Array(slabRows * 2);
  /** Sequence numbers of the rows' frames. */
  private seqs = new Float64Array(slabRows * 2);
  rows = 0;
  /** So many leading rows are in blocks already; they stay a while for the live table. */
  stored = 0;
  private slabs: Float64Array[] = [];

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
    return this.slabs.reduce((sum, slab) => sum + slab.byteLength, this.times.byteLength);
  }

  /** Takes a row: `values` where `present`. */
  append(at: number, seq: number, values: Float64Array, present: Uint8Array): void {
    if (this.rows === this.times.length) {
      this.times = resized(this.times, 0, this.rows, this.rows * 2);
      this.seqs = resized(this.seqs, 0, this.rows, this.rows * 2);
    }
    const slot = this.rows % slabRows;
    if (slot === 0) this.slabs.push(new Float64Array(slabRows * this.width));
    const slab = this.slabs[this.slabs.length - 1] as Float64Array;
    const base = slot * this.width;
    slab.set(values, base);
    for (let i = 0; i < present.length; i++) if (present[i] === 0) slab[base + i] = Number.NaN;
    this.seqs[this.rows] = seq;
    this.times[this.rows++] = at;
  }

  seqAt(row: number): number {
    return this.seqs[row] as number;
  }

  /** Gives back the memory that its rows don't need: nothing will be appended. */
  freeze(): void {
    const used = this.rows % slabRows;
    const last = this.slabs.at(-1);
    if (used > 0 && last) this.slabs[this.slabs.length - 1] = last.slice(0, used * this.width);
    this.times = this.times.slice(0, this.rows);
    this.seqs = this.seqs.slice(0, this.rows);
  }

  valueAt(row: number, column: number): number {
    return (this.slabs[Math.floor(row / slabRows)] as Float64Array)[(row % slabRows) * this.width + column] as number;
  }

  /** Adds the samples of one column in [from, to) that are not in blocks. */
  collect(column: number, from: number, to: number, track: Track): void {
    const end = firstAtOrAfter(this.times, this.rows, to);
    for (let row = Math.max(this.stored, firstAtOrAfter(this.times, this.rows, from)); row < end; ) {
      const slot = row % slabRows;
      const take = Math.min(slabRows - slot, end - row);
      const slab = this.slabs[Math.floor(row / slabRows)] as Float64Array;
      track.add(this.times.subarray(row - slot), slab, slot, slot + take, this.width, column);
      row += take;
    }
  }

  /** Forgets the first `count` rows; as many of the stored ones are gone then. */
  dropFirst(count: number): void {
    const whole = Math.floor(count / slabRows);
    const shift = count - whole * slabRows;
    const rest = this.rows - count;
    const kept = this.slabs.slice(whole);
    this.slabs = shift === 0 ? kept : shifted(kept, shift, rest, this.width);
    this.times = resized(this.times, count, this.rows, Math.max(slabRows * 2, rest));
    this.seqs = resized(this.seqs, count, this.rows, Math.max(slabRows * 2, rest));
    this.rows = rest;
    this.stored = Math.max(0, this.stored - count);
  }

  /** Rows [from, to) of the series of one group, column after column. */
  samplesOf(columns: Uint32Array, from: number, to: number): Samples {
    const rows = to - from;
    const values = new Float64Array(rows * columns.length);
    for (let row = 0; row < rows; row++) {
      const slab = this.slabs[Math.floor((from + row) / slabRows)] as Float64Array;
      const base = ((from + row) % slabRows) * this.width;
      for (let i = 0, to = row; i < columns.length; i++, to += rows) values[to] = slab[base + (columns[i] as number)] as number;
    }
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

/** `rows` rows from row `shift` on, in pieces of their own. */
function shifted(slabs: readonly Float64Array[], shift: number, rows: number, width: number): Float64Array[] {
  const moved: Float64Array[] = [];
  for (let row = 0; row < rows; row++) {
    if (row % slabRows === 0) moved.push(new Float64Array(slabRows * width));
    const from = shift + row;
    const base = (from % slabRows) * width;
    const source = slabs[Math.floor(from / slabRows)] as Float64Array;
    (moved[moved.length - 1] as Float64Array).set(source.subarray(base, base + width), (row % slabRows) * width);
  }
  return moved;
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
