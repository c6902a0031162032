import { createRoute } from "@hono/zod-openapi";
import * as z from "zod";
import { type SeriesSelector, seriesAnswerSchema, seriesQuerySchema } from "#protocol/api.ts";
import { type EntityKey, type EpochMs, entityKind, parseEntityKey } from "#protocol/ids.ts";
import { type Metric, metricByName } from "#protocol/metrics.ts";
import { RemoteReadError, readHistory } from "../core/long-range.ts";
import { columnsOf, planQuery, type QueryPlan } from "../core/query.ts";
import { Refusal } from "../core/refusal.ts";
import type { SeriesColumns, SeriesInfo, SeriesRange } from "../core/series.ts";
import { type Answered, columnsType, toBinary, toJson } from "./columns.ts";
import type { HubApp } from "./env.ts";
import { commonErrors } from "./errors.ts";
import type { HttpPorts } from "./ports.ts";

const queryRoute = createRoute({
  method: "post",
  path: "/api/v1/series/query",
  tags: ["series"],
  summary: "History of up to 1000 series",
  description: `With \`Accept: ${columnsType}\` the answer is binary: header length (uint32 little endian), header (JSON, padded with blanks to a
multiple of 8), then float64 little endian columns, \`at\` first, in the order the header names them; NaN is no sample. A series that was never
sampled is answered with empty columns.`,
  request: { body: { required: true, content: { "application/json": { schema: seriesQuerySchema } } } },
  responses: {
    200: {
      description: "Columns in the order of the query",
      content: {
        "application/json": { schema: seriesAnswerSchema },
        [columnsType]: { schema: z.string().meta({ format: "binary" }) },
      },
    },
    ...commonErrors,
    413: { ...commonErrors[400], description: "More points than one answer may hold" },
  },
});

type Wanted = { selector: SeriesSelector; metric: Metric; info: SeriesInfo | undefined };

export function seriesRoutes(app: HubApp, ports: HttpPorts): void {
  app.openapi(queryRoute, async (c) => {
    const query = c.req.valid("json");
    const plan = planQuery(query);
    const wanted = query.series.map((selector, index) => find(ports, selector, `series.${index}`));
    const answer = await read(ports, wanted, plan, query.aggregates);
    if (!(c.req.header("Accept") ?? "").includes(columnsType)) return c.json(toJson(answer), 200);
    return c.body(toBinary(answer), 200, { "Content-Type": columnsType });
  });
}

function find(ports: HttpPorts, selector: SeriesSelector, field: string): Wanted {
  const entity = parseEntityKey(selector.entity);
  if (entity === undefined) throw new Refusal("invalid", `${selector.entity} is no entity`, { field: `${field}.entity` });
  const metric = metricByName(entityKind(entity), selector.metric);
  if (metric === undefined) {
    throw new Refusal("invalid", `${selector.metric} is no metric of a ${entityKind(entity)}`, { field: `${field}.metric` });
  }
  const { instance, incarnation } = selector;
  const rest = { ...(instance === undefined ? {} : { instance }), ...(incarnation === undefined ? {} : { incarnation }) };
  const found = clustersOf(ports, entity, selector.cluster, field).flatMap(
    (cluster) => ports.reader.find({ cluster, entity, metric: selector.metric, ...rest }) ?? [],
  );
  if (found.length > 1) throw new Refusal("conflict", `several clusters have ${entity}: name one`, { field: `${field}.cluster` });
  return { selector, metric, info: found[0] };
}

function clustersOf(ports: HttpPorts, entity: EntityKey, cluster: string | undefined, field: string) {
  const all = ports.pictures().map((picture) => picture.cluster);
  if (cluster === undefined) return all.filter((id) => ports.reader.incarnationOf(id, entity) !== undefined);
  const known = all.filter((id) => id === cluster);
  if (known.length === 0) throw new Refusal("not-found", `there is no cluster ${cluster}`, { field: `${field}.cluster` });
  return known;
}

/** Series that want the same columns are read together, so that the store can walk them in its own order. */
async function read(
  ports: HttpPorts,
  wanted: readonly Wanted[],
  plan: QueryPlan,
  asked: Parameters<typeof columnsOf>[1],
): Promise<Answered> {
  const groups = new Map<string, { infos: SeriesInfo[]; aggregates: ReturnType<typeof columnsOf> }>();
  for (const { info, metric } of wanted) {
    if (info === undefined) continue;
    const aggregates = columnsOf(metric, asked, plan.stepMs === undefined);
    const group = groups.get(aggregates.join()) ?? { infos: [], aggregates };
    group.infos.push(info);
    groups.set(aggregates.join(), group);
  }
  const columns = new Map<number, SeriesColumns>();
  let tier: "raw" | "rollup" = "raw";
  const range = { from: plan.from as EpochMs, to: plan.to as EpochMs, stepMs: plan.stepMs };
  for (const { infos, aggregates } of groups.values()) {
    const part = await readPart(ports, infos, { ...range, aggregates });
    if (part.tier === "rollup") tier = "rollup";
    part.series.forEach((data, index) => {
      const info = infos[index];
      if (info !== undefined) columns.set(info.id, data);
    });
  }
  const series = wanted.map(({ selector, metric, info }) => ({
    entity: selector.entity,
    metric: selector.metric,
    instance: selector.instance ?? null,
    unit: metric.unit,
    source: info?.source ?? null,
    data:
      (info === undefined ? undefined : columns.get(info.id)) ??
      emptyColumns(columnsOf(metric, asked, plan.stepMs === undefined)),
  }));
  return { from: plan.from, to: plan.to, stepMs: plan.stepMs ?? null, tier, series };
}

/** A range that only the other engine has is refused while that doesn't answer: half a chart would look like a gap in the data. */
async function readPart(ports: HttpPorts, infos: readonly SeriesInfo[], range: SeriesRange) {
  try {
    return await readHistory(ports.reader, ports.longRange, infos, range, ports.clock.now());
  } catch (error) {
    if (!(error instanceof RemoteReadError)) throw error;
    ports.log(4, error.message);
    throw new Refusal("overloaded", "older history is kept by another server, which does not answer: ask for a later `from`", {
      field: "from",
    });
  }
}

function emptyColumns(names: ReturnType<typeof columnsOf>): SeriesColumns {
  return { at: new Float64Array(), columns: Object.fromEntries(names.map((name) => [name, new Float64Array()])) };
}
