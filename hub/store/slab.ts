/** Rows of one slab: small enough for a short-lived layout, large enough that reading a column jumps seldom. */
export const slabRows = 32;

/** Up to 32 rows of one layout. NaN = absent. */
export interface Slab {
  readonly bytes: number;
  valueAt(column: number, slot: number): number;
  /** Copies the slots [slot, slot + length) of a column to out[at …]. */
  copy(column: number, slot: number, length: number, out: Float64Array, at: number): void;
}

/** The slab that rows are being written to, one behind the other: to put each into columns takes five times as long, and more before V8 has compiled it. */
export class OpenSlab implements Slab {
  readonly values: Float64Array;

  constructor(readonly width: number) {
    this.values = new Float64Array(slabRows * width);
  }

  get bytes(): number {
    return this.values.byteLength;
  }

  /** `values` where `present`. */
  put(slot: number, values: Float64Array, present: Uint8Array): void {
    const { values: out } = this;
    const start = slot * this.width;
    out.set(values, start);
    const firstAbsent = present.indexOf(0);
    if (firstAbsent < 0) return;
    for (let i = firstAbsent; i < present.length; i++) if (present[i] === 0) out[start + i] = Number.NaN;
  }

  valueAt(column: number, slot: number): number {
    return this.values[slot * this.width + column] as number;
  }

  copy(column: number, slot: number, length: number, out: Float64Array, at: number): void {
    const { values, width } = this;
    for (let i = 0, from = slot * width + column; i < length; i++, from += width) out[at + i] = values[from] as number;
  }
}

/** What the rows of one column become: base + code × 2^shift, codes of `width` bytes; the greatest code means absent. */
type Plan = { width: 0 | 1 | 2 | 4 | 8; shift: number; base: number };

const absentOf = { 1: 0xff, 2: 0xffff, 4: 0xffffffff } as const;
const shiftMax = 20;

/** A column of the slab that is being sealed. */
const piece = new Float64Array(slabRows);

/** Width 0: all rows are `base` (or absent). Width 8: too far apart for codes, the values stand as they are. */
function planColumn({ values, width }: OpenSlab, column: number, rows: number): Plan {
  let least = Number.POSITIVE_INFINITY;
  let greatest = Number.NEGATIVE_INFINITY;
  let absent = 0;
  for (let row = 0, from = column; row < rows; row++, from += width) {
    const value = values[from] as number;
    piece[row] = value;
    if (Number.isNaN(value)) absent++;
    else {
      if (value < least) least = value;
      if (value > greatest) greatest = value;
    }
  }
  if (absent === rows) return { width: 0, shift: 0, base: Number.NaN };
  if (least === greatest) return { width: absent === 0 ? 0 : 1, shift: 0, base: least };
  // Bits beyond the 32nd get lost, and matter to neither the shift nor, where any is set, the width.
  let union = 0;
  for (let row = 0; row < rows; row++) union |= (piece[row] as number) - least;
  const shift = union === 0 ? 0 : Math.min(shiftMax, 31 - Math.clz32(union & -union));
  const most = (greatest - least) / 2 ** shift;
  const bytes = most < absentOf[1] ? 1 : most < absentOf[2] ? 2 : most < absentOf[4] ? 4 : 8;
  return { width: bytes, shift: bytes === 8 ? 0 : shift, base: least };
}

/** Plans of all columns of the slab that is being sealed. */
const planned = { widths: new Uint8Array(0), shifts: new Uint8Array(0), bases: new Float64Array(0), offsets: new Uint32Array(0) };

function roomForPlans(columns: number): typeof planned {
  if (planned.widths.length < columns) {
    planned.widths = new Uint8Array(columns);
    planned.shifts = new Uint8Array(columns);
    planned.bases = new Float64Array(columns);
    planned.offsets = new Uint32Array(columns);
  }
  return planned;
}

/**
 * A slab that takes no more rows, in about a third of the memory; a value is still found without looking at the others. All of it is one piece
 * of memory: of a thousand series that is large enough to go back to the system at once, where small pieces leave holes between what stays.
 */
export class SealedSlab implements Slab {
  private readonly widths: Uint8Array;
  private readonly shifts: Uint8Array;
  private readonly bases: Float64Array;
  /** Where a column's codes begin in `data`, or its values in `plain`. */
  private readonly offsets: Uint32Array;
  private readonly data: Uint8Array;
  private readonly plain: Float64Array;

  /** The first `rows` rows of an open slab; integers up to ±2^52. */
  constructor(open: OpenSlab, rows: number) {
    const columns = open.width;
    const { widths, shifts, bases, offsets } = roomForPlans(columns);
    let codes = 0;
    let plain = 0;
    for (let column = 0; column < columns; column++) {
      const { width, shift, base } = planColumn(open, column, rows);
      widths[column] = width;
      shifts[column] = shift;
      bases[column] = base;
      offsets[column] = width === 8 ? plain : codes;
      if (width === 8) plain += rows;
      else codes += width * rows;
    }
    // The widest elements first: a view has to begin at a multiple of its element's size.
    const memory = new ArrayBuffer((columns + plain) * 8 + columns * 6 + codes);
    this.bases = new Float64Array(memory, 0, columns);
    this.plain = new Float64Array(memory, columns * 8, plain);
    this.offsets = new Uint32Array(memory, (columns + plain) * 8, columns);
    const bytesAt = (columns + plain) * 8 + columns * 4;
    this.widths = new Uint8Array(memory, bytesAt, columns);
    this.shifts = new Uint8Array(memory, bytesAt + columns, columns);
    this.data = new Uint8Array(memory, bytesAt + columns * 2, codes);
    this.bases.set(bases.subarray(0, columns));
    this.offsets.set(offsets.subarray(0, columns));
    this.widths.set(widths.subarray(0, columns));
    this.shifts.set(shifts.subarray(0, columns));
    for (let column = 0; column < columns; column++) this.write(column, open, rows);
  }

  private write(column: number, open: OpenSlab, rows: number): void {
    const width = this.widths[column];
    const at = this.offsets[column] as number;
    if (width === 8) open.copy(column, 0, rows, this.plain, at);
    if (width !== 1 && width !== 2 && width !== 4) return;
    const base = this.bases[column] as number;
    const unit = 2 ** (this.shifts[column] as number);
    const { data } = this;
    let p = at;
    const { values } = open;
    for (let row = 0, from = column; row < rows; row++, from += open.width) {
      const value = values[from] as number;
      const code = Number.isNaN(value) ? absentOf[width] : (value - base) / unit;
      data[p] = code;
      if (width > 1) data[p + 1] = code >>> 8;
      if (width === 4) {
        data[p + 2] = code >>> 16;
        data[p + 3] = code >>> 24;
      }
      p += width;
    }
  }

  get bytes(): number {
    return this.data.buffer.byteLength;
  }

  valueAt(column: number, slot: number): number {
    const { data } = this;
    const width = this.widths[column] as number;
    const base = this.bases[column] as number;
    const start = this.offsets[column] as number;
    if (width === 0) return base;
    if (width === 8) return this.plain[start + slot] as number;
    const p = start + slot * width;
    let code = data[p] as number;
    if (width > 1) code |= (data[p + 1] as number) << 8;
    if (width === 4) code = (code | ((data[p + 2] as number) << 16) | ((data[p + 3] as number) << 24)) >>> 0;
    const absent = width === 1 ? absentOf[1] : width === 2 ? absentOf[2] : absentOf[4];
    return code === absent ? Number.NaN : base + code * 2 ** (this.shifts[column] as number);
  }

  copy(column: number, slot: number, length: number, out: Float64Array, at: number): void {
    const width = this.widths[column] as number;
    const base = this.bases[column] as number;
    const unit = 2 ** (this.shifts[column] as number);
    const { data } = this;
    let p = (this.offsets[column] as number) + slot * width;
    if (width === 0) out.fill(base, at, at + length);
    else if (width === 1) {
      for (let i = at; i < at + length; i++) {
        const code = data[p++] as number;
        out[i] = code === absentOf[1] ? Number.NaN : base + code * unit;
      }
    } else if (width === 2) {
      for (let i = at; i < at + length; i++, p += 2) {
        const code = (data[p] as number) | ((data[p + 1] as number) << 8);
        out[i] = code === absentOf[2] ? Number.NaN : base + code * unit;
      }
    } else for (let i = 0; i < length; i++) out[at + i] = this.valueAt(column, slot + i);
  }
}
