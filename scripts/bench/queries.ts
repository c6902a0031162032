import type { SeriesQuery } from "#protocol/api.ts";
import type { TopQuery } from "#protocol/class-queries.ts";
import { guestsPerPool, peerGuestSelector, peerMetricName, poolOf } from "./remote-write.ts";
import { type GuestMetric, tickMs, vmidOf } from "./workload.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** Guests that have a month of history; the others have a day. */
export const longGuests = 20;

/** One question in both languages. `turn` varies guest and metric, so that no answer is the one before. */
export type Question = {
  name: string;
  /** The answer's size is checked: at least so many points a column. */
  points: number;
  hub(turn: number, endMs: number): HubRequest;
  /** Path of Prometheus' HTTP API, which VictoriaMetrics speaks too. Undefined: the peers are not asked. */
  peer: ((turn: number, endMs: number) => string) | undefined;
};

export type HubRequest = { kind: "range"; query: SeriesQuery } | { kind: "top"; query: TopQuery };

const gauges: readonly GuestMetric[] = ["cpu", "mem_used", "disk_used", "psi_io_some"];
const metricOf = (turn: number) => gauges[turn % gauges.length] as GuestMetric;
const spread = (turn: number) => (turn * 37) % 1000;

const guestSeries = (guest: number, metric: GuestMetric) => ({ entity: `guest/${vmidOf(guest)}`, metric });
const seconds = (ms: number) => String(ms / 1000);

function rangePath(query: string, fromMs: number, toMs: number, stepMs: number): string {
  const parameters = { query, start: seconds(fromMs), end: seconds(toMs), step: seconds(stepMs) };
  return `/api/v1/query_range?${new URLSearchParams(parameters)}&nocache=1`;
}

/** About 500 points. Ours: avg, min and max; the peers': the average alone. */
function rollup(name: string, days: number, stepMs: number): Question {
  return {
    name,
    points: Math.floor((days * dayMs) / stepMs),
    hub: (turn, endMs) => ({
      kind: "range",
      query: {
        series: [guestSeries(turn % longGuests, metricOf(turn))],
        from: endMs - days * dayMs,
        to: endMs,
        stepMs,
        aggregates: ["avg", "min", "max"],
      },
    }),
    peer: (turn, endMs) =>
      rangePath(
        `avg_over_time(${peerMetricName(metricOf(turn))}${peerGuestSelector(turn % longGuests)}[${stepMs / 1000}s])`,
        endMs - days * dayMs + stepMs,
        endMs,
        stepMs,
      ),
  };
}

export const questions = {
  day: {
    name: "1 series × 24 h raw",
    points: 8640,
    hub: (turn, endMs) => ({
      kind: "range",
      query: { series: [guestSeries(spread(turn), "cpu")], from: endMs - dayMs, to: endMs, aggregates: ["last"] },
    }),
    peer: (turn, endMs) =>
      rangePath(`${peerMetricName("cpu")}${peerGuestSelector(spread(turn))}`, endMs - dayMs, endMs - tickMs, tickMs),
  },
  week: rollup("1 series × 7 d, 504 points", 7, 20 * minuteMs),
  month: rollup("1 series × 30 d, 576 points", 30, 75 * minuteMs),
  pool: {
    name: "50 series × 1 h raw",
    points: 360,
    hub: (turn, endMs) => {
      const first = (turn % 20) * guestsPerPool;
      const guests = Array.from({ length: guestsPerPool }, (_, index) => first + index);
      return {
        kind: "range",
        query: {
          series: guests.map((guest) => guestSeries(guest, "cpu")),
          from: endMs - hourMs,
          to: endMs,
          aggregates: ["last"],
        },
      };
    },
    peer: (turn, endMs) =>
      rangePath(
        `${peerMetricName("cpu")}{pool="${poolOf((turn % 20) * guestsPerPool)}"}`,
        endMs - hourMs,
        endMs - tickMs,
        tickMs,
      ),
  },
  top: {
    name: "top 10 of 1,000 guests by cpu, 1 h",
    points: 10,
    hub: (turn, endMs) => ({
      kind: "top",
      query: { class: "guests", metric: "cpu", n: 10, windowMs: hourMs, to: endMs - (turn % 10) * tickMs },
    }),
    peer: (turn, endMs) => {
      const query = `topk(10, avg_over_time(${peerMetricName("cpu")}[1h]))`;
      return `/api/v1/query?${new URLSearchParams({ query, time: seconds(endMs - tickMs - (turn % 10) * tickMs) })}&nocache=1`;
    },
  },
  /** Of the one guest that is so old. */
  year: {
    name: "1 series × 1 y, 500 points",
    points: 500,
    hub: (turn, endMs) => ({
      kind: "range",
      query: {
        series: [guestSeries(0, metricOf(turn))],
        from: endMs - 365 * dayMs,
        to: endMs,
        stepMs: 17.5 * hourMs,
        aggregates: ["avg", "min", "max"],
      },
    }),
    peer: undefined,
  },
} as const satisfies Record<string, Question>;
