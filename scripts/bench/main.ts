import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { type Context, type Measure, peerFinder } from "./context.ts";
import { agentBundle, hubBundle, runsFromSource } from "./hub-process.ts";
import { agent } from "./measures/agent.ts";
import { alerts } from "./measures/alerts.ts";
import { archive } from "./measures/archive.ts";
import { bulk } from "./measures/bulk.ts";
import { churn } from "./measures/churn.ts";
import { history } from "./measures/history.ts";
import { kill } from "./measures/kill.ts";
import { pace } from "./measures/pace.ts";
import { type BenchOptions, type MeasureName, parseOptions, usage } from "./options.ts";
import { formatTable, missingRow, type Row } from "./row.ts";

/** `npm run bench`: measures the built hub and agent, beside Debian's peers where asked, and prints a table. docs/BENCH.md explains it. */
const measures: Record<MeasureName, Measure> = { bulk, pace, history, agent, kill, alerts, churn, archive };

function printPlan(options: BenchOptions): void {
  let total = 0;
  for (const name of options.only) {
    const minutes = measures[name].minutes(options);
    total += minutes;
    console.log(`  ${name.padEnd(8)} about ${minutes.toFixed(1).padStart(5)} min  ${measures[name].title}`);
  }
  console.log(`  in all   about ${total.toFixed(1).padStart(5)} min${options.peers ? ", beside the Debian peers" : ""}\n`);
}

/** A measure that fails is a row that says so; the others go on. */
async function runMeasure(name: MeasureName, context: Context): Promise<Row[]> {
  try {
    return await measures[name].run(context);
  } catch (error) {
    console.error(error);
    return [
      missingRow(`${name}: ${measures[name].title}`, "", `failed: ${error instanceof Error ? error.message : String(error)}`),
    ];
  }
}

async function bench(options: BenchOptions): Promise<number> {
  for (const path of runsFromSource ? [] : [hubBundle, agentBundle]) {
    if (!existsSync(path)) throw new Error(`${path} is not there: npm run build`);
  }
  printPlan(options);
  const startedMs = performance.now();
  const scratch = mkdtempSync(join(tmpdir(), "proven-bench-"));
  const ends: (() => Promise<void>)[] = [];
  const context: Context = {
    options,
    scratch,
    say: (text) => console.log(`[${((performance.now() - startedMs) / 60_000).toFixed(1).padStart(5)} min] ${text}`),
    peer: peerFinder(options.peers),
    onEnd: (end) => void ends.push(end),
  };
  const cleanUp = async () => {
    await Promise.all(ends.map((end) => end()));
    if (options.keep) console.log(`data kept in ${scratch}`);
    else rmSync(scratch, { recursive: true, force: true });
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => void cleanUp().finally(() => process.exit(130)));
  }
  const rows: Row[] = [];
  try {
    for (const name of options.only) rows.push(...(await runMeasure(name, context)));
  } finally {
    await cleanUp();
  }
  console.log(`\n${formatTable(rows)}\n`);
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(rows, null, 2)}\n`);
  const [one, , quarter] = loadavg();
  console.log(
    `load average ${one?.toFixed(1)} now, ${quarter?.toFixed(1)} over 15 min, on ${cpus().length} CPUs: above that, times are longer than the programs are slow`,
  );
  const missed = rows.filter(({ met }) => met === false).length;
  const unknown = rows.filter(({ target, met }) => target !== null && met === null).length;
  const met = rows.filter((row) => row.met === true).length;
  console.log(`${met} targets met, ${missed} missed, ${unknown} unknown`);
  return missed > 0 ? 1 : 0;
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === "help") console.log(usage);
  else process.exitCode = await bench(options);
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 2;
}
process.exit();
