import { setImmediate } from "node:timers/promises";
import type { BacktestAnswer, BacktestRequest } from "#protocol/backtest.ts";
import type { EpochMs } from "#protocol/ids.ts";
import { limits } from "#protocol/limits.ts";
import type { Metric } from "#protocol/metrics.ts";
import type { Receiver, Route } from "#protocol/notifications.ts";
import { Backtest, type Replayed } from "../core/backtest.ts";
import { sourceKey } from "../core/rule.ts";
import { RuleBook } from "../core/rule-set.ts";
import { type EntityFacts, matcherOf } from "../core/scope.ts";
import type { SeriesInfo, SeriesReader } from "../core/series.ts";

export type BacktestPorts = {
  reader: SeriesReader;
  entities: Iterable<EntityFacts>;
  routes: readonly Route[];
  receivers: ReadonlyMap<string, Receiver>;
};

const subjectsMax = 500;
/** Steps of one replay: 30 days in steps of about four minutes, a day in raw samples. */
const stepsMax = 10_000;
/** Steps between two looks at what else the hub has to do. */
const stepsAtOnce = 200;

/** Replays a rule over stored history. */
export async function runBacktest(ports: BacktestPorts, { rule, from, to }: BacktestRequest): Promise<BacktestAnswer> {
  const stepMs = Math.max(limits.sampleEveryMs, Math.ceil((to - from) / stepsMax / limits.sampleEveryMs) * limits.sampleEveryMs);
  const steps = Math.ceil((to - from) / stepMs);
  const skipped: BacktestAnswer["skipped"] = [];
  const subjects: Replayed[] = [];
  // A rule that is switched off is tried as if it were on.
  const book = new RuleBook([{ ...rule, enabled: true }]);
  for (const facts of ports.entities) {
    if (facts.kind !== rule.entity || !matcherOf(rule.scope)(facts, null)) continue;
    if (subjects.length >= subjectsMax) {
      skipped.push({ entity: facts.entity, why: "too-many" });
      continue;
    }
    const found = subjectsOf(ports.reader, book, facts, from as EpochMs, stepMs, steps);
    if (found.length === 0) skipped.push({ entity: facts.entity, why: "no-history" });
    subjects.push(...found);
    await setImmediate();
  }
  const { routes, receivers } = ports;
  const replay = new Backtest({ rule, subjects, from: from as EpochMs, stepMs, steps, routes, receivers });
  while (!replay.run(stepsAtOnce)) await setImmediate();
  return { from, to, stepMs, subjects: subjects.length, skipped, ...replay.result() };
}

/** A counter's growth; a gauge's mean, but of states, which have none, the last. */
function usualColumn(metric: Metric, isState: boolean): "rate" | "avg" | "last" {
  if (metric.kind === "counter") return "rate";
  return isState ? "last" : "avg";
}

function subjectsOf(
  reader: SeriesReader,
  book: RuleBook,
  facts: EntityFacts,
  from: EpochMs,
  stepMs: number,
  steps: number,
): Replayed[] {
  const infos = reader.seriesOf(facts.cluster, facts.entity, facts.incarnation);
  const found: Replayed[] = [];
  for (const [key, source] of book.sourcesOf(facts.kind)) {
    if (source.kind !== "signal" || source.signal.kind !== "metric" || key !== sourceKey(source)) continue;
    const { metric, per, values: words } = source.signal;
    const grid = { from, to: (from + steps * stepMs) as EpochMs, stepMs, steps };
    const column = source.raw ? "last" : usualColumn(metric, words !== undefined);
    for (const info of infos.filter((one) => one.metric.id === metric.id)) {
      const instance = info.instance ?? null;
      const set = book.setFor(key, facts, instance);
      const divisor = infos.find((one) => one.metric.id === per?.id && one.instance === info.instance);
      if (set === undefined || (per !== undefined && divisor === undefined)) continue;
      const values = onGrid(reader, info, column, grid);
      if (divisor !== undefined) divide(values, onGrid(reader, divisor, "avg", grid));
      if (values.every(Number.isNaN)) continue;
      const { cluster, entity, incarnation } = facts;
      found.push({ facts, subject: { cluster, entity, incarnation, instance }, set, values });
    }
  }
  return found;
}

type Grid = { from: EpochMs; to: EpochMs; stepMs: number; steps: number };

function onGrid(
  reader: SeriesReader,
  info: SeriesInfo,
  column: "avg" | "last" | "rate",
  { from, to, stepMs, steps }: Grid,
): Float64Array {
  const values = new Float64Array(steps).fill(Number.NaN);
  const { series } = reader.read([info], { from, to, stepMs, aggregates: [column] });
  const [read] = series;
  const stored = read?.columns[column];
  if (read === undefined || stored === undefined) return values;
  read.at.forEach((at, index) => {
    const step = Math.floor((at - from) / stepMs);
    if (step >= 0 && step < steps) values[step] = stored[index] as number;
  });
  return values;
}

/** What is unknown, or divided by nothing, is unknown. */
function divide(values: Float64Array, by: Float64Array): void {
  for (let i = 0; i < values.length; i++) {
    const whole = by[i] as number;
    values[i] = whole > 0 ? (values[i] as number) / whole : Number.NaN;
  }
}
