import { setImmediate } from "node:timers/promises";
import { createRoute } from "@hono/zod-openapi";
import type { z } from "zod";
import type { Aggregate } from "#protocol/api.ts";
import {
  type Combination,
  groupAnswerSchema,
  groupQuerySchema,
  topAnswerSchema,
  topQuerySchema,
} from "#protocol/class-queries.ts";
import type { ClusterId, EpochMs } from "#protocol/ids.ts";
import type { Metric } from "#protocol/metrics.ts";
import { planRange, type QueryPlan, refusePoints } from "../core/query.ts";
import {
  aggregateOf,
  isFiltered,
  type Member,
  type MemberSeries,
  memberFinder,
  membersOf,
  metricOf,
  seriesOfMembers,
} from "../core/query-class.ts";
import { decodedAtOnce, decodedPerSeries, refuseCost } from "../core/query-cost.ts";
import { Combined, type Group, groupMembers } from "../core/query-groups.ts";
import { placesOf, refuseSum, summaryOf, type TopWindow, topWindow, type Valued } from "../core/query-top.ts";
import { rollupStepMs } from "../core/rollup.ts";
import { readsRollups } from "../core/tier.ts";
import { picturesOf } from "./clusters.ts";
import { columnQuestion } from "./column-question.ts";
import { type Answered, binaryForm, columnResponses, toBinary, toJson, wantsBinary } from "./columns.ts";
import type { HubApp } from "./env.ts";
import type { HttpPorts } from "./ports.ts";
import { historySeenBy, type SeenHistory } from "./seen.ts";
import { rangeOf, readShifted, shifted } from "./series-history.ts";

const tags = ["series"];
const body = <T extends z.ZodType>(schema: T) => ({
  body: { required: true as const, content: { "application/json": { schema } } },
});

const topRoute = createRoute({
  method: "post",
  path: "/api/v1/series/top",
  tags,
  summary: "The busiest (or idlest) guests, nodes or storages over a window",
  description: `"Guests by cpu, last hour": \`{"class": "guests", "metric": "cpu"}\`. The answer is one series per place, in order, each with one value.
Members without a sample in the window have no place; \`members\` and \`ranked\` tell how many those are. Windows longer than a day are read from 15
minutes' averages, minima and maxima. ${binaryForm}`,
  request: body(topQuerySchema),
  responses: columnResponses(topAnswerSchema, "Places in order"),
});

const groupRoute = createRoute({
  method: "post",
  path: "/api/v1/series/group",
  tags,
  summary: "Guests, nodes or storages summed up by cluster, node, tag or pool, step by step",
  description: `"Network of all guests by pool": \`{"class": "guests", "metric": "net_in", "by": "pool", "from": …, "to": …}\`. All series have the same
steps. Where history has only steps of 15 minutes, \`stepMs\` says so. ${binaryForm}`,
  request: body(groupQuerySchema),
  responses: columnResponses(groupAnswerSchema, "Groups by cluster and name"),
});

type TopAsked = z.output<typeof topQuerySchema>;
type GroupAsked = z.output<typeof groupQuerySchema>;

/** Questions about a whole class: rankings and groups. */
export function classSeriesRoutes(app: HubApp, ports: HttpPorts): void {
  app.openapi(topRoute, async (c) => {
    const answer = await top(historySeenBy(ports, c.get("viewer")), c.req.valid("json"));
    if (!wantsBinary(c.req.header("Accept"))) return c.json(toJson(answer), 200);
    const { bytes, type } = toBinary(answer, c.req.header("Accept"));
    return c.body(bytes, 200, { "Content-Type": type });
  });
  app.openapi(groupRoute, async (c) => {
    const answer = await group(historySeenBy(ports, c.get("viewer")), c.req.valid("json"));
    if (!wantsBinary(c.req.header("Accept"))) return c.json(toJson(answer), 200);
    const { bytes, type } = toBinary(answer, c.req.header("Accept"));
    return c.body(bytes, 200, { "Content-Type": type });
  });
}

export const classQuestions = [
  columnQuestion(topRoute.path, topQuerySchema, top),
  columnQuestion(groupRoute.path, groupQuerySchema, group),
];

async function top(ports: SeenHistory, asked: TopAsked) {
  const now = ports.clock.now();
  const metric = metricOf(asked.class, asked.metric, "metric");
  const plus = (asked.plus ?? []).map((name, index) => metricOf(asked.class, name, `plus.${index}`));
  const aggregate = aggregateOf(metric, asked.aggregate);
  refuseSum(metric, plus, aggregate);
  const members = membersOf(asked.class, asked, picturesOf(ports, asked.cluster), now);
  const window = topWindow(asked.windowMs, asked.to ?? now, now);
  const metrics = [metric, ...plus];
  const valued = storeRanks(asked, metrics, aggregate, window, members.length, now)
    ? metrics.flatMap((one) => rankedByStore(ports, asked.cluster, one, members, window))
    : await readEach(ports, metrics, members, window, aggregate);
  const { places, ranked } = placesOf(valued, asked.n, asked.lowest);
  const { from, to } = window;
  const tier = readsRollups(window, now) ? ("rollup" as const) : ("raw" as const);
  const head = { from, to, stepMs: to - from, tier, members: members.length, ranked };
  return { head, series: places.map((place) => placeOf(place, metric, aggregate, from)) };
}

function placeOf({ member, info, value }: Valued, { name, unit }: Metric, aggregate: Aggregate, from: number) {
  const { cluster, entity, name: title, node } = member;
  const about = { cluster, entity, name: title, node: node ?? null, metric: name, instance: info.instance ?? null, unit };
  const columns: Partial<Record<Aggregate, Float64Array>> = { [aggregate]: Float64Array.of(value) };
  return { head: { ...about, source: info.source }, data: { at: Float64Array.of(from), columns } };
}

/** The store ranks gauges without rates and times, four times as fast. */
const gaugesAtOnce = 4 * decodedAtOnce;

/** Averages of a whole class over samples are the store's to rank, where each member has one series of the metric at most. */
function storeRanks(
  asked: TopAsked,
  metrics: readonly Metric[],
  aggregate: Aggregate,
  window: TopWindow,
  members: number,
  now: number,
): boolean {
  const averaged = aggregate === "avg" || aggregate === "rate";
  const single = metrics.every(({ instance }) => instance === undefined);
  const decoded = decodedPerSeries(window, now) * members * metrics.length;
  const small = decoded <= (metrics.every(({ kind }) => kind === "gauge") ? gaugesAtOnce : decodedAtOnce);
  return averaged && single && small && window.stepMs === undefined && !isFiltered(asked);
}

/** What is in no inventory has no place. */
function rankedByStore(
  ports: SeenHistory,
  cluster: string | undefined,
  metric: Metric,
  members: readonly Member[],
  { from, to }: TopWindow,
): Valued[] {
  const memberOf = memberFinder(members);
  const range = { from: from as EpochMs, to: to as EpochMs, count: undefined };
  const valued: Valued[] = [];
  for (const { series: info, value } of ports.reader.top({ cluster: cluster as ClusterId | undefined, metric, ...range })) {
    const member = memberOf(info.cluster, info.entity);
    if (member !== undefined) valued.push({ member, info, value });
  }
  return valued;
}

/** @throws Refusal where that is more than one request may read. */
async function readEach(
  ports: SeenHistory,
  metrics: readonly Metric[],
  members: readonly Member[],
  window: TopWindow,
  aggregate: Aggregate,
): Promise<Valued[]> {
  const wanted = metrics.map((one) => seriesOfMembers(ports.reader, members, one));
  const count = wanted.reduce((sum, series) => sum + series.length, 0);
  const remedy = "ask for a shorter window, or filter by cluster, node, tag or pool";
  refuseCost(window, count, ports.clock.now(), "windowMs", remedy);
  const valued: Valued[] = [];
  for (const series of wanted) {
    await eachPart(ports, series, { ...window, offsetMs: 0 }, aggregate, ({ member, info }, _, values) => {
      valued.push({ member, info, value: summaryOf(values, aggregate) });
    });
  }
  return valued;
}

/** Points where neither points nor a step were asked for. */
const defaultPoints = 300;

async function group(ports: SeenHistory, asked: GroupAsked) {
  const now = ports.clock.now();
  const metric = metricOf(asked.class, asked.metric, "metric");
  const aggregate = aggregateOf(metric, asked.aggregate);
  const plan = groupPlan(asked, now);
  const members = membersOf(asked.class, asked, picturesOf(ports, asked.cluster), now);
  const groups = groupMembers(asked.class, members, asked.by);
  refusePoints(plan, groups.length * asked.combine.length, asked.stepMs === undefined ? "points" : "stepMs");
  const series = seriesOfMembers(ports.reader, members, metric);
  refuseCost(shifted(plan), series.length, now, "from", "ask for a shorter range, steps of 15 minutes or more, or filter");
  const steps = { from: plan.from, stepMs: plan.stepMs, count: Math.ceil((plan.to - plan.from) / plan.stepMs) };
  const combined = new Map(groups.map((one) => [one, new Combined(steps)]));
  const groupsBy = groupsByMember(groups);
  const tier = await eachPart(ports, series, plan, aggregate, ({ member }, at, values) => {
    for (const one of groupsBy.get(member) ?? []) combined.get(one)?.add(at, values);
  });
  const at = Float64Array.from({ length: steps.count }, (_, i) => steps.from + i * steps.stepMs);
  return {
    head: { ...rangeOf(plan), stepMs: plan.stepMs, tier },
    series: groups.map((one) => ({
      head: {
        cluster: one.cluster,
        group: one.name ?? null,
        members: one.members.length,
        metric: metric.name,
        unit: metric.unit,
      },
      data: { at, columns: columnsOf(combined.get(one) ?? new Combined(steps), asked.combine) },
    })),
  } satisfies Answered<object, object, Combination>;
}

/** The range in steps that its history has. @throws Refusal */
function groupPlan(asked: GroupAsked, now: number): QueryPlan & { stepMs: number } {
  const { from, to, offsetMs, stepMs, points } = asked;
  const range = { from, to, ...(offsetMs === undefined ? {} : { offsetMs }) };
  const steps =
    stepMs === undefined ? { points: points ?? defaultPoints } : { stepMs, ...(points === undefined ? {} : { points }) };
  const plan = planRange({ ...range, ...steps });
  if (!readsRollups(shifted(plan), now) || (plan.stepMs ?? 0) >= rollupStepMs)
    return { ...plan, stepMs: plan.stepMs ?? rollupStepMs };
  return { ...planRange({ ...range, stepMs: rollupStepMs }), stepMs: rollupStepMs };
}

function groupsByMember(groups: readonly Group[]): Map<Member, Group[]> {
  const found = new Map<Member, Group[]>();
  for (const one of groups) for (const member of one.members) found.set(member, [...(found.get(member) ?? []), one]);
  return found;
}

function columnsOf(combined: Combined, combinations: readonly Combination[]): Partial<Record<Combination, Float64Array>> {
  const columns: Partial<Record<Combination, Float64Array>> = {};
  for (const name of combinations) columns[name] = combined.column(name);
  return columns;
}

/** Series whose columns are in memory at a time. */
const partSeries = 100;

/** Reads one column of each series, part by part. */
async function eachPart(
  ports: SeenHistory,
  series: readonly MemberSeries[],
  plan: QueryPlan,
  aggregate: Aggregate,
  take: (of: MemberSeries, at: Float64Array, values: Float64Array) => void,
): Promise<"raw" | "rollup"> {
  let tier: "raw" | "rollup" = "raw";
  for (let begin = 0; begin < series.length; begin += partSeries) {
    if (begin > 0) await setImmediate();
    const part = series.slice(begin, begin + partSeries);
    const read = await readShifted(
      ports,
      part.map(({ info }) => info),
      plan,
      [aggregate],
    );
    tier = read.tier;
    for (const [i, { at, columns }] of read.series.entries()) {
      const [of, values] = [part[i], columns[aggregate]];
      if (of !== undefined && values !== undefined) take(of, at, values);
    }
  }
  return tier;
}
