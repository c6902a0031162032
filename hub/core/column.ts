import { chooseNarrow, chooseWide, readNarrow, readWide, riceCapacity, writeNarrow, writeWide } from "./rice.ts";

/**
 * One series' integers as bytes. column := head:u8 [presence] body; head: mode in bits 0–2, bit 3 = some rows are absent, bits 4–7 = shift
 * (all differences are multiples of 2^shift). presence := count of runs, then lengths of runs present, absent, present …; bodies hold the
 * present values only. Chosen per column, the shortest of: constant, linear, sparse changes, differences, differences of differences,
 * distances from the mean. Differences of 2^29 or more (fast counters, resets) make a column wide.
 */
const modes = { empty: 0, constant: 1, linear: 2, sparse: 3, delta: 4, delta2: 5, mean: 6, wide: 7 } as const;
const someAbsent = 8;
const narrowLimit = 2 ** 29;

/** Room that a column of `rows` rows may need. */
export const columnCapacity = (rows: number) => riceCapacity(rows) + rows * 3 + 64;

/** Grows to the longest column seen and is used again: a column is coded at a time, synchronously. */
class Scratch {
  dense = new Float64Array(0);
  wide = new Float64Array(0);
  first = new Uint32Array(0);
  second = new Uint32Array(0);
  third = new Uint32Array(0);
  deltas = new Int32Array(0);

  reserve(rows: number): void {
    if (this.dense.length >= rows) return;
    const size = Math.max(rows, 512);
    this.dense = new Float64Array(size);
    this.wide = new Float64Array(size);
    this.first = new Uint32Array(size);
    this.second = new Uint32Array(size);
    this.third = new Uint32Array(size);
    this.deltas = new Int32Array(size);
  }
}
const scratch = new Scratch();

const zigzag = (value: number) => ((value << 1) ^ (value >> 31)) >>> 0;
const unzigzag = (code: number) => (code >>> 1) ^ -(code & 1);

function writeVarint(value: number, out: Uint8Array, position: number): number {
  let p = position;
  let rest = value;
  while (rest >= 0x80) {
    out[p++] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
  }
  out[p++] = rest;
  return p;
}

/** Signed integers of up to 2^52. */
const writeInteger = (value: number, out: Uint8Array, position: number) =>
  writeVarint(value < 0 ? -value * 2 - 1 : value * 2, out, position);

/** A position in bytes: the decoder's few varints move it. */
export type Cursor = { bytes: Uint8Array; position: number };

/** The number at the cursor, which moves behind it. Throws where the bytes end in it. */
export function readVarint(cursor: Cursor): number {
  let value = 0;
  let weight = 1;
  for (;;) {
    const byte = cursor.bytes[cursor.position++];
    if (byte === undefined) throw new Error("a column ends before its end");
    value += (byte & 0x7f) * weight;
    if (byte < 0x80) return value;
    weight *= 128;
  }
}

function readInteger(cursor: Cursor): number {
  const code = readVarint(cursor);
  return code % 2 === 0 ? code / 2 : -(code + 1) / 2;
}

/** Copies the present values to `dense`; returns their number. `from`, `stride`: a column of row-major values. */
function gather(values: Float64Array, from: number, stride: number, rows: number, dense: Float64Array): number {
  let count = 0;
  for (let i = 0, at = from; i < rows; i++, at += stride) {
    const value = values[at] as number;
    dense[count] = value;
    if (!Number.isNaN(value)) count++;
  }
  return count;
}

function writePresence(
  values: Float64Array,
  from: number,
  stride: number,
  rows: number,
  out: Uint8Array,
  position: number,
): number {
  const lengths: number[] = [];
  let present = true;
  let length = 0;
  for (let i = 0, at = from; i < rows; i++, at += stride) {
    const value = values[at] as number;
    if (Number.isNaN(value) !== present) length++;
    else {
      lengths.push(length);
      present = !present;
      length = 1;
    }
  }
  lengths.push(length);
  let p = writeVarint(lengths.length, out, position);
  for (const run of lengths) p = writeVarint(run, out, p);
  return p;
}

type Differences = { count: number; narrow: boolean; linear: boolean; step: number; shift: number };

/** Differences of neighbours into `deltas`; not narrow: some don't fit and `deltas` isn't whole. */
function differences(dense: Float64Array, count: number, deltas: Int32Array): Differences {
  let before = dense[0] as number;
  const step = count > 1 ? (dense[1] as number) - before : 0;
  let union = 0;
  let linear = true;
  let narrow = true;
  for (let i = 1; i < count; i++) {
    const value = dense[i] as number;
    const delta = value - before;
    before = value;
    if (delta !== step) linear = false;
    if (delta >= narrowLimit || delta <= -narrowLimit) narrow = false;
    deltas[i - 1] = delta;
    union |= delta;
  }
  const shift = union === 0 || !narrow ? 0 : Math.min(15, 31 - Math.clz32(union & -union));
  return { count: count - 1, narrow, linear, step, shift };
}

function writeWideBody(dense: Float64Array, count: number, out: Uint8Array, position: number): number {
  const codes = scratch.wide;
  for (let i = 1; i < count; i++) {
    const delta = (dense[i] as number) - (dense[i - 1] as number);
    codes[i - 1] = delta < 0 ? -delta * 2 - 1 : delta * 2;
  }
  const k = chooseWide(codes, count - 1);
  out[position] = k;
  return writeWide(codes, count - 1, k, out, writeInteger(dense[0] as number, out, position + 1));
}

/** Pairs of (unchanged rows before, change − 1) for columns that seldom change. */
function writeSparseBody(first: number, changes: number, count: number, out: Uint8Array, position: number): number {
  const { first: codes, second: sizes, third: gaps } = scratch;
  let pairs = 0;
  let last = -1;
  for (let i = 0; i < count; i++) {
    const code = codes[i] as number;
    if (code === 0) continue;
    gaps[pairs] = i - last - 1;
    sizes[pairs] = code - 1;
    pairs++;
    last = i;
  }
  const gap = chooseNarrow(gaps, changes).k;
  const size = chooseNarrow(sizes, changes).k;
  out[position] = gap;
  out[position + 1] = size;
  let p = writeInteger(first, out, position + 2);
  p = writeVarint(changes, out, p);
  p = writeNarrow(gaps, changes, gap, out, p);
  return writeNarrow(sizes, changes, size, out, p);
}

/** Distances from about the mean, for values that jump around one: into `third`; undefined where they don't fit. */
function distancesFromMean(dense: Float64Array, count: number, shift: number): { reference: number } | undefined {
  const first = dense[0] as number;
  const unit = 2 ** shift;
  let sum = 0;
  for (let i = 0; i < count; i++) sum += (dense[i] as number) - first;
  const reference = first + Math.round(sum / count / unit) * unit;
  for (let i = 1; i < count; i++) {
    const distance = ((dense[i] as number) - reference) / unit;
    if (distance >= narrowLimit || distance <= -narrowLimit) return undefined;
    scratch.third[i - 1] = zigzag(distance);
  }
  return { reference };
}

/** Bits that the mean's mode must win to be worth its second varint. */
const meanMustSave = 48;

function writeNarrowBody(dense: Float64Array, diff: Differences, flags: number, out: Uint8Array, head: number, position: number) {
  const { first, second, third, deltas } = scratch;
  const { count, shift } = diff;
  let changes = 0;
  let before = 0;
  for (let i = 0; i < count; i++) {
    const delta = (deltas[i] as number) >> shift;
    if (delta !== 0) changes++;
    first[i] = zigzag(delta);
    second[i] = zigzag(delta - before);
    before = delta;
  }
  const start = dense[0] as number;
  const mark = (mode: number) => {
    out[head] = mode | flags | (shift << 4);
  };
  if (changes < count * 0.4) {
    mark(modes.sparse);
    return writeSparseBody(start, changes, count, out, position);
  }
  const byDelta = chooseNarrow(first, count);
  const byDelta2 = chooseNarrow(second, count);
  const best = byDelta2.bits < byDelta.bits ? byDelta2 : byDelta;
  const mean = distancesFromMean(dense, count + 1, shift);
  const byMean = mean && chooseNarrow(third, count);
  if (mean && byMean && byMean.bits + meanMustSave < best.bits) {
    mark(modes.mean);
    out[position] = byMean.k;
    const p = writeInteger(mean.reference, out, writeInteger(start, out, position + 1));
    return writeNarrow(third, count, byMean.k, out, p);
  }
  mark(best === byDelta ? modes.delta : modes.delta2);
  out[position] = best.k;
  return writeNarrow(best === byDelta ? first : second, count, best.k, out, writeInteger(start, out, position + 1));
}

/**
 * Encodes `rows` values (integers up to ±2^51, NaN = absent) that stand `stride` apart from `from` on. Returns the position behind the
 * column; `out` has columnCapacity(rows) left at `position`.
 */
export function encodeColumn(
  values: Float64Array,
  from: number,
  stride: number,
  rows: number,
  out: Uint8Array,
  position: number,
): number {
  scratch.reserve(rows + 1);
  const { dense, deltas } = scratch;
  const count = gather(values, from, stride, rows, dense);
  if (count === 0) {
    out[position] = modes.empty;
    return position + 1;
  }
  const flags = count < rows ? someAbsent : 0;
  const body = flags === 0 ? position + 1 : writePresence(values, from, stride, rows, out, position + 1);
  const diff = differences(dense, count, deltas);
  const first = dense[0] as number;
  if (diff.linear) {
    out[position] = (diff.step === 0 ? modes.constant : modes.linear) | flags;
    const p = writeInteger(first, out, body);
    return diff.step === 0 ? p : writeInteger(diff.step, out, p);
  }
  if (diff.narrow) return writeNarrowBody(dense, diff, flags, out, position, body);
  out[position] = modes.wide | flags;
  return writeWideBody(dense, count, out, body);
}

function decodeSparse(cursor: Cursor, shift: number, count: number, out: Float64Array, from: number): void {
  const { bytes } = cursor;
  const gap = bytes[cursor.position++] as number;
  const size = bytes[cursor.position++] as number;
  let value = readInteger(cursor);
  const changes = readVarint(cursor);
  if (changes >= count) throw new Error("a column changes more often than it has rows");
  const { first, second } = scratch;
  cursor.position = readNarrow(bytes, cursor.position, first, changes, gap);
  cursor.position = readNarrow(bytes, cursor.position, second, changes, size);
  const unit = 2 ** shift;
  let at = from;
  for (let i = 0; i < changes; i++) {
    const next = at + (first[i] as number) + 1;
    if (next >= from + count) throw new Error("a column changes behind its last row");
    out.fill(value, at, next);
    value += unzigzag((second[i] as number) + 1) * unit;
    at = next;
  }
  out.fill(value, at, from + count);
}

function decodeCodes(mode: number, cursor: Cursor, shift: number, count: number, out: Float64Array, from: number): void {
  const { first } = scratch;
  const unit = 2 ** shift;
  const k = cursor.bytes[cursor.position++] as number;
  let value = readInteger(cursor);
  const reference = mode === modes.mean ? readInteger(cursor) : 0;
  cursor.position = readNarrow(cursor.bytes, cursor.position, first, count - 1, k);
  out[from] = value;
  const end = from + count - 1;
  if (mode === modes.mean) {
    for (let i = from, j = 0; i < end; ) out[++i] = reference + unzigzag(first[j++] as number) * unit;
  } else if (mode === modes.delta) {
    for (let i = from, j = 0; i < end; ) out[++i] = value += unzigzag(first[j++] as number) * unit;
  } else {
    let delta = 0;
    for (let i = from, j = 0; i < end; ) {
      delta += unzigzag(first[j++] as number);
      out[++i] = value += delta * unit;
    }
  }
}

function decodeWide(cursor: Cursor, count: number, out: Float64Array, from: number): void {
  const k = cursor.bytes[cursor.position++] as number;
  let value = readInteger(cursor);
  const codes = scratch.wide;
  cursor.position = readWide(cursor.bytes, cursor.position, codes, count - 1, k);
  out[from] = value;
  for (let i = 1; i < count; i++) {
    const code = codes[i - 1] as number;
    value += code % 2 === 0 ? code / 2 : -(code + 1) / 2;
    out[from + i] = value;
  }
}

function decodeDense(head: number, cursor: Cursor, count: number, out: Float64Array, from: number): void {
  const mode = head & 7;
  const shift = head >>> 4;
  if (mode === modes.constant) out.fill(readInteger(cursor), from, from + count);
  else if (mode === modes.linear) {
    const first = readInteger(cursor);
    const step = readInteger(cursor);
    for (let i = 0; i < count; i++) out[from + i] = first + step * i;
  } else if (mode === modes.sparse) decodeSparse(cursor, shift, count, out, from);
  else if (mode === modes.wide) decodeWide(cursor, count, out, from);
  else decodeCodes(mode, cursor, shift, count, out, from);
}

/** Decodes the column at the cursor into out[from … from + rows), NaN = absent, and moves the cursor behind it. */
export function decodeColumn(cursor: Cursor, rows: number, out: Float64Array, from = 0): void {
  scratch.reserve(rows + 1);
  const head = cursor.bytes[cursor.position++] as number;
  if ((head & 7) === modes.empty) {
    out.fill(Number.NaN, from, from + rows);
    return;
  }
  if ((head & someAbsent) === 0) {
    decodeDense(head, cursor, rows, out, from);
    return;
  }
  const runs = readVarint(cursor);
  if (runs > rows + 1) throw new Error("a column has more gaps than rows");
  const lengths = Array.from({ length: runs }, () => readVarint(cursor));
  if (lengths.reduce((sum, length) => sum + length, 0) > rows) throw new Error("a column has more values than rows");
  let count = 0;
  for (let i = 0; i < lengths.length; i += 2) count += lengths[i] as number;
  const { dense } = scratch;
  decodeDense(head, cursor, count, dense, 0);
  let at = from;
  let taken = 0;
  for (const [i, length] of lengths.entries()) {
    if (i % 2 === 1) out.fill(Number.NaN, at, at + length);
    else {
      for (let j = 0; j < length; j++) out[at + j] = dense[taken++] as number;
    }
    at += length;
  }
}
