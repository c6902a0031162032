import * as z from "zod";
import { type ColumnForm, PackedValues } from "../core/packed-values.ts";
import { commonErrors } from "./errors.ts";
import { ColumnRoom } from "./packed-columns.ts";

const columnsType = "application/vnd.proven.columns";
export const packedType = "application/vnd.proven.packed-columns";

type ColumnValues = Float64Array | PackedValues;

/** Columns by name; `at[i]` belongs to every column's [i], NaN is nothing known. */
export type ColumnData<Name extends string> = { at: ColumnValues; columns: Partial<Record<Name, ColumnValues>> };

/** An answer of columns before it is written as JSON or binary: what it says of itself, and of each series. */
export type Answered<Head extends object, SeriesHead extends object, Name extends string> = {
  head: Head;
  series: readonly { head: SeriesHead; data: ColumnData<Name> }[];
};

const floatsOf = (column: ColumnValues) => (column instanceof PackedValues ? column.toFloats() : column);
const nullable = (column: ColumnValues) => Array.from(floatsOf(column), (value) => (Number.isFinite(value) ? value : null));

function columnsIn<Name extends string>({ columns }: ColumnData<Name>): [Name, ColumnValues][] {
  return Object.entries(columns) as [Name, ColumnValues][];
}

export function toJson<Head extends object, SeriesHead extends object, Name extends string>({
  head,
  series,
}: Answered<Head, SeriesHead, Name>) {
  const written = series.map(({ head: about, data }) => {
    const columns: Partial<Record<Name, (number | null)[]>> = {};
    for (const [name, column] of columnsIn(data)) columns[name] = nullable(column);
    return { ...about, at: Array.from(floatsOf(data.at)), columns };
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
  const packed = packer();
  room.begin();
  const series = answer.series.map(({ head, data }) => {
    const names = Object.keys(data.columns) as Name[];
    const all = [data.at, ...names.map((name) => data.columns[name] as ColumnValues)];
    const forms = isPacked ? all.map(packed) : undefined;
    if (!isPacked) for (const column of all) room.addPlain(column);
    const about: Written = head;
    about.length = data.at.length;
    about.columns = names;
    about.forms = forms;
    return about;
  });
  const json = Buffer.from(JSON.stringify({ ...answer.head, series }), "utf8");
  const start = Math.ceil((4 + json.length) / 8) * 8;
  const bytes = room.finish(start);
  bytes.fill(0x20, 4 + json.length, start);
  new DataView(bytes.buffer).setUint32(0, start - 4, true);
  bytes.set(json, 4);
  return { bytes, type: isPacked ? packedType : columnsType };
}

/** What a series' head gets in the answer's header. It is put into the head itself: copying fifty of them took four times as long. */
type Written = { length?: number; columns?: readonly string[]; forms?: readonly ColumnForm[] | undefined };

/** An answer's columns are written in one go. */
const room = new ColumnRoom();

/** Series that follow each other share their times, as a rule; even ones take no bytes, so that their form is all there is to write. */
function packer(): (column: ColumnValues) => ColumnForm {
  let known: { column: ColumnValues; form: ColumnForm } | undefined;
  return (column) => {
    if (known?.column === column) return known.form;
    const form = room.addPacked(column);
    if ("even" in form && column.length > 1) known ??= { column, form };
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
