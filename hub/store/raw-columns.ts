import { PackedValues, packEven, packIntegers } from "../core/packed-values.ts";
import { firstAtOrAfter, ratesOf, scaledDown, type Track } from "../core/sampling.ts";
import type { PackedColumns, SeriesColumns, SeriesInfo, SeriesRange } from "../core/series.ts";

type Read = { series: SeriesInfo; track: Track };

/** Raw samples of the range as columns; what a track has of before it serves the first rate. */
export function rawColumns(readings: readonly Read[], { from, aggregates, stored = false }: SeriesRange): SeriesColumns[] {
  let at = new Float64Array(0);
  return readings.map(({ series: { metric }, track }) => {
    track.settle();
    const first = firstAtOrAfter(track.at, track.length, from);
    const counter = metric.kind === "counter";
    const rates = counter || aggregates.includes("rate") ? ratesOf(track, counter) : undefined;
    const scaled = (source: Float64Array) => scaledDown(source, first, track.length, metric.scale);
    const values = scaled(counter && rates && !stored ? rates : track.values);
    const columns: SeriesColumns["columns"] = {};
    for (const aggregate of aggregates) columns[aggregate] = aggregate === "rate" && rates ? scaled(rates) : values;
    if (!sameTimes(at, track, first)) at = track.at.slice(first, track.length);
    return { at, columns };
  });
}

/** Tracks of gauges, which hold the range and nothing else, packed as they are: most of a day's question was making floats of them and integers again. */
export function packedColumns(readings: readonly Read[], { aggregates }: SeriesRange): PackedColumns[] {
  let before: PackedColumns["at"] = new Float64Array(0);
  return readings.map(({ series: { metric }, track }) => {
    track.settle();
    before = timesOf(track, before);
    const { values, length } = track;
    const packed = packIntegers(values, 0, length, metric.scale) ?? scaledDown(values, 0, length, metric.scale);
    const columns: PackedColumns["columns"] = {};
    for (const aggregate of aggregates) columns[aggregate] = packed;
    return { at: before, columns };
  });
}

/** Series of one agent have the same times, as a rule: these stand in an answer once. */
function timesOf(track: Track, before: Float64Array | PackedValues): Float64Array | PackedValues {
  const even = packEven(track.at, 0, track.length);
  if (even !== undefined) return before instanceof PackedValues && even.isAs(before) ? before : even;
  return before instanceof Float64Array && sameTimes(before, track, 0) ? before : track.at.slice(0, track.length);
}

function sameTimes(at: Float64Array, track: Track, first: number): boolean {
  if (at.length !== track.length - first) return false;
  for (let i = 0; i < at.length; i++) if (at[i] !== track.at[first + i]) return false;
  return true;
}
