import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { agentUnit } from "../../scripts/bench/service-units.ts";
import { type Lab, type LabOptions, startLab } from "../lab/lab.ts";
import { Daemon } from "./daemon.ts";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const bundles = { hub: join(root, "dist/hub.mjs"), agent: join(root, "dist/agent.mjs"), panel: join(root, "dist/panel") };
const run = promisify(execFile);

export type SystemOptions = {
  /** Everything is written below. */
  state: string;
  hubPort?: number;
  lab?: Omit<LabOptions, "dir">;
  /** Other programs than those in dist/: a hub, agents by their node. */
  programs?: { hub?: string; agents?: Readonly<Record<string, string>> };
};

export type Answer<T = unknown> = { status: number; headers: Record<string, string | string[] | undefined>; body: T };

/** A free TCP port of this machine, at this moment. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Lab, hub and one agent a node: real processes but for the lab, which lives in this one. */
export class System {
  readonly hub: Daemon;
  readonly agents: ReadonlyMap<string, Daemon>;
  private readonly tls = new Agent({ keepAlive: true, rejectUnauthorized: false });
  /** Nodes whose agents ended with their power. */
  private readonly dark = new Set<string>();
  private powerChange = Promise.resolve();
  private stopping = false;
  apiKey = "";

  private constructor(
    readonly state: string,
    readonly port: number,
    readonly lab: Lab,
    private readonly programs: NonNullable<SystemOptions["programs"]>,
  ) {
    const logFile = (name: string) => join(state, "log", `${name}.log`);
    this.hub = new Daemon({
      name: "hub",
      args: [this.hubProgram, "--config", this.hubConfig],
      logFile: logFile("hub"),
      ready: /^proven-hub .* ready/,
    });
    this.agents = new Map(
      [...lab.apiPorts.keys()].map((node) => [
        node,
        new Daemon({
          name: `agent ${node}`,
          args: [...agentUnit.flags, programs.agents?.[node] ?? bundles.agent, "--config", lab.agentConfig(node)],
          env: { ...agentUnit.env },
          logFile: logFile(`agent-${node}`),
          ready: /connected to the hub|joined the hub/,
        }),
      ]),
    );
    lab.world.onChange((file) => {
      if (file === "clinfo") this.powerChange = this.powerChange.then(() => this.followPower());
    });
  }

  /** An agent runs on its node: it ends with the node's power, and starts when the node is back. */
  private async followPower(): Promise<void> {
    for (const [node, agent] of this.agents) {
      if (this.stopping) return;
      const down = this.lab.world.isDown(this.lab.world.node(node), this.lab.schedule.now());
      if (down && agent.running) {
        this.dark.add(node);
        await agent.stop("SIGKILL");
      } else if (!down && this.dark.delete(node)) {
        agent.start().catch(() => undefined); // its log says why
      }
    }
  }

  private get hubProgram(): string {
    return this.programs.hub ?? bundles.hub;
  }

  get hubConfig(): string {
    return join(this.state, "hub.toml");
  }

  get url(): string {
    return `https://127.0.0.1:${this.port}`;
  }

  /** Starts the lab and prepares the hub (configuration, certificate, join key, an API key). Hub and agents are not running yet. */
  static async prepare({ state, hubPort, lab: labOptions, programs = {} }: SystemOptions): Promise<System> {
    for (const path of [bundles.hub, bundles.agent]) {
      if (!existsSync(path)) throw new Error(`${path} is missing: npm run build`);
    }
    mkdirSync(state, { recursive: true });
    const port = hubPort ?? (await freePort());
    const lab = await startLab({ ...labOptions, dir: join(state, "lab") });
    const system = new System(state, port, lab, programs);
    const pmxcfs = join(state, "lab", "pmxcfs");
    const toml = [
      'listen = "127.0.0.1"',
      `port = ${port}`,
      `state = ${JSON.stringify(join(state, "hub"))}`,
      `panel = ${JSON.stringify(bundles.panel)}`,
      "[join]",
      `pmxcfs = ${JSON.stringify(pmxcfs)}`,
    ];
    writeFileSync(system.hubConfig, `${toml.join("\n")}\n`);
    await system.proven("setup", "--url", `wss://127.0.0.1:${port}/agent`);
    await system.ensureKey();
    return system;
  }

  /** `proven-hub …` on this system's configuration; its output. */
  async proven(...args: string[]): Promise<string> {
    const { stdout } = await run(process.execPath, [this.hubProgram, ...args, "--config", this.hubConfig]);
    return stdout;
  }

  /** One key for this state directory, in `api-key` (mode 0600), made again when a year is over. */
  private async ensureKey(): Promise<void> {
    const path = join(this.state, "api-key");
    if (!existsSync(path)) {
      const output = await this.proven(
        "key",
        "create",
        "--name",
        "lab",
        "--scope",
        "read",
        "--scope",
        "write",
        "--scope",
        "admin",
        "--expires-days",
        "365",
      );
      const key = /pvn_\w+/.exec(output)?.[0];
      if (key === undefined) throw new Error(`no key in: ${output}`);
      writeFileSync(path, `${key}\n`, { mode: 0o600 });
    }
    this.apiKey = readFileSync(path, "utf8").trim();
  }

  async startHub(): Promise<void> {
    await this.hub.start();
  }

  /** Where an agent's gateway listens, once it said so. */
  gatewayPort(node: string): number | undefined {
    const log = readFileSync(join(this.state, "log", `agent-${node}.log`), "utf8");
    const port = log
      .match(/gateway listens.*?port=(\d+)/g)
      ?.at(-1)
      ?.split("port=")[1];
    return port === undefined ? undefined : Number(port);
  }

  async startAgents(): Promise<void> {
    await Promise.all([...this.agents.values()].map((agent) => agent.start()));
  }

  /** One request to the hub with the key (`null`: without). The body is parsed JSON, or text where it is none. */
  call<T = unknown>(
    method: string,
    path: string,
    { key = this.apiKey, body }: { key?: string | null; body?: unknown } = {},
  ): Promise<Answer<T>> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers = {
      ...(key === null ? {} : { authorization: `Bearer ${key}` }),
      ...(text === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
    };
    return new Promise((resolve, reject) => {
      const outgoing = request(`${this.url}${path}`, { method, headers, agent: this.tls }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => {
          const raw = Buffer.concat(chunks).toString("utf8");
          const json = String(response.headers["content-type"]).includes("json");
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: (json ? JSON.parse(raw) : raw) as T });
        });
      });
      outgoing.on("error", reject);
      outgoing.end(text);
    });
  }

  async get<T>(path: string): Promise<T> {
    const { status, body } = await this.call<T>("GET", `/api/v1/${path}`);
    if (status !== 200) throw new Error(`GET ${path}: ${status} ${JSON.stringify(body)}`);
    return body;
  }

  async post<T>(path: string, wanted: unknown): Promise<T> {
    const { status, body } = await this.call<T>("POST", `/api/v1/${path}`, { body: wanted });
    if (status > 299) throw new Error(`POST ${path}: ${status} ${JSON.stringify(body)}`);
    return body;
  }

  /** Asks until the answer is right; the last one is in the error when it never is. */
  async until<T>(what: string, ask: () => Promise<T>, right: (answer: T) => boolean, withinMs = 60_000): Promise<T> {
    const deadline = Date.now() + withinMs;
    for (;;) {
      const answer = await ask().catch((error: unknown) => error as T);
      if (!(answer instanceof Error) && right(answer)) return answer;
      if (Date.now() > deadline)
        throw new Error(`${what}: still ${answer instanceof Error ? answer.message : JSON.stringify(answer).slice(0, 2000)}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Agents, then the hub, then the lab; each by its own pid. */
  async stop(): Promise<void> {
    this.stopping = true;
    await this.powerChange;
    await Promise.all([...this.agents.values()].map((agent) => agent.stop()));
    await this.hub.stop();
    await this.lab.stop();
    this.tls.destroy();
  }
}
