import type { EpochMs } from "#protocol/ids.ts";
import type { Parsed } from "#protocol/records.ts";
import type { AgentId, IngestCounters, RecordSink, RecordStream } from "../core/series.ts";
import type { Log } from "../ports.ts";
import type { Catalogue, Layout } from "./catalogue.ts";
import { Committer, type Schedule } from "./commit.ts";
import type { Damage } from "./damage.ts";
import { laneKey } from "./keys.ts";
import { type Decoded, Lane, type LaneDoc, StreamDecoder, sameSchema } from "./lane.ts";
import type { Live } from "./live.ts";
import { RingReplay } from "./replay.ts";
import type { SeriesEnv } from "./series-env.ts";

/** Takes the agents' records: decodes them into rows in memory, and has them committed before they are acknowledged. */
export class Ingest implements RecordSink {
  readonly counters: IngestCounters = { records: 0, samples: 0, duplicates: 0 };
  /** Those of the ring may be without their rows: see `wholeLanes`. */
  readonly lanes = new Map<string, Lane>();
  readonly committer: Committer;
  private nextRingKey = 1;
  /** What of the ring is still to be read again. */
  private ring: RingReplay | undefined;

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
    return this.known(key)?.durableSeq ?? (this.env.lanes.get(key) as LaneDoc | undefined)?.lastSeq ?? 0;
  }

  open(agent: AgentId, stream: string): RecordStream {
    const decoder = new StreamDecoder();
    // The lane is looked up for each record: compaction lets go of one that is silent for long.
    const known = this.known(laneKey(this.catalogue.agentRef(agent), stream));
    if (known?.schema) decoder.begin(known.schema);
    return { accept: (record, now) => this.accept(this.lane(agent, stream, now), decoder, record, now) };
  }

  /** With its rows. */
  private known(key: string): Lane | undefined {
    const lane = this.lanes.get(key);
    if (lane !== undefined) this.ring?.finish(lane);
    return lane;
  }

  private lane(agent: AgentId, stream: string, now: number): Lane {
    const ref = this.catalogue.agentRef(agent);
    const key = laneKey(ref, stream);
    let lane = this.known(key);
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
    const repeats = lane.layout !== undefined && lane.schema !== undefined && sameSchema(lane.schema.record, record);
    lane.schema = { seq, record: record.slice(), series: schema.series.length };
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

  /** Finds out what the ring has; its lanes' rows come back later. */
  replay(now: EpochMs): void {
    this.ring = new RingReplay(
      {
        env: this.env,
        catalogue: this.catalogue,
        damage: this.damage,
        lanes: this.lanes,
        takeSchema: (...schema) => this.takeSchema(...schema),
        useLayout: (lane, layout) => this.useLayout(lane, layout),
      },
      now,
    );
    this.nextRingKey = this.ring.scan() + 1;
  }

  /** All lanes, with all their rows. */
  wholeLanes(): Iterable<Lane> {
    this.ring?.finishAll();
    return this.lanes.values();
  }

  /** The lanes of these agents, with all their rows: right after a start the others' are not waited for. */
  wholeLanesOf(agentRefs: ReadonlySet<number>): Iterable<Lane> {
    const lanes = [...this.lanes.values()].filter((lane) => agentRefs.has(lane.agentRef));
    if (this.ring !== undefined) for (const lane of lanes) this.ring.finish(lane);
    return lanes;
  }

  /** Whether each lane has all its rows. */
  get isWhole(): boolean {
    return this.ring === undefined;
  }

  /** Goes on with the replay, and with making its rows small, until `isOver`. Returns whether there is more. */
  stepReplay(isOver: () => boolean): boolean {
    this.ring?.step(isOver);
    if (this.ring?.isDone) this.ring = undefined;
    return this.ring !== undefined;
  }
}
