import { setImmediate } from "node:timers/promises";
import type { Aggregate } from "#protocol/api.ts";
import type { EpochMs } from "#protocol/ids.ts";
import { RemoteReadError, readHistory } from "../core/long-range.ts";
import type { QueryPlan } from "../core/query.ts";
import { decodedAtOnce, decodedPerSeries } from "../core/query-cost.ts";
import { Refusal } from "../core/refusal.ts";
import type { SeriesColumns, SeriesInfo } from "../core/series.ts";
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
type History = { tier: "raw" | "rollup"; series: SeriesColumns[] };

/** Columns of the plan's range, their times moved into the asked one. Much is read in pieces, so that others get their turn in between. */
export async function readShifted(
  ports: HistoryPorts,
  infos: readonly SeriesInfo[],
  plan: QueryPlan,
  aggregates: readonly Aggregate[],
): Promise<History> {
  const now = ports.clock.now();
  const range = shifted(plan);
  const atOnce = Math.max(1, Math.floor(decodedAtOnce / Math.max(1, decodedPerSeries(range, now))));
  const all: History = { tier: readsRollups(range, now) ? "rollup" : "raw", series: [] };
  for (let begin = 0; begin < infos.length; begin += atOnce) {
    if (begin > 0) await setImmediate();
    const { tier, series } = await readPiece(ports, infos.slice(begin, begin + atOnce), plan, aggregates);
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
): Promise<History> {
  const { from, to, stepMs } = shifted(plan);
  const range = { from: from as EpochMs, to: to as EpochMs, stepMs, aggregates };
  try {
    const found = await readHistory(ports.reader, ports.longRange, infos, range, ports.clock.now());
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
