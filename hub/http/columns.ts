import * as z from "zod";
import { commonErrors } from "./errors.ts";

export const columnsType = "application/vnd.proven.columns";

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
 * the columns in place of their values; each series has `at` first, then its columns in the order named. NaN: no sample.
 */
export function toBinary<Name extends string>(answer: Answered<object, object, Name>): Uint8Array<ArrayBuffer> {
  const series = answer.series.map(({ head, data }) => ({
    ...head,
    length: data.at.length,
    columns: columnsIn(data).map(([name]) => name),
  }));
  const json = Buffer.from(JSON.stringify({ ...answer.head, series }), "utf8");
  const start = Math.ceil((4 + json.length) / 8) * 8;
  const all = answer.series.flatMap(({ data }) => [data.at, ...columnsIn(data).map(([, column]) => column)]);
  const size = start + all.reduce((sum, column) => sum + column.length * 8, 0);
  const bytes = new Uint8Array(new ArrayBuffer(size)).fill(0x20, 0, start);
  new DataView(bytes.buffer).setUint32(0, start - 4, true);
  bytes.set(json, 4);
  let offset = start;
  for (const column of all) {
    // Typed arrays have the machine's byte order, which is little endian wherever Proxmox VE runs.
    bytes.set(new Uint8Array(column.buffer, column.byteOffset, column.byteLength), offset);
    offset += column.byteLength;
  }
  return bytes;
}

/** How routes document the two forms of their answer. */
export const binaryForm = `With \`Accept: ${columnsType}\` the answer is binary: header length (uint32 little endian), header (JSON, padded with
blanks to a multiple of 8), then float64 little endian columns, for each series \`at\` first, in the order the header names them; NaN is no sample.`;

/** Whether this request asks for the binary form. */
export const wantsBinary = (accept: string | undefined) => (accept ?? "").includes(columnsType);

/** Responses of a route that answers with columns. */
export const columnResponses = <Schema extends z.ZodType>(schema: Schema, description: string) => ({
  200: {
    description,
    content: {
      "application/json": { schema },
      [columnsType]: { schema: z.string().meta({ format: "binary" }) },
    },
  },
  ...commonErrors,
  413: {
    ...commonErrors[400],
    description: "More than one answer may hold or read: `field` and the message say what to ask for less of",
  },
});
