import type { Aggregate } from "#protocol/api.ts";
import type { ClusterId, EntityKey, EpochMs, NodeName } from "#protocol/ids.ts";
import type { Metric } from "#protocol/metrics.ts";
import type { Parsed } from "#protocol/records.ts";
import type { PackedValues } from "./packed-values.ts";

/** One agent: the sender of a stream of records. */
export type AgentId = { cluster: ClusterId; node: NodeName };

/** The same as the id of its document. */
export const agentKey = ({ cluster, node }: AgentId): string => `${cluster}/${node}`;

/** One series as the store knows it. `id` is the store's own, never used again. */
export type SeriesInfo = {
  id: number;
  cluster: ClusterId;
  entity: EntityKey;
  /** 1 for what has no incarnations; a guest's counts up when its vmid is used again. */
  incarnation: number;
  metric: Metric;
  instance: string | undefined;
  source: string;
};

/** Columns of one series; NaN: no sample in that step. Gauges in the catalogue's unit, rates per second. */
export type SeriesColumns = { at: Float64Array; columns: Partial<Record<Aggregate, Float64Array>> };

/** The same, packed where that is a column's shortest way into an answer. */
export type PackedColumns = {
  at: Float64Array | PackedValues;
  columns: Partial<Record<Aggregate, Float64Array | PackedValues>>;
};

export type SeriesRange = {
  /** Inclusive. */
  from: EpochMs;
  /** Exclusive. */
  to: EpochMs;
  /** Undefined: raw samples. */
  stepMs: number | undefined;
  aggregates: readonly Aggregate[];
  /** Raw samples only: counters as they are stored, instead of their rates. */
  stored?: boolean;
};

/** What queries, rules and the panel ask of history. Reads are synchronous. */
export interface SeriesReader {
  find(selector: {
    cluster: ClusterId;
    entity: EntityKey;
    metric: string;
    instance?: string | undefined;
    incarnation?: number | undefined;
  }): SeriesInfo | undefined;
  /** All series of one entity's incarnation (default: the newest). */
  seriesOf(cluster: ClusterId, entity: EntityKey, incarnation?: number): readonly SeriesInfo[];
  /** Newest incarnation of an entity, undefined when it never had a series. */
  incarnationOf(cluster: ClusterId, entity: EntityKey): number | undefined;
  /** `tier` tells which data answered. A step of ≥ 15 min over a long range reads rollups. */
  read(series: readonly SeriesInfo[], range: SeriesRange): { tier: "raw" | "rollup"; series: SeriesColumns[] };
  /** As `read` of raw samples. Undefined: these series or this range have to be read unpacked. */
  readPacked?(series: readonly SeriesInfo[], range: SeriesRange): PackedColumns[] | undefined;
}

/** One place of a ranking. `value`: average over the window, counters per second. */
export type Ranked = { series: SeriesInfo; value: number };

/** Ranks what is alive: entities that no agent reports any more are not ranked. */
export interface SeriesRanker {
  /** The `count` series of a metric with the highest (or lowest) average over [from, to). Without a sample there: not ranked. */
  top(selector: {
    /** Undefined: all. */
    cluster: ClusterId | undefined;
    metric: Metric;
    from: EpochMs;
    to: EpochMs;
    /** Undefined: all, in no order. */
    count: number | undefined;
    lowest?: boolean;
  }): Ranked[];
}

/** Newest sample of a series. For counters `rate` is the change per second since the sample before; NaN after a reset or a gap. */
export type Latest = { at: EpochMs; value: number; rate: number };

/** A frame that came. `turned`: guests whose status is another than in their agent's frame before, or not told in this one. */
export type FrameNews = { agent: AgentId; at: EpochMs; entities: readonly EntityKey[]; turned: readonly EntityKey[] };

export interface LiveTable {
  /** Undefined: never sampled since the store was opened, and not within limits.staleAfterMs before. An absent sample keeps the one before, with its age. */
  latest(seriesId: number): Latest | undefined;
  /** Time of an agent's newest frame. */
  newestFrame(agent: AgentId): EpochMs | undefined;
  newestFrameOfAll(): EpochMs | undefined;
  /** Called after each frame, before it is durable. Returns the way to stop it. */
  onFrame(listener: (frame: FrameNews) => void): () => void;
}

/** What is counted for `health` and `/metrics`. */
export type IngestCounters = { records: number; samples: number; duplicates: number };

/** One agent's stream while it is connected. */
export interface RecordStream {
  /**
   * Takes one record (records.ts) as it came. `durable` resolves with its seq when it can be acknowledged; it rejects when the disk refuses
   * (full): then nothing may be acknowledged and the session ends. A record at or below lastSeq is decoded for the stream's state only and
   * counted as a duplicate. A problem means that decoding can't go on before a new schema and key frame.
   */
  accept(record: Uint8Array, now: EpochMs): Parsed<{ durable: Promise<number> }>;
}

export interface RecordSink {
  /** Highest durable seq of this stream; 0 for a new one. */
  lastSeq(agent: AgentId, stream: string): number;
  open(agent: AgentId, stream: string): RecordStream;
  readonly counters: IngestCounters;
}
