import { type Cursor, columnCapacity, decodeColumn, encodeColumn, readVarint } from "./column.ts";
import { readAhead } from "./rice.ts";

/**
 * Columns of the series of one group over one span of time. Block := version:u8 flags:u8 rows:u16 series:u16 runs:varint
 * (skip:varint length:varint)… offsets lead column…; all numbers little-endian. Series ids stand in ascending runs. Offsets (u16; u32 with
 * flag 1) count from their own start, one for each column: a column is read without looking at the others. Lead: in blocks of samples the
 * column of times, which all series share; nothing in blocks of rollups.
 */
export const blockVersion = 1;
const wideOffsets = 1;

/** Most rows of a block; times and positions fit 16 bits. */
export const rowsMax = 0xffff;

export type BlockLayout = {
  rows: number;
  series: number;
  /** Position of the series in the block, −1: not here. */
  positionOf(id: number): number;
  /** Start of the column at this position. */
  columnAt(position: number): number;
  /** Ids in ascending order. */
  ids(): Uint32Array;
  leadAt: number;
};

type Run = { first: number; length: number; position: number };

function readRuns(cursor: Cursor): Run[] {
  const runs: Run[] = [];
  let id = 0;
  let position = 0;
  for (let count = readVarint(cursor); count > 0; count--) {
    const first = id + readVarint(cursor);
    const length = readVarint(cursor);
    runs.push({ first, length, position });
    id = first + length;
    position += length;
  }
  return runs;
}

/** Opens a block for reading. Throws on a version this program doesn't know: the store's own schema version should have told before. */
export function openBlock(bytes: Uint8Array): BlockLayout {
  if (bytes[0] !== blockVersion) throw new Error(`unknown block version ${bytes[0]}`);
  const u16 = (at: number) => (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
  const wide = ((bytes[1] as number) & wideOffsets) !== 0;
  const rows = u16(2);
  const series = u16(4);
  const cursor = { bytes, position: 6 };
  const runs = readRuns(cursor);
  const base = cursor.position;
  const columnAt = (position: number) =>
    base + (wide ? u16(base + position * 4) + u16(base + position * 4 + 2) * 0x10000 : u16(base + position * 2));
  return {
    rows,
    series,
    columnAt,
    leadAt: base + series * (wide ? 4 : 2),
    positionOf(id) {
      const run = runs.find(({ first, length }) => id >= first && id < first + length);
      return run === undefined ? -1 : run.position + id - run.first;
    },
    ids() {
      const ids = new Uint32Array(series);
      for (const { first, length, position } of runs) for (let i = 0; i < length; i++) ids[position + i] = first + i;
      return ids;
    },
  };
}

/** Bytes that are used again for each block: what pack returns is a copy. */
let room = new Uint8Array(1 << 16);

function roomFor(position: number, more: number): Uint8Array {
  if (position + more > room.length) {
    const larger = new Uint8Array(Math.max(room.length * 2, position + more));
    larger.set(room.subarray(0, position));
    room = larger;
  }
  return room;
}

function runsOf(ids: Uint32Array): number[] {
  const numbers: number[] = [];
  let end = 0;
  for (let i = 0; i < ids.length; ) {
    const first = ids[i] as number;
    let length = 1;
    while (i + length < ids.length && ids[i + length] === first + length) length++;
    numbers.push(first - end, length);
    end = first + length;
    i += length;
  }
  return numbers;
}

function putVarint(value: number, position: number): number {
  let p = position;
  let rest = value;
  while (rest >= 0x80) {
    room[p++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  room[p++] = rest;
  return p;
}

/** Writes one column (or several in a row) at `position` and returns the position behind it. */
export type WriteColumn = (out: Uint8Array, position: number) => number;

/**
 * Packs a block. `ids` ascend without repetition. `capacity`: most bytes that one call of `lead` or `column` writes.
 */
export function packBlock(
  ids: Uint32Array,
  rows: number,
  capacity: number,
  lead: WriteColumn | undefined,
  column: (index: number) => WriteColumn,
): Uint8Array {
  const body = 16 + ids.length * 20;
  roomFor(0, body + capacity);
  const runs = runsOf(ids);
  let p = putVarint(runs.length / 2, 6);
  for (const number of runs) p = putVarint(number, p);
  const base = p;
  // Narrow offsets are tried first: the columns move up if they don't fit.
  const offsets = new Uint32Array(ids.length);
  p = base + ids.length * 2;
  if (lead) p = lead(roomFor(p, capacity), p);
  for (let i = 0; i < ids.length; i++) {
    offsets[i] = p - base;
    p = column(i)(roomFor(p, capacity), p);
  }
  const wide = p - base > 0xffff;
  if (wide) {
    roomFor(p, ids.length * 2);
    room.copyWithin(base + ids.length * 4, base + ids.length * 2, p);
    p += ids.length * 2;
  }
  const view = new DataView(room.buffer);
  room[0] = blockVersion;
  room[1] = wide ? wideOffsets : 0;
  view.setUint16(2, rows, true);
  view.setUint16(4, ids.length, true);
  for (let i = 0; i < ids.length; i++) {
    if (wide) view.setUint32(base + i * 4, (offsets[i] as number) + ids.length * 2, true);
    else view.setUint16(base + i * 2, offsets[i] as number, true);
  }
  roomFor(p, readAhead).fill(0, p, p + readAhead);
  return room.slice(0, p + readAhead);
}

/** Samples of several series that share their times: one agent's frames. */
export type Samples = {
  /** Strictly ascending, EpochMs. */
  times: Float64Array;
  ids: Uint32Array;
  /** Column of each series: `values[column + row * stride]`, NaN = absent. */
  columns: Uint32Array;
  stride: number;
  values: Float64Array;
};

export function packSamples({ times, ids, columns, stride, values }: Samples): Uint8Array {
  const rows = times.length;
  return packBlock(
    ids,
    rows,
    columnCapacity(rows),
    (out, position) => encodeColumn(times, 0, 1, rows, out, position),
    (index) => (out, position) => encodeColumn(values, columns[index] as number, stride, rows, out, position),
  );
}

/** Times of a block of samples into `out` (rows long). */
export function readTimes(bytes: Uint8Array, block: BlockLayout, out: Float64Array): void {
  decodeColumn({ bytes, position: block.leadAt }, block.rows, out);
}

/** One series' values into `out`, NaN = absent. */
export function readColumn(bytes: Uint8Array, block: BlockLayout, position: number, out: Float64Array): void {
  decodeColumn({ bytes, position: block.columnAt(position) }, block.rows, out);
}

/** A whole block, column after column. */
export function unpackSamples(bytes: Uint8Array): Samples {
  const block = openBlock(bytes);
  const { rows, series } = block;
  const times = new Float64Array(rows);
  readTimes(bytes, block, times);
  const values = new Float64Array(rows * series);
  const columns = new Uint32Array(series);
  for (let i = 0; i < series; i++) {
    columns[i] = i * rows;
    decodeColumn({ bytes, position: block.columnAt(i) }, rows, values, i * rows);
  }
  return { times, ids: block.ids(), columns, stride: 1, values };
}

/**
 * One set of samples from several: times and series united, and where two have a sample of one series and time, the first one wins.
 * Undefined: nothing to merge.
 */
export function mergeSamples(parts: readonly Samples[]): Samples | undefined {
  const filled = parts.filter((part) => part.times.length > 0 && part.ids.length > 0);
  const only = filled[0];
  if (only === undefined) return undefined;
  if (filled.length === 1) return only;
  const times = Float64Array.from(new Set(filled.flatMap((part) => [...part.times]))).sort();
  const ids = Uint32Array.from(new Set(filled.flatMap((part) => [...part.ids]))).sort();
  const rows = times.length;
  const values = new Float64Array(rows * ids.length).fill(Number.NaN);
  const rowOf = new Map([...times].map((time, row) => [time, row]));
  const indexOf = new Map([...ids].map((id, index) => [id, index]));
  for (const part of filled) {
    const target = Uint32Array.from(part.times, (time) => rowOf.get(time) as number);
    for (let i = 0; i < part.ids.length; i++) {
      const to = (indexOf.get(part.ids[i] as number) as number) * rows;
      const from = part.columns[i] as number;
      for (let row = 0; row < target.length; row++) {
        const at = to + (target[row] as number);
        if (Number.isNaN(values[at])) values[at] = part.values[from + row * part.stride] as number;
      }
    }
  }
  return { times, ids, columns: Uint32Array.from(ids, (_, index) => index * rows), stride: 1, values };
}
