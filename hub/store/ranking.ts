import { limits } from "#protocol/limits.ts";
import { firstAtOrAfter, ratesOf, Track } from "../core/sampling.ts";
import type { Ranked, SeriesRanker } from "../core/series.ts";
import type { Catalogue } from "./catalogue.ts";
import { spanNumber } from "./keys.ts";
import type { Reader } from "./reader.ts";

type Selector = Parameters<SeriesRanker["top"]>[0];
type Candidates = ReturnType<Catalogue["activeSeries"]>;

/** Averages over the whole window, without steps. */
export function rank(
  selector: Selector,
  catalogue: Catalogue,
  reader: Pick<Reader, "eachBlock" | "collect" | "lanes" | "decoded">,
): Ranked[] {
  const { cluster, metric, from, to, count, lowest = false } = selector;
  const all = catalogue.activeSeries(cluster, metric);
  const average = metric.kind === "counter" ? averageRates(all, from, to, reader) : averages(all, metric.id, from, to, reader);
  const ranked: Ranked[] = [];
  for (const [i, { series }] of all.entries()) {
    const value = (average[i] as number) / metric.scale;
    if (!Number.isNaN(value)) ranked.push({ series, value });
  }
  ranked.sort((a, b) => (lowest ? a.value - b.value : b.value - a.value) || a.series.id - b.series.id);
  return ranked.slice(0, count);
}

/** Series whose samples are in memory at a time. */
const ratesAtOnce = 64;

/** Rates need each series' samples in a row. */
function averageRates(all: Candidates, from: number, to: number, reader: Pick<Reader, "collect">): Float64Array {
  const average = new Float64Array(all.length);
  const expected = Math.min(1000, Math.ceil((to - from) / limits.sampleEveryMs) + 16);
  const tracks = Array.from({ length: ratesAtOnce }, () => new Track(expected));
  for (let begin = 0; begin < all.length; begin += ratesAtOnce) {
    const readings = all.slice(begin, begin + ratesAtOnce).map(({ series, groups }, i) => {
      const track = tracks[i] as Track;
      track.clear();
      return { series, groups, track, buckets: undefined };
    });
    reader.collect(readings, from - limits.staleAfterMs, to);
    for (const [i, { track }] of readings.entries()) {
      track.settle();
      average[begin + i] = averageRate(track, from);
    }
  }
  return average;
}

/** Increase over the time that has rates, scaled units per second. */
function averageRate(track: Track, from: number): number {
  const rates = ratesOf(track, true);
  let sum = 0;
  let time = 0;
  for (let i = Math.max(1, firstAtOrAfter(track.at, track.length, from)); i < track.length; i++) {
    const rate = rates[i] as number;
    if (Number.isNaN(rate)) continue;
    const share = (track.at[i] as number) - (track.at[i - 1] as number);
    sum += rate * share;
    time += share;
  }
  return sum / time;
}

/** Of gauges sums will do: nothing is kept but decoded columns. A sample that two agents have (a guest that moved) counts twice. */
function averages(
  all: Candidates,
  metric: number,
  from: number,
  to: number,
  reader: Pick<Reader, "eachBlock" | "lanes" | "decoded">,
): Float64Array {
  const sum = new Float64Array(all.length);
  const weight = new Float64Array(all.length);
  const byGroup = new Map<number, { agent: number; indexes: number[]; ids: number[] }>();
  for (const [index, { series, groups }] of all.entries()) {
    for (const { group, agent } of groups) {
      const entry = byGroup.get(group) ?? { agent, indexes: [], ids: [] };
      byGroup.set(group, entry);
      entry.indexes.push(index);
      entry.ids.push(series.id);
    }
  }
  reader.decoded.begin();
  for (const [group, { agent, indexes, ids }] of byGroup) {
    reader.eachBlock(group, agent, from, to, (bytes, block, first, end, hour) => {
      const { values, rows } = reader.decoded.get(spanNumber(hour, group), metric, ids, block, bytes);
      for (const [i, index] of indexes.entries()) addRows(values, i * rows + first, i * rows + end, index, sum, weight);
    });
  }
  addRowsInMemory(all, from, to, reader, sum, weight);
  return sum.map((total, index) => total / (weight[index] as number));
}

function addRows(
  values: Float32Array | Float64Array,
  first: number,
  end: number,
  index: number,
  sum: Float64Array,
  weight: Float64Array,
): void {
  let total = 0;
  let count = 0;
  for (let row = first; row < end; row++) {
    const value = values[row] as number;
    if (Number.isNaN(value)) continue;
    total += value;
    count++;
  }
  sum[index] = (sum[index] as number) + total;
  weight[index] = (weight[index] as number) + count;
}

function addRowsInMemory(
  all: Candidates,
  from: number,
  to: number,
  reader: Pick<Reader, "lanes">,
  sum: Float64Array,
  weight: Float64Array,
): void {
  for (const lane of reader.lanes()) {
    for (const chunk of lane.chunks) {
      if (chunk.stored >= chunk.rows || chunk.lastAt < from || chunk.firstAt >= to) continue;
      const indexes = all.flatMap(({ series }, index) => (chunk.layout.columnOf(series.id) < 0 ? [] : [index]));
      const columns = Uint32Array.from(indexes, (index) => chunk.layout.columnOf(all[index]?.series.id ?? -1));
      const sums = new Float64Array(columns.length);
      const counts = new Float64Array(columns.length);
      chunk.sumColumns(columns, from, to, sums, counts);
      for (const [i, index] of indexes.entries()) {
        sum[index] = (sum[index] as number) + (sums[i] as number);
        weight[index] = (weight[index] as number) + (counts[i] as number);
      }
    }
  }
}
