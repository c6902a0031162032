import { setImmediate } from "node:timers/promises";
import type { Aggregate } from "#protocol/api.ts";
import type { EpochMs } from "#protocol/ids.ts";
import { RemoteReadError, readHistory } from "../core/long-range.ts";
import type { QueryPlan } from "../core/query.ts";
import { decodedAtOnce, decodedPerSeries } from "../core/query-cost.ts";
import { Refusal } from "../core/refusal.ts";
import type { PackedColumns, SeriesColumns, SeriesInfo, SeriesRange } from "../core/series.ts";
import { readsRollups } from "../core/tier.ts";
import type { HttpPorts } from "./ports.ts";

/** What a plan says of itself in an answer. */
export const rangeOf = ({ from, to, stepMs, offsetMs }: QueryPlan) => ({
  from,
  to,
  stepMs: stepMs ?? null,
  ...(offsetMs === 0 ? {} : { offsetMs }),
});

/** The range that is read: `offsetMs` before the asked one. */
export const shifted = ({ from, to, stepMs, offsetMs }: QueryPlan) => ({ from: from - offsetMs, to: to - offsetMs, stepMs });

type HistoryPorts = Pick<HttpPorts, "reader" | "longRange" | "clock" | "log">;
type History<Columns> = { tier: "raw" | "rollup"; series: Columns[] };

/** Columns of the plan's range, their times moved into the asked one. */
export const readShifted = (
  ports: HistoryPorts,
  infos: readonly SeriesInfo[],
  plan: QueryPlan,
  aggregates: readonly Aggregate[],
): Promise<History<SeriesColumns>> => inPieces(ports, infos, plan, (piece) => readPiece(ports, piece, plan, aggregates));

/** The same for an answer: packed from the beginning where the hub's own store can do that. */
export const readForAnswer = (
  ports: HistoryPorts,
  infos: readonly SeriesInfo[],
  plan: QueryPlan,
  aggregates: readonly Aggregate[],
): Promise<History<PackedColumns>> =>
  inPieces(ports, infos, plan, async (piece) => {
    const isOwn = plan.offsetMs === 0 && ports.longRange === undefined;
    const packed = isOwn ? ports.reader.readPacked?.(piece, storedRange(plan, aggregates)) : undefined;
    return packed === undefined ? readPiece(ports, piece, plan, aggregates) : { tier: "raw", series: packed };
  });

/** Much is read in pieces, so that others get their turn in between. */
async function inPieces<Columns>(
  ports: HistoryPorts,
  infos: readonly SeriesInfo[],
  plan: QueryPlan,
  read: (piece: readonly SeriesInfo[]) => Promise<History<Columns>>,
): Promise<History<Columns>> {
  const now = ports.clock.now();
  const range = shifted(plan);
  const atOnce = Math.max(1, Math.floor(decodedAtOnce / Math.max(1, decodedPerSeries(range, now))));
  const all: History<Columns> = { tier: readsRollups(range, now) ? "rollup" : "raw", series: [] };
  for (let begin = 0; begin < infos.length; begin += atOnce) {
    if (begin > 0) await setImmediate();
    const { tier, series } = await read(infos.slice(begin, begin + atOnce));
    all.tier = tier;
    for (const one of series) all.series.push(one);
  }
  return all;
}

/** A range that only the other engine has is refused while that doesn't answer: half a chart would look like a gap in the data. */
async function readPiece(
  ports: HistoryPorts,
  infos: readonly SeriesInfo[],
  plan: QueryPlan,
  aggregates: readonly Aggregate[],
): Promise<History<SeriesColumns>> {
  try {
    const found = await readHistory(ports.reader, ports.longRange, infos, storedRange(plan, aggregates), ports.clock.now());
    if (plan.offsetMs === 0) return found;
    const moved = found.series.map(({ at, columns }) => ({ at: at.map((time) => time + plan.offsetMs), columns }));
    return { tier: found.tier, series: moved };
  } catch (error) {
    if (!(error instanceof RemoteReadError)) throw error;
    ports.log(4, error.message);
    throw new Refusal("overloaded", "older history is kept by another server, which does not answer: ask for a later `from`", {
      field: "from",
    });
  }
}

function storedRange(plan: QueryPlan, aggregates: readonly Aggregate[]): SeriesRange {
  const { from, to, stepMs } = shifted(plan);
  return { from: from as EpochMs, to: to as EpochMs, stepMs, aggregates };
}
