import { mergeSamples, packSamples, rowsMax, type Samples, unpackSamples } from "../core/block.ts";
import { firstAtOrAfter } from "../core/sampling.ts";
import type { Catalogue } from "./catalogue.ts";
import { inOneCommit } from "./commit.ts";
import type { Damage } from "./damage.ts";
import { type Chunk, columnsByGroup } from "./head.ts";
import { dayMs, hourOf, hourStart, schemaKey, spanKey } from "./keys.ts";
import type { Lane, LaneDoc } from "./lane.ts";
import type { Pending } from "./pending.ts";
import type { SeriesEnv } from "./series-env.ts";

/** A lane with more rows of one hour, or rows in more pieces, is compacted before its hour is over: samples closer together, or a clock that jumps. */
const rowsLimit = 720;
const chunksLimit = 64;
/** Rows of a lane that fell silent are stored after this time, so that they don't pin the ring. */
const silentMs = 1_800_000;
/** Work of one step. */
const stepBudgetMs = 12;

/** Rows [from, to) of a chunk that go into the block of one hour and group. */
type Piece = { chunk: Chunk; columns: Uint32Array; from: number; to: number };
type Item = { hour: number; group: number; pieces: Piece[] };
type Job = { lane: Lane; items: Item[]; done: { chunk: Chunk; rows: number }[]; storedSeq: number };

/** Turns rows in memory into blocks of columns, an hour at a time, in small steps; then the ring can forget them. */
export class Compactor {
  private job: Job | undefined;
  /** Values of the block in work: of an hour of the largest usual group. */
  private readonly room = new Float64Array(64 * 1024);

  constructor(
    private readonly env: SeriesEnv,
    private readonly catalogue: Catalogue,
    private readonly pending: Pending,
    private readonly lanes: () => Iterable<Lane>,
    /** A block was written, and is readable. */
    private readonly written: (hour: number, group: number) => void,
    private readonly damage: Damage,
  ) {}

  /** Does a step where something is due. Returns whether it did: then there may be more. `all`: whatever is in memory is due. */
  async step(now: number, elapsedMs: () => number, all = false): Promise<boolean> {
    this.job ??= this.nextJob(now, all);
    const { job } = this;
    if (job === undefined) return false;
    if (job.items.length > 0) await this.storeSome(job, elapsedMs);
    else {
      await this.finish(job, now);
      this.job = undefined;
    }
    return true;
  }

  /** Whether a lane has so much in memory that its agent should wait for compaction. `lanes`: as they are, what a start put off left out. */
  crowded(lanes: Iterable<Lane>): boolean {
    for (const lane of lanes) if (lane.unstoredRows > 2 * rowsLimit || lane.chunks.length > 2 * chunksLimit) return true;
    return false;
  }

  private nextJob(now: number, all: boolean): Job | undefined {
    for (const lane of this.lanes()) {
      const job = planJob(lane, now, all);
      if (job) return job;
    }
    return undefined;
  }

  private async storeSome(job: Job, elapsedMs: () => number): Promise<void> {
    const started = elapsedMs();
    const writes: { item: Item; block: Uint8Array; days: number[] }[] = [];
    while (job.items.length > writes.length && (writes.length === 0 || elapsedMs() - started < stepBudgetMs)) {
      const item = job.items[writes.length] as Item;
      writes.push({ item, ...this.build(item) });
    }
    let flushed = () => {};
    await inOneCommit(this.env, () => {
      flushed = this.catalogue.flush();
      for (const { item, block, days } of writes) {
        void this.env.blocks.put(spanKey(item.hour, item.group), block);
        for (const day of days) this.pending.mark(day, item.group);
      }
    });
    flushed();
    for (const { item, days } of writes) {
      this.written(item.hour, item.group);
      for (const day of days) this.pending.marked(day, item.group);
    }
    job.items.splice(0, writes.length);
  }

  /** Samples that a block has already win over new ones of the same time. */
  private build({ hour, group, pieces }: Item): { block: Uint8Array; days: number[] } {
    const known = this.known(hour, group);
    // Nearly always one piece makes the block: its values need no memory of their own.
    const room = pieces.length === 1 ? this.room : undefined;
    const fresh = pieces.map(({ chunk, columns, from, to }) => chunk.samplesOf(columns, from, to, room));
    const merged = mergeSamples(known ? [known, ...fresh] : fresh) as Samples;
    const days = new Set<number>();
    for (const { chunk, from, to } of pieces) {
      for (const row of [from, to - 1]) days.add(Math.floor((chunk.times[row] as number) / dayMs));
    }
    return { block: packSamples(merged.times.length > rowsMax ? firstRows(merged) : merged), days: [...days] };
  }

  /** What the block of this place has already; of a damaged one what can be read. */
  private known(hour: number, group: number): Samples | undefined {
    const bytes = this.env.blocks.get(spanKey(hour, group));
    if (bytes === undefined || this.damage.open("samples", hour, group, bytes) === undefined) return undefined;
    return unpackSamples(bytes, () => this.damage.note("samples", hour, group));
  }

  private async finish({ lane, done, storedSeq }: Job, now: number): Promise<void> {
    const old = lane.schemas.filter((seq) => seq <= storedSeq).slice(0, -1);
    const doc = docOf(lane, storedSeq, now);
    await inOneCommit(this.env, () => {
      void this.env.lanes.put(lane.key, doc);
      for (const seq of old) void this.env.schemas.remove(schemaKey(lane.key, seq));
    });
    lane.schemas = lane.schemas.filter((seq) => !old.includes(seq));
    const base = lane.keyFrames.findLastIndex(({ seq }) => seq <= storedSeq + 1);
    if (base > 0) lane.keyFrames = lane.keyFrames.slice(base);
    lane.storedSeq = storedSeq;
    for (const { chunk, rows } of done) chunk.stored = Math.max(chunk.stored, rows);
    lane.dropStored();
    // Only what was written counts: a commit may have ended meanwhile.
    const told = doc.lastSeq === lane.acceptedSeq && doc.stored === doc.lastSeq && lane.unstoredRows === 0;
    if (told && now - lane.heardAt > silentMs) lane.sleep();
    await this.trimRing(now);
  }

  /** Removes what no lane needs any more from the ring's beginning. Progress of all lanes is written down before: the ring can't tell it then. */
  private async trimRing(now: number): Promise<void> {
    let needed = Number.POSITIVE_INFINITY;
    // Rows that are yet to come need the newest base too: it stays even where all rows are stored.
    for (const { keyFrames } of this.lanes()) if (keyFrames[0] && keyFrames[0].ringKey < needed) needed = keyFrames[0].ringKey;
    const newest = [...this.env.ring.getKeys({ reverse: true, limit: 1 })][0];
    // The newest value stays: its key tells where the ring goes on.
    const end = Math.min(needed, newest ?? 0);
    const keys = [...this.env.ring.getKeys({ start: 0, end })];
    if (keys.length === 0) return;
    const docs = [...this.lanes()].map((lane) => ({ key: lane.key, doc: docOf(lane, lane.storedSeq, now) }));
    await inOneCommit(this.env, () => {
      for (const { key, doc } of docs) void this.env.lanes.put(key, doc);
      for (const key of keys) void this.env.ring.remove(key);
    });
  }
}

const docOf = (lane: Lane, storedSeq: number, now: number): LaneDoc => ({
  agent: lane.agent,
  stream: lane.stream,
  lastSeq: lane.durableSeq,
  stored: Math.min(storedSeq, lane.durableSeq),
  lastDay: Math.floor(now / dayMs),
});

/** An hour with more rows than a block counts (frames every 55 ms) keeps the first of them. */
function firstRows(samples: Samples): Samples {
  return { ...samples, times: samples.times.subarray(0, rowsMax) };
}

function planJob(lane: Lane, now: number, all: boolean): Job | undefined {
  const last = lane.chunks.at(-1);
  const rows = lane.unstoredRows;
  if (rows === 0 && lane.based && now - lane.heardAt > silentMs && lane.acceptedSeq === lane.durableSeq) {
    return { lane, items: [], done: [], storedSeq: lane.durableSeq };
  }
  if (last === undefined || rows === 0) return undefined;
  const border = hourStart(hourOf(last.lastAt, lane.agentRef), lane.agentRef);
  // Of what was pushed in one go the whole hours are enough: the rest would be read, merged and written again at its hour's end.
  const isCrowded = rowsSince(lane, border) > rowsLimit || lane.chunks.length > chunksLimit;
  const everything = all || isCrowded || now - lane.heardAt > silentMs;
  // What a commit is under way for waits for it: a start after a crash takes rows for stored only as far as it knows of their records.
  const settledSeq = lane.acceptedSeq > lane.durableSeq ? lane.durableSeq : Number.POSITIVE_INFINITY;
  const whole = everything ? last.rows : firstAtOrAfter(last.times, last.rows, border);
  const until = Math.max(last.stored, Math.min(whole, last.rowsUpTo(settledSeq)));
  const crossed = until > last.stored;
  // Earlier pieces of an hour that goes on wait for its end, so that each block is written once.
  const olderDue = lane.chunks.some((chunk) => chunk !== last && chunk.stored < chunk.rows && chunk.firstAt < border);
  if (!everything && !crossed && !olderDue) return undefined;
  const parts = lane.chunks.map((chunk) => ({
    chunk,
    from: chunk.stored,
    to: chunk === last ? until : chunk.rowsUpTo(settledSeq),
  }));
  const filled = parts.filter(({ from, to }) => to > from);
  const newest = filled.at(-1);
  if (newest === undefined) return undefined;
  return {
    lane,
    items: planItems(filled, lane.agentRef),
    done: filled.map(({ chunk, to }) => ({ chunk, rows: to })),
    storedSeq: newest.chunk.seqAt(newest.to - 1),
  };
}

/** Rows from `at` on that are in memory only. */
function rowsSince(lane: Lane, at: number): number {
  return lane.chunks.reduce(
    (sum, chunk) => sum + chunk.rows - Math.max(chunk.stored, firstAtOrAfter(chunk.times, chunk.rows, at)),
    0,
  );
}

function planItems(parts: readonly { chunk: Chunk; from: number; to: number }[], agent: number): Item[] {
  const items = new Map<string, Item>();
  for (const { chunk, from, to } of parts) {
    const groups = columnsByGroup(chunk.layout);
    for (let row = from; row < to; ) {
      const hour = hourOf(chunk.times[row] as number, agent);
      const end = Math.min(to, firstAtOrAfter(chunk.times, chunk.rows, hourStart(hour + 1, agent)));
      for (const [group, columns] of groups) {
        const key = `${hour} ${group}`;
        const item = items.get(key) ?? { hour, group, pieces: [] };
        item.pieces.push({ chunk, columns, from: row, to: end });
        items.set(key, item);
      }
      row = end;
    }
  }
  return [...items.values()];
}
