import type { EpochMs } from "#protocol/ids.ts";
import { renumberSchema } from "./core/record-outline.ts";
import { type Segment, Spool, type SpoolBounds, type SpoolRecord, spoolBounds } from "./core/spool.ts";
import { StreamEncoder, type TickValues } from "./core/stream-encoder.ts";
import type { Log } from "./ports.ts";
import type { SpoolFiles } from "./spool-files.ts";

const spoolTiming = {
  /** A hub away for less is waited for in memory. */
  patienceMs: 60_000,
  /** Time between two writes while it is away, ms. */
  flushEveryMs: 30_000,
  /** More than this is written at once, connected or not. */
  memoryMaxBytes: 4 << 20,
} as const;

/** A clock that is set back by less is an ordinary correction, ms. */
const setBackMs = 60_000;

/** A record on its way to the hub. */
export type OutRecord = { seq: number; bytes: Uint8Array };

/** The agent's stream of records: makes them, keeps them until the hub has them, and gives them out again. The only owner of the spool's files. */
export class SpoolStore {
  readonly stream: string;
  private readonly spool: Spool;
  private readonly encoder = new StreamEncoder();
  private flushing: Promise<void> | undefined;
  private removing: Promise<unknown> = Promise.resolve();
  private flushedAtMs = Number.NEGATIVE_INFINITY;
  private loggedLost = 0;
  private loggedLeftOut = 0;
  /** For the hub: samples have other times than they should. */
  clockProblem: string | undefined;
  /** Called after each record. */
  onRecord: () => void = () => undefined;

  constructor(
    private readonly files: SpoolFiles,
    private readonly log: Log,
    bounds: SpoolBounds = spoolBounds,
  ) {
    this.stream = files.leftOver.stream;
    this.spool = new Spool(files.leftOver.nextSeq, files.leftOver.segments, bounds);
  }

  get lastSeq(): number {
    return this.spool.lastSeq;
  }

  get acked(): number {
    return this.spool.acked;
  }

  /** Records that wait for the hub. */
  get waiting(): number {
    return this.spool.waiting;
  }

  get lost(): number {
    return this.spool.lost;
  }

  /** One tick of samples becomes one or two records. */
  record(tick: TickValues, now: EpochMs): void {
    for (const record of this.encoder.encode(tick, now, this.spool.nextSeq)) this.spool.append(record);
    if (this.encoder.seriesLeftOut !== this.loggedLeftOut) {
      this.loggedLeftOut = this.encoder.seriesLeftOut;
      this.log(3, "more series than one schema can declare: the newest are not sent", { leftOut: this.loggedLeftOut });
    }
    this.judgeClock(this.encoder.behindMs);
    this.onRecord();
  }

  /** Told when it begins and when it is over. */
  private judgeClock(behindMs: number): void {
    const wasBehind = this.clockProblem !== undefined;
    if (!wasBehind && behindMs > setBackMs) {
      this.clockProblem = "the clock was set far back: until it gets to where it was, samples stand a millisecond apart";
      this.log(4, this.clockProblem, { behindSec: Math.round(behindMs / 1000) });
    } else if (wasBehind && behindMs === 0) {
      this.clockProblem = undefined;
      this.log(5, "the clock has passed the newest sample again");
    }
  }

  /** All up to `seq` is durable on the hub. */
  acknowledge(seq: number): void {
    this.spool.acknowledge(seq);
    if (this.flushing === undefined) void this.remove(this.spool.dropAcknowledged());
  }

  /**
   * The hub's last durable record of this stream. A hub that is ahead (this node's state was rolled back) would take our records for
   * duplicates: then the stream goes on behind it and what was kept is given up.
   */
  async resume(lastSeq: number): Promise<RecordReader> {
    if (lastSeq > this.spool.lastSeq) {
      this.log(4, "the hub has records this agent doesn't remember: going on behind them", { hub: lastSeq, agent: this.lastSeq });
      await this.abandon(lastSeq);
    }
    this.acknowledge(lastSeq);
    return new RecordReader(this.spool, this.files, lastSeq, (segment) => this.lose(segment));
  }

  /** Gives up what the hub can't read and begins anew with a schema and a key frame. */
  async abandon(lastSeq = this.lastSeq): Promise<void> {
    await this.flushing;
    this.encoder.restart();
    await this.remove(this.spool.abandon(lastSeq));
    this.logLoss("given up");
  }

  /**
   * Once per tick: memory first; to the disk once the hub is away for a minute or memory grows. `awayMs`: since when there is no hub, 0 with
   * one. Never throws: a disk that refuses leaves the records in memory, and the bounds count what had to go. Does nothing while the call
   * before still waits for the disk, but for keeping memory's bound.
   */
  async tend(monotonicMs: number, awayMs: number): Promise<void> {
    if (this.flushing !== undefined) {
      this.spool.trimMemory();
      return;
    }
    const full = this.spool.memoryBytes > spoolTiming.memoryMaxBytes;
    const due = awayMs > spoolTiming.patienceMs && monotonicMs - this.flushedAtMs >= spoolTiming.flushEveryMs;
    if (full || due) {
      this.flushedAtMs = monotonicMs;
      await this.flush();
    }
    await this.remove(this.spool.trim());
    this.logLoss("the spool's bounds (24 h, 256 MiB)");
  }

  /** Writes all that the hub hasn't got, and the seal of a clean stop. */
  async close(): Promise<void> {
    const durable = await this.flush();
    await this.removing;
    if (!durable) return;
    try {
      this.files.seal(this.spool.nextSeq);
    } catch (error) {
      this.log(3, "spool could not be sealed", { problem: String(error) });
    }
  }

  /** False: the disk refused; what it lacks stays in memory. */
  private async flush(): Promise<boolean> {
    await this.flushing;
    let durable = true;
    this.flushing = (async () => {
      await this.removing; // a segment may come back under the name of one that is just being deleted
      for (const write of this.spool.waiting > 0 ? this.spool.planFlush() : []) {
        await this.files.write(write);
        this.spool.flushed(write);
      }
    })().catch((error: unknown) => {
      durable = false;
      this.log(3, "spool could not be written, records stay in memory", { problem: String(error), waiting: this.waiting });
    });
    await this.flushing;
    this.flushing = undefined;
    await this.remove(this.spool.dropAcknowledged());
    return durable;
  }

  private lose(segment: Segment): void {
    this.spool.discard(segment);
    void this.remove([segment]);
    this.logLoss("a damaged segment");
  }

  private remove(segments: readonly Segment[]): Promise<void> {
    this.removing = Promise.all([this.removing, this.removeFiles(segments)]);
    return this.removing.then(() => undefined);
  }

  private async removeFiles(segments: readonly Segment[]): Promise<void> {
    for (const segment of segments) {
      await this.files.remove(segment).catch((error: unknown) => {
        this.log(4, "spool segment could not be deleted", { segment: segment.firstSeq, problem: String(error) });
      });
    }
  }

  private logLoss(reason: string): void {
    if (this.spool.lost === this.loggedLost) return;
    this.log(3, "samples lost", { reason, records: this.spool.lost - this.loggedLost, total: this.spool.lost });
    this.loggedLost = this.spool.lost;
  }
}

/** Gives the stream's records in order, from the chain a resume starts with. Where records are missing it goes on with a schema and a key frame. */
export class RecordReader {
  private seq: number;
  /** The next record must be a key frame with its schema before it. */
  private fresh = true;
  private loaded: { segment: Segment; records: SpoolRecord[] } | undefined;

  constructor(
    private readonly spool: Spool,
    private readonly files: SpoolFiles,
    lastSeq: number,
    private readonly onDamage: (segment: Segment) => void,
  ) {
    this.seq = spool.startFor(lastSeq);
  }

  /** At most about `max` records, none when there is nothing new yet. */
  async next(max: number): Promise<OutRecord[]> {
    for (let place = this.spool.locate(this.seq); place !== undefined; place = this.spool.locate(this.seq)) {
      if (place.in === "memory") {
        this.loaded = undefined;
        const { chain } = place;
        if (chain.firstSeq > this.seq) this.jump(chain.firstSeq);
        const schema = chain.ownsSchema ? undefined : chain.schema;
        return this.give(schema, chain.records.slice(this.seq - chain.firstSeq, this.seq - chain.firstSeq + max));
      }
      const records = await this.load(place.segment);
      const index = records.findIndex((record) => record.seq >= Math.max(this.seq, place.segment.firstSeq));
      if (index < 0) {
        this.onDamage(place.segment);
        continue;
      }
      const first = records[index] as SpoolRecord;
      if (first.seq > this.seq) this.jump(first.seq);
      const schema =
        first.kind === "schema" ? undefined : records.slice(0, index).findLast((one) => one.kind === "schema")?.bytes;
      return this.give(
        schema,
        records.slice(index, index + max).map((record) => record.bytes),
      );
    }
    return [];
  }

  private jump(seq: number): void {
    this.seq = seq;
    this.fresh = true;
  }

  private give(schema: Uint8Array | undefined, records: readonly Uint8Array[]): OutRecord[] {
    const out = records.map((bytes, index) => ({ seq: this.seq + index, bytes }));
    if (this.fresh && schema !== undefined) out.unshift({ seq: this.seq - 1, bytes: renumberSchema(schema, this.seq - 1) });
    this.fresh = false;
    this.seq += records.length;
    return out;
  }

  private async load(segment: Segment): Promise<SpoolRecord[]> {
    if (this.loaded?.segment === segment) return this.loaded.records;
    const records = (await this.files.read(segment)) ?? [];
    this.loaded = { segment, records };
    return records;
  }
}
