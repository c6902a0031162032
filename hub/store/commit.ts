import { limits } from "#protocol/limits.ts";
import type { Catalogue } from "./catalogue.ts";
import { schemaKey } from "./keys.ts";
import type { Lane } from "./lane.ts";
import { RingWriter } from "./ring.ts";
import type { SeriesEnv } from "./series-env.ts";

/** Calls back once after `ms`; returns the way to stop it. */
export type Schedule = (ms: number, callback: () => void) => () => void;

type Batch = {
  /** Last seq of each lane in it, and how many of its records. */
  lanes: Map<Lane, { seq: number; records: number }>;
  bases: { lane: Lane; seq: number; schema: Uint8Array | undefined }[];
  done: Promise<void>;
  resolve(): void;
  reject(cause: unknown): void;
};

/** Frames of so long go into one commit: the disk's cost is pages per commit. An acknowledgement waits as long. */
const windowMs = 1000;
/** A fuller batch is committed at once. */
const batchBytesMax = 4 << 20;
/** So many records of one agent mean that it catches up: it must not wait for the window's end with each half of what it may send. */
const laneRecordsMax = limits.unackedRecords / 2;

/** Puts records on the disk, all lanes together, one commit at a time. */
export class Committer {
  /** What the batch will write. */
  private readonly writer = new RingWriter();
  private batch: Batch | undefined;
  private stopTimer: (() => void) | undefined;
  private running: Promise<void> | undefined;
  private overdue = false;

  constructor(
    private readonly env: SeriesEnv,
    private readonly catalogue: Catalogue,
    private readonly schedule: Schedule,
    private readonly ports: {
      /** Next key of the ring. */
      nextKey(): number;
      /** Runs after a commit and before its records are acknowledged: holds back who sends faster than compaction goes. */
      relieve(): Promise<void>;
      onFailure(lanes: readonly Lane[], cause: unknown): void;
    },
  ) {}

  /** `base`: decoding can begin here; for a schema with its bytes. Resolves when the record is on the disk. */
  add(lane: Lane, seq: number, record: Uint8Array, base: "schema" | "key" | undefined): Promise<void> {
    this.batch ??= this.begin();
    const { batch } = this;
    this.writer.add(lane.key, record);
    const records = (batch.lanes.get(lane)?.records ?? 0) + 1;
    batch.lanes.set(lane, { seq, records });
    // The buffer that a record came in may be used again by its socket.
    if (base) batch.bases.push({ lane, seq, schema: base === "schema" ? record.slice() : undefined });
    if (this.writer.bytes >= batchBytesMax || records >= laneRecordsMax) this.start();
    return batch.done;
  }

  /** The commit that holds what was added last, if it isn't on the disk yet. */
  get pending(): Promise<void> | undefined {
    return this.batch?.done ?? this.running;
  }

  /** Commits what is there without waiting for the window's end. */
  async flush(): Promise<void> {
    while (this.batch || this.running) {
      this.start();
      await this.running?.catch(() => undefined);
    }
  }

  private begin(): Batch {
    let resolve = () => {};
    let reject = (_: unknown) => {};
    const done = new Promise<void>((onDone, onFailed) => {
      resolve = onDone;
      reject = onFailed;
    });
    // Who waits for a record sees the failure; nobody may be waiting.
    done.catch(() => undefined);
    this.stopTimer = this.schedule(windowMs, () => this.start());
    return { lanes: new Map(), bases: [], done, resolve, reject };
  }

  private start(): void {
    const { batch } = this;
    if (batch === undefined) return;
    this.overdue = this.running !== undefined;
    if (this.overdue) return;
    this.stopTimer?.();
    this.stopTimer = undefined;
    this.batch = undefined;
    this.running = this.write(batch).finally(() => {
      this.running = undefined;
      // What came meanwhile waited for this commit: its window may be over.
      if (this.overdue) this.start();
    });
  }

  private async write(batch: Batch): Promise<void> {
    const key = this.ports.nextKey();
    const value = this.writer.take();
    try {
      let flushed = () => {};
      await inOneCommit(this.env, () => {
        flushed = this.catalogue.flush();
        for (const { lane, seq, schema } of batch.bases) if (schema) void this.env.schemas.put(schemaKey(lane.key, seq), schema);
        void this.env.ring.put(key, value);
      });
      flushed();
      for (const { lane, seq, schema } of batch.bases) {
        lane.keyFrames.push({ seq, ringKey: key });
        if (schema && !lane.schemas.includes(seq)) lane.schemas = [...lane.schemas, seq].sort((a, b) => a - b);
      }
      for (const [lane, { seq }] of batch.lanes) lane.durableSeq = Math.max(lane.durableSeq, seq);
    } catch (cause) {
      this.ports.onFailure([...batch.lanes.keys()], cause);
      batch.reject(cause);
      return;
    }
    await this.ports.relieve().catch(() => undefined);
    batch.resolve();
  }
}

/**
 * Runs `write`, whose puts and removals become one transaction, and resolves when that is on the disk. Rejects with the disk's problem: then
 * nothing of it was written. `write` must not throw.
 */
export async function inOneCommit(env: SeriesEnv, write: () => void): Promise<void> {
  try {
    await env.root.batch(write);
  } catch (failure) {
    // lmdb tells the reason by a second promise, which rejects as well.
    const reason = (failure as { commitError?: Promise<unknown> }).commitError;
    throw new Error("the series store's disk refuses", { cause: reason ? await reason.catch((cause) => cause) : failure });
  }
}
