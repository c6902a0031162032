import { statfs } from "node:fs/promises";
import { type EntityKey, parseNodeName, type Vmid } from "#protocol/ids.ts";
import { duties } from "#protocol/messages.ts";
import { SampleTable } from "../core/table.ts";
import type { Clock, Log, SourceReport } from "../ports.ts";
import type { PveApi } from "../pve/api.ts";
import { ClusterFiles } from "./cluster-files.ts";
import { fileProblem, NowReader, readText } from "./files.ts";
import { GuestFeed } from "./guest-feed.ts";
import { HostSource } from "./host.ts";
import { Lane } from "./lane.ts";
import { MetricsLine, metricsPath } from "./metrics-line.ts";
import { NodeFactsSource } from "./node-facts.ts";
import { PmxcfsSource } from "./pmxcfs.ts";
import { parseRrd } from "./rrd.ts";
import { counted, type NodeSight, type SlowSource } from "./slow-source.ts";
import { type SlowDeps, SlowSources } from "./slow-sources.ts";
import { TaskSource } from "./tasks.ts";

type Finding = { found: string; problem?: string | undefined };

const checkDeadlineMs = 5000;
const anyNode = "node/any" as EntityKey; // the values are counted, not kept

/** Reads every source once, with fresh eyes: what it gives, what that cost, and what is missing and why. Sources are asked one after the other. */
export async function checkSources(deps: SlowDeps): Promise<SourceReport[]> {
  const { root, api, clock } = deps;
  const files = new NowReader(root);
  const checks: [source: string, check: () => Promise<Finding>][] = [
    ["proc", async () => checkHost(files)],
    ["statfs", () => checkRoot(root)],
    ["pmxcfs", () => checkPmxcfs(root)],
    ["pve-metrics", async () => checkMetrics(files)],
    ["rrd", () => checkRrd(root)],
    ["tasks", () => checkTasks(root, clock)],
    ["api", () => checkApi(files, api, root)],
  ];
  const reports: SourceReport[] = [];
  for (const [source, check] of checks) reports.push(await report(source, check, checkDeadlineMs, clock));
  const sight = await lookAround(root, files, clock, () => undefined);
  const slow = new SlowSources(deps);
  slow.backups?.listen(() => false); // counted, told to nobody
  for (const source of sight === undefined ? [] : slow.all) {
    reports.push(await report(source.name, () => checkSlow(source, sight as NodeSight), source.patienceMs, clock));
  }
  return reports;
}

async function report(source: string, check: () => Promise<Finding>, deadlineMs: number, clock: Clock): Promise<SourceReport> {
  let finding: Finding = { found: "nothing", problem: `does not answer within ${deadlineMs} ms` };
  const lane = new Lane(clock, async () => {
    finding = await check();
  });
  const startedMs = clock.monotonicMs();
  await lane.run(deadlineMs);
  const problem = lane.bug ?? finding.problem;
  return {
    source,
    found: finding.found,
    costMs: clock.monotonicMs() - startedMs,
    ...(problem === undefined ? {} : { problem }),
  };
}

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
  const line = new MetricsLine();
  const problem = line.read(files);
  if (problem !== undefined) return { found: "nothing", problem };
  const counts = { qemu: line.qemu.rows.count, lxc: line.lxc.rows.count, storage: line.storages.count };
  const found = (["qemu", "lxc", "storage"] as const).flatMap((name) =>
    line.atMs(name) === undefined ? [] : [`${counts[name]} ${name}`],
  );
  const { changed } = line;
  const strange = changed.length === 0 ? undefined : `${metricsPath}: other than in PVE 9: ${changed.join(", ")}`;
  return { found: found.join(", "), problem: strange };
}

async function checkRrd(root: string): Promise<Finding> {
  const file = await readText(root)("/etc/pve/.rrd");
  if (!file.ok) return { found: "nothing", problem: fileProblem("/etc/pve/.rrd", file.code) };
  const { guests, storages } = parseRrd(file.text);
  return { found: `${counted(guests.size, "guest")}, ${counted(storages.length, "storage")} of the cluster` };
}

/** Every slow source once, with all duties. */
async function checkSlow(source: SlowSource, sight: NodeSight): Promise<Finding> {
  if (source.everyMs(sight) === undefined) return { found: "not used here" };
  await source.refresh(sight);
  const everyMs = source.everyMs(sight) ?? 0;
  const cadence =
    everyMs < 60_000 ? `${everyMs / 1000} s` : everyMs < 3_600_000 ? `${everyMs / 60_000} min` : `${everyMs / 3_600_000} h`;
  return { found: everyMs === 0 ? source.found() : `${source.found()}, looked at every ${cadence}`, problem: source.problem };
}

/** The node as one look shows it; undefined without pmxcfs. */
async function lookAround(root: string, files: NowReader, clock: Clock, log: Log): Promise<NodeSight | undefined> {
  const read = readText(root);
  const pmxcfs = new PmxcfsSource(read);
  const clusterFiles = new ClusterFiles(read);
  const lane = new Lane(clock, async () => {
    await pmxcfs.refresh();
    await clusterFiles.refresh(pmxcfs.counters);
  });
  await lane.run(checkDeadlineMs);
  const node = pmxcfs.members?.node ?? parseNodeName(files.tryRead("/proc/sys/kernel/hostname")?.trim().split(".")[0]);
  if (node === undefined) return undefined;
  const feed = new GuestFeed(root, files, clock, log);
  feed.refresh(clock.now());
  const isRunning = (vmid: Vmid) => feed.isRunning(vmid);
  const { guests, members } = pmxcfs;
  return { node, guests, members, files: clusterFiles, duties: new Set(duties), lookedMs: clock.monotonicMs(), isRunning };
}

async function checkTasks(root: string, clock: Clock): Promise<Finding> {
  const tasks = new TaskSource(root);
  const found = await tasks.read(clock.now());
  const running = found.filter(({ endedAt }) => endedAt === undefined).length;
  return { found: `${counted(found.length, "task")} within a day, ${running} running`, problem: tasks.problem };
}

async function checkApi(files: NowReader, api: PveApi, root: string): Promise<Finding> {
  const facts = new NodeFactsSource(files, api, root);
  await facts.refresh();
  return { found: facts.pveVersion ?? "nothing", problem: facts.problem };
}
