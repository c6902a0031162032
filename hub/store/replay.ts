import type { EpochMs } from "#protocol/ids.ts";
import { limits } from "#protocol/limits.ts";
import { decodeSchema } from "#protocol/records.ts";
import type { Catalogue, Layout } from "./catalogue.ts";
import type { Damage } from "./damage.ts";
import type { Chunk } from "./head.ts";
import { type Decoded, glanceAt, Lane, type LaneDoc, StreamDecoder } from "./lane.ts";
import { decodeRingValue, type RingRecord } from "./ring.ts";
import type { SeriesEnv } from "./series-env.ts";

/** A record of the ring. `bytes` undefined: nothing builds on it any more. */
type Item = { bytes: Uint8Array | undefined; ringKey: number; seen: ReturnType<typeof glanceAt>; isStored: boolean };

/** Of one lane: what was found in the ring, how far it is decoded, and stored frames that the next one may build on. */
type Replay = { items: Item[]; next: number; decoder: StreamDecoder; waiting: Uint8Array[] };

export type ReplayPorts = {
  env: SeriesEnv;
  catalogue: Catalogue;
  damage: Damage;
  lanes: Map<string, Lane>;
  takeSchema(lane: Lane, value: Decoded & { kind: "schema" }, record: Uint8Array, now: EpochMs): void;
  useLayout(lane: Lane, layout: Layout): void;
};

/** Rows that may wait for their small form, in bytes: an hour of ten nodes with a hundred guests each. */
const unsealedMax = 32 << 20;

/**
 * Reads the ring again after a start: rows that are not in blocks come back, seqs and key frames too. `scan` only finds out which records
 * there are, so that a start with much in the ring is short; a lane has to be finished before anything but its `newestAt` is asked. Whoever
 * waits for one does not wait for its rows to be made small, which is half of the work: `step` does that later.
 */
export class RingReplay {
  private readonly replays = new Map<Lane, Replay>();
  private readonly unsealed = new Set<Chunk>();
  private unsealedBytes = 0;

  constructor(
    private readonly ports: ReplayPorts,
    private readonly now: EpochMs,
  ) {}

  /** Makes the lanes. Returns the ring's newest key, 0: it is empty. */
  scan(): number {
    let newest = 0;
    for (const { key, value } of this.ports.env.ring.getRange({})) {
      newest = key;
      for (const { lane: name, record } of this.ringRecords(key, value)) this.note(this.laneOf(name), record, key);
    }
    return newest;
  }

  get isDone(): boolean {
    return this.replays.size === 0 && this.unsealed.size === 0;
  }

  finish(lane: Lane): void {
    const replay = this.replays.get(lane);
    if (replay !== undefined) this.advance(lane, replay, () => false, true);
  }

  finishAll(): void {
    for (const [lane, replay] of this.replays) this.advance(lane, replay, () => false, true);
  }

  /** Goes on until `isOver`. */
  step(isOver: () => boolean): void {
    for (const chunk of this.unsealed) {
      while (chunk.sealNext()) if (isOver()) return;
      this.unsealed.delete(chunk);
    }
    this.unsealedBytes = 0;
    for (const [lane, replay] of this.replays) {
      if (isOver()) return;
      this.advance(lane, replay, isOver, false);
    }
  }

  /**
   * A frame whose row is in a block has to be decoded only if a later one, whose row is not, builds on it: with the next key frame its bytes
   * are forgotten. That is more than half of the ring.
   */
  private note(lane: Lane, record: Uint8Array, ringKey: number): void {
    const { items } = this.replayOf(lane);
    const seen = glanceAt(record);
    const isStored = seen?.kind === "frame" && seen.seq <= lane.storedSeq;
    if (isStored && seen.key) {
      for (let i = items.length - 1; i >= 0 && items[i]?.isStored; i--) (items[i] as Item).bytes = undefined;
    }
    if (seen?.kind === "frame" && !isStored) lane.noteTime(seen.at, seen.seq);
    items.push({ bytes: record.slice(), ringKey, seen, isStored });
  }

  private replayOf(lane: Lane): Replay {
    let replay = this.replays.get(lane);
    if (replay === undefined) {
      replay = { items: [], next: 0, decoder: new StreamDecoder(), waiting: [] };
      this.replays.set(lane, replay);
    }
    return replay;
  }

  private advance(lane: Lane, replay: Replay, isOver: () => boolean, isAwaited: boolean): void {
    if (replay.next === 0) {
      this.useStoredSchema(lane);
      if (lane.schema) replay.decoder.begin(lane.schema);
    }
    for (let item = replay.items[replay.next]; item !== undefined; item = replay.items[replay.next]) {
      replay.next++;
      if (!this.isPutOff(lane, replay, item) && item.bytes !== undefined) {
        this.decode(lane, replay.decoder, item.bytes, item.ringKey, isAwaited);
      }
      item.bytes = undefined;
      if (isOver()) return;
    }
    this.replays.delete(lane);
  }

  private isPutOff(lane: Lane, { decoder, waiting }: Replay, { bytes, ringKey, seen, isStored }: Item): boolean {
    if (seen !== undefined && isStored) {
      if (seen.key) {
        waiting.length = 0;
        lane.keyFrames.push({ seq: seen.seq, ringKey });
        lane.based = true;
      }
      lane.durableSeq = Math.max(lane.durableSeq, seen.seq);
      lane.acceptedSeq = lane.durableSeq;
      if (bytes !== undefined) waiting.push(bytes);
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
      this.ports.damage.noteFrames(key);
      return [];
    }
  }

  private laneOf(name: string): Lane {
    const { env, catalogue, lanes } = this.ports;
    const known = lanes.get(name);
    if (known) return known;
    const doc = env.lanes.get(name) as LaneDoc | undefined;
    const [ref, stream] = name.split(" ") as [string, string];
    const agent = doc?.agent ?? catalogue.agentByRef(Number(ref));
    const lane = new Lane(name, agent, Number(ref), stream, doc, this.now);
    lanes.set(name, lane);
    lane.schemas = [...env.schemas.getKeys({ start: `${name} `, end: `${name} ~` })].map((key) =>
      Number(key.slice(name.length + 1)),
    );
    return lane;
  }

  /** The schema in force where the rows that are not in blocks begin. */
  private useStoredSchema(lane: Lane): void {
    const { env, catalogue, useLayout } = this.ports;
    const seq = lane.schemas.findLast((one) => one <= lane.storedSeq + 1) ?? lane.schemas[0];
    const record = seq === undefined ? undefined : env.schemas.get(`${lane.key} ${String(seq).padStart(16, "0")}`);
    if (seq === undefined || record === undefined) return;
    const parsed = decodeSchema(record, limits.seriesPerAgent);
    if (!parsed.ok) return;
    lane.schema = { seq, record: record.slice(), series: parsed.value.schema.series.length };
    useLayout(lane, catalogue.resolve(lane.agent, parsed.value.schema, this.now));
  }

  private decode(lane: Lane, decoder: StreamDecoder, record: Uint8Array, ringKey: number, isAwaited: boolean): void {
    const decoded = decoder.decode(record);
    // Frames before the first key frame that the ring still has: their rows are in blocks.
    if (!decoded.ok) {
      if (lane.schema) decoder.begin(lane.schema);
      return;
    }
    const { value } = decoded;
    lane.durableSeq = Math.max(lane.durableSeq, value.seq);
    lane.acceptedSeq = lane.durableSeq;
    if (value.kind === "schema" || value.key) {
      lane.keyFrames.push({ seq: value.seq, ringKey });
      lane.based = true;
    }
    if (value.kind === "schema") this.ports.takeSchema(lane, value, record, this.now);
    else if (lane.layout !== undefined && value.seq > lane.storedSeq) {
      const isLeft = isAwaited && this.unsealedBytes < unsealedMax;
      const chunk = lane.append(value.at, value.seq, lane.layout, value.state, isLeft ? "later" : "at-once");
      if (isLeft) this.leave(chunk);
    }
  }

  private leave(chunk: Chunk): void {
    this.unsealed.add(chunk);
    this.unsealedBytes += chunk.width * Float64Array.BYTES_PER_ELEMENT;
  }
}
