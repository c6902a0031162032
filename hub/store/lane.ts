import type { EpochMs } from "#protocol/ids.ts";
import { limits } from "#protocol/limits.ts";
import { decodeFrame, decodeSchema, FrameState, type Parsed, parseRecordHead, type Schema, stateFor } from "#protocol/records.ts";
import { ByteReader } from "#protocol/varint.ts";
import type { AgentId, Latest } from "../core/series.ts";
import type { Layout } from "./catalogue.ts";
import { Chunk, type Sealing } from "./head.ts";

/** As stored when the ring is trimmed: what the ring can no longer tell. `stored`: rows up to this seq are in blocks. */
export type LaneDoc = { agent: AgentId; stream: string; lastSeq: number; stored: number; lastDay: number };

/** A schema in force: its record as it came, and how many series it declares. What they are is the layout's to know. */
export type LaneSchema = { seq: number; record: Uint8Array; series: number };

/** Rows that stay in memory after they were stored, for the live table. */
const liveTailMs = 60_000;

/** One stream of one agent: how far it is, and its rows that are not in blocks yet. */
export class Lane {
  /** Highest seq on the disk, and highest taken: between them are those that a commit is under way for. */
  durableSeq: number;
  acceptedSeq: number;
  storedSeq: number;
  /** Time of the newest row by the agent's clock; since that was set back, if it was. */
  newestAt = 0;
  /** Of the row that was sampled last. */
  private newestSeq = -1;
  /** When the hub last got a record, by its own clock. */
  heardAt: number;
  chunks: Chunk[] = [];
  layout: Layout | undefined;
  schema: LaneSchema | undefined;
  /** Key frames on the disk since storedSeq: where in the ring decoding can begin. */
  keyFrames: { seq: number; ringKey: number }[] = [];
  /** Seqs of the schemas stored for this lane, ascending. */
  schemas: number[] = [];
  /** Newest samples of series that are absent in all rows in memory. */
  readonly carried = new Map<number, Latest>();

  constructor(
    readonly key: string,
    readonly agent: AgentId,
    readonly agentRef: number,
    readonly stream: string,
    doc: LaneDoc | undefined,
    now: number,
  ) {
    this.durableSeq = doc?.lastSeq ?? 0;
    this.acceptedSeq = this.durableSeq;
    this.storedSeq = doc?.stored ?? 0;
    this.heardAt = now;
  }

  /**
   * The ring has, or is about to get, a record that decoding can begin at. Without one nothing may be taken but such a record: what came
   * behind it could not be read again after a crash.
   */
  based = false;

  /** An agent came back to a lane without base, and repeats its records from a key frame on: these go into the ring too. */
  rebasing = false;

  /** Lets the ring forget this lane: it is silent, and all its rows are in blocks. */
  sleep(): void {
    this.based = false;
    this.keyFrames = [];
    this.schema = undefined;
  }

  /** Rows that are in memory only. */
  get unstoredRows(): number {
    return this.chunks.reduce((sum, chunk) => sum + chunk.rows - chunk.stored, 0);
  }

  get bytes(): number {
    return this.chunks.reduce((sum, chunk) => sum + chunk.bytes, 0);
  }

  /** A row behind the newest goes on the last chunk, which is returned; another layout, or a clock that stepped back, begins a new one. */
  append(at: number, seq: number, layout: Layout, state: FrameState, sealing?: Sealing): Chunk {
    let chunk = this.chunks.at(-1);
    if (chunk === undefined || chunk.layout !== layout || at <= chunk.lastAt) {
      chunk?.freeze();
      chunk = new Chunk(layout);
      this.chunks.push(chunk);
    }
    chunk.append(at, seq, state.values, state.present, sealing);
    this.noteTime(at, seq);
    return chunk;
  }

  /**
   * A row of this time came, or will be read from the ring. One that was sampled after all others and is far behind the newest tells of a clock set
   * back; one that comes again, from the ring or since its commit failed, tells nothing.
   */
  noteTime(at: number, seq: number): void {
    if (seq <= this.newestSeq) return;
    this.newestSeq = seq;
    if (at > this.newestAt || at < this.newestAt - limits.staleAfterMs) this.newestAt = at;
  }

  /** Lets go of stored rows, but for the newest of the last chunk. */
  dropStored(): void {
    const last = this.chunks.at(-1);
    const dropped: [Chunk, number][] = [];
    for (const chunk of this.chunks) {
      if (chunk !== last) {
        if (chunk.stored === chunk.rows) dropped.push([chunk, chunk.rows]);
        continue;
      }
      let rows = 0;
      while (rows < chunk.stored && (chunk.times[rows] as number) < chunk.lastAt - liveTailMs) rows++;
      if (rows > 0) dropped.push([chunk, rows]);
    }
    const kept = this.chunks.filter((chunk) => chunk === last || chunk.stored < chunk.rows);
    for (const [chunk, rows] of dropped) this.carry(chunk, rows);
    for (const [chunk, rows] of dropped) if (chunk === last) chunk.dropFirst(rows);
    this.chunks = kept;
    const layout = last?.layout;
    for (const [id, { at }] of this.carried) {
      if (at > this.newestAt || (layout && layout.columnOf(id) < 0)) this.carried.delete(id);
    }
  }

  /** Remembers the newest sample of each series of the present layout in rows that go. */
  private carry(chunk: Chunk, rows: number): void {
    const last = this.chunks.at(-1) as Chunk;
    for (const [column, id] of chunk.layout.ids.entries()) {
      const stays = last.layout.columnOf(id);
      if (stays < 0) continue;
      const from = chunk === last ? rows : 0;
      let kept = last.rows - 1;
      while (kept >= from && Number.isNaN(last.valueAt(kept, stays))) kept--;
      if (kept >= from) {
        this.carried.delete(id);
        continue;
      }
      let row = rows - 1;
      while (row >= 0 && Number.isNaN(chunk.valueAt(row, column))) row--;
      if (row < 0) continue;
      const at = chunk.times[row] as EpochMs;
      const value = chunk.valueAt(row, column) / (chunk.layout.scales[column] as number);
      if (at <= this.newestAt && (this.carried.get(id)?.at ?? 0) < at) this.carried.set(id, { at, value, rate: Number.NaN });
    }
  }
}

/** Records of a kind as the decoder saw them. */
export type Decoded =
  | { kind: "schema"; seq: number; schema: Schema }
  | { kind: "frame"; seq: number; at: EpochMs; key: boolean; state: FrameState };

/** Position of a record's body: behind kind and seq. */
function bodyOf(record: Uint8Array): Uint8Array {
  const reader = new ByteReader(record);
  reader.byte();
  reader.varint();
  return record.subarray(reader.position);
}

/** Kind and seq of a record, and of a frame its time and whether it is one against nothing. Undefined: it is malformed. */
export function glanceAt(record: Uint8Array): { kind: "schema" | "frame"; seq: number; at: number; key: boolean } | undefined {
  const head = parseRecordHead(record);
  if (!head.ok) return undefined;
  if (head.value.kind === "schema") return { ...head.value, at: 0, key: false };
  try {
    const reader = new ByteReader(bodyOf(record));
    const at = reader.varint();
    return { ...head.value, at, key: reader.byte() === 1 };
  } catch {
    return undefined;
  }
}

/** Whether two records of schemas declare the same. */
export const sameSchema = (a: Uint8Array, b: Uint8Array) => Buffer.compare(bodyOf(a), bodyOf(b)) === 0;

/** A stream without key frames for so long could pin the ring: its agent must begin anew. */
const recordsWithoutKeyMax = limits.keyFrameEvery * 4;

/** Decodes the records of one connection, or of the ring, one after another. */
export class StreamDecoder {
  private state: FrameState | undefined;
  private lastSeq = 0;
  private lastKey = 0;
  private needsKey = true;
  private schemaSeq = 0;

  /** A schema that is in force already: frames may begin at a key frame without it. */
  begin(schema: LaneSchema): void {
    this.schemaSeq = schema.seq;
    this.state = new FrameState(schema.series);
    this.needsKey = true;
  }

  decode(record: Uint8Array): Parsed<Decoded> {
    const head = parseRecordHead(record);
    if (!head.ok) return this.lose(head.problem);
    return head.value.kind === "schema" ? this.decodeSchema(record) : this.decodeFrame(record, head.value.seq);
  }

  private lose(problem: string): { ok: false; problem: string } {
    this.state = undefined;
    return { ok: false, problem };
  }

  private decodeSchema(record: Uint8Array): Parsed<Decoded> {
    const parsed = decodeSchema(record, limits.seriesPerAgent);
    if (!parsed.ok) return this.lose(parsed.problem);
    const { seq, schema } = parsed.value;
    this.state = stateFor(schema);
    this.needsKey = false;
    this.schemaSeq = seq;
    this.lastSeq = seq;
    this.lastKey = seq;
    return { ok: true, value: { kind: "schema", seq, schema } };
  }

  private decodeFrame(record: Uint8Array, seq: number): Parsed<Decoded> {
    const { state } = this;
    if (state === undefined) return { ok: false, problem: "frame without a schema" };
    if (seq <= this.schemaSeq) return this.lose("frame from before its schema");
    const frame = decodeFrame(record, state);
    if (!frame.ok) return this.lose(frame.problem);
    const { at, key } = frame.value;
    if (!key && this.needsKey) return this.lose("frame before a key frame");
    if (!key && seq !== this.lastSeq + 1) return this.lose(`frame ${seq} does not follow ${this.lastSeq}`);
    if (!key && seq - this.lastKey > recordsWithoutKeyMax) return this.lose(`no key frame for ${recordsWithoutKeyMax} records`);
    this.needsKey = false;
    this.lastSeq = seq;
    if (key) this.lastKey = seq;
    return { ok: true, value: { kind: "frame", seq, at, key, state } };
  }
}
