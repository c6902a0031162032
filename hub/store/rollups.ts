import { limits } from "#protocol/limits.ts";
import { metricById } from "#protocol/metrics.ts";
import { type BlockLayout, packBlock, readColumn, readTimes } from "../core/block.ts";
import {
  emptyRollup,
  encodeRollup,
  keepFuller,
  type RollupDay,
  readRollup,
  rollUp,
  rollupCapacity,
  rollupRows,
} from "../core/rollup.ts";
import { Track } from "../core/sampling.ts";
import type { Catalogue } from "./catalogue.ts";
import { inOneCommit } from "./commit.ts";
import type { Damage, Tier } from "./damage.ts";
import { dayMs, hourMs, hourOf, spanKey } from "./keys.ts";
import type { Pending } from "./pending.ts";
import type { SeriesEnv } from "./series-env.ts";
import { Turn } from "./turn.ts";

/** A day is rolled up when it is so long over: its last hour is in blocks then. */
const afterDayMs = 2 * hourMs;

/** `damaged`: to be called where a column of it can't be read. */
type OpenBlock = { bytes: Uint8Array; block: BlockLayout; damaged(): void };
type OpenSamples = OpenBlock & { times: Float64Array };

/** Makes each finished day's rollup, one group of series at a time. What is late makes it anew. */
export class Roller {
  constructor(
    private readonly env: SeriesEnv,
    private readonly catalogue: Catalogue,
    private readonly pending: Pending,
    private readonly damage: Damage,
    /** A rollup was written. */
    private readonly changed: (day: number, group: number) => void,
  ) {}

  /** Returns whether there was one to make. `all`: days that are not over too. */
  async step(now: number, all = false): Promise<boolean> {
    const lastDay = all ? Number.MAX_SAFE_INTEGER : Math.floor((now - afterDayMs) / dayMs) - 1;
    const next = this.pending.oldest(lastDay);
    if (next === undefined) return false;
    await this.roll(next.day, next.group);
    return true;
  }

  private async roll(day: number, group: number): Promise<void> {
    const doc = this.catalogue.groupDoc(group);
    const members = doc?.members ?? [];
    const counters = this.countersOf(members);
    const blocks = doc ? this.blocksOf(day, group, doc.agent) : [];
    const key = spanKey(day, group);
    const before = this.open("rollup", day, group, this.env.rollups.get(key));
    const ids = unitedIds(blocks, before);
    const rolled = await rollSeries(ids, blocks, before, counters, day * dayMs);
    const block = ids.length === 0 ? undefined : packRolled(ids, rolled);
    for (const member of members) if (blocks.length > 0) this.noteDay(member, ids, day);
    let flushed = () => {};
    await inOneCommit(this.env, () => {
      flushed = this.catalogue.flush();
      if (block) void this.env.rollups.put(key, block);
      this.pending.clear(day, group);
    });
    flushed();
    this.changed(day, group);
    this.pending.cleared(day, group);
  }

  private countersOf(members: readonly string[]): Set<number> {
    const counters = new Set<number>();
    for (const member of members) {
      for (const { id, metric } of this.catalogue.entityDoc(member)?.series ?? []) {
        if (metricById(metric)?.kind === "counter") counters.add(id);
      }
    }
    return counters;
  }

  private noteDay(member: string, ids: Uint32Array, day: number): void {
    const series = this.catalogue.entityDoc(member)?.series ?? [];
    if (series.some(({ id }) => ids.includes(id))) this.catalogue.sawDay(member, day);
  }

  /** Blocks that touch the day, and the hour before it: its last sample makes the day's first rate. */
  private blocksOf(day: number, group: number, agent: number): OpenSamples[] {
    const blocks: OpenSamples[] = [];
    const last = hourOf((day + 1) * dayMs - 1, agent);
    for (let hour = hourOf(day * dayMs, agent) - 1; hour <= last; hour++) {
      const opened = hour < 0 ? undefined : this.open("samples", hour, group, this.env.blocks.get(spanKey(hour, group)));
      if (opened === undefined) continue;
      const times = new Float64Array(opened.block.rows);
      readTimes(opened.bytes, opened.block, times);
      blocks.push({ ...opened, times });
    }
    return blocks;
  }

  private open(tier: Tier, span: number, group: number, bytes: Uint8Array | undefined): OpenBlock | undefined {
    const block = this.damage.open(tier, span, group, bytes);
    return bytes && block && { bytes, block, damaged: () => this.damage.note(tier, span, group) };
  }
}

function unitedIds(blocks: readonly OpenBlock[], before: OpenBlock | undefined): Uint32Array {
  const ids = new Set<number>(before ? before.block.ids() : []);
  for (const { block } of blocks) for (const id of block.ids()) ids.add(id);
  return Uint32Array.from(ids).sort();
}

/** Each series' rollup, encoded. */
async function rollSeries(
  ids: Uint32Array,
  blocks: readonly OpenSamples[],
  before: OpenBlock | undefined,
  counters: ReadonlySet<number>,
  dayStart: number,
): Promise<Uint8Array[]> {
  const fresh = emptyRollup();
  const stored: RollupDay = emptyRollup();
  const track = new Track(dayMs / limits.sampleEveryMs + 16);
  const room = new Uint8Array(rollupCapacity);
  const rolled: Uint8Array[] = [];
  const turn = new Turn();
  for (const id of ids) {
    // A group's day at once would be a pause of 30 ms, and of 300 when it is the first.
    await turn.yield();
    collect(track, id, blocks);
    rollUp(track, counters.has(id), dayStart, fresh);
    const position = before ? before.block.positionOf(id) : -1;
    if (before && position >= 0) {
      if (readRollup(before.bytes, before.block, position, stored)) keepFuller(fresh, stored);
      else before.damaged();
    }
    rolled.push(room.slice(0, encodeRollup(fresh, room, 0)));
  }
  return rolled;
}

function collect(track: Track, id: number, blocks: readonly OpenSamples[]): void {
  track.clear();
  for (const { bytes, block, times, damaged } of blocks) {
    const position = block.positionOf(id);
    if (position < 0) continue;
    const values = roomOf(block.rows);
    if (readColumn(bytes, block, position, values)) track.add(times, values, 0, block.rows);
    else damaged();
  }
}

let values = new Float64Array(512);

function roomOf(rows: number): Float64Array {
  if (values.length < rows) values = new Float64Array(rows);
  return values;
}

function packRolled(ids: Uint32Array, rolled: readonly Uint8Array[]): Uint8Array {
  return packBlock(ids, rollupRows, rollupCapacity, undefined, (index) => (out, at) => {
    const bytes = rolled[index] as Uint8Array;
    out.set(bytes, at);
    return at + bytes.length;
  });
}
