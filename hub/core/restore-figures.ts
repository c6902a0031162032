import type { RestoreMetricName } from "#protocol/guest-metrics.ts";
import { restoreSpeed } from "./run.ts";
import type { Run } from "./run-record.ts";

/** One figure of one restore test, in the catalogue's unit. */
export type RestoreFigure = { metric: RestoreMetricName; at: number; value: number };

type Tested = Pick<Run, "outcome" | "finishedAt" | "durationMs" | "measures">;

/** What one test measured. How long it took counts where it came to its good end: one that broke off after a second was not fast. */
function figuresOfRun({ outcome, finishedAt, durationMs, measures }: Tested): RestoreFigure[] {
  if (finishedAt === null || measures === null) return [];
  const speed = restoreSpeed(measures);
  const seconds = (ms: number | null) => (ms === null ? null : ms / 1000);
  const rows: [RestoreMetricName, number | null][] = [
    ["restore_duration", outcome === "passed" ? seconds(durationMs) : null],
    ["restore_speed", speed === null ? null : Math.round(speed)],
    ["restore_heartbeat", seconds(measures.heartbeatMs)],
    ["restore_service", seconds(measures.serviceMs)],
    ["restore_sequential_read", measures.sequentialRead],
    ["restore_random_read", measures.randomRead],
  ];
  return rows.flatMap(([metric, value]) => (value === null ? [] : [{ metric, at: finishedAt, value }]));
}

/** Figures of a guest's tests by metric, the oldest first. */
export type RestoreHistory = ReadonlyMap<RestoreMetricName, readonly RestoreFigure[]>;

export function historyOf(runs: readonly Tested[]): RestoreHistory {
  const history = new Map<RestoreMetricName, RestoreFigure[]>();
  for (const figure of runs.flatMap(figuresOfRun).sort((a, b) => a.at - b.at)) {
    const known = history.get(figure.metric);
    if (known === undefined) history.set(figure.metric, [figure]);
    else known.push(figure);
  }
  return history;
}

/** The newest of each. */
export const newestFigures = (history: RestoreHistory): RestoreFigure[] =>
  [...history.values()].flatMap((figures) => figures.at(-1) ?? []);
