import { clusterKey, type EpochMs, type NodeName, nodeKey, parseNodeName } from "#protocol/ids.ts";
import type { Inventory } from "#protocol/inventory.ts";
import type { Duty, TaskReport } from "#protocol/messages.ts";
import { errorCode } from "./core/error.ts";
import type { SampleTable } from "./core/table.ts";
import type { BackupFeed, Collector, Log, SourceReport } from "./ports.ts";
import { checkSources } from "./sources/check-sources.ts";
import { ClusterFiles } from "./sources/cluster-files.ts";
import { fileProblem, NowReader, readText } from "./sources/files.ts";
import { type Space, statSpace } from "./sources/filesystems.ts";
import { GuestFeed } from "./sources/guest-feed.ts";
import { HostSource } from "./sources/host.ts";
import { Lane } from "./sources/lane.ts";
import { idsOf } from "./sources/metric-ids.ts";
import { NodeFactsSource } from "./sources/node-facts.ts";
import { PmxcfsSource } from "./sources/pmxcfs.ts";
import { parseRrd, type Rrd } from "./sources/rrd.ts";
import type { NodeSight } from "./sources/slow-source.ts";
import { type SlowDeps, SlowSources } from "./sources/slow-sources.ts";
import { TaskSource } from "./sources/tasks.ts";
import { MetricsWatch } from "./sources/watch.ts";

export type CollectorDeps = SlowDeps & {
  log: Log;
  /** After the first tick what is read beside the samples begins so much later, ms: the first samples are on their way sooner. Default: at once. */
  slowAfterMs?: number;
};

/** How long one tick, or one answer, waits for a file system that may hang. */
const deadlineMs = 1500;
const pmxcfsFreshMs = 500;
const factsEveryMs = 3_600_000;
const factsRetryMs = 300_000;

const nodeIds = idsOf("node");
const clusterIds = idsOf("cluster");

type Problem = [source: string, problem: string | undefined];

const sourcesOf = (problems: readonly Problem[]): Inventory["node"]["sources"] =>
  problems.map(([source, problem]) => (problem === undefined ? { source } : { source, problem: problem.slice(0, 500) }));

/** Everything that is read on one node. Each source has its own lane: what hangs there is absent here and named, and nobody else waits. */
export function createCollector(deps: CollectorDeps): Collector {
  return new NodeCollector(deps);
}

class NodeCollector implements Collector {
  private readonly files: NowReader;
  private readonly host: HostSource;
  private readonly pmxcfs: PmxcfsSource;
  private readonly feed: GuestFeed;
  private readonly clusterFiles: ClusterFiles;
  private readonly slow: SlowSources;
  private readonly tasksSource: TaskSource;
  private readonly facts: NodeFactsSource;
  private readonly watch: MetricsWatch;
  private readonly lanes: Record<"pmxcfs" | "rrd" | "root" | "facts" | "tasks", Lane>;

  private isFirstTick = true;
  private readonly over = new AbortController();
  private duties: ReadonlySet<Duty> = new Set();
  /** Until the hub has said who tells of what, nobody knows whether this agent's list of datastores should be empty. */
  private dutiesHeard = false;
  private rrd: Rrd | undefined;
  private rrdProblem: string | undefined;
  private rootUse: Space | undefined;
  private rootProblem: string | undefined;
  private lookedMs = Number.NEGATIVE_INFINITY;
  private pendingTasks: TaskReport[] = [];
  /** The picture handed out last; `mark` says from what it was made. */
  private newest: { mark: string; version: number; inventory: Inventory } | undefined;
  private readonly logged = new Map<string, string>();

  constructor(private readonly deps: CollectorDeps) {
    const { root, api, clock, log } = deps;
    const read = readText(root);
    this.files = new NowReader(root);
    this.host = new HostSource(this.files);
    this.pmxcfs = new PmxcfsSource(read);
    this.feed = new GuestFeed(root, this.files, clock, log);
    this.clusterFiles = new ClusterFiles(read);
    this.slow = new SlowSources(deps);
    this.tasksSource = new TaskSource(root, true);
    this.facts = new NodeFactsSource(this.files, api, root);
    this.watch = new MetricsWatch(root, clock);
    this.lanes = {
      pmxcfs: new Lane(clock, () => this.refreshPmxcfs()),
      rrd: new Lane(clock, () => this.readRrd()),
      root: new Lane(clock, () => this.readRootUse()),
      facts: new Lane(clock, () => this.facts.refresh()),
      tasks: new Lane(clock, async () => {
        this.pendingTasks.push(...(await this.tasksSource.read(clock.now())));
      }),
    };
  }

  async identify() {
    let who: Awaited<ReturnType<PmxcfsSource["identify"]>>;
    const lane = new Lane(this.deps.clock, async () => {
      who = await this.pmxcfs.identify();
    });
    await lane.run(deadlineMs);
    return who;
  }

  async collect(table: SampleTable, now: EpochMs): Promise<void> {
    this.startFacts();
    // pmxcfs' files are opened while the metrics line is read, and read while /proc is.
    this.lanes.pmxcfs.start();
    this.feed.refresh(now);
    await this.deps.clock.turn?.();
    const known = this.pmxcfs.members?.node;
    if (known !== undefined) this.host.put(table, nodeKey(known));
    const { needsRrd } = this.feed;
    const [members] = await Promise.all([
      this.lanes.pmxcfs.run(deadlineMs),
      needsRrd ? this.lanes.rrd.run(deadlineMs) : undefined,
    ]);
    const node = this.nodeName();
    if (node === undefined) return;
    const rrd = needsRrd ? this.rrd : undefined;
    if (node !== known) this.host.put(table, nodeKey(node));
    if (!this.feed.putRoot(table, node)) await this.putRoot(table, node);
    this.feed.putGuests(table, this.pmxcfs, rrd, now, this.slow.memory);
    this.feed.putStorages(table, this.pmxcfs, node, this.duties.has("shared-storage"), rrd, now);
    const sight = this.sight(node);
    this.startSlow(sight);
    this.slow.put(table, sight, now);
    if (members && this.pmxcfs.problem === undefined && this.duties.has("cluster")) this.putCluster(table);
    this.tellProblems();
  }

  private startSlow(sight: NodeSight): void {
    const { slowAfterMs = 0, clock } = this.deps;
    if (this.isFirstTick && slowAfterMs > 0) void clock.sleep(slowAfterMs, this.over.signal).then(() => this.startLate(sight));
    else this.slow.start(sight);
    this.isFirstTick = false;
  }

  private startLate(sight: NodeSight): void {
    if (!this.over.signal.aborted) this.slow.start(sight);
  }

  async inventory(now: EpochMs): Promise<{ version: number; inventory: Inventory }> {
    this.startFacts();
    // Asked right after a tick, which has just looked.
    if (this.lanes.pmxcfs.ageMs() > pmxcfsFreshMs) await this.lanes.pmxcfs.run(deadlineMs);
    const problems = this.problems();
    const versions = [this.pmxcfs, this.clusterFiles, this.facts, this.slow].map(({ version }) => version);
    const mark = JSON.stringify([versions, problems, this.unread()]);
    if (this.newest === undefined || mark !== this.newest.mark) {
      this.newest = { mark, version: (this.newest?.version ?? 0) + 1, inventory: this.makeInventory(sourcesOf(problems)) };
    }
    return { version: this.newest.version, inventory: { ...this.newest.inventory, at: now } };
  }

  get settled(): boolean {
    return this.slow.settled;
  }

  private unread(): string[] {
    const knowsWhose = this.dutiesHeard && this.clusterFiles.storagesRead;
    return [...new Set([...this.slow.unread(), ...(knowsWhose ? [] : ["datastores"])])];
  }

  private makeInventory(sources: Inventory["node"]["sources"]): Inventory {
    const { members, name } = this.pmxcfs;
    const unread = this.unread();
    const [ha, backupJobs] = [this.clusterFiles.haFacts.value, this.clusterFiles.backupJobs.value];
    return {
      at: this.deps.clock.now(),
      cluster: {
        ...(name === undefined ? {} : { name }),
        quorate: members?.quorate ?? false,
        members: members?.members ?? [],
        ...(ha === undefined ? {} : { ha }),
        ...this.slow.clusterFacts(),
      },
      node: { ...this.facts.read(), ...this.slow.nodeFacts(), sources },
      guests: this.pmxcfs.facts((guest) => this.slow.guestFacts(guest, { files: this.clusterFiles })),
      storages: [...this.pmxcfs.storages],
      ...(backupJobs === undefined ? {} : { backupJobs }),
      ...this.slow.facts(),
      ...(unread.length === 0 ? {} : { unread }),
    };
  }

  async tasks(_now: EpochMs): Promise<TaskReport[]> {
    if (!this.tasksSource.skips()) await this.lanes.tasks.run(deadlineMs);
    const tasks = this.pendingTasks;
    this.pendingTasks = [];
    return tasks;
  }

  setDuties(duties: readonly Duty[], speakers?: readonly string[]): void {
    this.duties = new Set(duties);
    this.dutiesHeard = true;
    this.pmxcfs.speakers = speakers;
  }

  get backups(): BackupFeed | undefined {
    return this.slow.backups;
  }

  nextChange(atMostMs: number, signal: AbortSignal): Promise<void> {
    return this.watch.next(atMostMs, signal);
  }

  check(): Promise<SourceReport[]> {
    return checkSources(this.deps);
  }

  close(): void {
    this.over.abort();
    this.watch.close();
    this.tasksSource.close();
    this.slow.backups?.close();
    this.deps.api.close();
  }

  private startFacts(): void {
    this.lanes.facts.start(this.facts.problem === undefined ? factsEveryMs : factsRetryMs);
  }

  private async refreshPmxcfs(): Promise<void> {
    await this.pmxcfs.refresh();
    await this.clusterFiles.refresh(this.pmxcfs.counters);
    if (this.pmxcfs.problem === undefined) this.lookedMs = this.deps.clock.monotonicMs();
  }

  private sight(node: NodeName): NodeSight {
    return {
      node,
      guests: this.pmxcfs.guests,
      files: this.clusterFiles,
      duties: this.duties,
      members: this.pmxcfs.company,
      lookedMs: this.lookedMs,
      isRunning: (vmid) => this.feed.isRunning(vmid),
      balloonUptime: (vmid) => this.feed.balloonUptime(vmid),
    };
  }

  private nodeName(): NodeName | undefined {
    return this.pmxcfs.members?.node ?? parseNodeName(this.files.tryRead("/proc/sys/kernel/hostname")?.trim().split(".")[0]);
  }

  private async readRrd(): Promise<void> {
    const file = await readText(this.deps.root)("/etc/pve/.rrd");
    this.rrd = file.ok ? parseRrd(file.text) : undefined;
    this.rrdProblem = file.ok ? undefined : fileProblem("/etc/pve/.rrd", file.code);
  }

  private async readRootUse(): Promise<void> {
    try {
      this.rootUse = await (this.deps.statSpace ?? statSpace)(this.deps.root);
      this.rootProblem = undefined;
    } catch (error) {
      this.rootUse = undefined;
      this.rootProblem = fileProblem("/", errorCode(error));
    }
  }

  private async putRoot(table: SampleTable, node: NodeName): Promise<void> {
    const inTime = await this.lanes.root.run(deadlineMs);
    if (!inTime || this.rootUse === undefined) return;
    const entity = table.entity(nodeKey(node));
    table.put(entity, nodeIds.root_total, "statfs", this.rootUse.total);
    table.put(entity, nodeIds.root_used, "statfs", this.rootUse.used);
    table.put(entity, nodeIds.fs_total, "statfs", this.rootUse.total, "/");
    table.put(entity, nodeIds.fs_used, "statfs", this.rootUse.used, "/");
    table.put(entity, nodeIds.fs_avail, "statfs", this.rootUse.avail, "/");
  }

  private putCluster(table: SampleTable): void {
    const { members } = this.pmxcfs;
    if (members === undefined) return;
    const entity = table.entity(clusterKey);
    table.put(entity, clusterIds.quorate, "pmxcfs", members.quorate ? 1 : 0);
    table.put(entity, clusterIds.nodes_online, "pmxcfs", members.members.filter(({ online }) => online).length);
    table.put(entity, clusterIds.nodes_total, "pmxcfs", members.members.length);
  }

  /** Each source with its present problem: texts without times and counts, so that they change only when the matter does. */
  private problems(): Problem[] {
    const late = (lane: Lane, path: string) => (lane.hangs(deadlineMs) ? `${path}: does not answer` : lane.bug);
    return [
      ["proc", this.host.problem],
      ["statfs", late(this.lanes.root, "/") ?? this.rootProblem],
      ["pmxcfs", late(this.lanes.pmxcfs, "/etc/pve") ?? this.pmxcfs.problem ?? this.clusterFiles.problem],
      ["pve-metrics", this.feed.problem],
      ["rrd", this.feed.problem === undefined ? undefined : (late(this.lanes.rrd, "/etc/pve/.rrd") ?? this.rrdProblem)],
      ["tasks", late(this.lanes.tasks, "/var/log/pve/tasks") ?? this.tasksSource.problem],
      ["api", this.facts.problem],
      ...this.slow.problems(),
    ];
  }

  /** One line when a problem comes, changes or goes. The feed tells its own. */
  private tellProblems(): void {
    for (const [source, problem] of this.problems()) {
      if (source === "pve-metrics" || this.logged.get(source) === problem) continue;
      if (problem === undefined) {
        this.deps.log(5, `${source}: works again`);
        this.logged.delete(source);
      } else {
        this.deps.log(4, `${source}: ${problem}`);
        this.logged.set(source, problem);
      }
    }
  }
}
