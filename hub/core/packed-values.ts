/**
 * How one column of a packed answer is written. `even`: first + i × step, no bytes. `base`: unsigned integers of `bits` bits, of which value
 * i is (base + code) / divisor; the greatest code is NaN. `bits` 64: float64 as they are.
 */
export type ColumnForm =
  | { even: [first: number, step: number] }
  | { bits: 16 | 32; base: number; divisor: number }
  | { bits: 64 };

/** A column in a packed form from the beginning, so that it is never written out as float64. `codes` undefined: its form says it all. */
export class PackedValues {
  constructor(
    readonly form: Exclude<ColumnForm, { bits: 64 }>,
    readonly length: number,
    readonly codes: Uint16Array | Uint32Array | undefined,
  ) {}

  /** Whether both are the same even numbers. */
  isAs({ form, length }: PackedValues): boolean {
    if (!("even" in this.form && "even" in form) || length !== this.length) return false;
    return form.even[0] === this.form.even[0] && form.even[1] === this.form.even[1];
  }

  toFloats(): Float64Array {
    const { form, codes, length } = this;
    if ("even" in form) return Float64Array.from({ length }, (_, i) => form.even[0] + i * form.even[1]);
    return Float64Array.from(codes ?? [], (code) => (form.base + code) / form.divisor);
  }
}

/** Bits for so many different codes, the greatest being for what is absent. */
export const bitsFor = (codes: number) => (codes < 2 ** 16 ? 16 : codes < 2 ** 32 ? 32 : 64);

/** Finite numbers at [from, to) that are the same distance apart; undefined: they are not. */
export function packEven(values: Float64Array, from: number, to: number): PackedValues | undefined {
  const first = from < to ? (values[from] as number) : 0;
  const step = to - from > 1 ? (values[from + 1] as number) - first : 0;
  for (let i = from; i < to; i++) if (values[i] !== first + (i - from) * step) return undefined;
  return new PackedValues({ even: [first, step] }, to - from, undefined);
}

/** Integers at [from, to), none absent, of which each is a value's `divisor`-fold. Undefined: they are too far apart for 32 bits. */
export function packIntegers(values: Float64Array, from: number, to: number, divisor: number): PackedValues | undefined {
  const even = packEven(values, from, to)?.form;
  // Parts of a step that are added up may not be what each value's division gives.
  if (even !== undefined && "even" in even && (divisor === 1 || even.even[1] === 0))
    return new PackedValues({ even: [even.even[0] / divisor, even.even[1] / divisor] }, to - from, undefined);
  let least = Number.POSITIVE_INFINITY;
  let greatest = Number.NEGATIVE_INFINITY;
  for (let i = from; i < to; i++) {
    const value = values[i] as number;
    if (value < least) least = value;
    if (value > greatest) greatest = value;
  }
  const bits = bitsFor(greatest - least + 1);
  if (to <= from || bits === 64) return undefined;
  const codes = bits === 16 ? codes16(values, from, to, least) : codes32(values, from, to, least);
  return new PackedValues({ bits, base: least, divisor }, to - from, codes);
}

// Two loops: one for either kind of array would run at the pace of none.

function codes16(values: Float64Array, from: number, to: number, base: number): Uint16Array {
  const codes = new Uint16Array(to - from);
  for (let i = from; i < to; i++) codes[i - from] = (values[i] as number) - base;
  return codes;
}

function codes32(values: Float64Array, from: number, to: number, base: number): Uint32Array {
  const codes = new Uint32Array(to - from);
  for (let i = from; i < to; i++) codes[i - from] = (values[i] as number) - base;
  return codes;
}
