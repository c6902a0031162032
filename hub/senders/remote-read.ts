import * as z from "zod";
import type { Aggregate } from "#protocol/api.ts";
import { type LongRangeReader, RemoteReadError } from "../core/long-range.ts";
import type { Labels } from "../core/prometheus-names.ts";
import { type ClusterNames, type Target, targetsOf } from "../core/prometheus-series.ts";
import { aggregateQuery, evaluationParts, selector } from "../core/promql.ts";
import type { SeriesColumns, SeriesInfo, SeriesRange } from "../core/series.ts";
import type { HttpProxy } from "../tunnel.ts";
import { credentialsAgree, credentialsHint, openReceiver, type Receiver, receiverKeys } from "./receiver.ts";

/** `[remote_read]` of hub.toml: ranges older than the hub's own history are asked of a server with the Prometheus query API. */
export const remoteReadConfig = z
  .strictObject({
    ...receiverKeys,
    /** Labels that the series must bear besides ours: the `labels` of [remote_write], or `job` and `instance` where Prometheus scrapes us. */
    labels: z.record(z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/), z.string().max(1000)).default({}),
  })
  .refine(credentialsAgree, credentialsHint);
export type RemoteReadConfig = z.infer<typeof remoteReadConfig>;

/** Under Prometheus' limit of 11,000. */
const pointsPerQuery = 10_000;
const answerMaxBytes = 64 << 20;
const concurrent = 4;

/** `GET /api/v1/query_range` and `/query`; of a vector or a matrix: pairs of seconds and a number as text. */
const answerSchema = z.object({
  status: z.literal("success"),
  data: z.object({
    resultType: z.literal("matrix"),
    result: z.array(z.object({ values: z.array(z.tuple([z.number(), z.string()])) })),
  }),
});

/** A client of the Prometheus query API. `url` is what `/api/v1` is appended to. */
export class RemoteRead implements LongRangeReader {
  private readonly receiver: Receiver;
  private readonly fixed: Labels;

  /** @throws when a file of the configuration can't be read. */
  constructor(
    config: RemoteReadConfig,
    private readonly names: () => readonly ClusterNames[],
    proxy?: HttpProxy,
  ) {
    this.receiver = openReceiver(config, proxy);
    this.fixed = Object.entries(config.labels);
  }

  async read(series: readonly SeriesInfo[], range: SeriesRange): Promise<SeriesColumns[]> {
    const names = this.names();
    const answers: SeriesColumns[] = [];
    for (let first = 0; first < series.length; first += concurrent) {
      const some = series.slice(first, first + concurrent);
      answers.push(...(await Promise.all(some.map((info) => this.readOne(info, names, range)))));
    }
    return answers;
  }

  close(): void {
    this.receiver.client.close();
  }

  private async readOne(info: SeriesInfo, names: readonly ClusterNames[], range: SeriesRange): Promise<SeriesColumns> {
    const own = names.find(({ picture }) => picture.cluster === info.cluster);
    const target = own === undefined ? undefined : targetsOf(own, info).at(-1);
    if (target === undefined) return emptyColumns(range);
    return range.stepMs === undefined ? this.readRaw(target, range) : this.readSteps(target, range, range.stepMs);
  }

  /** An instant query for a window answers with the samples themselves. */
  private async readRaw(target: Target, { from, to, aggregates }: SeriesRange): Promise<SeriesColumns> {
    const query = `${selector(target, this.fixed)}[${to - from}ms]`;
    const values = await this.ask("query", { query, time: seconds(to - 1) });
    // Prometheus 2's windows hold both ends.
    const inside = values.filter(([at]) => at >= from && at < to);
    const last = Float64Array.from(inside, ([, value]) => value * target.divisor);
    return { at: Float64Array.from(inside, ([at]) => at), columns: Object.fromEntries(aggregates.map((name) => [name, last])) };
  }

  private async readSteps(target: Target, range: SeriesRange, stepMs: number): Promise<SeriesColumns> {
    const total = Math.ceil((range.to - range.from) / stepMs);
    const at = Float64Array.from({ length: total }, (_, index) => range.from + index * stepMs);
    const columns = await Promise.all(
      range.aggregates.map(async (name) => [name, await this.readColumn(target, range, stepMs, name, total)] as const),
    );
    return { at, columns: Object.fromEntries(columns) };
  }

  private async readColumn(
    target: Target,
    range: SeriesRange,
    stepMs: number,
    aggregate: Aggregate,
    total: number,
  ): Promise<Float64Array> {
    const column = new Float64Array(total).fill(Number.NaN);
    const query = aggregateQuery(selector(target, this.fixed), aggregate, stepMs);
    for (const { startMs, endMs } of evaluationParts(range, stepMs, pointsPerQuery)) {
      // nocache: VictoriaMetrics would move start and end onto multiples of the step.
      const values = await this.ask("query_range", {
        query,
        start: seconds(startMs),
        end: seconds(endMs),
        step: seconds(stepMs),
        nocache: "1",
      });
      for (const [at, value] of values) {
        const index = Math.round((at + 1 - range.from) / stepMs) - 1;
        if (index >= 0 && index < total) column[index] = value * target.divisor;
      }
    }
    return column;
  }

  /** Times in ms. Several series with these labels are an ambiguity that `labels` has to settle. @throws when there is no such answer. */
  private async ask(
    endpoint: "query" | "query_range",
    parameters: Record<string, string>,
  ): Promise<[at: number, value: number][]> {
    const { client, url, headers, timeoutMs } = this.receiver;
    const body = Buffer.from(new URLSearchParams(parameters).toString());
    const target = new URL(`${url.pathname.replace(/\/$/, "")}/api/v1/${endpoint}`, url);
    const result = await client.send({
      url: target,
      method: "POST",
      headers: { ...headers, "content-type": "application/x-www-form-urlencoded", accept: "application/json" },
      body,
      timeoutMs,
      answerMaxBytes,
    });
    if (!result.ok) throw new RemoteReadError(`${target.host} does not answer: ${result.problem}`);
    const { status, body: text } = result.answer;
    const parsed = status === 200 ? answerSchema.safeParse(parseJson(text)) : undefined;
    if (!parsed?.success) throw new RemoteReadError(`${target.host} answered ${status} ${text.toString("utf8", 0, 300)}`);
    const { result: found } = parsed.data.data;
    if (found.length > 1)
      throw new RemoteReadError(`${target.host} has ${found.length} series for ${parameters.query}: set labels in [remote_read]`);
    return (found[0]?.values ?? []).map(([at, value]) => [Math.round(at * 1000), Number(value)]);
  }
}

/** Undefined: no JSON. */
function parseJson(text: Buffer): unknown {
  try {
    return JSON.parse(text.toString());
  } catch {
    return undefined;
  }
}

const seconds = (ms: number) => (ms / 1000).toFixed(3);

function emptyColumns({ aggregates }: SeriesRange): SeriesColumns {
  return { at: new Float64Array(), columns: Object.fromEntries(aggregates.map((name) => [name, new Float64Array()])) };
}
