import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TaskView } from "#protocol/api.ts";
import type { EntityKey, EpochMs, NodeName } from "#protocol/ids.ts";
import type { BackupJobFacts, GuestFacts, Inventory, StorageFacts } from "#protocol/inventory.ts";
import { guestStatusCodes } from "#protocol/metrics.ts";
import type { Notification } from "#protocol/notifications.ts";
import { AlertLoop } from "../../hub/alerting/alert-loop.ts";
import { DueTimes, JobMemory } from "../../hub/core/backup-due.ts";
import type { AgentStatus, ClusterPicture } from "../../hub/core/cluster.ts";
import { ownersOf } from "../../hub/core/inventory.ts";
import { TaskMemory } from "../../hub/core/task-memory.ts";
import { savedJobTimes } from "../../hub/job-times.ts";
import { StateStore } from "../../hub/store/state.ts";
import { Deliveries, Receivers } from "./deliveries.ts";
import { cluster, WorldSeries } from "./world-series.ts";

type Guest = {
  facts: GuestFacts;
  node: string;
  status: (typeof guestStatusCodes)[number];
  incarnation: number;
  claimedAt: number;
};
type Node = {
  up: boolean;
  agentUp: boolean;
  revoked: boolean;
  bootedAt: number;
  skewMs: number;
  measuredSkewMs: number;
  measuredAt: number;
  version: string;
  timezone: string | undefined;
};

/** A cluster that scenarios move by hand, the real alert loop on a real store, and a clock that stands still in between. */
export class World {
  wall: number;
  monotonic = 0;
  readonly nodes = new Map<string, Node>();
  readonly guests = new Map<number, Guest>();
  readonly storages: StorageFacts[] = [];
  readonly jobs: BackupJobFacts[] = [];
  /** Values that each frame brings, by `entity metric instance`. */
  readonly values = new Map<
    string,
    { entity: EntityKey; metric: string; instance: string | undefined; value: number; by: string }
  >();
  readonly maintenance = new Set<string>();
  readonly receivers = new Receivers();
  /** Other clusters that the hub knows, which are quiet. */
  readonly others: string[] = [];
  quorate = true;
  refusing = false;
  /** The hub's machine is off: time passes without it. */
  hubDown = false;
  timezone = "UTC";
  /** Set: the hub dies when it hands over its next message — before, or right after it became durable. */
  crash: "before" | "after" | undefined;
  /** How often the hub was killed. */
  kills = 0;
  state: StateStore;
  loop: AlertLoop;
  deliveries: Deliveries;
  private readonly dir = mkdtempSync(join(tmpdir(), "proven-scenario-"));
  private readonly series = new WorldSeries();
  private readonly tasks: TaskView[] = [];
  private memory = new TaskMemory();
  private pids = 0;

  constructor(private readonly startAt: number) {
    this.wall = startAt;
    this.state = this.openStore();
    this.deliveries = this.openDeliveries();
    this.loop = this.openLoop();
  }

  /** Messages as receivers know them: each once. */
  get sent(): Notification[] {
    return this.receivers.sent;
  }

  now = () => this.wall as EpochMs;

  /** What right clocks show: the nodes', unless they are skewed. The hub's is `wall`. */
  get trueTime(): number {
    return this.startAt + this.monotonic;
  }

  /** The hub is killed and starts again: nothing but the store is left. */
  async restart(): Promise<void> {
    this.loop.stop();
    this.deliveries.isKilled = true;
    await this.state.close();
    this.state = this.openStore();
    this.memory = new TaskMemory();
    for (const task of this.tasks) this.memory.add(task);
    this.deliveries = this.openDeliveries();
    this.loop = this.openLoop();
  }

  async close(): Promise<void> {
    this.loop.stop();
    await this.state.close();
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** Time passes by one step: agents send when their 10 s are over, the hub makes its pass. */
  async step(ms: number): Promise<void> {
    const before = Math.floor(this.monotonic / 10_000);
    this.wall += ms;
    this.monotonic += ms;
    if (Math.floor(this.monotonic / 10_000) > before || ms >= 10_000) this.sendFrames();
    await this.pass();
  }

  async pass(): Promise<void> {
    if (this.hubDown) return;
    try {
      this.loop.pass();
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      await this.killed();
    }
    await this.deliveries.run();
    if (!this.deliveries.isKilled) return;
    await this.killed();
    await this.deliveries.run();
  }

  private async killed(): Promise<void> {
    this.kills++;
    await this.restart();
  }

  task(node: string, type: string, id: string, state: TaskView["state"]): TaskView {
    const hex = (value: number) => value.toString(16).toUpperCase().padStart(8, "0");
    const upid = `UPID:${node}:${hex(++this.pids)}:00000001:${hex(Math.floor(this.trueTime / 1000))}:${type}:${id}:root@pam:`;
    const at = this.trueTime;
    const ended = state === "running" ? null : at;
    const task: TaskView = {
      cluster,
      upid,
      node,
      type,
      id,
      user: "root@pam",
      startedAt: this.wall,
      endedAt: ended,
      state,
      status: null,
    };
    this.note(task);
    return task;
  }

  /** The newest task that runs on a node is over. */
  endTask(node: string, state: TaskView["state"]): void {
    const running = this.tasks.findLast((task) => task.node === node && task.state === "running");
    if (running === undefined) throw new Error(`no task runs on ${node}`);
    this.tasks.splice(this.tasks.indexOf(running), 1);
    this.note({ ...running, state, endedAt: this.trueTime, status: state === "ok" ? "OK" : state });
  }

  note(task: TaskView): void {
    this.tasks.push(task);
    this.memory.add(task);
  }

  set(entity: EntityKey, metric: string, value: number, by: string, instance?: string): void {
    this.values.set(`${entity} ${metric} ${instance ?? ""}`, { entity, metric, instance, value, by });
  }

  private sendFrames(): void {
    for (const [name, node] of this.nodes) {
      if (!node.up || !node.agentUp) continue;
      if (this.monotonic - node.measuredAt >= 60_000) {
        node.measuredAt = this.monotonic;
        node.measuredSkewMs = this.trueTime + node.skewMs - this.wall + (this.monotonic % 7);
      }
      this.sendFrame(name, this.trueTime + node.skewMs);
    }
  }

  private sendFrame(name: string, at: number): void {
    const entities = new Set<EntityKey>();
    const put = (entity: EntityKey, incarnation: number, metric: string, instance: string | undefined, value: number) => {
      this.series.put(entity, incarnation, metric, instance, at, value);
      entities.add(entity);
    };
    for (const { facts, node, status, incarnation } of this.guests.values()) {
      if (node === name)
        put(`guest/${facts.vmid}` as EntityKey, incarnation, "status", undefined, guestStatusCodes.indexOf(status));
    }
    for (const { entity, metric, instance, value, by } of this.values.values()) {
      const guest = this.guests.get(Number(entity.split("/")[1]));
      const sender = entity.startsWith("guest/") ? guest?.node : by;
      if (sender === name) put(entity, entity.startsWith("guest/") ? (guest?.incarnation ?? 1) : 1, metric, instance, value);
    }
    this.series.frame({ cluster, node: name as NodeName }, at, [...entities]);
  }

  private openStore(): StateStore {
    return StateStore.open({ dir: this.dir, now: this.now });
  }

  private openDeliveries(): Deliveries {
    return new Deliveries(this.receivers, { now: this.now, monotonicMs: () => this.monotonic }, this.state);
  }

  private openLoop(): AlertLoop {
    const { state, series } = this;
    return new AlertLoop({
      state,
      reader: series.reader,
      live: series.live,
      clock: { now: this.now, monotonicMs: () => this.monotonic, sleep: () => Promise.resolve() },
      pictures: () => [this.picture(), ...this.others.map(quietPicture)],
      backups: { tasks: this.memory, due: new DueTimes(() => this.timezone), jobs: new JobMemory(savedJobTimes(state)) },
      refusing: () => this.refusing,
      dispatcher: {
        enqueue: (notification) => {
          if (this.crash === "before") this.die();
          this.deliveries.dispatcher.enqueue(notification);
        },
        committed: () => {
          if (this.crash === "after") this.die();
          this.deliveries.committed();
        },
      },
      tell: () => undefined,
    });
  }

  private die(): never {
    this.crash = undefined;
    throw new Crash("the hub was killed");
  }

  private picture(): ClusterPicture {
    const now = this.now();
    const members = [...this.nodes].map(([node, { up }], index) => ({ node, nodeId: index + 1, online: up }));
    const ha = {
      nodes: [...this.nodes.keys()].map((node) => ({ node, state: this.maintenance.has(node) ? "maintenance" : "online" })),
    };
    const agents = [...this.nodes].map(([name, node], index): AgentStatus => {
      const agent = { cluster, node: name as NodeName };
      const guests = [...this.guests.values()].filter((guest) => guest.node === name);
      const inventory: Inventory = {
        at: now,
        cluster: { name: "lab", quorate: this.quorate, members, ha },
        node: {
          pveVersion: node.version,
          zpools: this.zpools(name),
          thinpools: this.thinpools(name),
          sources: [],
          bootedAt: node.bootedAt,
          ...(node.timezone === undefined ? {} : { timezone: node.timezone }),
        },
        guests: guests.map(({ facts }) => facts),
        storages: this.storages,
        backupJobs: this.jobs,
      };
      const claims = Object.fromEntries(guests.map(({ facts, claimedAt }) => [facts.vmid, claimedAt as EpochMs]));
      const speaks = node.up && node.agentUp;
      return {
        node: agent.node,
        state: node.revoked ? "revoked" : speaks ? "connected" : "away",
        software: "0.1.0",
        connectedAt: now,
        lastSeenAt: now,
        clockSkewMs: node.measuredSkewMs,
        newestFrame: this.series.live.newestFrame(agent),
        duties: index === 0 ? ["cluster", "shared-storage"] : [],
        inventory: { agent, receivedAt: (speaks ? now : 0) as EpochMs, inventory, claims },
      };
    });
    const owners = ownersOf(agents.flatMap(({ inventory }) => inventory ?? []));
    return { cluster, name: "lab", agents: new Map(agents.map((agent) => [agent.node, agent])), owners };
  }

  private zpools(node: string): string[] {
    return this.namesUnder(`zpool/${node}/`);
  }

  private thinpools(node: string): { vg: string; lv: string }[] {
    return this.namesUnder(`thinpool/${node}/`).map((name) => {
      const [vg = "", lv = ""] = name.split("/");
      return { vg, lv };
    });
  }

  /** What the entities that have values are called below a prefix. */
  private namesUnder(prefix: string): string[] {
    const names = [...this.values.values()].flatMap(({ entity }) =>
      entity.startsWith(prefix) ? [entity.slice(prefix.length)] : [],
    );
    return [...new Set(names)];
  }
}

/** A cluster that nobody speaks of. */
const quietPicture = (name: string, index: number): ClusterPicture => ({
  cluster: `5ce7a7100000010${index}` as ClusterPicture["cluster"],
  name,
  agents: new Map(),
  owners: new Map(),
});

/** `kill -9`. */
class Crash extends Error {}
