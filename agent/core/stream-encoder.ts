import type { EpochMs } from "#protocol/ids.ts";
import { limits } from "#protocol/limits.ts";
import { encodeFrame, encodeSchema, type FrameState, type Schema, stateFor } from "#protocol/records.ts";

export type StreamRecord = { kind: "schema" | "key" | "delta"; seq: number; at: EpochMs; bytes: Uint8Array };

/** What the encoder reads of a SampleTable. */
export type TickValues = { readonly schemaVersion: number; schema(): Schema; values(): Float64Array };

/** Turns ticks into records: a schema when it changed, a key frame behind it and at least every `keyFrameEvery` frames, else deltas. */
export class StreamEncoder {
  private state: FrameState | undefined;
  private schemaVersion = -1;
  private sinceKey = 0;
  private lastAt = 0;
  /** How far the wall clock is behind the newest record, ms: it was set back, and until it gets there records are a millisecond apart. */
  behindMs = 0;
  /** Series that didn't fit into one schema record; they are not sent. */
  seriesLeftOut = 0;

  constructor(private readonly schemaMaxBytes: number = limits.messageMaxBytes) {}

  /** The next tick begins with a schema and a key frame, whatever went before. */
  restart(): void {
    this.state = undefined;
  }

  /** One tick as one or two records, the first of them numbered `seq`. Their time grows even where the wall clock was set back. */
  encode(tick: TickValues, now: EpochMs, seq: number): StreamRecord[] {
    this.behindMs = Math.max(0, this.lastAt - now);
    const at = Math.max(now, this.lastAt + 1) as EpochMs;
    this.lastAt = at;
    const records: StreamRecord[] = [];
    if (this.state === undefined || tick.schemaVersion !== this.schemaVersion) {
      const { bytes, schema } = this.fit(tick.schema(), seq);
      this.state = stateFor(schema);
      this.schemaVersion = tick.schemaVersion;
      this.sinceKey = 0;
      records.push({ kind: "schema", seq, at, bytes });
    }
    const key = this.sinceKey === 0;
    this.sinceKey = (this.sinceKey + 1) % limits.keyFrameEvery;
    const frameSeq = seq + records.length;
    const bytes = encodeFrame(frameSeq, at, key, tick.values().subarray(0, this.state.size), this.state);
    records.push({ kind: key ? "key" : "delta", seq: frameSeq, at, bytes });
    return records;
  }

  /** The hub closes the connection on larger messages: then the newest series stay out, and that is counted. */
  private fit(whole: Schema, seq: number): { bytes: Uint8Array; schema: Schema } {
    let schema = whole;
    if (schema.series.length > limits.seriesPerAgent) {
      schema = { ...schema, series: schema.series.slice(0, limits.seriesPerAgent) };
    }
    let bytes = encodeSchema(seq, schema);
    while (bytes.length > this.schemaMaxBytes && schema.series.length > 0) {
      const share = Math.min(0.98, this.schemaMaxBytes / bytes.length);
      schema = { ...schema, series: schema.series.slice(0, Math.floor(schema.series.length * share)) };
      bytes = encodeSchema(seq, schema);
    }
    this.seriesLeftOut = whole.series.length - schema.series.length;
    return { bytes, schema };
  }
}
