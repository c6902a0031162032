import type { Aggregate } from "#protocol/api.ts";
import type { EpochMs } from "#protocol/ids.ts";
import { rollupStepMs } from "./rollup.ts";
import type { SeriesColumns, SeriesInfo, SeriesRange, SeriesReader } from "./series.ts";
import { rawKeptMs, rollupKeptMs } from "./tier.ts";

/** The other engine did not answer, or with something else: the message says which and what. */
export class RemoteReadError extends Error {}

/** History that another engine keeps longer than the hub does. */
export interface LongRangeReader {
  /** Columns of the series in their order, as SeriesReader gives them. Rejects with RemoteReadError when the other engine doesn't answer. */
  read(series: readonly SeriesInfo[], range: SeriesRange): Promise<SeriesColumns[]>;
}

/** Parts of a range that the hub's own tiers can't answer (`remote`) and can (`local`); the cut lies on a step, so that no step is mixed. */
export function splitRange(
  range: SeriesRange,
  oldestLocal: EpochMs,
): { remote: SeriesRange | undefined; local: SeriesRange | undefined } {
  const { from, to, stepMs } = range;
  if (from >= oldestLocal) return { remote: undefined, local: range };
  if (to <= oldestLocal) return { remote: range, local: undefined };
  const cut = stepMs === undefined ? oldestLocal : ((from + Math.ceil((oldestLocal - from) / stepMs) * stepMs) as EpochMs);
  if (cut >= to) return { remote: range, local: undefined };
  return { remote: { ...range, to: cut }, local: { ...range, from: cut } };
}

/** `older` then `newer`, with the columns of `aggregates`; a column that one part lacks is unknown (NaN) there. */
export function joinColumns(older: SeriesColumns, newer: SeriesColumns, aggregates: readonly Aggregate[]): SeriesColumns {
  const join = (a: Float64Array, b: Float64Array) => {
    const both = new Float64Array(a.length + b.length);
    both.set(a);
    both.set(b, a.length);
    return both;
  };
  const unknown = ({ at }: SeriesColumns) => new Float64Array(at.length).fill(Number.NaN);
  const columns = aggregates.map((name) => [
    name,
    join(older.columns[name] ?? unknown(older), newer.columns[name] ?? unknown(newer)),
  ]);
  return { at: join(older.at, newer.at), columns: Object.fromEntries(columns) };
}

/** Start of what the hub itself can answer for a range. */
export function oldestLocal({ stepMs }: SeriesRange, now: EpochMs): EpochMs {
  return (now - (stepMs !== undefined && stepMs >= rollupStepMs ? rollupKeptMs : rawKeptMs)) as EpochMs;
}

/** As SeriesReader.read; what is older than the hub's own history comes from `remote`, where there is one. Rejects when that doesn't answer. */
export async function readHistory(
  local: SeriesReader,
  remote: LongRangeReader | undefined,
  series: readonly SeriesInfo[],
  range: SeriesRange,
  now: EpochMs,
): Promise<{ tier: "raw" | "rollup"; series: SeriesColumns[] }> {
  const parts = remote === undefined ? { remote: undefined, local: range } : splitRange(range, oldestLocal(range, now));
  const newer = parts.local === undefined ? undefined : local.read(series, parts.local);
  if (remote === undefined || parts.remote === undefined) return newer ?? { tier: "raw", series: [] };
  const older = await remote.read(series, parts.remote);
  if (newer === undefined) return { tier: range.stepMs === undefined ? "raw" : "rollup", series: older };
  const joined = newer.series.map((columns, index) => {
    const before = older[index];
    return before === undefined ? columns : joinColumns(before, columns, range.aggregates);
  });
  return { tier: newer.tier, series: joined };
}
