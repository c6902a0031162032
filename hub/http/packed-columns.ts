import { bitsFor, type ColumnForm, PackedValues } from "../core/packed-values.ts";

/** Metrics are kept in such parts of their unit, rates are whole numbers over ten seconds. */
const divisors = [1, 10, 100, 1000, 10_000] as const;

const roomKept = 128 << 10;
/** Of a day's samples. */
const codesKept = 8800;

/** Columns of one answer, one behind the other, after `begin`. The room of small answers is used again. */
export class ColumnRoom {
  private bytes = new Uint8Array(new ArrayBuffer(roomKept));
  private codes = new Float64Array(codesKept);
  private length = 0;

  /** Also after an answer that did not get to its end. */
  begin(): void {
    this.length = 0;
  }

  /** As float64, as it is. */
  addPlain(values: Float64Array | PackedValues): void {
    const column = values instanceof PackedValues ? values.toFloats() : values;
    const at = this.take(column.length * 8);
    new Float64Array(this.bytes.buffer, at, column.length).set(column);
  }

  /** In the shortest form that gives every value back to the bit, which is returned. */
  addPacked(column: Float64Array | PackedValues): ColumnForm {
    if (column instanceof PackedValues) return this.addAsItIs(column);
    const first = column[0] ?? 0;
    const step = column.length > 1 ? (column[1] as number) - first : 0;
    if (isEven(column, first, step)) return { even: [first, step] };
    if (this.codes.length < column.length) this.codes = new Float64Array(column.length);
    for (const divisor of divisors) {
      const range = integersOf(column, divisor, this.codes);
      if (range === undefined) continue;
      const bits = bitsFor(range.greatest - range.least + 1);
      if (bits === 64) break;
      this.addCodes(column.length, bits, range.least);
      return { bits, base: range.least, divisor };
    }
    this.addPlain(column);
    return { bits: 64 };
  }

  private addAsItIs({ form, codes }: PackedValues): ColumnForm {
    if (codes === undefined) return form;
    const at = this.take(codes.byteLength);
    this.bytes.set(new Uint8Array(codes.buffer), at);
    return form;
  }

  /** What was added, behind `before` bytes for the caller to write. A copy. */
  finish(before: number): Uint8Array<ArrayBuffer> {
    const all = Buffer.allocUnsafeSlow(before + this.length);
    all.set(this.bytes.subarray(0, this.length), before);
    if (this.bytes.length > roomKept) this.bytes = new Uint8Array(new ArrayBuffer(roomKept));
    if (this.codes.length > codesKept) this.codes = new Float64Array(codesKept);
    return all;
  }

  /** Where so many bytes may be written, up to the next multiple of 8: what fills them up is zero, and not what stood here before. */
  private take(bytes: number): number {
    const at = this.length;
    const end = at + Math.ceil(bytes / 8) * 8;
    if (end > this.bytes.length) {
      const larger = new Uint8Array(new ArrayBuffer(Math.max(end, this.bytes.length * 2)));
      larger.set(this.bytes.subarray(0, at));
      this.bytes = larger;
    }
    this.bytes.fill(0, at + bytes, end);
    this.length = end;
    return at;
  }

  private addCodes(length: number, bits: 16 | 32, base: number): void {
    const at = this.take((length * bits) / 8);
    const { buffer } = this.bytes;
    // Two loops: one for either kind of array would run at the pace of none.
    if (bits === 16) writeCodes16(this.codes, base, new Uint16Array(buffer, at, length));
    else writeCodes32(this.codes, base, new Uint32Array(buffer, at, length));
  }
}

function writeCodes16(integers: Float64Array, base: number, out: Uint16Array): void {
  for (let i = 0; i < out.length; i++) {
    const integer = integers[i] as number;
    out[i] = Number.isNaN(integer) ? 0xffff : integer - base;
  }
}

function writeCodes32(integers: Float64Array, base: number, out: Uint32Array): void {
  for (let i = 0; i < out.length; i++) {
    const integer = integers[i] as number;
    out[i] = Number.isNaN(integer) ? 0xffff_ffff : integer - base;
  }
}

/** JSON has no −0 and no NaN: a column of these is none. */
function isEven(column: Float64Array, first: number, step: number): boolean {
  if (!Number.isFinite(first) || !Number.isFinite(step)) return false;
  for (let i = 0; i < column.length; i++) {
    const value = column[i] as number;
    if (value !== first + i * step || (value === 0 && Object.is(value, -0))) return false;
  }
  return true;
}

/** A column in parts of its unit, NaN where it has none, with the least and the greatest; undefined where these are not what its values are. */
function integersOf(
  column: Float64Array,
  divisor: number,
  integers: Float64Array,
): { least: number; greatest: number } | undefined {
  let least = Number.POSITIVE_INFINITY;
  let greatest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < column.length; i++) {
    const value = column[i] as number;
    if (Number.isNaN(value)) {
      integers[i] = Number.NaN;
      continue;
    }
    // Half of the time of Math.round; where the two differ the next line says so.
    const integer = Math.floor(value * divisor + 0.5);
    integers[i] = integer;
    if (integer / divisor !== value || (integer === 0 && Object.is(value, -0))) return undefined;
    if (integer < least) least = integer;
    if (integer > greatest) greatest = integer;
  }
  if (least === Number.POSITIVE_INFINITY) return { least: 0, greatest: 0 };
  return Number.isSafeInteger(least) && Number.isSafeInteger(greatest) ? { least, greatest } : undefined;
}
