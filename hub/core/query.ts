import type { Aggregate, SeriesQuery } from "#protocol/api.ts";
import { pointsMax } from "#protocol/api.ts";
import { limits } from "#protocol/limits.ts";
import type { Metric } from "#protocol/metrics.ts";
import { checkRange } from "./asked.ts";
import { Refusal } from "./refusal.ts";

const sec = 1000;
const min = 60 * sec;
const hour = 60 * min;
const day = 24 * hour;

/** Steps a chart gets: they divide each other's days, so that points stay where they are when a range moves on. */
const steps = [
  ...[10, 20, 30].map((n) => n * sec),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * min),
  ...[1, 2, 3, 6, 12].map((n) => n * hour),
  ...[1, 2, 7, 14, 30].map((n) => n * day),
];

/** The smallest good step that gives at most `points` points. */
export function stepFor(rangeMs: number, points: number): number {
  const exact = rangeMs / points;
  return steps.find((step) => step >= exact) ?? Math.ceil(exact / day) * day;
}

/** History is kept for 400 days, by another engine perhaps longer; a longer range is a mistake, and walking its days is not free. */
const rangeMaxMs = 5 * 366 * day;

export type QueryPlan = { from: number; to: number; stepMs: number | undefined; offsetMs: number };
type AskedRange = Pick<SeriesQuery, "from" | "to" | "stepMs" | "points" | "offsetMs">;

/** The range with its step, `from` moved back to a whole step. @throws Refusal what of the query can't be answered, with its field. */
export function planQuery(query: AskedRange & Pick<SeriesQuery, "series">): QueryPlan {
  const plan = planRange(query);
  refusePoints(plan, query.series.length, query.points === undefined ? "stepMs" : "points");
  if (plan.to - plan.from > rangeMaxMs) {
    throw new Refusal("too-large", `a range may have ${rangeMaxMs} ms (5 years): ask for a later from`, { field: "from" });
  }
  return plan;
}

/** As planQuery, without its limits. @throws Refusal */
export function planRange(query: AskedRange): QueryPlan {
  const { from, to, offsetMs = 0 } = query;
  checkRange(query);
  if (query.stepMs !== undefined && query.points !== undefined) {
    throw new Refusal("invalid", "give stepMs or points, not both", { field: "points" });
  }
  const stepMs = query.points === undefined ? query.stepMs : stepFor(to - from, query.points);
  if (stepMs !== undefined && offsetMs % stepMs !== 0) {
    const remedy = `offsetMs must be a multiple of the step, ${stepMs} ms, so that both ranges have the same steps`;
    throw new Refusal("invalid", remedy, { field: "offsetMs" });
  }
  const start = stepMs === undefined ? from : Math.floor(from / stepMs) * stepMs;
  if (start < offsetMs) throw new Refusal("invalid", "offsetMs reaches back beyond 1970", { field: "offsetMs" });
  return { from: start, to, stepMs, offsetMs };
}

/** @throws Refusal when so many columns over the plan's steps are more than one answer may hold. `field`: what set the step. */
export function refusePoints({ from, to, stepMs }: QueryPlan, columns: number, field: string): void {
  const points = Math.ceil((to - from) / (stepMs ?? limits.sampleEveryMs)) * columns;
  if (points <= pointsMax) return;
  const remedy = stepMs === undefined ? "ask with points or stepMs" : "ask for fewer series, a shorter range or a longer step";
  throw new Refusal("too-large", `about ${points} points are more than ${pointsMax}: ${remedy}`, { field });
}

/** Which columns a metric gets. A gauge has no rate, and of a counter only its rate is of use; raw samples have nothing to average. */
export function columnsOf(metric: Metric, asked: readonly Aggregate[] | undefined, raw: boolean): Aggregate[] {
  if (metric.kind === "counter") return asked === undefined ? ["rate"] : [...asked];
  if (asked === undefined) return raw ? ["last"] : ["avg", "min", "max"];
  return asked.filter((aggregate) => aggregate !== "rate");
}
