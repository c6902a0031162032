import type { EpochMs } from "#protocol/ids.ts";
import { limits } from "#protocol/limits.ts";
import { decodeSchema, type Parsed } from "#protocol/records.ts";
import type { AgentId, IngestCounters, RecordSink, RecordStream } from "../core/series.ts";
import type { Log } from "../ports.ts";
import type { Catalogue, Layout } from "./catalogue.ts";
import { Committer, type Schedule } from "./commit.ts";
import type { Damage } from "./damage.ts";
import { laneKey } from "./keys.ts";
import { type Decoded, glanceAt, Lane, type LaneDoc, StreamDecoder } from "./lane.ts";
import type { Live } from "./live.ts";
import { decodeRingValue, type RingRecord } from "./ring.ts";
import type { SeriesEnv } from "./series-env.ts";

/** Of one lane: frames that may be needed to decode the next one. */
type Replay = { decoder: StreamDecoder; waiting: Uint8Array[] };

/** Takes the agents' records: decodes them into rows in memory, and has them committed before they are acknowledged. */
export class Ingest implements RecordSink {
  readonly counters: IngestCounters = { records: 0, samples: 0, duplicates: 0 };
  readonly lanes = new Map<string, Lane>();
  readonly committer: Committer;
  private nextRingKey = 1;

  constructor(
    private readonly env: SeriesEnv,
    private readonly catalogue: Catalogue,
    private readonly live: Live,
    schedule: Schedule,
    private readonly log: Log,
    relieve: () => Promise<void>,
    private readonly damage: Damage,
  ) {
    this.committer = new Committer(env, catalogue, schedule, {
      nextKey: () => this.nextRingKey++,
      relieve,
      onFailure: (lanes, cause) => this.fail(lanes, cause),
    });
  }

  lastSeq(agent: AgentId, stream: string): number {
    const key = laneKey(this.catalogue.agentRef(agent), stream);
    return this.lanes.get(key)?.durableSeq ?? (this.env.lanes.get(key) as LaneDoc | undefined)?.lastSeq ?? 0;
  }

  open(agent: AgentId, stream: string): RecordStream {
    const decoder = new StreamDecoder();
    // The lane is looked up for each record: compaction lets go of one that is silent for long.
    const known = this.lanes.get(laneKey(this.catalogue.agentRef(agent), stream));
    if (known?.schema) decoder.begin(known.schema);
    return { accept: (record, now) => this.accept(this.lane(agent, stream, now), decoder, record, now) };
  }

  private lane(agent: AgentId, stream: string, now: number): Lane {
    const ref = this.catalogue.agentRef(agent);
    const key = laneKey(ref, stream);
    let lane = this.lanes.get(key);
    if (lane === undefined) {
      lane = new Lane(key, agent, ref, stream, this.env.lanes.get(key) as LaneDoc | undefined, now);
      this.lanes.set(key, lane);
    }
    return lane;
  }

  private accept(lane: Lane, decoder: StreamDecoder, record: Uint8Array, now: EpochMs): Parsed<{ durable: Promise<number> }> {
    const decoded = decoder.decode(record);
    if (!decoded.ok) return decoded;
    const { value } = decoded;
    lane.heardAt = now;
    this.counters.records++;
    const base = value.kind === "schema" ? "schema" : value.key ? "key" : undefined;
    if (value.seq <= lane.acceptedSeq) {
      if (base && !lane.based) lane.based = lane.rebasing = true;
      if (lane.rebasing) void this.committer.add(lane, value.seq, record, base);
      return { ok: true, value: { durable: this.duplicate(lane, value, record, now) } };
    }
    lane.rebasing = false;
    if (value.kind === "schema") this.takeSchema(lane, value, record, now);
    else if (!value.key && !lane.based)
      return { ok: false, problem: "the stream was silent too long to go on without a key frame" };
    const layout = lane.layout;
    if (layout === undefined) return { ok: false, problem: "frame without a schema" };
    lane.acceptedSeq = value.seq;
    if (base) lane.based = true;
    const durable = this.committer.add(lane, value.seq, record, base).then(() => value.seq);
    // Whoever acknowledges sees the failure; nobody may be left to see it.
    durable.catch(() => undefined);
    if (value.kind === "frame") {
      this.counters.samples += layout.ids.length;
      lane.append(value.at, value.seq, layout, value.state);
      this.live.tell(lane, value.at, layout);
    }
    return { ok: true, value: { durable } };
  }

  /** A repeated schema may be the only one that the hub sees: after a restart without rows its lane has none. */
  private async duplicate(lane: Lane, value: Decoded, record: Uint8Array, now: EpochMs): Promise<number> {
    this.counters.duplicates++;
    if (value.kind === "schema" && (lane.schema === undefined || lane.schema.seq <= value.seq))
      this.takeSchema(lane, value, record, now);
    if (value.seq > lane.durableSeq) await this.committer.pending;
    return lane.durableSeq;
  }

  private takeSchema(lane: Lane, { seq, schema }: Decoded & { kind: "schema" }, record: Uint8Array, now: EpochMs): void {
    const body = JSON.stringify(schema);
    const repeats = lane.layout !== undefined && lane.schema !== undefined && JSON.stringify(lane.schema.value) === body;
    lane.schema = { seq, record: record.slice(), value: schema };
    if (!repeats) this.useLayout(lane, this.catalogue.resolve(lane.agent, schema, now));
  }

  private useLayout(lane: Lane, layout: Layout): void {
    const before = lane.layout;
    lane.layout = layout;
    if (before) this.catalogue.release(before);
  }

  /** Nothing of these lanes may be acknowledged: their agents send again from what is durable. */
  private fail(lanes: readonly Lane[], cause: unknown): void {
    for (const lane of lanes) {
      lane.acceptedSeq = lane.durableSeq;
      lane.schema = undefined;
      lane.based = lane.keyFrames.length > 0;
    }
    const reason =
      cause instanceof Error && cause.cause instanceof Error ? `${cause.message}: ${cause.cause.message}` : String(cause);
    this.log(3, "samples can't be stored, nothing is acknowledged (is the disk full?)", { problem: reason });
  }

  /** Lets go of lanes that sleep: after a day, or at once where their agent has another stream now. */
  forgetSilent(now: number): void {
    for (const lane of this.lanes.values()) {
      if (lane.based) continue;
      const replaced = [...this.lanes.values()].some((other) => other.agentRef === lane.agentRef && other.based);
      if (!replaced && now - lane.heardAt < 86_400_000) continue;
      this.lanes.delete(lane.key);
      this.live.forget(lane);
      if (lane.layout) this.catalogue.release(lane.layout);
    }
  }

  /** Reads the ring again after a start: rows that are not in blocks come back, seqs and key frames too. */
  replay(now: EpochMs): { frames: number } {
    const decoders = new Map<Lane, Replay>();
    let frames = 0;
    for (const { key, value } of this.env.ring.getRange({})) {
      this.nextRingKey = key + 1;
      for (const { lane: name, record } of this.ringRecords(key, value)) {
        const lane = this.replayLane(name, now);
        let replay = decoders.get(lane);
        if (replay === undefined) {
          replay = { decoder: new StreamDecoder(), waiting: [] };
          decoders.set(lane, replay);
          if (lane.schema) replay.decoder.begin(lane.schema);
        }
        if (this.isPutOff(lane, replay, record, key)) continue;
        if (this.replayRecord(lane, replay.decoder, record.slice(), key, now)) frames++;
      }
    }
    return { frames };
  }

  /**
   * A frame whose row is in a block has to be decoded only if a later one, whose row is not, builds on it: until then it waits, and with
   * the next key frame it is forgotten. That is more than half of the ring.
   */
  private isPutOff(lane: Lane, { decoder, waiting }: Replay, record: Uint8Array, ringKey: number): boolean {
    const seen = glanceAt(record);
    if (seen?.kind === "frame" && seen.seq <= lane.storedSeq) {
      if (seen.key) {
        waiting.length = 0;
        lane.keyFrames.push({ seq: seen.seq, ringKey });
        lane.based = true;
      }
      lane.durableSeq = Math.max(lane.durableSeq, seen.seq);
      lane.acceptedSeq = lane.durableSeq;
      waiting.push(record.slice());
      return true;
    }
    const isNeeded = seen?.kind === "frame" && !seen.key;
    for (const before of waiting.splice(0)) {
      if (isNeeded && !decoder.decode(before).ok && lane.schema) decoder.begin(lane.schema);
    }
    return false;
  }

  /** None where the value is damaged: what follows is read from the lanes' next key frames on. */
  private ringRecords(key: number, value: Uint8Array): readonly RingRecord[] {
    try {
      return decodeRingValue(value);
    } catch {
      this.damage.noteFrames(key);
      return [];
    }
  }

  private replayLane(name: string, now: EpochMs): Lane {
    const known = this.lanes.get(name);
    if (known) return known;
    const doc = this.env.lanes.get(name) as LaneDoc | undefined;
    const [ref, stream] = name.split(" ") as [string, string];
    const agent = doc?.agent ?? this.catalogue.agentByRef(Number(ref));
    const lane = new Lane(name, agent, Number(ref), stream, doc, now);
    this.lanes.set(name, lane);
    lane.schemas = [...this.env.schemas.getKeys({ start: `${name} `, end: `${name} ~` })].map((key) =>
      Number(key.slice(name.length + 1)),
    );
    this.useStoredSchema(lane, now);
    return lane;
  }

  /** The schema in force where the rows that are not in blocks begin. */
  private useStoredSchema(lane: Lane, now: EpochMs): void {
    const seq = lane.schemas.findLast((one) => one <= lane.storedSeq + 1) ?? lane.schemas[0];
    const record = seq === undefined ? undefined : this.env.schemas.get(`${lane.key} ${String(seq).padStart(16, "0")}`);
    if (seq === undefined || record === undefined) return;
    const parsed = decodeSchema(record, limits.seriesPerAgent);
    if (!parsed.ok) return;
    lane.schema = { seq, record: record.slice(), value: parsed.value.schema };
    this.useLayout(lane, this.catalogue.resolve(lane.agent, parsed.value.schema, now));
  }

  private replayRecord(lane: Lane, decoder: StreamDecoder, record: Uint8Array, ringKey: number, now: EpochMs): boolean {
    const decoded = decoder.decode(record);
    // Frames before the first key frame that the ring still has: their rows are in blocks.
    if (!decoded.ok) {
      if (lane.schema) decoder.begin(lane.schema);
      return false;
    }
    const { value } = decoded;
    lane.durableSeq = Math.max(lane.durableSeq, value.seq);
    lane.acceptedSeq = lane.durableSeq;
    if (value.kind === "schema") {
      this.takeSchema(lane, value, record, now);
      lane.keyFrames.push({ seq: value.seq, ringKey });
      lane.based = true;
      return false;
    }
    if (value.key) {
      lane.keyFrames.push({ seq: value.seq, ringKey });
      lane.based = true;
    }
    const layout = lane.layout;
    if (layout === undefined || value.seq <= lane.storedSeq) return false;
    lane.append(value.at, value.seq, layout, value.state);
    return true;
  }
}
