import { limits } from "#protocol/limits.ts";
import { type RecordOutline, renumberSchema } from "./record-outline.ts";

/** A record as it is stored and sent. */
export type SpoolRecord = RecordOutline & { bytes: Uint8Array };

/** A key frame and the deltas behind it: where a resume can begin. Record i has the number `firstSeq + i`. */
export type Chain = {
  /** Schema of its frames; its first record where `ownsSchema`, else one of an earlier chain. */
  schema: Uint8Array;
  ownsSchema: boolean;
  firstSeq: number;
  records: Uint8Array[];
};

/** A file of whole chains, the newest of which may still grow. It begins with a schema and a key frame. */
export type Segment = {
  /** First record of its first chain; also the file's name. */
  firstSeq: number;
  lastSeq: number;
  bytes: number;
  /** Where its chains begin. */
  chainSeqs: number[];
};

/** One append to one file. `begins` are the chains that start in it. */
export type SegmentWrite = { firstSeq: number; create: boolean; records: Uint8Array[]; lastSeq: number; begins: number[] };

export type SpoolBounds = {
  /** Records kept, a day of ticks: counted, not timed, so that a clock jump drops nothing. */
  maxRecords: number;
  /** Memory and disk together. */
  maxBytes: number;
  /** Memory alone; only reached when the disk refuses. */
  maxMemoryBytes: number;
  /** A segment begins when the one before has so many bytes. */
  segmentBytes: number;
};

export const spoolBounds: SpoolBounds = {
  maxRecords: (limits.spoolMaxSec * 1000) / limits.sampleEveryMs,
  maxBytes: limits.spoolMaxBytes,
  maxMemoryBytes: 16 << 20,
  segmentBytes: 1 << 20,
};

export type Place = { in: "memory"; chain: Chain } | { in: "segment"; segment: Segment };

const lastSeqOf = (chain: Chain) => chain.firstSeq + chain.records.length - 1;

/**
 * What is kept until the hub has it, and where: records in memory, older ones in segments. Does no I/O; its owner writes what
 * `planFlush` says, deletes what `dropAcknowledged` and `trim` return, and reads what `locate` names.
 */
export class Spool {
  private chains: Chain[] = [];
  private segments: Segment[];
  acked = 0;
  /** Records that no hub acknowledged and that are gone: the bounds, a damaged file, a hub that could not read them. */
  lost = 0;
  memoryBytes = 0;

  /** `nextSeq`: number of the next record, 1 for a new stream. `segments`: what an earlier run left on disk. */
  constructor(
    public nextSeq: number,
    segments: readonly Segment[] = [],
    private readonly bounds: SpoolBounds = spoolBounds,
  ) {
    this.segments = [...segments];
  }

  get lastSeq(): number {
    return this.nextSeq - 1;
  }

  get diskBytes(): number {
    return this.segments.reduce((sum, segment) => sum + segment.bytes, 0);
  }

  /** Records that are kept and not acknowledged. */
  get waiting(): number {
    const inSegments = this.segments.reduce((sum, segment) => sum + this.unacknowledged(segment), 0);
    const inMemory = this.chains.reduce(
      (sum, chain) => sum + Math.max(0, lastSeqOf(chain) - Math.max(this.acked, chain.firstSeq - 1)),
      0,
    );
    return inSegments + inMemory;
  }

  append({ kind, seq, bytes }: SpoolRecord): void {
    const newest = this.chains.at(-1);
    if (kind === "schema") {
      this.chains.push({ schema: bytes, ownsSchema: true, firstSeq: seq, records: [bytes] });
    } else if (newest === undefined || seq !== this.nextSeq) {
      throw new Error(`record ${seq} does not follow ${this.lastSeq}`);
    } else if (kind === "key" && !(newest.ownsSchema && newest.records.length === 1)) {
      this.chains.push({ schema: newest.schema, ownsSchema: false, firstSeq: seq, records: [bytes] });
    } else {
      newest.records.push(bytes);
    }
    this.memoryBytes += bytes.length;
    this.nextSeq = seq + 1;
  }

  /** All up to `seq` is durable on the hub. The chain that holds the next record stays: a resume starts at its head. */
  acknowledge(seq: number): void {
    this.acked = Math.max(this.acked, Math.min(seq, this.lastSeq));
    while (this.chains.length > 1 && (this.chains[1] as Chain).firstSeq <= this.acked + 1) this.forgetOldestChain();
  }

  /** Segments that no resume needs any more: all in them is acknowledged, and the next record's chain begins behind them or is in memory. */
  dropAcknowledged(): Segment[] {
    const needed = this.segments.findIndex((segment, index) => {
      const nextStart = this.segments[index + 1]?.firstSeq ?? this.nextSeq;
      const reached = nextStart <= this.acked + 1 || this.memoryReaches(this.acked + 1);
      return segment.lastSeq > this.acked || !reached;
    });
    return this.segments.splice(0, needed < 0 ? this.segments.length : needed);
  }

  /**
   * Where to begin for a hub whose last durable record is `lastSeq`: head of the last chain at or before the record behind it, the oldest
   * kept one where that is gone.
   */
  startFor(lastSeq: number): number {
    const heads = [...this.segments.flatMap((segment) => segment.chainSeqs), ...this.chains.map((chain) => chain.firstSeq)];
    let start: number | undefined;
    for (const head of heads) if (head <= lastSeq + 1 && head > (start ?? 0)) start = head;
    return start ?? heads[0] ?? this.nextSeq;
  }

  /** Where record `seq` is, or else the first kept one behind it; undefined: there is none yet. */
  locate(seq: number): Place | undefined {
    if (!this.memoryReaches(seq)) {
      const segment = this.segments.find((one) => one.lastSeq >= seq);
      if (segment !== undefined) return { in: "segment", segment };
    }
    const chain = this.chains.find((one) => lastSeqOf(one) >= seq);
    return chain && { in: "memory", chain };
  }

  /** What the disk lacks, in order. Apply each with `flushed` once it is durable. */
  planFlush(): SegmentWrite[] {
    const writes: SegmentWrite[] = [];
    let open = this.segments.at(-1);
    for (const chain of this.chains) {
      const stored = open?.lastSeq ?? 0;
      if (lastSeqOf(chain) <= stored) continue;
      const continues = open !== undefined && stored >= chain.firstSeq;
      const full = open !== undefined && open.bytes >= Math.max(this.bounds.segmentBytes, 8 * chain.schema.length);
      const create = open === undefined || (!continues && (full || stored + 1 !== chain.firstSeq));
      const records = continues ? chain.records.slice(stored + 1 - chain.firstSeq) : [...chain.records];
      if (create && !chain.ownsSchema) records.unshift(renumberSchema(chain.schema, chain.firstSeq - 1));
      const firstSeq = create ? chain.firstSeq : (open as Segment).firstSeq;
      const write = { firstSeq, create, records, lastSeq: lastSeqOf(chain), begins: continues ? [] : [chain.firstSeq] };
      writes.push(write);
      open = grow(create ? undefined : open, write);
    }
    return writes;
  }

  /** The write is on the disk: its chains leave memory, but for the newest, which grows on. */
  flushed(write: SegmentWrite): void {
    const index = this.segments.findIndex((segment) => segment.firstSeq === write.firstSeq);
    if (index < 0 && !write.create) return; // discarded meanwhile: the chain is still in memory and is written anew
    const grown = grow(this.segments[index], write);
    if (index < 0) this.segments.push(grown);
    else this.segments[index] = grown;
    while (this.chains.length > 1 && lastSeqOf(this.chains[0] as Chain) <= write.lastSeq) this.forgetOldestChain();
  }

  /** Keeps the bounds: oldest first, the newest chain always stays. Returns the segments to delete; what was unacknowledged is `lost`. */
  trim(): Segment[] {
    this.trimMemory();
    const dropped: Segment[] = [];
    while (this.overBounds()) {
      const oldest = this.segments[0];
      if (oldest !== undefined) {
        this.discard(oldest);
        dropped.push(oldest);
      } else if (this.chains.length > 1) this.loseOldestChain();
      else break;
    }
    return dropped;
  }

  /** As `trim`, for memory alone: the disk refuses or hangs. */
  trimMemory(): void {
    while (this.memoryBytes > this.bounds.maxMemoryBytes && this.chains.length > 1) this.loseOldestChain();
  }

  /** A segment is gone or can't be read: what only it held is lost. */
  discard(segment: Segment): void {
    const index = this.segments.indexOf(segment);
    if (index < 0) return;
    this.lost += this.unacknowledged(segment);
    this.segments.splice(index, 1);
  }

  /** Gives up all that is kept, and goes on behind `lastSeq`: the hub can't read it, or is ahead of this stream. Returns the files to delete. */
  abandon(lastSeq: number): Segment[] {
    this.lost += this.waiting;
    this.nextSeq = Math.max(this.nextSeq, lastSeq + 1);
    this.acked = this.lastSeq;
    this.chains = [];
    this.memoryBytes = 0;
    return this.segments.splice(0);
  }

  private memoryReaches(seq: number): boolean {
    const oldest = this.chains[0];
    return oldest !== undefined && oldest.firstSeq <= seq;
  }

  /** Records that this segment alone holds and the hub lacks. */
  private unacknowledged(segment: Segment): number {
    const end = Math.min(segment.lastSeq, (this.chains[0]?.firstSeq ?? Number.POSITIVE_INFINITY) - 1);
    return Math.max(0, end - Math.max(this.acked, segment.firstSeq - 1));
  }

  private overBounds(): boolean {
    return this.waiting > this.bounds.maxRecords || this.diskBytes + this.memoryBytes > this.bounds.maxBytes;
  }

  private loseOldestChain(): void {
    const chain = this.chains[0] as Chain;
    const onDisk = this.segments.at(-1)?.lastSeq ?? 0;
    this.lost += Math.max(0, lastSeqOf(chain) - Math.max(this.acked, onDisk, chain.firstSeq - 1));
    this.forgetOldestChain();
  }

  private forgetOldestChain(): void {
    const chain = this.chains.shift();
    for (const record of chain?.records ?? []) this.memoryBytes -= record.length;
  }
}

function grow(segment: Segment | undefined, write: SegmentWrite): Segment {
  const bytes = write.records.reduce((sum, record) => sum + record.length + entryHeadBytes, segment?.bytes ?? 0);
  const chainSeqs = [...(segment?.chainSeqs ?? []), ...write.begins];
  return { firstSeq: write.firstSeq, lastSeq: write.lastSeq, bytes, chainSeqs };
}

/** Length and CRC32 before each record of a segment file. */
export const entryHeadBytes = 8;
