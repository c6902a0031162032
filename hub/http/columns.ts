import * as z from "zod";
import { commonErrors } from "./errors.ts";
import { type ColumnForm, formOf, packColumn, packedLength } from "./packed-columns.ts";

const columnsType = "application/vnd.proven.columns";
export const packedType = "application/vnd.proven.packed-columns";

/** Columns by name; `at[i]` belongs to every column's [i], NaN is nothing known. */
export type ColumnData<Name extends string> = { at: Float64Array; columns: Partial<Record<Name, Float64Array>> };

/** An answer of columns before it is written as JSON or binary: what it says of itself, and of each series. */
export type Answered<Head extends object, SeriesHead extends object, Name extends string> = {
  head: Head;
  series: readonly { head: SeriesHead; data: ColumnData<Name> }[];
};

const nullable = (column: Float64Array) => Array.from(column, (value) => (Number.isFinite(value) ? value : null));

function columnsIn<Name extends string>({ columns }: ColumnData<Name>): [Name, Float64Array][] {
  return Object.entries(columns) as [Name, Float64Array][];
}

export function toJson<Head extends object, SeriesHead extends object, Name extends string>({
  head,
  series,
}: Answered<Head, SeriesHead, Name>) {
  const written = series.map(({ head: about, data }) => {
    const columns: Partial<Record<Name, (number | null)[]>> = {};
    for (const [name, column] of columnsIn(data)) columns[name] = nullable(column);
    return { ...about, at: Array.from(data.at), columns };
  });
  return { ...head, series: written };
}

/**
 * `application/vnd.proven.columns`: header length (uint32, little endian) · header (JSON, UTF-8, padded with blanks so that the numbers begin at
 * a multiple of 8) · columns one after the other as float64, little endian. The header is the JSON answer, with `length` and the names of
 * the columns in place of their values; each series has `at` first, then its columns in the order named. NaN: no sample. In the packed form
 * `forms` says how each of these columns is written, each padded to a multiple of 8.
 */
export function toBinary<Name extends string>(
  answer: Answered<object, object, Name>,
  accept: string | undefined,
): { bytes: Uint8Array<ArrayBuffer>; type: string } {
  const isPacked = (accept ?? "").includes(packedType);
  const formFor = isPacked ? formFinder() : () => ({ bits: 64 }) as const;
  const all: Float64Array[] = [];
  const forms: ColumnForm[] = [];
  const series = answer.series.map(({ head, data }) => {
    const columns = columnsIn(data);
    const first = all.length;
    all.push(data.at, ...columns.map(([, column]) => column));
    for (let i = first; i < all.length; i++) forms.push(formFor(all[i] as Float64Array));
    const about = { ...head, length: data.at.length, columns: columns.map(([name]) => name) };
    return isPacked ? { ...about, forms: forms.slice(first) } : about;
  });
  const json = Buffer.from(JSON.stringify({ ...answer.head, series }), "utf8");
  const start = Math.ceil((4 + json.length) / 8) * 8;
  let size = start;
  for (const [i, column] of all.entries()) size += packedLength(forms[i] as ColumnForm, column.length);
  const bytes = new Uint8Array(new ArrayBuffer(size)).fill(0x20, 0, start);
  new DataView(bytes.buffer).setUint32(0, start - 4, true);
  bytes.set(json, 4);
  let offset = start;
  for (const [i, column] of all.entries()) {
    // Typed arrays have the machine's byte order, which is little endian wherever Proxmox VE runs.
    packColumn(column, forms[i] as ColumnForm, bytes.buffer, offset);
    offset += packedLength(forms[i] as ColumnForm, column.length);
  }
  return { bytes, type: isPacked ? packedType : columnsType };
}

/** Series that follow each other share their times, as a rule: what one column was found to be is known for the next ones. */
function formFinder(): (column: Float64Array) => ColumnForm {
  const known = new Map<Float64Array, ColumnForm>();
  return (column) => {
    const form = known.get(column) ?? formOf(column);
    known.set(column, form);
    return form;
  };
}

/** How routes document the binary forms of their answer. */
export const binaryForm = `With \`Accept: ${columnsType}\` the answer is binary: header length (uint32 little endian), header (JSON, padded with
blanks to a multiple of 8), then float64 little endian columns, for each series \`at\` first, in the order the header names them; NaN is no sample.
With \`Accept: ${packedType}\` it is a fraction of that, to the bit the same: the header's \`forms\` say of each of these columns how it is written,
padded to a multiple of 8: \`{"even": [first, step]}\` has no bytes, value i is first + i × step; \`{"bits": 16 or 32, "base", "divisor"}\` are unsigned
integers, value i is (base + integer) / divisor, the greatest integer is no sample; \`{"bits": 64}\` is float64.`;

/** Whether this request asks for a binary form. */
export const wantsBinary = (accept: string | undefined) =>
  accept !== undefined && (accept.includes(columnsType) || accept.includes(packedType));

/** Responses of a route that answers with columns. */
export const columnResponses = <Schema extends z.ZodType>(schema: Schema, description: string) => ({
  200: {
    description,
    content: {
      "application/json": { schema },
      [columnsType]: { schema: z.string().meta({ format: "binary" }) },
      [packedType]: { schema: z.string().meta({ format: "binary" }) },
    },
  },
  ...commonErrors,
  413: {
    ...commonErrors[400],
    description: "More than one answer may hold or read: `field` and the message say what to ask for less of",
  },
});
