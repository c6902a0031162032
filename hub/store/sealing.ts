import type { Database } from "lmdb";
import { hasNoSums, withSums } from "../core/block.ts";
import { inOneCommit } from "./commit.ts";
import type { Damage } from "./damage.ts";
import { parseSpanKey } from "./keys.ts";
import { unsealedKey } from "./migration.ts";
import type { SeriesEnv } from "./series-env.ts";

/** Blocks looked at and written anew in one step: at 50 kB each its commit is some MB. */
const looksPerStep = 500;
const writesPerStep = 16;

type TierName = "blocks" | "rollups";

/** Gives blocks from before format 2 their checksums, in small steps. A crash in between does part of it again: blocks tell their version. */
export class Sealing {
  private tiers: TierName[];
  /** Where the walk over the first of `tiers` goes on. */
  private after: Uint8Array | undefined;

  constructor(
    private readonly env: SeriesEnv,
    private readonly damage: Damage,
  ) {
    this.tiers = ((env.meta.get(unsealedKey) ?? []) as TierName[]).slice();
  }

  /** Returns whether there was something to do. */
  async step(): Promise<boolean> {
    const [tier] = this.tiers;
    if (tier === undefined) return false;
    const database = this.env[tier];
    const { writes, last, isEnd } = this.nextBlocks(database, tier);
    const rest = isEnd ? this.tiers.slice(1) : this.tiers;
    await inOneCommit(this.env, () => {
      for (const { key, value } of writes) void database.put(key, value);
      if (isEnd) void (rest.length > 0 ? this.env.meta.put(unsealedKey, rest) : this.env.meta.remove(unsealedKey));
    });
    this.tiers = rest;
    this.after = isEnd ? undefined : last;
    return true;
  }

  private nextBlocks(database: Database<Uint8Array, Uint8Array>, tier: TierName) {
    const writes: { key: Uint8Array; value: Uint8Array }[] = [];
    let looks = 0;
    let last = this.after;
    const from = last === undefined ? {} : { start: last, exclusiveStart: true };
    for (const { key, value } of database.getRange(from)) {
      last = key;
      if (hasNoSums(value)) this.seal(key, value, tier, writes);
      if (++looks >= looksPerStep || writes.length >= writesPerStep) return { writes, last, isEnd: false };
    }
    return { writes, last, isEnd: true };
  }

  /** A block that can't be read stays as it is: a checksum would call it good. */
  private seal(key: Uint8Array, value: Uint8Array, tier: TierName, writes: { key: Uint8Array; value: Uint8Array }[]): void {
    try {
      writes.push({ key, value: withSums(value) });
    } catch {
      const { span, group } = parseSpanKey(key);
      this.damage.note(tier === "blocks" ? "samples" : "rollup", span, group);
    }
  }
}
