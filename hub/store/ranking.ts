import type { ClusterId } from "#protocol/ids.ts";
import { limits } from "#protocol/limits.ts";
import type { Metric } from "#protocol/metrics.ts";
import { firstAtOrAfter, ratesOf, Track } from "../core/sampling.ts";
import type { Ranked, SeriesRanker } from "../core/series.ts";
import { hasNoGap, type Stretch, stretchOf, WindowAverages } from "../core/window-average.ts";
import type { Catalogue, Layout } from "./catalogue.ts";
import type { RunningColumns, Wanted } from "./decoded.ts";
import type { Chunk } from "./head.ts";
import { hourOf, spanNumber } from "./keys.ts";
import type { Reader } from "./reader.ts";
import { SealedSlab, type Slab, slabRows } from "./slab.ts";

type Selector = Parameters<SeriesRanker["top"]>[0];
type Candidates = ReturnType<Catalogue["activeSeries"]>;
type RankedReader = Pick<Reader, "collect" | "lanes" | "decoded">;
type Window = { from: number; to: number };

/** Where a layout has the candidates: columns[i] is candidate indexes[i]. `sealed`: of whole sealed slabs, the stretch of each such column. */
type LayoutColumns = { indexes: Uint32Array; columns: Uint32Array; sealed: WeakMap<Slab, Stretch[]> };

/** Everything about a ranking that stays the same while no series comes or goes. */
type Field = {
  version: number;
  cluster: ClusterId | undefined;
  metric: Metric;
  all: Candidates;
  /** Of guests that moved: the same sample may be with two agents. */
  moved: readonly number[];
  groups: readonly { group: number; agent: number; indexes: readonly number[]; wanted: Wanted }[];
  layouts: WeakMap<Layout, LayoutColumns>;
};

/** Rankings whose fields are kept: of a panel's lists. */
const fieldsMax = 6;

/** Ranks the series of a metric by their averages over the whole window, without steps. */
export class Ranking {
  private fields: Field[] = [];
  private readonly piece = new Float64Array(slabRows);
  private readonly stretch: Stretch = { samples: 0, total: 0, first: 0, last: 0, isSteady: true };

  constructor(
    private readonly catalogue: Catalogue,
    private readonly reader: RankedReader,
  ) {}

  top({ cluster, metric, from, to, count, lowest = false }: Selector): Ranked[] {
    const field = this.fieldOf(cluster, metric);
    const averages = this.averages(field, { from, to });
    const ranked: Ranked[] = [];
    for (let i = 0; i < averages.length; i++) {
      const value = (averages[i] as number) / metric.scale;
      if (!Number.isNaN(value)) ranked.push({ series: (field.all[i] as Candidates[number]).series, value });
    }
    if (count === undefined) return ranked;
    ranked.sort((a, b) => (lowest ? a.value - b.value : b.value - a.value) || a.series.id - b.series.id);
    return ranked.slice(0, count);
  }

  private fieldOf(cluster: ClusterId | undefined, metric: Metric): Field {
    const { version } = this.catalogue;
    const known = this.fields.find((one) => one.metric === metric && one.cluster === cluster && one.version === version);
    if (known !== undefined) return known;
    const all = this.catalogue.activeSeries(cluster, metric);
    const moved = [...all.keys()].filter((index) => (all[index]?.groups.length ?? 0) > 1);
    const field = { version, cluster, metric, all, moved, groups: groupsOf(all, metric), layouts: new WeakMap() };
    const others = this.fields.filter((one) => one.version === version);
    this.fields = [field, ...others.slice(0, fieldsMax - 1)];
    return field;
  }

  /** In scaled units; NaN: no sample. */
  private averages(field: Field, window: Window): Float64Array {
    const found = new WindowAverages(field.all.length, window.from);
    for (const index of field.moved) found.markUnclear(index);
    this.addBlocks(field, window, found);
    this.addMemory(field, window, found);
    const averages = new Float64Array(field.all.length);
    for (let index = 0; index < averages.length; index++) averages[index] = found.average(index);
    this.lookClosely(field, window, found.unclear(), averages);
    return averages;
  }

  private addBlocks({ groups, metric }: Field, { from, to }: Window, found: WindowAverages): void {
    const { decoded } = this.reader;
    const begin = Math.max(0, metric.kind === "counter" ? from - limits.staleAfterMs : from);
    decoded.begin();
    for (const { group, agent, indexes, wanted } of groups) {
      const last = hourOf(to - 1, agent);
      for (let hour = hourOf(begin, agent); hour <= last; hour++) {
        const columns = decoded.get(spanNumber(hour, group), hour, group, wanted);
        if (columns === undefined) continue;
        if (wanted.counter) addCounters(columns, indexes, from, to, found);
        else addGauges(columns, indexes, from, to, found);
      }
    }
  }

  private addMemory(field: Field, { from, to }: Window, found: WindowAverages): void {
    const begin = field.metric.kind === "counter" ? from - limits.staleAfterMs : from;
    for (const lane of this.reader.lanes()) {
      for (const chunk of lane.chunks) {
        if (chunk.stored >= chunk.rows || chunk.lastAt < begin || chunk.firstAt >= to) continue;
        this.addChunk(field, chunk, { from, to }, found);
      }
    }
  }

  private addChunk(field: Field, chunk: Chunk, { from, to }: Window, found: WindowAverages): void {
    const place = columnsIn(field, chunk.layout);
    if (place.indexes.length === 0) return;
    const counter = field.metric.kind === "counter";
    const begin = counter ? baseRow(chunk.times, chunk.rows, from) : firstAtOrAfter(chunk.times, chunk.rows, from);
    chunk.eachUnstored(begin, firstAtOrAfter(chunk.times, chunk.rows, to), (slab, slot, row, length) => {
      const firstAt = chunk.times[row] as number;
      const lastAt = chunk.times[row + length - 1] as number;
      const isEven = !counter || hasNoGap(chunk.times, row, row + length);
      const known = length === slabRows && slab instanceof SealedSlab ? this.sealed(slab, place) : undefined;
      for (let i = 0; i < place.columns.length; i++) {
        const index = place.indexes[i] as number;
        const stretch = known === undefined ? this.stretchIn(slab, place.columns[i] as number, slot, length) : known[i];
        if (stretch === undefined || stretch.samples === 0) continue;
        if (!counter) found.addGauge(index, firstAt, lastAt, stretch.total, stretch.samples);
        else if (isEven && stretch.isSteady) found.addCounter(index, firstAt, lastAt, stretch.first, stretch.last);
        else found.markUnclear(index);
      }
    });
  }

  /** Found out once for each slab: a window of an hour holds ten of them, and moves on by a row. */
  private sealed(slab: Slab, { columns, sealed }: LayoutColumns): Stretch[] {
    let known = sealed.get(slab);
    if (known === undefined) {
      known = Array.from(columns, (column) => ({ ...this.stretchIn(slab, column, 0, slabRows) }));
      sealed.set(slab, known);
    }
    return known;
  }

  private stretchIn(slab: Slab, column: number, slot: number, length: number): Stretch {
    slab.copy(column, slot, length, this.piece, 0);
    stretchOf(this.piece, 0, length, this.stretch);
    return this.stretch;
  }

  /** Sample by sample, each time once: a commit may have put rows into a block that are in memory too. */
  private lookClosely({ all, metric }: Field, { from, to }: Window, unclear: readonly number[], averages: Float64Array): void {
    const counter = metric.kind === "counter";
    const expected = Math.min(1000, Math.ceil((to - from) / limits.sampleEveryMs) + 16);
    const tracks = Array.from({ length: Math.min(unclear.length, tracksAtOnce) }, () => new Track(expected));
    for (let begin = 0; begin < unclear.length; begin += tracksAtOnce) {
      const part = unclear.slice(begin, begin + tracksAtOnce);
      const readings = part.map((index, i) => {
        const { series, groups } = all[index] as Candidates[number];
        const track = tracks[i] as Track;
        track.clear();
        return { series, groups, track, buckets: undefined };
      });
      this.reader.collect(readings, counter ? from - limits.staleAfterMs : from, to);
      for (const [i, { track }] of readings.entries()) {
        track.settle();
        averages[part[i] as number] = counter ? averageRate(track, from) : averageOf(track);
      }
    }
  }
}

/** Series whose samples are in memory at a time. */
const tracksAtOnce = 64;

function groupsOf(all: Candidates, { id, kind }: Metric): Field["groups"] {
  const byGroup = new Map<number, { group: number; agent: number; indexes: number[]; ids: number[] }>();
  for (const [index, { series, groups }] of all.entries()) {
    for (const { group, agent } of groups) {
      const entry = byGroup.get(group) ?? { group, agent, indexes: [], ids: [] };
      byGroup.set(group, entry);
      entry.indexes.push(index);
      entry.ids.push(series.id);
    }
  }
  return [...byGroup.values()].map(({ ids, ...rest }) => ({ ...rest, wanted: { metric: id, ids, counter: kind === "counter" } }));
}

function columnsIn({ all, layouts }: Field, layout: Layout): LayoutColumns {
  let known = layouts.get(layout);
  if (known === undefined) {
    const indexes = all.flatMap(({ series }, index) => (layout.columnOf(series.id) < 0 ? [] : [index]));
    const columns = Uint32Array.from(indexes, (index) => layout.columnOf(all[index]?.series.id ?? -1));
    known = { indexes: Uint32Array.from(indexes), columns, sealed: new WeakMap() };
    layouts.set(layout, known);
  }
  return known;
}

/** The row before the window, whose value its first rate needs, where it is not too old; else the window's first. */
function baseRow(times: Float64Array, rows: number, from: number): number {
  const first = firstAtOrAfter(times, rows, from);
  return first > 0 && (times[first - 1] as number) >= from - limits.staleAfterMs ? first - 1 : first;
}

function addGauges(columns: RunningColumns, indexes: readonly number[], from: number, to: number, found: WindowAverages): void {
  const { rows, times, running, present } = columns;
  const first = firstAtOrAfter(times, rows, from);
  const end = firstAtOrAfter(times, rows, to);
  if (end <= first) return;
  const firstAt = times[first] as number;
  const lastAt = times[end - 1] as number;
  for (let i = 0, start = 0; i < indexes.length; i++, start += rows + 1) {
    const total = (running[start + end] as number) - (running[start + first] as number);
    const samples = present === undefined ? end - first : (present[start + end] as number) - (present[start + first] as number);
    found.addGauge(indexes[i] as number, firstAt, lastAt, total, samples);
  }
}

function addCounters(columns: RunningColumns, indexes: readonly number[], from: number, to: number, found: WindowAverages): void {
  const { rows, times, running, bases, empty } = columns;
  const first = baseRow(times, rows, from);
  const end = firstAtOrAfter(times, rows, to);
  if (end <= first) return;
  const firstAt = times[first] as number;
  const lastAt = times[end - 1] as number;
  for (let i = 0, start = 0; i < indexes.length; i++, start += rows + 1) {
    if (empty[i] === 1) continue;
    const index = indexes[i] as number;
    const base = bases[i] as number;
    if (Number.isNaN(base)) found.markUnclear(index);
    else
      found.addCounter(
        index,
        firstAt,
        lastAt,
        base + (running[start + first] as number),
        base + (running[start + end - 1] as number),
      );
  }
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

function averageOf(track: Track): number {
  let sum = 0;
  for (let i = 0; i < track.length; i++) sum += track.values[i] as number;
  return sum / track.length;
}
