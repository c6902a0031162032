import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { AgentProcess } from "../agent-process.ts";
import { type Context, type Measure, peerValue } from "../context.ts";
import { FakeHub } from "../fake-hub.ts";
import { watchForks } from "../fork-trace.ts";
import { HubProcess } from "../hub-process.ts";
import { LabProcess } from "../lab-process.ts";
import { memoryGroup } from "../memory-limit.ts";
import { NodeExporter } from "../node-exporter.ts";
import { readMemory, readUsage } from "../process-usage.ts";
import { median, missingRow, type Row, ratioRow, valueRow } from "../row.ts";

/**
 * Every node has so many guests; the nodes are the measured, the traced and the limited agent's, and a fourth's, which comes first and so gets the
 * cluster's duties: looking into thousands of simulated backups for the first time takes it minutes, and is no steady state.
 */
const guestsPerNode = 100;
const nodes = 4;
/** At one tick in ten seconds V8 needs minutes until it has compiled what is hot; an agent runs for months. */
const warmUpMs = 180_000;
const starts = 5;
const memoryHighBytes = 28e6;

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** From spawn to the first frame at the hub, ms: a hub in this process, so that the clock is one. */
async function startTimes(lab: LabProcess, dir: string, nodeCopy: string): Promise<number[]> {
  const hub = await FakeHub.start();
  const hubFile = join(lab.pmxcfs, "proven/hub.json");
  const keyFile = join(lab.pmxcfs, "priv/proven/join.key");
  mkdirSync(dirname(hubFile), { recursive: true });
  mkdirSync(dirname(keyFile), { recursive: true });
  writeFileSync(hubFile, JSON.stringify({ url: hub.url, fingerprint: hub.fingerprint }));
  writeFileSync(keyFile, `${Buffer.alloc(32, 7).toString("base64")}\n`);
  const times: number[] = [];
  for (let index = 0; index < starts; index++) {
    const frame = hub.firstFrame();
    const startedMs = performance.now();
    const agent = AgentProcess.start({ config: lab.config("pve1"), nodeCopy, log: join(dir, "agent-start.log") });
    times.push((await frame) - startedMs);
    await agent.kill();
  }
  hub.stop();
  for (const path of [hubFile, keyFile]) rmSync(path);
  return times;
}

async function joined(log: string): Promise<void> {
  for (const untilMs = performance.now() + 60_000; performance.now() < untilMs; await sleep(200)) {
    if (/joined the hub|connected to the hub/.test(readFileSync(log, "utf8"))) return;
  }
  throw new Error(`an agent did not join within a minute: see ${log}`);
}

/** Voluntary context switches of the main thread. */
const mainWakeups = (pid: number) =>
  Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/task/${pid}/status`, "latin1"))?.[1]);

/** An agent that ended under the limit has no PSS, not a small one. */
function rowUnderLimit(agent: AgentProcess | undefined, limit: { how: string } | { problem: string }): Row {
  const name = `agent, ${guestsPerNode} guests every 10 s: PSS under a limit of ${memoryHighBytes / 1e6} MB`;
  if ("problem" in limit) return missingRow(name, "MB", limit.problem);
  if (agent === undefined || !agent.running) return missingRow(name, "MB", `it ended under the ${limit.how}`);
  return valueRow(`${name} (${limit.how})`, "MB", readMemory(agent.pid).pssMb, 28);
}

async function run(context: Context): Promise<Row[]> {
  const { options, scratch, say, onEnd } = context;
  const dir = join(scratch, "agent");
  mkdirSync(dir, { recursive: true });
  const lab = await LabProcess.start(join(dir, "lab"), nodes, nodes * guestsPerNode);
  onEnd(() => lab.stop());
  const nodeCopy = AgentProcess.copyNode(join(dir, "node"));
  say("agent: starts");
  const firstFrameMs = await startTimes(lab, dir, nodeCopy);

  const hub = new HubProcess(join(dir, "hub"), { pmxcfs: lab.pmxcfs });
  onEnd(() => hub.kill());
  await hub.start();
  const start = (node: string, copy: string, procsFile?: string) => {
    const agent = AgentProcess.start({
      config: lab.config(node),
      nodeCopy: copy,
      log: join(dir, `${node}.log`),
      ...(procsFile === undefined ? {} : { procsFile }),
    });
    onEnd(() => agent.kill());
    return agent;
  };
  const dutiful = start("pve4", process.execPath);
  await joined(join(dir, "pve4.log"));
  const group = memoryGroup();
  const plain = start("pve1", nodeCopy);
  const traced = start("pve2", process.execPath);
  const limited =
    "problem" in group ? undefined : start("pve3", AgentProcess.copyNode(join(dir, "node-limited")), group.procsFile);
  const found = context.peer("prometheus-node-exporter");
  const exporter = found.ok ? await NodeExporter.start(found.path) : undefined;
  if (exporter !== undefined) onEnd(() => exporter.kill());

  say(`agent: ${warmUpMs / 1000} s of warm-up, then ${options.minutes} min`);
  await sleep(warmUpMs);
  const limit = "problem" in group ? group : group.limit(memoryHighBytes);
  const before = {
    plain: readUsage(plain.pid),
    main: mainWakeups(plain.pid),
    exporter: exporter === undefined ? undefined : readUsage(exporter.pid),
  };
  const forks = watchForks(traced.pid, join(dir, "trace"));
  const startedMs = performance.now();
  await sleep(options.minutes * 60_000);
  const perHour = 3_600_000 / (performance.now() - startedMs);
  const after = {
    plain: readUsage(plain.pid),
    main: mainWakeups(plain.pid),
    exporter: exporter === undefined ? undefined : readUsage(exporter.pid),
  };
  const { count, how } = await forks.stop();
  const memory = readMemory(plain.pid);
  const limitedRow = rowUnderLimit(limited, limit);
  await Promise.all([dutiful, plain, traced, limited, exporter].map((each) => each?.kill()));
  await hub.kill();
  await lab.stop();
  if (!("problem" in group)) group.remove();

  const cpu = (after.plain.cpuSec - before.plain.cpuSec) * perHour;
  const ofCommands = (after.plain.endedChildrenSec - before.plain.endedChildrenSec) * perHour;
  const theirs =
    after.exporter === undefined || before.exporter === undefined
      ? undefined
      : (after.exporter.cpuSec - before.exporter.cpuSec) * perHour;
  const wakeups = after.plain.wakeups - before.plain.wakeups;
  const name = `agent, ${guestsPerNode} guests every 10 s:`;
  return [
    valueRow(`${name} forks in ${options.minutes} min (${how})`, "processes", count, 0),
    valueRow(`${name} CPU`, "CPU s / h", cpu, 2),
    valueRow(`${name} CPU without the (simulated) commands it ran`, "CPU s / h", cpu - ofCommands),
    ratioRow(`${name} CPU`, "CPU s / h", cpu, peerValue(context, "prometheus-node-exporter", theirs), 0.25),
    valueRow(`${name} wake-ups of its main thread`, "/ min", ((after.main - before.main) * perHour) / 60, 12),
    valueRow(`${name} wake-ups of all threads`, "/ min", (wakeups * perHour) / 60, 12),
    valueRow(`${name} threads`, "threads", after.plain.threads, 12),
    valueRow(`${name} anonymous memory`, "MB", memory.anonMb, 10),
    valueRow(`${name} PSS`, "MB", memory.pssMb, 48),
    limitedRow,
    valueRow("agent: start to first frame", "ms", median(firstFrameMs), 250),
    ...(theirs === undefined ? [] : [valueRow("prometheus-node-exporter: CPU, scraped every 10 s", "CPU s / h", theirs)]),
  ];
}

export const agent: Measure = {
  title: "agent with 100 guests on the simulated cluster: forks, CPU, memory, start",
  minutes: ({ minutes }) => minutes + 3.6,
  run,
};
