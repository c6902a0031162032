import { statfs } from "node:fs/promises";
import type { EntityKey } from "#protocol/ids.ts";
import { SampleTable } from "../core/table.ts";
import type { Clock, RunCommand, SourceReport } from "../ports.ts";
import type { PveApi } from "../pve/api.ts";
import { fileProblem, NowReader, readText } from "./files.ts";
import { HostSource } from "./host.ts";
import { Lane } from "./lane.ts";
import { metricsPath, metricsSections, readMetricsLine } from "./metrics-line.ts";
import { NodeFactsSource } from "./node-facts.ts";
import { PmxcfsSource } from "./pmxcfs.ts";
import { parseRrd } from "./rrd.ts";
import { TaskSource } from "./tasks.ts";
import { ZpoolSource } from "./zpool.ts";

type Finding = { found: string; problem?: string | undefined };
type Deps = { root: string; api: PveApi; run: RunCommand; clock: Clock };

const checkDeadlineMs = 5000;
const anyNode = "node/any" as EntityKey; // the values are counted, not kept

/** Reads every source once, with fresh eyes: what it gives, what that cost, and what is missing and why. Sources are asked one after the other. */
export async function checkSources({ root, api, run, clock }: Deps): Promise<SourceReport[]> {
  const files = new NowReader(root);
  const checks: [source: string, check: () => Promise<Finding>][] = [
    ["proc", async () => checkHost(files)],
    ["statfs", () => checkRoot(root)],
    ["pmxcfs", () => checkPmxcfs(root)],
    ["pve-metrics", async () => checkMetrics(files)],
    ["rrd", () => checkRrd(root)],
    ["zpool", () => checkZpool(root, run)],
    ["tasks", () => checkTasks(root, clock)],
    ["api", () => checkApi(files, api)],
  ];
  const reports: SourceReport[] = [];
  for (const [source, check] of checks) reports.push(await report(source, check, clock));
  return reports;
}

async function report(source: string, check: () => Promise<Finding>, clock: Clock): Promise<SourceReport> {
  let finding: Finding = { found: "nothing", problem: `does not answer within ${checkDeadlineMs} ms` };
  const lane = new Lane(clock, async () => {
    finding = await check();
  });
  const startedMs = clock.monotonicMs();
  await lane.run(checkDeadlineMs);
  const problem = lane.bug ?? finding.problem;
  return {
    source,
    found: finding.found,
    costMs: clock.monotonicMs() - startedMs,
    ...(problem === undefined ? {} : { problem }),
  };
}

const counted = (count: number, one: string, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

function checkHost(files: NowReader): Finding {
  const host = new HostSource(files);
  const table = new SampleTable();
  table.begin();
  host.put(table, anyNode);
  const values = table.values().filter((value) => !Number.isNaN(value)).length;
  return { found: `${counted(host.cpus, "thread")}, ${counted(values, "value")}`, problem: host.problem };
}

async function checkRoot(root: string): Promise<Finding> {
  const { bsize, blocks } = await statfs(root);
  return { found: `root file system of ${((blocks * bsize) / 1e9).toFixed(0)} GB` };
}

async function checkPmxcfs(root: string): Promise<Finding> {
  const pmxcfs = new PmxcfsSource(readText(root));
  const who = await pmxcfs.identify();
  const { members, problem } = pmxcfs;
  if (members === undefined) return { found: "nothing", problem };
  const cluster = pmxcfs.name === undefined ? "standalone" : `cluster ${pmxcfs.name}`;
  const quorum = members.quorate ? "" : ", without quorum";
  const found = [
    `node ${members.node}, ${cluster}${quorum}`,
    counted(pmxcfs.guests.size, "guest"),
    counted(pmxcfs.storages.length, "storage"),
  ];
  const unread = [...pmxcfs.guests.values()].filter(({ config }) => config === undefined).length;
  const unreadProblem = unread === 0 ? undefined : `${counted(unread, "guest configuration")} can't be read`;
  return { found: found.join(", "), problem: problem ?? unreadProblem ?? (who === undefined ? "no identity" : undefined) };
}

function checkMetrics(files: NowReader): Finding {
  const read = readMetricsLine(files);
  if (!read.ok) return { found: "nothing", problem: read.problem };
  const found = metricsSections.flatMap((name) => {
    const section = read.line[name];
    if (section === undefined || name === "node") return [];
    return [`${Object.keys(section.data).length} ${name}`];
  });
  const changed = read.changed.length === 0 ? undefined : `${metricsPath}: other than in PVE 9: ${read.changed.join(", ")}`;
  return { found: found.join(", "), problem: changed };
}

async function checkRrd(root: string): Promise<Finding> {
  const file = await readText(root)("/etc/pve/.rrd");
  if (!file.ok) return { found: "nothing", problem: fileProblem("/etc/pve/.rrd", file.code) };
  const { guests, storages } = parseRrd(file.text);
  return { found: `${counted(guests.size, "guest")}, ${counted(storages.length, "storage")} of the cluster` };
}

async function checkZpool(root: string, run: RunCommand): Promise<Finding> {
  const zpool = new ZpoolSource(root, run);
  if (!zpool.present()) return { found: "no ZFS" };
  await zpool.refresh();
  return { found: counted(zpool.pools.length, "pool"), problem: zpool.problem };
}

async function checkTasks(root: string, clock: Clock): Promise<Finding> {
  const tasks = new TaskSource(root);
  const found = await tasks.read(clock.now());
  const running = found.filter(({ endedAt }) => endedAt === undefined).length;
  return { found: `${counted(found.length, "task")} within a day, ${running} running`, problem: tasks.problem };
}

async function checkApi(files: NowReader, api: PveApi): Promise<Finding> {
  const facts = new NodeFactsSource(files, api);
  await facts.refresh();
  return { found: facts.pveVersion ?? "nothing", problem: facts.problem };
}
