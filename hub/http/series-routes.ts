import { createRoute } from "@hono/zod-openapi";
import type { z } from "zod";
import { type Aggregate, type SeriesAnswer, type SeriesSelector, seriesAnswerSchema, seriesQuerySchema } from "#protocol/api.ts";
import { type ClusterId, type EntityKey, entityKind } from "#protocol/ids.ts";
import { type Metric, metricByName } from "#protocol/metrics.ts";
import { askedEntity } from "../core/asked.ts";
import { columnsOf, planQuery, type QueryPlan } from "../core/query.ts";
import { refuseCost } from "../core/query-cost.ts";
import { Refusal } from "../core/refusal.ts";
import type { PackedColumns, SeriesInfo } from "../core/series.ts";
import { columnQuestion } from "./column-question.ts";
import { type Answered, binaryForm, columnResponses, toBinary, toJson, wantsBinary } from "./columns.ts";
import type { HubApp } from "./env.ts";
import type { HttpPorts } from "./ports.ts";
import { historySeenBy, type SeenHistory } from "./seen.ts";
import { rangeOf, readForAnswer, shifted } from "./series-history.ts";

const queryRoute = createRoute({
  method: "post",
  path: "/api/v1/series/query",
  tags: ["series"],
  summary: "History of up to 1000 series",
  description: `A series that was never sampled is answered with empty columns. With \`offsetMs\` another time's history lies on the asked range.
${binaryForm}`,
  request: { body: { required: true, content: { "application/json": { schema: seriesQuerySchema } } } },
  responses: columnResponses(seriesAnswerSchema, "Columns in the order of the query"),
});

type SeriesHead = Omit<SeriesAnswer["series"][number], "at" | "columns">;
type SeriesAnswered = Answered<Omit<SeriesAnswer, "series">, SeriesHead, Aggregate>;
type Group = { infos: SeriesInfo[]; aggregates: Aggregate[] };
type Wanted = { selector: SeriesSelector; metric: Metric; info: SeriesInfo | undefined };

export function seriesRoutes(app: HubApp, ports: HttpPorts): void {
  app.openapi(queryRoute, async (c) => {
    const answer = await answerOf(historySeenBy(ports, c.get("viewer")), c.req.valid("json"));
    if (!wantsBinary(c.req.header("Accept"))) return c.json(toJson(answer), 200);
    const { bytes, type } = toBinary(answer, c.req.header("Accept"));
    return c.body(bytes, 200, { "Content-Type": type });
  });
}

export const seriesQuestion = columnQuestion(queryRoute.path, seriesQuerySchema, answerOf);

function answerOf(seen: SeenHistory, query: z.output<typeof seriesQuerySchema>): Promise<SeriesAnswered> {
  const plan = planQuery(query);
  const remedy = "ask for fewer series, a shorter range, or steps of 15 minutes or more";
  refuseCost(shifted(plan), query.series.length, seen.clock.now(), "from", remedy);
  const clusters = seen.clusterIds();
  const wanted = query.series.map((selector, index) => find(seen, clusters, selector, `series.${index}`));
  return read(seen, wanted, plan, query.aggregates);
}

function find(ports: SeenHistory, all: readonly ClusterId[], selector: SeriesSelector, field: string): Wanted {
  const entity = askedEntity(selector.entity, `${field}.entity`);
  const metric = metricByName(entityKind(entity), selector.metric);
  if (metric === undefined) {
    throw new Refusal("invalid", `${selector.metric} is no metric of a ${entityKind(entity)}`, { field: `${field}.metric` });
  }
  const { instance, incarnation } = selector;
  let found: SeriesInfo | undefined;
  for (const cluster of clustersOf(ports, all, entity, selector.cluster, field)) {
    const info = ports.reader.find({ cluster, entity, metric: selector.metric, instance, incarnation });
    if (info !== undefined && found !== undefined)
      throw new Refusal("conflict", `several clusters have ${entity}: name one`, { field: `${field}.cluster` });
    found ??= info;
  }
  return { selector, metric, info: found };
}

function clustersOf(
  ports: SeenHistory,
  all: readonly ClusterId[],
  entity: EntityKey,
  cluster: string | undefined,
  field: string,
): readonly ClusterId[] {
  if (cluster === undefined && all.length === 1) return all;
  if (cluster === undefined) return all.filter((id) => ports.reader.incarnationOf(id, entity) !== undefined);
  const known = all.filter((id) => id === cluster);
  if (known.length === 0) throw new Refusal("not-found", `there is no cluster ${cluster}`, { field: `${field}.cluster` });
  return known;
}

/** Series that want the same columns are read together, so that the store can walk them in its own order. */
async function read(
  ports: SeenHistory,
  wanted: readonly Wanted[],
  plan: QueryPlan,
  asked: Parameters<typeof columnsOf>[1],
): Promise<SeriesAnswered> {
  const groups = new Map<string, Group>();
  const groupOf = new Map<Metric, Group>();
  for (const { info, metric } of wanted) {
    if (info === undefined) continue;
    let group = groupOf.get(metric);
    if (group === undefined) {
      const aggregates = columnsOf(metric, asked, plan.stepMs === undefined);
      group = groups.get(aggregates.join()) ?? { infos: [], aggregates };
      groups.set(aggregates.join(), group);
      groupOf.set(metric, group);
    }
    group.infos.push(info);
  }
  const columns = new Map<number, PackedColumns>();
  let tier: "raw" | "rollup" = "raw";
  for (const { infos, aggregates } of groups.values()) {
    const part = await readForAnswer(ports, infos, plan, aggregates);
    if (part.tier === "rollup") tier = "rollup";
    part.series.forEach((data, index) => {
      const info = infos[index];
      if (info !== undefined) columns.set(info.id, data);
    });
  }
  const series = wanted.map(({ selector, metric, info }) => ({
    head: {
      entity: selector.entity,
      metric: selector.metric,
      instance: selector.instance ?? null,
      unit: metric.unit,
      source: info?.source ?? null,
    },
    data:
      (info === undefined ? undefined : columns.get(info.id)) ??
      emptyColumns(columnsOf(metric, asked, plan.stepMs === undefined)),
  }));
  return { head: { ...rangeOf(plan), tier }, series };
}

function emptyColumns(names: ReturnType<typeof columnsOf>): PackedColumns {
  return { at: new Float64Array(), columns: Object.fromEntries(names.map((name) => [name, new Float64Array()])) };
}
