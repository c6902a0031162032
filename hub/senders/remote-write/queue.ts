import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import * as z from "zod";
import { type EpochMs, parseEpochMs } from "#protocol/ids.ts";

export type QueueLimits = { maxBytes: number; maxAgeMs: number; segmentBytes: number };
/** Newest frame of each agent that a batch holds, by `cluster/node`. */
export type Fed = Readonly<Record<string, EpochMs>>;
export type Batch = { payload: Uint8Array; samples: number; queuedAt: EpochMs };

type Head = { length: number; crc: number; samples: number; queuedAt: EpochMs; metaLength: number };
type Segment = { seq: number; bytes: number; samples: number; newestAt: EpochMs };
type Cursor = { segment: number; offset: number; fed: Fed };

const fedSchema = z.object({
  fed: z.record(
    z.string(),
    z.custom<EpochMs>((value) => parseEpochMs(value) !== undefined),
  ),
});
const cursorSchema = fedSchema.extend({ segment: z.int().nonnegative(), offset: z.int().nonnegative() });

/**
 * Head of a record, little endian: bytes behind the head u32, CRC32 of them u32, samples u32, bytes of the metadata u32, time of
 * queueing in ms f64. Then the metadata (JSON) and the payload.
 */
const headBytes = 24;
const segmentName = /^([0-9a-f]{12})\.segment$/;

/**
 * Batches that wait for the receiver, oldest first, in segment files of one directory. Written without fsync: `kill -9` loses nothing, and what
 * a power cut tears off is queued again from the store, because `fed` says how far the queue had come.
 */
export class DiskQueue {
  private segments: Segment[] = [];
  private offset = 0;
  private tail: number | undefined;
  private fedUpTo: Record<string, EpochMs> = {};
  private head: { batch: Batch; bytes: number } | undefined;
  /** Samples found damaged, or dropped to stay within the limits, since `takeLost` was last called. */
  private lost = 0;

  private constructor(
    private readonly directory: string,
    private readonly limits: QueueLimits,
  ) {}

  static open(directory: string, limits: QueueLimits): DiskQueue {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const queue = new DiskQueue(directory, limits);
    queue.recover();
    return queue;
  }

  /** Appends behind the newest; drops the oldest segments while the limits are passed. Throws when the disk refuses: then nothing was queued. */
  append(payload: Uint8Array, samples: number, fed: Fed, now: EpochMs): void {
    const meta = Buffer.from(JSON.stringify({ fed }));
    const record = encodeRecord(payload, meta, samples, now);
    const segment = this.writable(record.length);
    if (this.tail === undefined) this.tail = openSync(this.path(segment.seq), "a", 0o600);
    try {
      for (let written = 0; written < record.length; ) written += writeSync(this.tail, record, written);
    } catch (error) {
      this.closeTail();
      truncateSync(this.path(segment.seq), segment.bytes);
      throw error;
    }
    segment.bytes += record.length;
    segment.samples += samples;
    segment.newestAt = now;
    Object.assign(this.fedUpTo, fed);
    this.enforce(now);
  }

  /** The oldest batch, which stays until `shift`; undefined: nothing waits. */
  peek(): Batch | undefined {
    while (this.head === undefined && this.segments.length > 0) {
      const [segment] = this.segments as [Segment];
      if (this.offset >= segment.bytes) {
        if (this.segments.length === 1) return undefined;
        this.dropOldest();
      } else this.head = this.readAt(segment);
    }
    return this.head?.batch;
  }

  /** The oldest batch is done with. */
  shift(): void {
    if (this.peek() === undefined || this.head === undefined) return;
    const [segment] = this.segments as [Segment];
    this.offset += this.head.bytes;
    segment.samples -= this.head.batch.samples;
    this.head = undefined;
    this.saveCursor();
  }

  /** Drops whole segments, oldest first, while they are too many bytes or hold only batches that are too old. Their samples count as lost. */
  enforce(now: EpochMs): void {
    for (let [oldest] = this.segments; oldest !== undefined && this.isOver(oldest, now); [oldest] = this.segments) {
      this.lost += oldest.samples;
      this.dropOldest();
    }
  }

  takeLost(): number {
    const { lost } = this;
    this.lost = 0;
    return lost;
  }

  /** How far each agent's frames were ever queued. */
  get fed(): Fed {
    return this.fedUpTo;
  }

  get bytes(): number {
    return this.segments.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  get samples(): number {
    return this.segments.reduce((sum, { samples }) => sum + samples, 0);
  }

  /** Undefined: nothing waits. */
  get oldestAt(): EpochMs | undefined {
    return this.peek()?.queuedAt;
  }

  close(): void {
    this.closeTail();
  }

  private recover(): void {
    const cursor = readCursor(join(this.directory, "cursor.json"));
    Object.assign(this.fedUpTo, cursor.fed);
    const seqs = readdirSync(this.directory)
      .flatMap((name) => segmentName.exec(name)?.[1] ?? [])
      .map((hex) => Number.parseInt(hex, 16))
      .sort((a, b) => a - b);
    for (const seq of seqs) {
      if (seq < cursor.segment) unlinkSync(this.path(seq));
      else this.segments.push(this.recoverSegment(seq, seq === cursor.segment ? cursor.offset : 0));
    }
    this.offset = this.segments[0]?.seq === cursor.segment ? Math.min(cursor.offset, this.segments[0].bytes) : 0;
  }

  /** Reads the heads; a record cut off by a crash ends the file. */
  private recoverSegment(seq: number, from: number): Segment {
    const path = this.path(seq);
    const size = statSync(path).size;
    const segment: Segment = { seq, bytes: 0, samples: 0, newestAt: 0 as EpochMs };
    const file = openSync(path, "r");
    try {
      for (let head = readHead(file, 0, size); head !== undefined; head = readHead(file, segment.bytes, size)) {
        if (segment.bytes >= from) segment.samples += head.samples;
        segment.newestAt = head.queuedAt;
        Object.assign(this.fedUpTo, parseFed(readBytes(file, segment.bytes + headBytes, head.metaLength)));
        segment.bytes += headBytes + head.length;
      }
    } finally {
      closeSync(file);
    }
    if (segment.bytes < size) truncateSync(path, segment.bytes);
    return segment;
  }

  /** Undefined, and the rest of the segment dropped as lost, where a record is damaged. */
  private readAt(segment: Segment): { batch: Batch; bytes: number } | undefined {
    const file = openSync(this.path(segment.seq), "r");
    try {
      const head = readHead(file, this.offset, segment.bytes);
      const body = head === undefined ? undefined : readBytes(file, this.offset + headBytes, head.length);
      if (head !== undefined && body !== undefined && crc32(body) === head.crc) {
        const { samples, queuedAt } = head;
        return { batch: { payload: body.subarray(head.metaLength), samples, queuedAt }, bytes: headBytes + head.length };
      }
    } finally {
      closeSync(file);
    }
    this.lost += segment.samples;
    this.dropOldest();
    return undefined;
  }

  private isOver({ newestAt, samples }: Segment, now: EpochMs): boolean {
    if (samples > 0 && now - newestAt > this.limits.maxAgeMs) return true;
    return this.segments.length > 1 && this.bytes > this.limits.maxBytes;
  }

  /** The segment to append to: the newest, or a new one when it is full. */
  private writable(more: number): Segment {
    const last = this.segments.at(-1);
    if (last !== undefined && last.bytes + more <= Math.max(more, this.limits.segmentBytes)) return last;
    this.closeTail();
    const segment: Segment = { seq: (last?.seq ?? this.lastSeq()) + 1, bytes: 0, samples: 0, newestAt: 0 as EpochMs };
    this.segments.push(segment);
    return segment;
  }

  private lastSeq(): number {
    return readCursor(join(this.directory, "cursor.json")).segment;
  }

  private dropOldest(): void {
    const oldest = this.segments.shift();
    if (oldest === undefined) return;
    if (this.segments.length === 0) this.closeTail();
    this.offset = 0;
    this.head = undefined;
    this.saveCursor(oldest.seq + 1);
    if (existsSync(this.path(oldest.seq))) unlinkSync(this.path(oldest.seq));
  }

  private saveCursor(segment = this.segments[0]?.seq ?? 0): void {
    const path = join(this.directory, "cursor.json");
    const cursor: Cursor = { segment, offset: this.offset, fed: this.fedUpTo };
    writeFileSync(`${path}.new`, JSON.stringify(cursor), { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }

  private closeTail(): void {
    if (this.tail !== undefined) closeSync(this.tail);
    this.tail = undefined;
  }

  private path(seq: number): string {
    return join(this.directory, `${seq.toString(16).padStart(12, "0")}.segment`);
  }
}

function encodeRecord(payload: Uint8Array, meta: Buffer, samples: number, queuedAt: EpochMs): Buffer {
  const record = Buffer.allocUnsafe(headBytes + meta.length + payload.length);
  record.set(meta, headBytes);
  record.set(payload, headBytes + meta.length);
  record.writeUInt32LE(meta.length + payload.length, 0);
  record.writeUInt32LE(crc32(record.subarray(headBytes)), 4);
  record.writeUInt32LE(samples, 8);
  record.writeUInt32LE(meta.length, 12);
  record.writeDoubleLE(queuedAt, 16);
  return record;
}

/** Undefined: at `offset` there is no whole record. Zeros, which a power cut can leave, are none. */
function readHead(file: number, offset: number, size: number): Head | undefined {
  if (offset + headBytes > size) return undefined;
  const bytes = readBytes(file, offset, headBytes);
  const [length, crc, samples, metaLength] = [0, 4, 8, 12].map((at) => bytes.readUInt32LE(at)) as [
    number,
    number,
    number,
    number,
  ];
  if (length === 0 || metaLength > length || offset + headBytes + length > size) return undefined;
  return { length, crc, samples, metaLength, queuedAt: bytes.readDoubleLE(16) as EpochMs };
}

function readBytes(file: number, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let done = 0;
  for (let more = 1; more > 0 && done < length; done += more) more = readSync(file, bytes, done, length - done, offset + done);
  return bytes.subarray(0, done);
}

/** Metadata of a damaged record says nothing. */
function parseFed(meta: Buffer): Record<string, EpochMs> {
  try {
    return fedSchema.parse(JSON.parse(meta.toString())).fed;
  } catch {
    return {};
  }
}

/** A missing or damaged cursor only means that the oldest segment is sent again from its beginning. */
function readCursor(path: string): Cursor {
  try {
    return cursorSchema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return { segment: 0, offset: 0, fed: {} };
  }
}
