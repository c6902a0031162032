import type { Aggregate, SeriesAnswer } from "#protocol/api.ts";

/** As the API's description of `POST /api/v1/series/query` says it. */
export const columnsType = "application/vnd.proven.packed-columns";

export type Columns = { entity: string; at: Float64Array; columns: Partial<Record<Aggregate, Float64Array>> };

type Form = { even: [first: number, step: number] } | { bits: 16 | 32; base: number; divisor: number } | { bits: 64 };
type Header = Omit<SeriesAnswer, "series"> & {
  series: { entity: string; length: number; columns: Aggregate[]; forms: Form[] }[];
};

/** Header length (uint32 LE) · header (JSON, padded) · columns, each padded to 8: `at`, then those the header names, series by series. */
export function parseColumns(bytes: Uint8Array): Columns[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerLength = view.getUint32(0, true);
  const header = JSON.parse(Buffer.from(bytes.subarray(4, 4 + headerLength)).toString("utf8")) as Header;
  let offset = 4 + headerLength;
  const take = (length: number, form: Form | undefined) => {
    if (form === undefined) throw new Error("a column without a form");
    const column = readColumn(view, offset, length, form);
    offset += "even" in form ? 0 : Math.ceil((length * form.bits) / 64) * 8;
    return column;
  };
  return header.series.map(({ entity, length, columns, forms }) => {
    const at = take(length, forms[0]);
    return { entity, at, columns: Object.fromEntries(columns.map((name, i) => [name, take(length, forms[i + 1])])) };
  });
}

function readColumn(view: DataView, offset: number, length: number, form: Form): Float64Array {
  if ("even" in form) return Float64Array.from({ length }, (_, i) => form.even[0] + i * form.even[1]);
  if (form.bits === 64) return Float64Array.from({ length }, (_, i) => view.getFloat64(offset + i * 8, true));
  const { bits, base, divisor } = form;
  return Float64Array.from({ length }, (_, i) => {
    const code = bits === 16 ? view.getUint16(offset + i * 2, true) : view.getUint32(offset + i * 4, true);
    return code === 2 ** bits - 1 ? Number.NaN : (base + code) / divisor;
  });
}
