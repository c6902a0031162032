import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../agent/ports.ts";
import { addPastTasks, startActivity, startFirstMigration } from "./activity.ts";
import { type Call, NodeApi } from "./api.ts";
import { type Backup, pastBackups, volidOf } from "./backups.ts";
import { Schedule, scaledClock } from "./clock.ts";
import { installCommands, runCommand } from "./commands.ts";
import { Control } from "./control.ts";
import { ControlServer } from "./control-server.ts";
import { insideHandlers } from "./inside-handlers.ts";
import { jobHandlers } from "./job-handlers.ts";
import { type Truth, truthOf } from "./model.ts";
import { Operations } from "./operations.ts";
import { Pbs } from "./pbs.ts";
import { permissionsOf } from "./permissions.ts";
import { readHandlers } from "./read-handlers.ts";
import { restoreHandlers } from "./restore-handlers.ts";
import { RestoreLab } from "./restore-lab.ts";
import { type Secrets, secretsIn, signTicket } from "./secrets.ts";
import { csrfToken, signInHandlers } from "./sign-in.ts";
import { buildSpec } from "./spec.ts";
import { storageHandlers } from "./storage-handlers.ts";
import { Tasks } from "./tasks.ts";
import { Tree } from "./tree.ts";
import { Vzdump } from "./vzdump.ts";
import { World } from "./world.ts";
import { writeHandlers } from "./write-handlers.ts";

export type LabOptions = {
  /** Everything the lab writes lies below. A second start in the same folder is the same cluster (keys, certificates). */
  dir: string;
  nodes?: number;
  /** Of the whole cluster. */
  guests?: number;
  seed?: string;
  /** 0: any free ports. Else the control API listens there, PBS on the next, the nodes' APIs on those behind. */
  basePort?: number;
  /** Of the first node's agent, the others' follow; default: any free ones. */
  gatewayPort?: number;
  /** Where the page is whose browsers may use the gateways; default: 8006. */
  pvePort?: number;
  /** Default: real time. */
  clock?: Clock;
  /** How long a refused ticket waits, lab time; PVE: 3000 ms. */
  refusalDelayMs?: number;
  /** Generations kept in run/pve/metrics; PVE: 181. */
  metricsGenerations?: number;
  /** Nightly backups, restarts and migrations happen by themselves. Default true. */
  activity?: boolean;
  /** The nodes' bin folders hold this machine's true `ip`, `nft`, `dnsmasq` …, so that agents can make true sandboxes. Default false. */
  realSandboxes?: boolean;
};

export type LabPlaces = {
  dir: string;
  control: string;
  pbs: string;
  agents: { node: string; port: number; root: string; config: string }[];
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
  readonly vzdump: Vzdump;
  readonly restores: RestoreLab;
  readonly control: Control;
  readonly truth: Truth;
  /** Ports of the nodes' APIs. */
  readonly apiPorts: ReadonlyMap<string, number>;
  /** Requests that PVE's API would not have understood: whoever sent them has a bug. */
  readonly misuses: readonly string[];
  places(): LabPlaces;
  /** Agent configuration of a node. */
  agentConfig(node: string): string;
  ticket(user: string): string;
  csrfToken(user: string): string;
  /** Writes all files as of now. */
  writeAll(): void;
  stop(): Promise<void>;
};

const tickMs = 10_000;

/** In this process. Resolves when every file is there and every port answers; `stop` leaves nothing but the files. */
export async function startLab(options: LabOptions): Promise<Lab> {
  const { dir, basePort = 0, metricsGenerations = 6 } = options;
  const port = (offset: number) => (basePort === 0 ? 0 : basePort + offset);
  const clock = options.clock ?? scaledClock();
  const world = new World(buildSpec(options.seed ?? "proven", options.nodes ?? 3, options.guests ?? 40));
  const secrets = await secretsIn(dir, [...world.nodes.keys()]);
  const schedule = new Schedule(clock);
  const startedAt = clock.now();
  const backups = pastBackups(world, startedAt);
  const isDamaged = (backup: Backup) => restores.archives.find(volidOf(backup))?.damage !== undefined;
  const pbs = new Pbs({ world, secrets, backups: () => backups, now: () => schedule.now(), isDamaged });
  await pbs.start(port(1));
  const tree = new Tree(world, { dir, secrets, startedAt, pbsPort: pbs.port, metricsGenerations });
  tree.create(startedAt);
  const tasks = new Tasks(world, schedule, tree);
  const operations = new Operations(world, schedule, tree, tasks);
  const vzdump = new Vzdump(world, operations, tasks, backups);

  const wait = (ms: number) => clock.sleep(ms);
  const restores = new RestoreLab({ world, tree, schedule, tasks, operations, backups, wait });

  const misuses: string[] = [];
  const apis = makeApis({ options, clock, world, secrets, schedule, tasks, operations, vzdump, restores, backups, misuses });
  await startAll([...apis.values()], (index) => port(2 + index));
  const apiPorts = new Map([...apis].map(([name, api]) => [name, api.port]));
  const control = new Control({ world, schedule, tree, tasks, operations, vzdump, restores, apis });
  const truth = truthOf(world);
  const places = () => placesOf(dir, server.port, pbs.port, apiPorts);
  const server = new ControlServer({
    control,
    truth,
    now: () => schedule.now(),
    state: () => ({
      now: schedule.now(),
      ...places(),
      ...stateOf(world, tasks, schedule.now()),
      misuses,
      violations: restores.safety.violations,
    }),
    command: (node, name, argv) => runCommand(restores, world.node(node), name, argv),
  });
  await server.start(port(0));
  installCommands(dir, world.nodes.keys(), server.port, options.realSandboxes === true);
  mkdirSync(join(dir, "agents"), { recursive: true });
  places().agents.forEach(({ config, node, port: api }, index) => {
    const gateway = options.gatewayPort === undefined ? 0 : options.gatewayPort + index;
    writeFileSync(config, agentToml(dir, node, api, gateway, options.pvePort ?? 8006));
  });

  addPastTasks({ world, tasks }, startedAt);
  for (const name of world.nodes.keys()) tasks.writeActive(name);
  const writer = keepWriting(world, schedule, tree);
  writer.writeAll();
  const parts = { world, schedule, tasks, operations, vzdump };
  if (options.activity !== false) {
    startFirstMigration(parts, startedAt);
    startActivity(parts);
  }
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
    vzdump,
    restores,
    control,
    truth,
    misuses,
    places,
    apiPorts,
    agentConfig: (node) => configPath(dir, node),
    csrfToken: (user) => csrfToken(secrets, user, clock.now()),
    ticket: (user) => signTicket(secrets, user, clock.now()),
    writeAll: writer.writeAll,
    stop: async () => {
      await schedule.stop();
      restores.stop();
      await Promise.all([...apis.values(), pbs, server].map((one) => one.stop()));
    },
  };
}

type ApiParts = {
  options: LabOptions;
  clock: Clock;
  world: World;
  secrets: Secrets;
  schedule: Schedule;
  tasks: Tasks;
  operations: Operations;
  vzdump: Vzdump;
  restores: RestoreLab;
  backups: readonly Backup[];
  misuses: string[];
};

function makeApis({
  options,
  clock,
  world,
  secrets,
  schedule,
  tasks,
  operations,
  vzdump,
  restores,
  backups,
  misuses,
}: ApiParts): Map<string, NodeApi> {
  const now = () => schedule.now();
  const wait = (ms: number) => clock.sleep(ms);
  const context = { world, secrets, now, wait, backups: () => backups, tasks };
  const permissions = permissionsOf(world.spec);
  const jobs = jobHandlers(context);
  const handlers = {
    ...readHandlers(context),
    ...storageHandlers(context),
    ...jobs,
    ...writeHandlers({ world, now, operations, vzdump, restores }),
    ...restoreHandlers(restores),
    ...insideHandlers({ ...context, restores }),
    taskStop: (call: Call) => {
      restores.safety.endsTask(call.user, String(call.params.upid));
      return jobs.taskStop?.(call);
    },
    ...signInHandlers({ secrets, permissions, now, wait, refusalDelayMs: options.refusalDelayMs ?? 3000 }),
  };
  return new Map(
    [...world.nodes.values()].map((node) => {
      const { name } = node.spec;
      const api = new NodeApi({
        node: name,
        secrets,
        permissions,
        handlers,
        knowsNode: (other) => world.nodes.has(other),
        now: () => clock.now() + node.clockOffsetMs,
        wait,
        refusalDelayMs: options.refusalDelayMs ?? 3000,
        onMisuse: (problem) => misuses.push(`${name}: ${problem}`),
      });
      return [name, api];
    }),
  );
}

async function startAll(apis: readonly NodeApi[], port: (index: number) => number): Promise<void> {
  await Promise.all(apis.map((api, index) => api.start(port(index))));
}

/** Every file each ten seconds, the nodes one after the other where there are many; `.version` and `.vmlist` with each change. */
function keepWriting(world: World, schedule: Schedule, tree: Tree) {
  const nodes = [...world.nodes.values()];
  const spread = nodes.length > 10;
  nodes.forEach((node, index) => {
    schedule.every(tickMs, spread ? Math.floor((index * tickMs) / nodes.length) : 0, (at) => tree.writeNode(node, at));
  });
  schedule.every(tickMs, 0, (at) => {
    tree.writeRrd(at);
    tree.writeCluster(at);
  });
  let waiting = false;
  world.onChange(() => {
    if (waiting) return;
    waiting = true;
    schedule.at(schedule.now(), (at) => {
      waiting = false;
      tree.writeCluster(at);
    });
  });
  const writeAll = () => {
    const at = schedule.now();
    world.forgetReadings();
    for (const node of nodes) tree.writeNode(node, at);
    tree.writeRrd(at);
    tree.writeCluster(at);
  };
  return { writeAll };
}

const configPath = (dir: string, node: string) => join(dir, "agents", `${node}.toml`);

function placesOf(dir: string, controlPort: number, pbsPort: number, apiPorts: ReadonlyMap<string, number>): LabPlaces {
  const agents = [...apiPorts].map(([node, port]) => ({
    node,
    port,
    root: join(dir, "nodes", node),
    config: configPath(dir, node),
  }));
  return { dir, control: `http://127.0.0.1:${controlPort}`, pbs: `https://127.0.0.1:${pbsPort}`, agents };
}

/** What `GET /state` shows of the cluster. */
function stateOf(world: World, tasks: Tasks, at: number) {
  return {
    quorate: world.quorate(at),
    nodes: [...world.nodes.values()].map((node) => ({
      node: node.spec.name,
      online: !world.isDown(node, at),
      pvestatd: node.statsStoppedAt === undefined,
      clockOffsetMs: node.clockOffsetMs,
      runningTasks: tasks
        .on(node.spec.name)
        .filter(({ upid }) => tasks.isRunning(upid))
        .map(({ upid }) => upid),
    })),
    guests: world.guestsNow().map((guest) => {
      const { vmid, type, name } = guest.life.spec;
      const state = world.state(guest, at);
      const status =
        state === undefined || !state.known ? "unknown" : !state.running ? "stopped" : state.paused ? "paused" : "running";
      return { vmid, type, name, node: guest.home, status, lock: guest.lock ?? null, incarnation: guest.life.incarnation };
    }),
    storageFaults: Object.fromEntries([...world.storageFaults].map(([id, { fault }]) => [id, fault])),
  };
}

const agentToml = (dir: string, node: string, port: number, gateway: number, pvePort: number) => `root = "${dir}/nodes/${node}"
state = "${dir}/agents/${node}"

[pve]
api = "http://127.0.0.1:${port}"

[commands]
path = "${dir}/nodes/${node}/bin"

[gateway]
listen = "127.0.0.1"
port = ${gateway}
pve_port = ${pvePort}
`;
