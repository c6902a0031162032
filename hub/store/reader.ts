import type { ClusterId, EntityKey } from "#protocol/ids.ts";
import { limits } from "#protocol/limits.ts";
import { type BlockLayout, readColumn, readTimes } from "../core/block.ts";
import { emptyRollup, type RollupDay, readRollup, rollupDayMs, rollupRows, rollupStepMs } from "../core/rollup.ts";
import { Buckets, firstAtOrAfter, ratesOf, Track } from "../core/sampling.ts";
import type {
  PackedColumns,
  Ranked,
  SeriesColumns,
  SeriesInfo,
  SeriesRange,
  SeriesRanker,
  SeriesReader,
} from "../core/series.ts";
import { readsRollups } from "../core/tier.ts";
import type { Catalogue } from "./catalogue.ts";
import type { Damage } from "./damage.ts";
import { DecodedColumns } from "./decoded.ts";
import { FreshSteps } from "./fresh-steps.ts";
import { dayMs, hourOf, spanKey } from "./keys.ts";
import type { Lane } from "./lane.ts";
import type { Pending } from "./pending.ts";
import { Ranking } from "./ranking.ts";
import { packedColumns, rawColumns } from "./raw-columns.ts";
import { RollupCache } from "./rollup-cache.ts";
import type { SeriesEnv } from "./series-env.ts";

/** Steps of one answer and series: a limit against a mistaken range, far above what a panel draws. */
const stepsMax = 500_000;

/** Days times series of one question that are kept for the next one: a year of one series would drive out the charts of a page. */
const keptDaysMax = 320;

/** Samples that room is made for before they are counted: a day's. */
const expectedMax = 8800;

/** Tracks that stay for the next answer, of 140 kB each: most questions are about one series or two. */
const tracksKept = 2;

/** Smaller ones that stay, of 8 kB each: an hour of the guests of a page. */
const smallTracksKept = 50;
const smallTrack = 512;

/** One series being read: from which groups, into which track. */
export type Reading = {
  series: SeriesInfo;
  track: Track;
  buckets: Buckets | undefined;
  groups: readonly { group: number; agent: number }[];
};

/** Lanes with all their rows: all there are, or those of some agents, which are ready sooner after a start. */
type RowsInMemory = { all(): Iterable<Lane>; of(agentRefs: ReadonlySet<number>): Iterable<Lane> };

/** Answers from blocks, rollups and rows in memory as if they were one. */
export class Reader implements SeriesReader, SeriesRanker {
  private times = new Float64Array(512);
  private values = new Float64Array(512);
  private readonly day = emptyRollup();
  private readonly tracks: Track[] = [];
  readonly decoded: DecodedColumns;
  readonly rollups: RollupCache;
  readonly fresh = new FreshSteps();
  private readonly ranking: Ranking;

  constructor(
    private readonly env: SeriesEnv,
    private readonly catalogue: Catalogue,
    private readonly pending: Pending,
    private readonly rows: RowsInMemory,
    private readonly options: { now(): number; rawMs: number },
    private readonly damage: Damage,
  ) {
    this.decoded = new DecodedColumns({
      read: (hour, group) => this.blockOf(hour, group),
      damaged: (hour, group) => damage.note("samples", hour, group),
      renew: () => env.root.resetReadTxn(),
    });
    this.rollups = new RollupCache(() => env.root.resetReadTxn());
    this.ranking = new Ranking(catalogue, this);
  }

  lanes(): Iterable<Lane> {
    return this.rows.all();
  }

  find(selector: Parameters<SeriesReader["find"]>[0]): SeriesInfo | undefined {
    const { cluster, entity, metric, instance, incarnation } = selector;
    return this.catalogue.find(cluster, entity, metric, instance, incarnation);
  }

  seriesOf(cluster: ClusterId, entity: EntityKey, incarnation?: number): readonly SeriesInfo[] {
    return this.catalogue.seriesOf(cluster, entity, incarnation);
  }

  incarnationOf(cluster: ClusterId, entity: EntityKey): number | undefined {
    return this.catalogue.incarnationOf(cluster, entity);
  }

  read(series: readonly SeriesInfo[], range: SeriesRange): ReturnType<SeriesReader["read"]> {
    const rolled = readsRollups(range, this.options.now(), this.options.rawMs);
    const stepMs = rolled ? Math.max(range.stepMs ?? rollupStepMs, rollupStepMs) : range.stepMs;
    if (range.to <= range.from) {
      return { tier: rolled ? "rollup" : "raw", series: series.map(() => columnsOfNothing(range)) };
    }
    if (stepMs === undefined) return { tier: "raw", series: this.readRaw(series, range) };
    return { tier: rolled ? "rollup" : "raw", series: this.readSteps(series, range, stepMs, rolled) };
  }

  private readingsOf(series: readonly SeriesInfo[], rangeMs: number, make: () => Buckets | undefined): Reading[] {
    const expected = Math.min(Math.ceil(rangeMs / limits.sampleEveryMs) + 16, expectedMax);
    return series.map((one, i) => ({
      series: one,
      track: this.trackFor(i, expected),
      buckets: make(),
      groups: this.catalogue.placesOf(one),
    }));
  }

  /** An empty track. The first ones are used again: nothing of an answer is in them, and only one is read at a time. */
  private trackFor(index: number, expected: number): Track {
    const size = index < tracksKept ? expectedMax : smallTrack;
    if (expected > size || index >= smallTracksKept) return new Track(expected);
    const known = this.tracks[index];
    if (known !== undefined) known.clear();
    if (known !== undefined && known.at.length <= size * 2) return known;
    const track = new Track(size);
    this.tracks[index] = track;
    return track;
  }

  private readRaw(series: readonly SeriesInfo[], range: SeriesRange): SeriesColumns[] {
    const readings = this.readingsOf(series, range.to - range.from, () => undefined);
    this.collect(readings, range.from - limits.staleAfterMs, range.to);
    return rawColumns(readings, range);
  }

  readPacked(series: readonly SeriesInfo[], range: SeriesRange): PackedColumns[] | undefined {
    const { from, to, stepMs, aggregates } = range;
    const isPlain = !aggregates.includes("rate") && series.every(({ metric }) => metric.kind === "gauge");
    if (!isPlain || stepMs !== undefined || to <= from || readsRollups(range, this.options.now(), this.options.rawMs))
      return undefined;
    const readings = this.readingsOf(series, to - from, () => undefined);
    this.collect(readings, from, to);
    return packedColumns(readings, range);
  }

  private readSteps(series: readonly SeriesInfo[], range: SeriesRange, stepMs: number, rolled: boolean): SeriesColumns[] {
    const { from, to, aggregates } = range;
    const start = Math.floor(from / stepMs) * stepMs;
    const count = Math.min(stepsMax, Math.ceil((to - start) / stepMs));
    const readings = this.readingsOf(series, rolled ? 0 : to - from, () => new Buckets(start, stepMs, count));
    const end = Math.min(to, start + count * stepMs);
    if (rolled) this.collectDays(readings, start, end, aggregates.includes("rate"));
    else {
      this.collect(readings, start - limits.staleAfterMs, end);
      for (const reading of readings) this.fill(reading, start, end, aggregates.includes("rate"));
    }
    const at = new Float64Array(count);
    for (let i = 0; i < count; i++) at[i] = start + i * stepMs;
    return readings.map(({ series: { metric }, buckets }) => {
      const columns: SeriesColumns["columns"] = {};
      for (const aggregate of aggregates) columns[aggregate] = (buckets as Buckets).column(aggregate, metric);
      return { at, columns };
    });
  }

  /** Moves what the track holds of [from, to) into the buckets and empties it. */
  private fill({ series, track, buckets }: Reading, from: number, to: number, rate: boolean): void {
    track.settle();
    const counter = series.metric.kind === "counter";
    const rates = counter || rate ? ratesOf(track, counter) : undefined;
    const first = firstAtOrAfter(track.at, track.length, from);
    const end = firstAtOrAfter(track.at, track.length, to);
    buckets?.addSamples(track, first, end, rates, counter);
    track.clear();
  }

  /** Day after day: from its rollup, or from samples where those are newer. A day with neither has no samples: see Pending. */
  private collectDays(readings: readonly Reading[], from: number, to: number, rate: boolean): void {
    const keep = (readings.length * (to - from)) / dayMs <= keptDaysMax;
    const rawDay = Math.floor((this.options.now() - this.options.rawMs) / dayMs);
    for (const reading of readings) {
      const inMemory = this.daysInMemory(reading);
      let rawFrom: number | undefined;
      for (let day = Math.floor(from / dayMs); day * dayMs < to; day++) {
        const start = Math.max(from, day * dayMs);
        const newer = inMemory.has(day) || reading.groups.some(({ group }) => this.pending.has(day, group));
        // Of old days samples may be gone: what the rollup has of them is the fuller answer.
        const useSamples = newer && !(day <= rawDay && this.hasRollup(reading, day));
        if (useSamples) rawFrom ??= start;
        else {
          if (rawFrom !== undefined) this.collectAndFill(reading, rawFrom, start, rate, keep);
          rawFrom = undefined;
          this.addRollups(reading, day, from, to, keep);
        }
      }
      if (rawFrom !== undefined) this.collectAndFill(reading, rawFrom, to, rate, keep);
    }
  }

  private collectAndFill(reading: Reading, from: number, to: number, rate: boolean, keep: boolean): void {
    if (rate || reading.series.metric.kind === "counter") {
      this.collect([reading], from - limits.staleAfterMs, to);
      this.fill(reading, from, to, rate);
      return;
    }
    const ofBlocks = () =>
      Math.max(0, ...reading.groups.map(({ group, agent }) => this.collectGroup(group, agent, [reading], from, to)));
    const rest = keep ? this.fresh.add(reading, from, to, this.inMemoryFrom(reading), ofBlocks) : from;
    this.collect([reading], rest, to);
    this.fill(reading, rest, to, false);
  }

  /** Time of the oldest row, of an agent that reports this series, that is in no block yet. */
  private inMemoryFrom(reading: Reading): number {
    let oldest = Number.POSITIVE_INFINITY;
    for (const lane of this.rows.of(agentsOf([reading]))) {
      for (const { stored, rows, times } of lane.chunks) {
        if (stored < rows) oldest = Math.min(oldest, times[stored] as number);
      }
    }
    return oldest;
  }

  /** Days with rows, of an agent that reports this series, that are in no block yet. */
  private daysInMemory(reading: Reading): Set<number> {
    const days = new Set<number>();
    for (const lane of this.rows.of(agentsOf([reading]))) {
      for (const chunk of lane.chunks) {
        for (let row = chunk.stored; row < chunk.rows; ) {
          const day = Math.floor((chunk.times[row] as number) / dayMs);
          days.add(day);
          row = firstAtOrAfter(chunk.times, chunk.rows, (day + 1) * dayMs);
        }
      }
    }
    return days;
  }

  private hasRollup({ series, groups }: Reading, day: number): boolean {
    return groups.some(({ group }) => {
      const bytes = this.env.rollups.getBinaryFast(spanKey(day, group));
      const block = this.damage.open("rollup", day, group, bytes);
      return block !== undefined && block.positionOf(series.id) >= 0;
    });
  }

  private addRollups({ series, groups, buckets }: Reading, day: number, from: number, to: number, keep: boolean): void {
    const counter = series.metric.kind === "counter";
    for (const { group } of groups) {
      const known = this.rollups.get(day, group, series.id) ?? this.readDay(series.id, day, group, keep);
      if (known === undefined) continue;
      const begin = day * rollupDayMs;
      const first = Math.max(0, Math.floor((from - begin) / rollupStepMs));
      const end = Math.min(rollupRows, Math.ceil((to - begin) / rollupStepMs));
      buckets?.addRollups(known, first, end, begin, rollupStepMs, counter);
    }
  }

  /** What a rollup says of a series, until the next one is read; undefined: nothing. `keep`: it may be asked for again. */
  private readDay(id: number, day: number, group: number, keep: boolean): RollupDay | undefined {
    const bytes = this.env.rollups.getBinaryFast(spanKey(day, group));
    const block = this.damage.open("rollup", day, group, bytes);
    const position = block?.positionOf(id) ?? -1;
    if (bytes === undefined || block === undefined || position < 0) return undefined;
    if (!readRollup(bytes, block, position, this.day)) this.damage.note("rollup", day, group);
    else if (keep) this.rollups.put(day, group, id, this.day);
    return this.day;
  }

  /** Adds all samples of [from, to), blocks first: they hold the older ones, and win where both have one. */
  collect(readings: readonly Reading[], from: number, to: number): void {
    const byGroup = new Map<number, { agent: number; readings: Reading[] }>();
    for (const reading of readings) {
      for (const { group, agent } of reading.groups) {
        const entry = byGroup.get(group);
        if (entry) entry.readings.push(reading);
        else byGroup.set(group, { agent, readings: [reading] });
      }
    }
    for (const [group, { agent, readings: wanted }] of byGroup) this.collectGroup(group, agent, wanted, from, to);
    for (const lane of this.rows.of(agentsOf(readings))) {
      for (const chunk of lane.chunks) {
        if (chunk.stored >= chunk.rows || chunk.lastAt < from || chunk.firstAt >= to) continue;
        for (const { series, track } of readings) {
          const column = chunk.layout.columnOf(series.id);
          if (column >= 0) chunk.collect(column, from, to, track);
        }
      }
    }
  }

  /** Returns the time of the newest row that the blocks have, whosever it is; 0: none. */
  private collectGroup(group: number, agent: number, readings: readonly Reading[], from: number, to: number): number {
    let newest = 0;
    this.eachBlock(group, agent, from, to, (bytes, block, first, end, hour) => {
      newest = this.times[end - 1] as number;
      for (const { series, track } of readings) {
        const position = block.positionOf(series.id);
        if (position < 0) continue;
        if (readColumn(bytes, block, position, this.values)) track.add(this.times, this.values, first, end);
        else this.damage.note("samples", hour, group);
      }
    });
    return newest;
  }

  private blockOf(hour: number, group: number): { bytes: Uint8Array; block: BlockLayout } | undefined {
    const bytes = this.env.blocks.getBinaryFast(spanKey(hour, group));
    const block = this.damage.open("samples", hour, group, bytes);
    return bytes && block && { bytes, block };
  }

  /** Calls with each of a group's blocks that touches [from, to), its times in `times`, rows [first, end) being in it. */
  private eachBlock(
    group: number,
    agent: number,
    from: number,
    to: number,
    take: (bytes: Uint8Array, block: BlockLayout, first: number, end: number, hour: number) => void,
  ): void {
    const last = hourOf(to - 1, agent);
    for (let hour = hourOf(Math.max(0, from), agent); hour <= last; hour++) {
      const open = this.blockOf(hour, group);
      if (open === undefined) continue;
      const { bytes, block } = open;
      const { rows } = block;
      if (this.times.length < rows) {
        this.times = new Float64Array(rows);
        this.values = new Float64Array(rows);
      }
      readTimes(bytes, block, this.times);
      const first = firstAtOrAfter(this.times, rows, from);
      const end = firstAtOrAfter(this.times, rows, to);
      if (end > first) take(bytes, block, first, end, hour);
    }
  }

  top(selector: Parameters<SeriesRanker["top"]>[0]): Ranked[] {
    // Only what agents report is ranked, and who does is in the lanes.
    this.lanes();
    return this.ranking.top(selector);
  }
}

/** Whose rows may be of these series: a layout gives its series places with its agent. */
const agentsOf = (readings: readonly Reading[]) => new Set(readings.flatMap(({ groups }) => groups.map(({ agent }) => agent)));

function columnsOfNothing({ aggregates }: SeriesRange): SeriesColumns {
  const columns: SeriesColumns["columns"] = {};
  for (const aggregate of aggregates) columns[aggregate] = new Float64Array(0);
  return { at: new Float64Array(0), columns };
}
