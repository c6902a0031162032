import type { Database } from "lmdb";
import { rawKeptMs, rollupKeptMs } from "../core/tier.ts";
import type { Catalogue, EntityDoc } from "./catalogue.ts";
import { inOneCommit } from "./commit.ts";
import { dayMs, hourMs, parseSpanKey, schemaKey, spanKey } from "./keys.ts";
import type { LaneDoc } from "./lane.ts";
import type { Pending } from "./pending.ts";
import type { SeriesEnv } from "./series-env.ts";

/** How long what is kept, ms. */
export type Retention = { rawMs: number; rollupMs: number };
export const defaultRetention: Retention = { rawMs: rawKeptMs, rollupMs: rollupKeptMs };

/** Blocks, and entities looked at, in one step. */
const blocksPerStep = 64;
const entitiesPerStep = 500;
/** A stream that said nothing for so long is over: agents keep a day of frames at most. */
const laneKeptDays = 14;

/** Lets go of what is too old, in small steps. */
export class Ageing {
  /** Where the walk over the catalogue and the lanes goes on; undefined: it is done for `walkedDay`. */
  private cursor: string | undefined;
  private walkedDay = -1;

  constructor(
    private readonly env: SeriesEnv,
    private readonly catalogue: Catalogue,
    private readonly pending: Pending,
    private readonly retention: Retention,
    private readonly isLive: (lane: string) => boolean,
    /** A block of samples is no more. */
    private readonly removed: (hour: number, group: number) => void,
    /** A rollup is no more. */
    private readonly rollupRemoved: (day: number, group: number) => void,
  ) {}

  /** Returns whether there was something to do. Samples go only when their day is rolled up. */
  async step(now: number): Promise<boolean> {
    const hour = Math.floor((now - this.retention.rawMs) / hourMs) - 1;
    const rolledUpTo = this.pending.oldest(Number.MAX_SAFE_INTEGER)?.day ?? Number.POSITIVE_INFINITY;
    // An hour of any agent begins up to an hour later than its number says.
    const samplesEnd = Math.min(hour, (rolledUpTo * dayMs) / hourMs - 2);
    const blocks = await this.removeBefore(this.env.blocks, samplesEnd);
    for (const { span, group } of blocks) this.removed(span, group);
    if (blocks.length > 0) return true;
    const rollupsEnd = Math.floor((now - this.retention.rollupMs) / dayMs);
    const rollups = await this.removeBefore(this.env.rollups, rollupsEnd);
    for (const { span, group } of rollups) this.rollupRemoved(span, group);
    if (rollups.length > 0) return true;
    return this.walk(Math.floor(now / dayMs));
  }

  /** Returns what was removed. */
  private async removeBefore(
    database: Database<Uint8Array, Uint8Array>,
    end: number,
  ): Promise<ReturnType<typeof parseSpanKey>[]> {
    if (end <= 0) return [];
    const keys = [...database.getKeys({ start: spanKey(0, 0), limit: blocksPerStep })].filter(
      (key) => parseSpanKey(key).span < end,
    );
    if (keys.length === 0) return [];
    await inOneCommit(this.env, () => {
      for (const key of keys) void database.remove(key);
    });
    return keys.map(parseSpanKey);
  }

  /** Once a day over all entities and lanes: those whose data has aged out are removed. */
  private async walk(today: number): Promise<boolean> {
    if (this.walkedDay === today) return false;
    if (this.cursor === undefined) {
      await this.forgetLanes(today - laneKeptDays);
      this.cursor = "entity ";
    }
    const oldest = today - Math.ceil(this.retention.rollupMs / dayMs) - 1;
    const entries = [...this.env.catalogue.getRange({ start: this.cursor, end: "entity ~", limit: entitiesPerStep })];
    const gone = entries.filter(({ key, value }) => !this.catalogue.isActive(key) && (value as EntityDoc).lastDay < oldest);
    if (gone.length > 0) {
      let flushed = () => {};
      await inOneCommit(this.env, () => {
        this.catalogue.forget(gone.map(({ key }) => key));
        flushed = this.catalogue.flush();
      });
      flushed();
    }
    const last = entries.at(-1);
    this.cursor = last && entries.length === entitiesPerStep ? `${last.key}!` : undefined;
    if (this.cursor === undefined) this.walkedDay = today;
    return true;
  }

  private async forgetLanes(oldest: number): Promise<void> {
    const gone = [...this.env.lanes.getRange({})].filter(
      ({ key, value }) => !this.isLive(key) && (value as LaneDoc).lastDay < oldest,
    );
    if (gone.length === 0) return;
    const schemas = gone.flatMap(({ key }) => [...this.env.schemas.getKeys({ start: schemaKey(key, 0), end: `${key} ~` })]);
    await inOneCommit(this.env, () => {
      for (const { key } of gone) void this.env.lanes.remove(key);
      for (const key of schemas) void this.env.schemas.remove(key);
    });
  }
}
