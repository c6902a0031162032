import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { HubProcess } from "./hub-process.ts";
import { type LoopPauses, pauseRows } from "./loop-pauses.ts";
import { readMemory, readUsage } from "./process-usage.ts";
import { formatTable, quantile, type Row, valueRow } from "./row.ts";
import { SoakAgent } from "./soak-agent.ts";
import { seriesPerGuest, tickMs } from "./workload.ts";

const help = `npm run soak -- [options]
  --nodes N     agents (default 200)
  --guests N    guests of each, ten series a guest (default 50)
  --minutes N   how long they send at the real pace (default 10)
  --kills N     kill -9 of the hub, spread over the time (default 1)
  --down N      seconds until it is started again (default 20)
  --json FILE   write the rows
  --keep        keep the data folder`;

type SoakOptions = {
  nodes: number;
  guests: number;
  minutes: number;
  kills: number;
  downSec: number;
  json?: string;
  keep: boolean;
};

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** How long the hub gets at the end to take what still waits. */
const drainMs = 120_000;
const lookEveryMs = 5_000;

type Load = { cpuSec: number; atMs: number; anonMb: number; rssMb: number };
type Fault = { fromMs: number; toMs: number; readyMs: number };

/** CPU and memory of the hub every few seconds; a killed process' time is added to the next one's. */
class HubWatch {
  readonly seen: Load[] = [];
  /** Of the process that had the longest one. */
  pauses: LoopPauses | undefined;
  private endedSec = 0;
  private lastSec = 0;

  constructor(private readonly hub: HubProcess) {}

  /** Nothing while the hub is down. */
  look(): void {
    if (!this.hub.running) return;
    this.lastSec = readUsage(this.hub.pid).cpuSec;
    const { anonMb, rssMb } = readMemory(this.hub.pid);
    this.seen.push({ cpuSec: this.endedSec + this.lastSec, atMs: performance.now(), anonMb, rssMb });
  }

  /** What was seen of one process' event loop. */
  endLoop(pauses: LoopPauses | undefined): void {
    if (pauses === undefined) return;
    this.pauses = pauses.maxOwnMs > (this.pauses?.maxOwnMs ?? 0) ? pauses : this.pauses;
    for (const { lateMs, ownMs } of pauses.longest.slice(0, 5)) {
      console.log(`pause of ${Math.round(lateMs)} ms, ${Math.round(ownMs)} ms of it the hub's own`);
    }
  }

  ended(): void {
    this.endedSec += this.lastSec;
    this.lastSec = 0;
  }
}

async function injectFaults(hub: HubProcess, watch: HubWatch, options: SoakOptions): Promise<Fault[]> {
  const faults: Fault[] = [];
  const everyMs = (options.minutes * 60_000) / (options.kills + 1);
  for (let index = 0; index < options.kills; index++) {
    await sleep(everyMs);
    watch.look();
    watch.endLoop(await hub.loopPauses());
    const fromMs = performance.now();
    await hub.kill();
    watch.ended();
    console.log(`kill -9 of the hub, ${options.downSec} s`);
    await sleep(options.downSec * 1000);
    const readyMs = await hub.start();
    faults.push({ fromMs, toMs: performance.now(), readyMs });
    console.log(`the hub is back, ready after ${Math.round(readyMs)} ms`);
    hub.watchLoop();
  }
  return faults;
}

/** Ticks that an agent recorded and the hub does not answer, and how many were compared. */
async function missingTicks(hub: HubProcess, agents: readonly SoakAgent[]): Promise<{ missing: number; compared: number }> {
  let missing = 0;
  let compared = 0;
  for (let first = 0; first < agents.length; first += 100) {
    const some = agents.slice(first, first + 100);
    const from = Math.min(...some.map(({ ticks }) => ticks[0] ?? Number.POSITIVE_INFINITY));
    const answers = await hub.columns({
      series: some.map(({ firstVmid }) => ({ entity: `guest/${firstVmid}`, metric: "uptime" })),
      from,
      to: Date.now() + 1000,
      aggregates: ["last"],
    });
    some.forEach(({ ticks }, index) => {
      const stored = new Set(answers[index]?.at);
      compared += ticks.length;
      missing += ticks.filter((at) => !stored.has(at)).length;
    });
  }
  return { missing, compared };
}

async function soak(options: SoakOptions): Promise<Row[]> {
  const scratch = mkdtempSync(join(tmpdir(), "proven-soak-"));
  const hub = new HubProcess(join(scratch, "hub"), { watchable: true });
  const interrupted = () => void hub.kill().finally(() => process.exit(130));
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, interrupted);
  try {
    await hub.start();
    return await soakHub(options, hub, scratch);
  } finally {
    await hub.kill();
    if (options.keep) console.log(`data kept in ${scratch}`);
    else rmSync(scratch, { recursive: true, force: true });
  }
}

/** All agents at work for the given time, faults between, then until everything is at the hub. */
async function soakHub(options: SoakOptions, hub: HubProcess, scratch: string): Promise<Row[]> {
  const door = hub.door();
  const agents = Array.from(
    { length: options.nodes },
    (_, index) =>
      new SoakAgent({ index, guests: options.guests, dir: join(scratch, "agents", String(index)), door, log: () => undefined }),
  );
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  const ownBefore = process.cpuUsage();
  const startedMs = performance.now();
  const running = agents.map((agent, index) => agent.run((index / agents.length) * tickMs));
  const watch = new HubWatch(hub);
  watch.look();
  hub.watchLoop();
  const looking = setInterval(() => watch.look(), lookEveryMs);
  const [faults] = await Promise.all([injectFaults(hub, watch, options), sleep(options.minutes * 60_000)]);
  for (const agent of agents) agent.stopSampling();
  await drain(agents);
  watch.look();
  watch.endLoop(await hub.loopPauses());
  clearInterval(looking);
  const lastedMs = performance.now() - startedMs;
  const { user, system } = process.cpuUsage(ownBefore);
  delay.disable();
  const { missing, compared } = await missingTicks(hub, agents);
  for (const agent of agents) agent.stop();
  await Promise.all(running);
  return rowsOf({
    options,
    agents,
    faults,
    seen: watch.seen,
    missing,
    compared,
    ownCpuShare: (user + system) / 1000 / lastedMs,
    loopP99Ms: delay.percentile(99) / 1e6,
    pauses: watch.pauses,
  });
}

async function drain(agents: readonly SoakAgent[]): Promise<void> {
  const untilMs = performance.now() + drainMs;
  const waiting = () => agents.reduce((sum, { store }) => sum + store.waiting, 0);
  while (waiting() > 0 && performance.now() < untilMs) await sleep(100);
}

type Outcome = {
  options: SoakOptions;
  agents: readonly SoakAgent[];
  faults: readonly Fault[];
  seen: readonly Load[];
  missing: number;
  compared: number;
  ownCpuShare: number;
  loopP99Ms: number;
  pauses: LoopPauses | undefined;
};

/** Records made while the hub was away, or so shortly before that it could not acknowledge them, wait for its return. */
function calmLags(agents: readonly SoakAgent[], faults: readonly Fault[]): { calm: number[]; all: number[] } {
  const lags = agents.flatMap(({ store }) => store.lagsMs);
  const inFault = (atMs: number) => faults.some(({ fromMs, toMs }) => atMs > fromMs - 2000 && atMs < toMs + 60_000);
  return {
    all: lags.map(({ lagMs }) => lagMs),
    calm: lags.filter(({ recordedAtMs }) => !inFault(recordedAtMs)).map(({ lagMs }) => lagMs),
  };
}

function rowsOf({ options, agents, faults, seen, missing, compared, ownCpuShare, loopP99Ms, pauses }: Outcome): Row[] {
  const samplesPerFrame = options.guests * seriesPerGuest;
  const lost = agents.reduce((sum, { store }) => sum + store.lost, 0);
  const waiting = agents.reduce((sum, { store }) => sum + store.waiting, 0);
  const { calm, all } = calmLags(agents, faults);
  const first = seen[0];
  const last = seen.at(-1);
  const cpu =
    first === undefined || last === undefined ? Number.NaN : ((last.cpuSec - first.cpuSec) / (last.atMs - first.atMs)) * 1000;
  const reconnects = agents.reduce((sum, { welcomes }) => sum + Math.max(0, welcomes - 1), 0);
  const half = seen.slice(Math.floor(seen.length / 2));
  return [
    valueRow("samples lost by the agents' spools", "samples", lost * samplesPerFrame, 0),
    valueRow(`samples still at the agents ${drainMs / 1000} s after the end`, "samples", waiting * samplesPerFrame, 0),
    valueRow(`ticks missing when read back, of ${compared}`, "ticks", missing, 0),
    valueRow("samples stored", "samples", (compared - missing) * samplesPerFrame),
    valueRow("lag from sample to acknowledgement, p50", "ms", quantile(calm, 0.5)),
    valueRow("lag from sample to acknowledgement, p99", "ms", quantile(calm, 0.99), 5000),
    valueRow("lag from sample to acknowledgement, longest with the faults", "ms", Math.max(...all)),
    valueRow("hub: CPU", "% of one", cpu * 100),
    valueRow(
      "hub: anonymous memory, median of the second half",
      "MB",
      quantile(
        half.map(({ anonMb }) => anonMb),
        0.5,
      ),
    ),
    valueRow("hub: anonymous memory, most", "MB", Math.max(...seen.map(({ anonMb }) => anonMb))),
    valueRow("hub: resident memory, most", "MB", Math.max(...seen.map(({ rssMb }) => rssMb))),
    ...pauseRows("hub:", pauses),
    valueRow("faults: kill -9 of the hub", "kills", faults.length),
    ...faults.map(({ readyMs }, index) => valueRow(`fault ${index + 1}: ready again`, "ms", readyMs)),
    valueRow("agents' reconnects", "sessions", reconnects),
    valueRow("simulated agents: CPU of their process", "% of one", ownCpuShare * 100),
    valueRow("simulated agents: event loop delay, p99", "ms", loopP99Ms),
  ];
}

function parseOptions(argv: readonly string[]): SoakOptions | "help" {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      nodes: { type: "string", default: "200" },
      guests: { type: "string", default: "50" },
      minutes: { type: "string", default: "10" },
      kills: { type: "string", default: "1" },
      down: { type: "string", default: "20" },
      json: { type: "string" },
      keep: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  const number = (name: "nodes" | "guests" | "minutes" | "kills" | "down", least: number) => {
    const value = Number(values[name]);
    if (!(value >= least)) throw new Error(`--${name} ${values[name]}: a number of at least ${least}`);
    return value;
  };
  return {
    nodes: number("nodes", 1),
    guests: number("guests", 1),
    minutes: number("minutes", 0.1),
    kills: number("kills", 0),
    downSec: number("down", 0),
    keep: values.keep,
    ...(values.json === undefined ? {} : { json: values.json }),
  };
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  if (options === "help") {
    console.log(help);
    return 0;
  }
  const series = options.nodes * options.guests * seriesPerGuest;
  console.log(
    `${options.nodes} agents × ${options.guests} guests = ${series} series every 10 s for ${options.minutes} min, ${options.kills} kill -9`,
  );
  const rows = await soak(options);
  console.log(`\n${formatTable(rows)}\n`);
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(rows, null, 2)}\n`);
  return rows.some(({ met }) => met === false) ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 2;
}
process.exit();
