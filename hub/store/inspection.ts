import { limits } from "#protocol/limits.ts";
import { metricById } from "#protocol/metrics.ts";
import { decodeSchema, parseRecordHead } from "#protocol/records.ts";
import { type BlockLayout, openBlock, unpackSamples } from "../core/block.ts";
import { errorMessage } from "../core/error.ts";
import { emptyRollup, readRollup } from "../core/rollup.ts";
import type { EntityDoc } from "./catalogue.ts";
import { nameBlock, nameSeries, type Tier } from "./damage.ts";
import { groupDocKey, parseSpanKey } from "./keys.ts";
import { decodeRingValue } from "./ring.ts";
import type { SeriesEnv } from "./series-env.ts";

/** What was read, and what is damaged: one line each. */
export type CheckReport = {
  blocks: number;
  rollups: number;
  frames: number;
  entities: number;
  series: number;
  problems: string[];
};

/** Reads everything that the store holds. The hub may be running: it is one moment's picture of each database. */
export function checkStore(env: SeriesEnv): CheckReport {
  const report: CheckReport = { blocks: 0, rollups: 0, frames: 0, entities: 0, series: 0, problems: [] };
  const attempt = (what: () => string, read: () => void) => {
    try {
      read();
    } catch (cause) {
      report.problems.push(`${what()}: ${errorMessage(cause)}`);
    }
  };
  const groups = checkCatalogue(env, report);
  const checkTier = (tier: Tier, key: Uint8Array, value: Uint8Array, check: (value: Uint8Array) => number[]) => {
    const { span, group } = parseSpanKey(key);
    attempt(
      () => nameBlock(env, tier, span, group),
      () => {
        checkColumns(value);
        const damaged = check(value);
        if (damaged.length > 0) throw new Error(`${damaged.map((id) => nameSeries(env, group, id)).join(", ")} can't be read`);
        if (!groups.has(group)) throw new Error("the catalogue doesn't know its group");
      },
    );
  };
  for (const { key, value } of env.blocks.getRange({})) {
    report.blocks++;
    checkTier("samples", key, value, checkSamples);
  }
  for (const { key, value } of env.rollups.getRange({})) {
    report.rollups++;
    checkTier("rollup", key, value, checkRollups);
  }
  for (const { key, value } of env.ring.getRange({})) {
    attempt(
      () => `frames ${key} of the write-ahead ring`,
      () => {
        report.frames += checkFrames(value);
      },
    );
  }
  for (const { key, value } of env.schemas.getRange({})) {
    attempt(
      () => `schema ${key}`,
      () => {
        const parsed = decodeSchema(value, limits.seriesPerAgent);
        if (!parsed.ok) throw new Error(parsed.problem);
      },
    );
  }
  return report;
}

/** Columns must lie inside the block, in their order. */
function checkColumns(bytes: Uint8Array): void {
  const block = openBlock(bytes);
  let before = block.leadAt;
  for (let i = 0; i < block.series; i++) {
    const at = block.columnAt(i);
    if (!(at >= before && at < bytes.length)) throw new Error(`column ${i} is out of place`);
    before = at;
  }
}

/** Returns the series whose columns are damaged. */
function checkSamples(bytes: Uint8Array): number[] {
  const damaged: number[] = [];
  const { times } = unpackSamples(bytes, (id) => damaged.push(id));
  for (let i = 0; i < times.length; i++) {
    if (!((times[i] as number) > (times[i - 1] ?? Number.NEGATIVE_INFINITY))) throw new Error(`times do not ascend at row ${i}`);
  }
  return damaged;
}

/** Returns the series whose columns are damaged. */
function checkRollups(bytes: Uint8Array): number[] {
  const block = openBlock(bytes);
  const day = emptyRollup();
  const isPlausible = (count: number, row: number) =>
    count === 0 || (count > 0 && (day.min[row] as number) <= (day.max[row] as number));
  const isWhole = (position: number) => readRollup(bytes, block, position, day) && day.count.every(isPlausible);
  return [...block.ids()].filter((_, position) => !isWhole(position));
}

function checkFrames(value: Uint8Array): number {
  const records = decodeRingValue(value);
  for (const { lane, record } of records) {
    const head = parseRecordHead(record);
    if (!head.ok) throw new Error(`lane ${lane}: ${head.problem}`);
  }
  return records.length;
}

/** Entities must be in groups that there are, series ids belong to one entity only. Returns the groups. */
function checkCatalogue(env: SeriesEnv, report: CheckReport): Set<number> {
  const groups = new Set<number>();
  for (const key of env.catalogue.getKeys({ start: groupDocKey(0), end: "group ~" }))
    groups.add(Number(key.slice("group ".length)));
  const seen = new Set<number>();
  for (const { key, doc } of entitiesOf(env)) {
    report.entities++;
    for (const { group } of doc.groups) {
      if (!groups.has(group)) report.problems.push(`${key}: its group ${group} is not there`);
    }
    for (const { id } of doc.series) {
      report.series++;
      if (seen.has(id)) report.problems.push(`${key}: its series ${id} is another one's too`);
      seen.add(id);
    }
  }
  for (const { key, value } of env.catalogue.getRange({ start: "current ", end: "current ~" })) {
    const entity = `entity ${key.slice("current ".length)} ${String(value).padStart(9, "0")}`;
    // What aged out keeps its number, so that a vmid used again is told apart from it: only a number that never was is wrong.
    if (!Number.isInteger(value) || (value as number) < 1)
      report.problems.push(`${key}: no incarnation ${String(value)} (${entity})`);
  }
  return groups;
}

function* entitiesOf(env: SeriesEnv): Iterable<{ key: string; doc: EntityDoc }> {
  for (const { key, value } of env.catalogue.getRange({ start: "entity ", end: "entity ~" }))
    yield { key, doc: value as EntityDoc };
}

/** One metric's part of the store. `samples`: rows of its columns, absent ones too. */
export type MetricSize = { metric: string; series: number; samples: number; rawBytes: number; rollupBytes: number };

/** Bytes of columns by metric, the largest first; headers of blocks belong to none. */
export function sizeByMetric(env: SeriesEnv): MetricSize[] {
  const sizes = new Map<number, MetricSize>();
  const metricOf = new Map<number, MetricSize>();
  for (const { doc } of entitiesOf(env)) {
    for (const { id, metric } of doc.series) {
      const row = metricById(metric);
      const name = row ? `${row.entity} ${row.name}` : `metric ${metric}`;
      const size = sizes.get(metric) ?? { metric: name, series: 0, samples: 0, rawBytes: 0, rollupBytes: 0 };
      sizes.set(metric, size);
      metricOf.set(id, size);
      size.series++;
    }
  }
  for (const { value } of env.blocks.getRange({})) {
    eachColumn(value, (id, bytes, rows) => {
      const size = metricOf.get(id);
      if (size === undefined) return;
      size.rawBytes += bytes;
      size.samples += rows;
    });
  }
  for (const { value } of env.rollups.getRange({})) {
    eachColumn(value, (id, bytes) => {
      const size = metricOf.get(id);
      if (size) size.rollupBytes += bytes;
    });
  }
  return [...sizes.values()].sort((a, b) => b.rawBytes + b.rollupBytes - a.rawBytes - a.rollupBytes);
}

/** None of a block that can't be read: `store check` is who tells. */
function eachColumn(value: Uint8Array, take: (id: number, bytes: number, rows: number) => void): void {
  const block = openReadable(value);
  if (block === undefined) return;
  for (const [i, id] of block.ids().entries()) {
    const end = i + 1 < block.series ? block.columnAt(i + 1) : value.length;
    take(id, end - block.columnAt(i), block.rows);
  }
}

function openReadable(value: Uint8Array): BlockLayout | undefined {
  try {
    return openBlock(value);
  } catch {
    return undefined;
  }
}

/** Entries and bytes (whole pages) of one database. */
export function sizeOf(database: { getStats(): object }): { count: number; bytes: number } {
  const stats = database.getStats() as {
    entryCount: number;
    pageSize: number;
    treeBranchPageCount: number;
    treeLeafPageCount: number;
    overflowPages: number;
  };
  const pages = stats.treeBranchPageCount + stats.treeLeafPageCount + stats.overflowPages;
  return { count: stats.entryCount, bytes: pages * stats.pageSize };
}
