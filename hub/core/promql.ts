import type { Aggregate } from "#protocol/api.ts";
import type { Labels } from "./prometheus-names.ts";
import type { Labelled } from "./prometheus-series.ts";
import type { SeriesRange } from "./series.ts";

const quote = (value: string) => `"${value.replace(/[\\"\n]/g, (found) => (found === "\n" ? "\\n" : `\\${found}`))}"`;

/** A selector of exactly these labels' values; an empty value asks that the label be absent. */
export function selector({ family, labels }: Labelled, fixed: Labels): string {
  const matchers = [...labels, ...fixed].map(([name, value]) => `${name}=${quote(value)}`);
  return `${family.name}{${matchers.join(",")}}`;
}

const functions: Readonly<Record<Aggregate, string>> = {
  avg: "avg_over_time",
  min: "min_over_time",
  max: "max_over_time",
  last: "last_over_time",
  rate: "rate",
};

/** VictoriaMetrics' rate takes a window without samples for one without change: unknown must not become 0, so two samples are asked for. */
export function aggregateQuery(series: string, aggregate: Aggregate, stepMs: number): string {
  const window = `${series}[${stepMs}ms]`;
  const query = `${functions[aggregate]}(${window})`;
  return aggregate === "rate" ? `${query} and count_over_time(${window}) >= 2` : query;
}

/**
 * Instants at which a window that looks back one step covers the steps [t, t + step) of a range: PromQL's windows hold their end, ours don't,
 * and times are whole ms. At most `pointsMax` instants a part, because Prometheus answers no more than 11,000.
 */
export function evaluationParts(
  { from, to }: SeriesRange,
  stepMs: number,
  pointsMax: number,
): { startMs: number; endMs: number; count: number }[] {
  const total = Math.ceil((to - from) / stepMs);
  const parts = [];
  for (let first = 0; first < total; first += pointsMax) {
    const count = Math.min(pointsMax, total - first);
    const startMs = from + (first + 1) * stepMs - 1;
    parts.push({ startMs, endMs: startMs + (count - 1) * stepMs, count });
  }
  return parts;
}
