import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../agent/ports.ts";
import { NodeApi } from "./api.ts";
import { pastBackups } from "./backups.ts";
import { Schedule, scaledClock } from "./clock.ts";
import { jobHandlers } from "./job-handlers.ts";
import { type Truth, truthOf } from "./model.ts";
import { createOperations, type Operations, writeHandlers } from "./operations.ts";
import { permissionsOf } from "./permissions.ts";
import { type ReadContext, readHandlers } from "./read-handlers.ts";
import { mintTicket, type Secrets, secretsIn } from "./secrets.ts";
import { buildSpec } from "./spec.ts";
import { Tasks } from "./tasks.ts";
import { Tree } from "./tree.ts";
import { World } from "./world.ts";

export type LabOptions = {
  /** Everything the lab writes lies below. A second start in the same folder is the same cluster (keys, certificates). */
  dir: string;
  nodes?: number;
  /** Of the whole cluster. */
  guests?: number;
  seed?: string;
  /** 0: any free ports. Else the control API listens there, PBS on the next, the nodes' APIs on those behind. */
  basePort?: number;
  /** Default: real time. */
  clock?: Clock;
  /** How long a refused ticket waits, lab time; PVE: 3000 ms. */
  refusalDelayMs?: number;
  /** Generations kept in run/pve/metrics; PVE: 181. */
  metricsGenerations?: number;
  /** Nightly backups, restarts and migrations happen by themselves. Default true. */
  activity?: boolean;
};

export type Lab = {
  readonly dir: string;
  readonly world: World;
  readonly clock: Clock;
  readonly schedule: Schedule;
  readonly tasks: Tasks;
  readonly tree: Tree;
  readonly secrets: Secrets;
  readonly operations: Operations;
  readonly truth: Truth;
  /** Ports of the nodes' APIs. */
  readonly apiPorts: ReadonlyMap<string, number>;
  /** Requests that PVE's API would not have understood: whoever sent them has a bug. */
  readonly misuses: readonly string[];
  /** Agent configuration of a node. */
  agentConfig(node: string): string;
  ticket(user: string): string;
  /** Writes all files as of now. */
  writeAll(): void;
  stop(): Promise<void>;
};

const tickMs = 10_000;

export async function startLab(options: LabOptions): Promise<Lab> {
  const { dir, basePort = 0, refusalDelayMs = 3000, metricsGenerations = 6 } = options;
  const clock = options.clock ?? scaledClock();
  const world = new World(buildSpec(options.seed ?? "proven", options.nodes ?? 3, options.guests ?? 40));
  const secrets = await secretsIn(dir, [...world.nodes.keys()]);
  const schedule = new Schedule(clock);
  const startedAt = clock.now();
  const tree = new Tree(world, { dir, secrets, startedAt, pbsPort: basePort === 0 ? 8007 : basePort + 1, metricsGenerations });
  tree.clearGuests();
  tree.create(startedAt);
  const tasks = new Tasks(world, schedule, tree);
  const backups = pastBackups(world, startedAt);
  const context: ReadContext = {
    world,
    secrets,
    now: () => schedule.now(),
    wait: (ms) => clock.sleep(ms),
    backups: () => backups,
  };
  const operating = { world, schedule, tree, tasks, backups };
  const operations = createOperations(operating);
  const handlers = { ...readHandlers(context), ...jobHandlers({ ...context, tasks }), ...writeHandlers(operating, operations) };
  const permissions = permissionsOf(world.spec);
  const misuses: string[] = [];

  const apis = new Map<string, NodeApi>();
  for (const [index, node] of [...world.nodes.values()].entries()) {
    const api = new NodeApi({
      node: node.spec.name,
      port: basePort === 0 ? 0 : basePort + 2 + index,
      secrets,
      permissions,
      handlers,
      knowsNode: (name) => world.nodes.has(name),
      now: () => clock.now() + node.clockOffsetMs,
      wait: (ms) => clock.sleep(ms),
      refusalDelayMs,
      onMisuse: (problem) => misuses.push(`${node.spec.name}: ${problem}`),
    });
    await api.start();
    apis.set(node.spec.name, api);
  }
  const apiPorts = new Map([...apis].map(([name, api]) => [name, api.port]));
  const agentConfig = (node: string) => join(dir, "agents", `${node}.toml`);
  mkdirSync(join(dir, "agents"), { recursive: true });
  for (const [name, port] of apiPorts) writeFileSync(agentConfig(name), agentToml(dir, name, port));

  const writeNodes = (at: number) => {
    for (const node of world.nodes.values()) tree.writeNode(node, at);
    tree.writeRrd(at);
  };
  const writeAll = () => {
    tree.writeCluster(schedule.now());
    writeNodes(schedule.now());
  };
  world.onChange(() => tree.writeCluster(schedule.now()));
  writeAll();
  for (const name of world.nodes.keys()) tasks.writeActive(name);
  schedule.every(tickMs, 0, writeNodes);
  schedule.start();

  return {
    dir,
    world,
    clock,
    schedule,
    tasks,
    tree,
    secrets,
    operations,
    truth: truthOf(world),
    apiPorts,
    misuses,
    agentConfig,
    ticket: (user) => mintTicket(secrets, user, clock.now()),
    writeAll,
    stop: async () => {
      await schedule.stop();
      await Promise.all([...apis.values()].map((api) => api.stop()));
    },
  };
}

const agentToml = (dir: string, node: string, port: number) => `root = "${dir}/nodes/${node}"
state = "${dir}/agents/${node}"

[pve]
api = "http://127.0.0.1:${port}"

[commands]
path = "${dir}/nodes/${node}/bin"
`;
