import { existsSync, mkdirSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { setImmediate } from "node:timers/promises";
import type { EpochMs } from "#protocol/ids.ts";
import { errorMessage } from "../core/error.ts";
import type { LiveTable, RecordSink, SeriesRanker, SeriesReader } from "../core/series.ts";
import type { Log } from "../ports.ts";
import { Catalogue } from "./catalogue.ts";
import type { Schedule } from "./commit.ts";
import { Compactor } from "./compaction.ts";
import { Damage } from "./damage.ts";
import { Ingest } from "./ingest.ts";
import { type CheckReport, checkStore, sizeOf } from "./inspection.ts";
import { spanNumber } from "./keys.ts";
import type { Lane } from "./lane.ts";
import { Live } from "./live.ts";
import { Pending } from "./pending.ts";
import { Reader } from "./reader.ts";
import { Ageing, defaultRetention, type Retention } from "./retention.ts";
import { Roller } from "./rollups.ts";
import { Sealing } from "./sealing.ts";
import { openSeriesEnv, type SeriesEnv } from "./series-env.ts";
import { StoreError } from "./store-error.ts";
import type { StoreSchema } from "./upgrade.ts";

export type SeriesOptions = {
  /** Directory of its own: the store takes no other's. */
  dir: string;
  now(): EpochMs;
  log?: Log;
  retention?: Retention;
  /** Layout of what is stored; default: this program's. */
  schema?: StoreSchema<SeriesEnv>;
  /** Timer of the commit window; default: real time. */
  schedule?: Schedule;
};

/** What the store takes on the disk and in memory, in bytes unless said otherwise. */
export type SeriesSize = {
  fileBytes: number;
  freeDiskBytes: number;
  blocks: { count: number; bytes: number };
  rollups: { count: number; bytes: number };
  ring: { count: number; bytes: number };
  headBytes: number;
  headRows: number;
  activeEntities: number;
  pendingRollups: number;
};

export interface SeriesHub {
  readonly reader: SeriesReader & SeriesRanker;
  readonly live: LiveTable;
  readonly sink: RecordSink;
  /**
   * One step of background work (compaction, rollups, retention), ≤ 50 ms. `due`: more waits, call again soon; else in about ten seconds.
   * `problem`: the disk refused; nothing is lost, a later step does it again. `keptBy`: by which time samples are too old, where it isn't `now`.
   */
  maintain(now: EpochMs, keptBy?: EpochMs): Promise<{ due: boolean; problem?: string }>;
  /** A short step of what opening put off: until it is done the first question waits for it. Returns whether there is more. */
  warm(): boolean;
  /** Nothing is put off any more: no question has to wait for it. */
  readonly isWhole: boolean;
  /** What of the history was found damaged since the start; undefined: nothing. */
  problem(): string | undefined;
  /** Reads everything; what is damaged, one line each. */
  check(): CheckReport;
  size(): Promise<SeriesSize>;
  /** A consistent copy while the store runs, into a directory that must not exist. */
  backup(path: string): Promise<void>;
  /** Commits what came, and closes. Rows in memory come back from the ring. */
  close(): Promise<void>;
}

/** Opens (or makes) the series store. @throws StoreError with the remedy when the directory holds anything else or a damaged store. */
export function openSeries(options: SeriesOptions): SeriesHub {
  const env = openSeriesEnv(options.dir, options.log ?? (() => {}), options.schema);
  try {
    return new Store(env, options);
  } catch (cause) {
    void env.root.close();
    if (cause instanceof StoreError) throw cause;
    const problem = errorMessage(cause);
    throw new StoreError(
      `${options.dir}: the series store is damaged (${problem}). Restore it from a backup, or move it away to start with an empty one`,
      { cause },
    );
  }
}

const realTime: Schedule = (ms, callback) => {
  const timer = setTimeout(callback, ms);
  return () => clearTimeout(timer);
};

/** One step of the warming. */
const warmStepMs = 12;

class Store implements SeriesHub {
  readonly reader: Reader;
  readonly live: Live;
  readonly sink: Ingest;
  private readonly compactor: Compactor;
  private readonly roller: Roller;
  private readonly ageing: Ageing;
  private readonly sealing: Sealing;
  private readonly damage: Damage;
  private readonly pending: Pending;
  private readonly catalogue: Catalogue;
  /** Background work of the maintenance and of crowded commits takes turns. */
  private turn: Promise<unknown> = Promise.resolve();
  private closed = false;
  private readonly log: Log;

  constructor(
    private readonly env: SeriesEnv,
    private readonly options: SeriesOptions,
  ) {
    this.log = options.log ?? (() => {});
    const retention = options.retention ?? defaultRetention;
    const lanes = (): Iterable<Lane> => this.sink.wholeLanes();
    this.catalogue = new Catalogue(env);
    this.damage = new Damage(env, this.log);
    this.pending = new Pending(env);
    this.live = new Live(lanes, () => this.sink.lanes.values());
    this.sink = new Ingest(
      env,
      this.catalogue,
      this.live,
      options.schedule ?? realTime,
      this.log,
      () => this.relieve(),
      this.damage,
    );
    const changed = (hour: number, group: number) => {
      this.reader.fresh.drop(group);
      this.reader.decoded.drop(spanNumber(hour, group));
    };
    const rolled = (day: number, group: number) => {
      this.reader.fresh.drop(group);
      this.reader.rollups.drop(day, group);
    };
    this.compactor = new Compactor(env, this.catalogue, this.pending, lanes, changed, this.damage);
    this.roller = new Roller(env, this.catalogue, this.pending, this.damage, rolled);
    this.sealing = new Sealing(env, this.damage);
    const isLive = (lane: string) => this.sink.lanes.has(lane);
    this.ageing = new Ageing(env, this.catalogue, this.pending, retention, isLive, changed, rolled);
    const lanesOf = (agentRefs: ReadonlySet<number>) => this.sink.wholeLanesOf(agentRefs);
    const times = { now: options.now, rawMs: retention.rawMs };
    this.reader = new Reader(env, this.catalogue, this.pending, { all: lanes, of: lanesOf }, times, this.damage);
    const started = performance.now();
    this.sink.replay(options.now());
    this.log(6, "series store is open", { dir: options.dir, ms: Math.round(performance.now() - started) });
  }

  get isWhole(): boolean {
    return this.sink.isWhole;
  }

  warm(): boolean {
    const untilMs = performance.now() + warmStepMs;
    return !this.closed && this.sink.stepReplay(() => performance.now() >= untilMs);
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.turn.then(work);
    this.turn = done.catch(() => undefined);
    return done;
  }

  private async relieve(): Promise<void> {
    while (!this.closed && this.compactor.crowded(this.sink.lanes.values())) {
      const did = await this.inTurn(() => this.compactor.step(this.options.now(), () => performance.now()));
      if (!did) return;
    }
  }

  maintain(now: EpochMs, keptBy: EpochMs = now): Promise<{ due: boolean; problem?: string }> {
    return this.inTurn(async () => {
      if (this.closed) return { due: false };
      try {
        await this.finishReplay();
        const due =
          (await this.compactor.step(now, () => performance.now())) ||
          (await this.roller.step(now)) ||
          (await this.ageing.step(keptBy)) ||
          (await this.sealing.step());
        this.sink.forgetSilent(now);
        return { due };
      } catch (cause) {
        const problem = errorMessage(cause);
        this.log(3, "background work of the series store failed, it will be done again", { problem });
        return { due: false, problem };
      }
    });
  }

  /** With hundreds of agents it takes seconds. */
  private async finishReplay(): Promise<void> {
    while (this.warm()) await setImmediate();
  }

  problem(): string | undefined {
    return this.damage.problem();
  }

  check(): CheckReport {
    return checkStore(this.env);
  }

  async size(): Promise<SeriesSize> {
    const disk = await statfs(this.options.dir);
    const lanes = [...this.sink.wholeLanes()];
    const root = this.env.root.getStats() as { lastPageNumber: number; pageSize: number };
    return {
      fileBytes: (root.lastPageNumber + 1) * root.pageSize,
      freeDiskBytes: disk.bavail * disk.bsize,
      blocks: sizeOf(this.env.blocks),
      rollups: sizeOf(this.env.rollups),
      ring: sizeOf(this.env.ring),
      headBytes: lanes.reduce((sum, lane) => sum + lane.bytes, 0),
      headRows: lanes.reduce((sum, lane) => sum + lane.unstoredRows, 0),
      activeEntities: this.catalogue.activeEntities,
      pendingRollups: this.pending.size,
    };
  }

  async backup(path: string): Promise<void> {
    if (existsSync(path)) throw new StoreError(`${path} exists: a backup needs a new directory`);
    await this.sink.committer.flush();
    mkdirSync(path, { recursive: true, mode: 0o700 });
    await this.env.root.backup(path, false);
  }

  async close(): Promise<void> {
    if (this.closed) return;
    await this.sink.committer.flush();
    this.closed = true;
    await this.turn;
    await this.env.root.close();
  }
}
