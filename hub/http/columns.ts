import type { Aggregate, SeriesAnswer } from "#protocol/api.ts";
import type { SeriesColumns } from "../core/series.ts";

export const columnsType = "application/vnd.proven.columns";

/** One series of an answer before it is written as JSON or binary. */
export type AnsweredSeries = Omit<SeriesAnswer["series"][number], "at" | "columns"> & { data: SeriesColumns };
export type Answered = Omit<SeriesAnswer, "series"> & { series: AnsweredSeries[] };

const nullable = (column: Float64Array) => Array.from(column, (value) => (Number.isFinite(value) ? value : null));
const aggregatesIn = (columns: SeriesColumns["columns"]) => Object.keys(columns) as Aggregate[];

export function toJson(answer: Answered): SeriesAnswer {
  return {
    ...answer,
    series: answer.series.map(({ data, ...head }) => ({
      ...head,
      at: Array.from(data.at),
      columns: Object.fromEntries(
        aggregatesIn(data.columns).map((name) => [name, nullable(data.columns[name] ?? new Float64Array())]),
      ),
    })),
  };
}

/**
 * `application/vnd.proven.columns`: header length (uint32, little endian) · header (JSON, UTF-8, padded with blanks so that the numbers begin at
 * a multiple of 8) · columns one after the other as float64, little endian. The header is the JSON answer, with `length` and the names of
 * the columns in place of their values; each series has `at` first, then its columns in the order named. NaN: no sample.
 */
export function toBinary(answer: Answered): Uint8Array<ArrayBuffer> {
  const series = answer.series.map(({ data, ...head }) => ({
    ...head,
    length: data.at.length,
    columns: aggregatesIn(data.columns),
  }));
  const json = Buffer.from(JSON.stringify({ ...answer, series }), "utf8");
  const start = Math.ceil((4 + json.length) / 8) * 8;
  const all = answer.series.flatMap(({ data }) => [
    data.at,
    ...aggregatesIn(data.columns).map((name) => data.columns[name] ?? data.at),
  ]);
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
