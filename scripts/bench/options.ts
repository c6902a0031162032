import { parseArgs } from "node:util";

export const measureNames = ["bulk", "pace", "history", "agent", "kill", "churn", "alerts", "archive"] as const;
export type MeasureName = (typeof measureNames)[number];

export type BenchOptions = {
  /** Run the Debian peers beside us; everything is longer then, and medians are of more rounds. */
  peers: boolean;
  only: readonly MeasureName[];
  json: string | undefined;
  /** Of real pace and of the agent: length of the measured window. */
  minutes: number;
  /** Repetitions whose median counts. */
  rounds: number;
  kills: number;
  /** Simulated time of churn. */
  days: number;
  /** Sample time of one bulk round, hours. */
  bulkHours: number;
  /** Samples of the ten nodes come spread over the ten seconds instead of all at once. */
  spread: boolean;
  /** Keep the data folders and say where they are. */
  keep: boolean;
};

export const usage = `npm run bench -- [options]
  --peers         beside Prometheus, VictoriaMetrics and node-exporter from Debian, with ratios (about 45 minutes)
  --only NAME     one measure (may come again): ${measureNames.join(", ")}
  --json FILE     write the rows {name, value, unit, peer, ratio, target, met}
  --minutes N     measured window of pace and agent (default 1; with --peers 5)
  --rounds N      repetitions whose median counts (default 1; with --peers 3)
  --kills N       kill -9 rounds (default 10; with --peers 100)
  --days N        simulated days of churn (default 30)
  --bulk-hours N  sample time of one bulk round (default 2; with --peers 4)
  --spread        pace: the nodes' samples come spread over the 10 s, not all at once
  --keep          keep the data folders`;

/** Throws with one line that says what is wrong. */
export function parseOptions(argv: readonly string[]): BenchOptions | "help" {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      peers: { type: "boolean", default: false },
      only: { type: "string", multiple: true, default: [] },
      json: { type: "string" },
      minutes: { type: "string" },
      rounds: { type: "string" },
      kills: { type: "string" },
      days: { type: "string" },
      "bulk-hours": { type: "string" },
      spread: { type: "boolean", default: false },
      keep: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  const { peers } = values;
  return {
    peers,
    only: values.only.length === 0 ? measureNames : values.only.flatMap((list) => list.split(",")).map(parseMeasure),
    json: values.json,
    minutes: parsePositive("minutes", values.minutes, peers ? 5 : 1),
    rounds: parsePositive("rounds", values.rounds, peers ? 3 : 1),
    kills: parsePositive("kills", values.kills, peers ? 100 : 10),
    days: parsePositive("days", values.days, 30),
    bulkHours: parsePositive("bulk-hours", values["bulk-hours"], peers ? 4 : 2),
    spread: values.spread,
    keep: values.keep,
  };
}

function parseMeasure(text: string): MeasureName {
  const name = measureNames.find((one) => one === text);
  if (name === undefined) throw new Error(`--only ${text}: one of ${measureNames.join(", ")}`);
  return name;
}

function parsePositive(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!(value > 0)) throw new Error(`--${name} ${text}: a number above 0`);
  return value;
}
