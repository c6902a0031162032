/**
 * How one column of the packed form is written. `even`: first + i × step, no bytes. `base`: unsigned integers of `bits` bits, of which value
 * i is (base + code) / divisor; the greatest code is NaN. `bits` 64: float64 as they are.
 */
export type ColumnForm =
  | { even: [first: number, step: number] }
  | { bits: 16 | 32; base: number; divisor: number }
  | { bits: 64 };

/** Metrics are kept in such parts of their unit, rates are whole numbers over ten seconds. */
const divisors = [1, 10, 100, 1000, 10_000] as const;

/** The shortest form that gives every value back to the bit. */
export function formOf(column: Float64Array): ColumnForm {
  const first = column[0] ?? 0;
  const step = column.length > 1 ? (column[1] as number) - first : 0;
  if (isEven(column, first, step)) return { even: [first, step] };
  for (const divisor of divisors) {
    const range = integersOf(column, divisor);
    if (range === undefined) continue;
    const codes = range.greatest - range.least + 1;
    if (codes < 2 ** 16) return { bits: 16, base: range.least, divisor };
    if (codes < 2 ** 32) return { bits: 32, base: range.least, divisor };
    break;
  }
  return { bits: 64 };
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

/** Least and greatest of a column in parts of its unit; undefined where these are not what its values are. */
function integersOf(column: Float64Array, divisor: number): { least: number; greatest: number } | undefined {
  let least = Number.POSITIVE_INFINITY;
  let greatest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < column.length; i++) {
    const value = column[i] as number;
    if (Number.isNaN(value)) continue;
    const integer = Math.round(value * divisor);
    if (integer / divisor !== value || (integer === 0 && Object.is(integer, -0))) return undefined;
    if (integer < least) least = integer;
    if (integer > greatest) greatest = integer;
  }
  if (least === Number.POSITIVE_INFINITY) return { least: 0, greatest: 0 };
  return Number.isSafeInteger(least) && Number.isSafeInteger(greatest) ? { least, greatest } : undefined;
}

/** Bytes that a column takes, up to the next multiple of 8. */
export function packedLength(form: ColumnForm, length: number): number {
  return "even" in form ? 0 : Math.ceil((length * form.bits) / 64) * 8;
}

/** Writes a column at a multiple of 8. */
export function packColumn(column: Float64Array, form: ColumnForm, buffer: ArrayBuffer, offset: number): void {
  if ("even" in form) return;
  if (form.bits === 64) {
    new Float64Array(buffer, offset, column.length).set(column);
    return;
  }
  const { base, bits, divisor } = form;
  const codes = bits === 16 ? new Uint16Array(buffer, offset, column.length) : new Uint32Array(buffer, offset, column.length);
  const absent = 2 ** bits - 1;
  for (let i = 0; i < column.length; i++) {
    const value = column[i] as number;
    codes[i] = Number.isNaN(value) ? absent : Math.round(value * divisor) - base;
  }
}
