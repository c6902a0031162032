import type { ClusterId, EntityKey, EpochMs } from "#protocol/ids.ts";
import type { Metric } from "#protocol/metrics.ts";
import { type Baseline, deviation, learnBaseline } from "./core/baseline.ts";
import { type Forecast, forecastFull, type Point } from "./core/forecast.ts";
import { type Source, sourceKey } from "./core/rule.ts";
import type { EntityFacts } from "./core/scope.ts";
import type { LiveTable, SeriesInfo, SeriesReader } from "./core/series.ts";

export type DerivedPorts = {
  reader: SeriesReader;
  live: LiveTable;
  /** Hands a figure to the rules that are about it. */
  sample(cluster: ClusterId, entity: EntityKey, source: string, instance: string | null, value: number, now: EpochMs): void;
};

const hourMs = 3_600_000;
const forecastSpanMs = 90 * 24 * hourMs;
const baselineSpanMs = 28 * 24 * hourMs;
/** Entities worked out per call: a fit costs about a millisecond. */
const entitiesAtOnce = 5;
/** A baseline learns once a day; forecasts are fitted every hour. */
const learnEveryMs = 24 * hourMs;

type Learnt = { baseline: Baseline | undefined; at: number };

/** Forecasts and baselines: worked out piece by piece, so that no second has much of it. */
export class DerivedFigures {
  private queue: { facts: EntityFacts; source: Source }[] = [];
  private filledAt = Number.NEGATIVE_INFINITY;
  private readonly learnt = new Map<string, Learnt>();

  constructor(private readonly ports: DerivedPorts) {}

  /** In how many ms `step` has something to do. */
  dueInMs(now: EpochMs): number {
    return this.queue.length > 0 ? 0 : Math.max(0, this.filledAt + hourMs - now);
  }

  /** A bounded piece of work. `wanted`: entities and the derived sources that rules have about them. */
  step(wanted: () => Iterable<{ facts: EntityFacts; source: Source }>, now: EpochMs): void {
    if (this.queue.length === 0) {
      if (now - this.filledAt < hourMs && now >= this.filledAt) return;
      this.filledAt = now;
      this.queue = [...wanted()];
      // What is still there learnt within a day: the rest is of series that are gone.
      for (const [key, { at }] of this.learnt) if (now - at > 2 * learnEveryMs) this.learnt.delete(key);
    }
    for (const { facts, source } of this.queue.splice(0, entitiesAtOnce)) {
      if (source.kind === "forecast") this.forecast(facts, source, now);
      else if (source.kind === "baseline") this.deviate(facts, source, now);
    }
  }

  private forecast(facts: EntityFacts, source: Source & { kind: "forecast" }, now: EpochMs): void {
    const { metric, capacity } = source;
    for (const info of this.seriesOf(facts, metric)) {
      const full = typeof capacity === "number" ? capacity : this.newest(facts, capacity, info.instance);
      if (full === undefined) continue;
      const fit = forecastFull(this.points(info, now, forecastSpanMs, 6 * hourMs), full);
      // No trend is good news, and known: it is never full.
      const days = daysOf(fit);
      if (days !== undefined) this.ports.sample(facts.cluster, facts.entity, sourceKey(source), info.instance ?? null, days, now);
    }
  }

  private deviate(facts: EntityFacts, source: Source & { kind: "baseline" }, now: EpochMs): void {
    for (const info of this.seriesOf(facts, source.metric)) {
      const key = `${info.id} ${sourceKey(source)}`;
      let learnt = this.learnt.get(key);
      if (learnt === undefined || now - learnt.at >= learnEveryMs) {
        learnt = {
          baseline: learnBaseline(this.perUnit(facts, info, source, this.points(info, now, baselineSpanMs, hourMs))),
          at: now,
        };
        this.learnt.set(key, learnt);
      }
      const [last] = this.perUnit(facts, info, source, this.points(info, now, hourMs, hourMs)).slice(-1);
      if (learnt.baseline === undefined || last === undefined) continue;
      const off = deviation(learnt.baseline, now, last.value);
      this.ports.sample(facts.cluster, facts.entity, sourceKey(source), info.instance ?? null, off, now);
    }
  }

  private perUnit(
    facts: EntityFacts,
    { instance }: SeriesInfo,
    { per }: Source & { kind: "baseline" },
    points: Point[],
  ): Point[] {
    const whole = per === undefined ? 1 : this.newest(facts, per, instance);
    return whole === undefined ? [] : points.map(({ at, value }) => ({ at, value: value / whole }));
  }

  private seriesOf({ cluster, entity, incarnation }: EntityFacts, metric: Metric): SeriesInfo[] {
    return this.ports.reader.seriesOf(cluster, entity, incarnation).filter((info) => info.metric.id === metric.id);
  }

  private newest(facts: EntityFacts, metric: Metric, instance: string | undefined): number | undefined {
    const info = this.seriesOf(facts, metric).find((one) => one.instance === instance);
    const value = info === undefined ? undefined : this.ports.live.latest(info.id)?.value;
    return value !== undefined && value > 0 ? value : undefined;
  }

  private points(info: SeriesInfo, now: EpochMs, spanMs: number, stepMs: number): Point[] {
    const column = info.metric.kind === "counter" ? "rate" : "avg";
    const from = (Math.floor((now - spanMs) / stepMs) * stepMs) as EpochMs;
    const [read] = this.ports.reader.read([info], { from, to: now, stepMs, aggregates: [column] }).series;
    const values = read?.columns[column];
    if (read === undefined || values === undefined) return [];
    return [...read.at]
      .map((at, index) => ({ at, value: values[index] as number }))
      .filter(({ value }) => Number.isFinite(value));
  }
}

/** Undefined: too little is known to say anything. */
function daysOf(fit: Forecast): number | undefined {
  if (fit.trend === "growing") return fit.days;
  return fit.why === "too-short" || fit.why === "too-few" ? undefined : Number.MAX_SAFE_INTEGER;
}
