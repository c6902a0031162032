import type { Aggregate, SeriesAnswer } from "#protocol/api.ts";

/** As the API's description of `POST /api/v1/series/query` says it. */
export const columnsType = "application/vnd.proven.columns";

export type Columns = { entity: string; at: Float64Array; columns: Partial<Record<Aggregate, Float64Array>> };

type Header = Omit<SeriesAnswer, "series"> & { series: { entity: string; length: number; columns: Aggregate[] }[] };

/** Header length (uint32 LE) · header (JSON, padded) · float64 LE columns: `at`, then those the header names, series by series. */
export function parseColumns(bytes: Uint8Array): Columns[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerLength = view.getUint32(0, true);
  const header = JSON.parse(Buffer.from(bytes.subarray(4, 4 + headerLength)).toString("utf8")) as Header;
  let offset = 4 + headerLength;
  const take = (length: number) => {
    const column = new Float64Array(Uint8Array.from(bytes.subarray(offset, offset + length * 8)).buffer);
    offset += length * 8;
    return column;
  };
  return header.series.map(({ entity, length, columns }) => {
    const at = take(length);
    return { entity, at, columns: Object.fromEntries(columns.map((name) => [name, take(length)])) };
  });
}
