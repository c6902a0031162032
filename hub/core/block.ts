import { checksum } from "./checksum.ts";
import { type Cursor, columnCapacity, decodeColumn, encodeColumn, readVarint } from "./column.ts";
import { readAhead } from "./rice.ts";

/**
 * Columns of the series of one group over one span of time. Block := version:u8 sum:u32 head:u32 flags:u8 rows:u16 series:u16 runs:varint
 * (skip:varint length:varint)… offsets lead (sum:u32 column)…; all numbers little-endian. Series ids stand in ascending runs. Offsets (u16;
 * u32 with flag 1) count from their own start, one for each column: a column is read without looking at the others. Lead: in blocks of
 * samples the column of times, which all series share; nothing in blocks of rollups. The first sum is over everything from the flags to
 * `head`, where the columns begin; each column's is over the column and begins with the first, so that one from elsewhere is not taken.
 * Version 1 had neither sums nor `head`: stores from before are read, and their blocks written anew.
 */
const blockVersion = 2;
const versionWithoutSums = 1;
const wideOffsets = 1;
const sumBytes = 4;
/** Where the flags stand, by version. */
const flagsAt = { 1: 1, 2: 9 } as const;

/** Most rows of a block; times and positions fit 16 bits. */
export const rowsMax = 0xffff;

/** The bytes are not what was written. */
export class DamagedBlockError extends Error {}

export type BlockLayout = {
  rows: number;
  series: number;
  /** Position of the series in the block, −1: not here. */
  positionOf(id: number): number;
  /** Start of the column at this position. */
  columnAt(position: number): number;
  /** Whether the column is as it was written; of a block without sums it is taken to be. */
  isWhole(position: number): boolean;
  /** Ids in ascending order. */
  ids(): Uint32Array;
  leadAt: number;
  /** Of its head, hence of its ids, times and columns' lengths too; 0 where it has no sums. */
  sum: number;
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

const u16 = (bytes: Uint8Array, at: number) => (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
const u32 = (bytes: Uint8Array, at: number) => (u16(bytes, at) | (u16(bytes, at + 2) << 16)) >>> 0;

function hasRightSum(bytes: Uint8Array): boolean {
  const head = u32(bytes, 5);
  return head > 5 && head <= bytes.length && checksum(bytes, 5, head) === u32(bytes, 1);
}

/** The head's sum, which is right. Throws where it isn't. */
function checkedSum(bytes: Uint8Array): number {
  if (!hasRightSum(bytes)) throw new DamagedBlockError("its head is damaged");
  return u32(bytes, 1);
}

/** Whether a block is of the version before sums. */
export const hasNoSums = (bytes: Uint8Array) => bytes[0] === versionWithoutSums;

/** Opens a block for reading. @throws DamagedBlockError: nothing of it can be read. */
export function openBlock(bytes: Uint8Array): BlockLayout {
  const version = bytes[0];
  if (version !== blockVersion && version !== versionWithoutSums) throw new DamagedBlockError(`unknown block version ${version}`);
  const summed = version === blockVersion;
  // One damaged byte must not turn off the sums: what has right ones was written with them.
  if (!summed && hasRightSum(bytes)) throw new DamagedBlockError("its version is damaged");
  const sum = summed ? checkedSum(bytes) : 0;
  const start = flagsAt[version];
  const wide = ((bytes[start] as number) & wideOffsets) !== 0;
  const rows = u16(bytes, start + 1);
  const series = u16(bytes, start + 3);
  const cursor = { bytes, position: start + 5 };
  const runs = readRuns(cursor);
  const base = cursor.position;
  const lead = summed ? sumBytes : 0;
  const columnAt = (position: number) => base + lead + (wide ? u32(bytes, base + position * 4) : u16(bytes, base + position * 2));
  const endOf = (position: number) => (position + 1 < series ? columnAt(position + 1) - lead : bytes.length - readAhead);
  return {
    rows,
    series,
    sum,
    columnAt,
    isWhole(position) {
      if (!summed) return true;
      const at = columnAt(position);
      return checksum(bytes, at, endOf(position), sum) === u32(bytes, at - sumBytes);
    },
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
  const body = 32 + ids.length * 20;
  roomFor(0, body + capacity);
  const runs = runsOf(ids);
  const start = flagsAt[blockVersion];
  let p = putVarint(runs.length / 2, start + 5);
  for (const number of runs) p = putVarint(number, p);
  const base = p;
  // Narrow offsets are tried first: the columns move up if they don't fit.
  const offsets = new Uint32Array(ids.length);
  p = base + ids.length * 2;
  if (lead) p = lead(roomFor(p, capacity), p);
  let head = p;
  for (let i = 0; i < ids.length; i++) {
    offsets[i] = p - base;
    p = column(i)(roomFor(p, capacity + sumBytes), p + sumBytes);
  }
  const moved = p - base > 0xffff ? ids.length * 2 : 0;
  if (moved > 0) {
    roomFor(p, moved);
    room.copyWithin(base + ids.length * 4, base + ids.length * 2, p);
    p += moved;
    head += moved;
  }
  const view = new DataView(room.buffer);
  room[0] = blockVersion;
  view.setUint32(5, head, true);
  room[start] = moved > 0 ? wideOffsets : 0;
  view.setUint16(start + 1, rows, true);
  view.setUint16(start + 3, ids.length, true);
  for (let i = 0; i < ids.length; i++) {
    if (moved > 0) view.setUint32(base + i * 4, (offsets[i] as number) + moved, true);
    else view.setUint16(base + i * 2, offsets[i] as number, true);
  }
  const sum = checksum(room, 5, head);
  view.setUint32(1, sum, true);
  for (let i = 0; i < ids.length; i++) {
    const at = base + (offsets[i] as number) + moved;
    const end = i + 1 < ids.length ? base + (offsets[i + 1] as number) + moved : p;
    view.setUint32(at, checksum(room, at + sumBytes, end, sum), true);
  }
  roomFor(p, readAhead).fill(0, p, p + readAhead);
  return room.slice(0, p + readAhead);
}

/** A block of the version before sums as one with them; its columns stay as they are. @throws DamagedBlockError */
export function withSums(bytes: Uint8Array): Uint8Array {
  const block = openBlock(bytes);
  const end = bytes.length - readAhead;
  const columns = Array.from({ length: block.series }, (_, i) => block.columnAt(i));
  const copy = (from: number, to: number | undefined) => {
    if (!(from <= (to ?? end))) throw new DamagedBlockError("a column is out of place");
    return (out: Uint8Array, position: number) => {
      out.set(bytes.subarray(from, to ?? end), position);
      return position + (to ?? end) - from;
    };
  };
  return packBlock(block.ids(), block.rows, bytes.length, copy(block.leadAt, columns[0]), (i) =>
    copy(columns[i] as number, columns[i + 1]),
  );
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

/** A block of these samples: as unpackSamples reads it. */
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

/** One series' values into out[from …], NaN = absent. False: the column is damaged, all of it is absent. */
export function readColumn(bytes: Uint8Array, block: BlockLayout, position: number, out: Float64Array, from = 0): boolean {
  if (block.isWhole(position) && decodes(bytes, block, position, out, from)) return true;
  out.fill(Number.NaN, from, from + block.rows);
  return false;
}

/** A damaged column without a sum may not look like one. */
function decodes(bytes: Uint8Array, block: BlockLayout, position: number, out: Float64Array, from: number): boolean {
  try {
    decodeColumn({ bytes, position: block.columnAt(position) }, block.rows, out, from);
    return true;
  } catch {
    return false;
  }
}

/** A whole block, column after column. `damaged` hears of each series whose column is damaged: its values are absent. */
export function unpackSamples(bytes: Uint8Array, damaged?: (id: number) => void): Samples {
  const block = openBlock(bytes);
  const { rows, series } = block;
  const times = new Float64Array(rows);
  readTimes(bytes, block, times);
  const values = new Float64Array(rows * series);
  const columns = new Uint32Array(series);
  const ids = block.ids();
  for (let i = 0; i < series; i++) {
    columns[i] = i * rows;
    if (!readColumn(bytes, block, i, values, i * rows)) damaged?.(ids[i] as number);
  }
  return { times, ids, columns, stride: 1, values };
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
