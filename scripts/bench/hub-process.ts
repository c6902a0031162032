import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { SeriesQuery } from "#protocol/api.ts";
import type { TopQuery } from "#protocol/class-queries.ts";
import { type Columns, columnsType, parseColumns } from "./columns.ts";
import { type Answer, HttpClient } from "./http-client.ts";
import type { HubDoor } from "./link-client.ts";
import { type LoopPauses, loopProbeEnv, loopProbeFlags, readPauses, watchLoop } from "./loop-pauses.ts";
import { freePort, waitUntil } from "./peer-process.ts";
import { hubUnit } from "./service-units.ts";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const hubBundle = join(root, "dist/hub.mjs");
export const agentBundle = join(root, "dist/agent.mjs");

/** Tests run the hub from its sources, so that they need no build; what is measured is always the bundle. */
export const runsFromSource = process.env.PROVEN_BENCH_SOURCE === "1";
const program = runsFromSource ? ["--import", "tsx", join(root, "hub/main.ts")] : [hubBundle];

const nodeFlags = [...hubUnit.flags, ...(process.env.PROVEN_BENCH_NODE_FLAGS?.split(" ") ?? [])];

/** Requests with one API key before another one is made: below the burst that the hub's rate limit grants a key. */
const requestsPerKey = 250;

export type HubProcessOptions = {
  /** The cluster's shared folder where setup says to agents where the hub is; default: one of its own. */
  pmxcfs?: string;
  /** Its event loop can be watched: the probe for that is loaded with it, which is no part of the hub and takes 10 ms of a start. */
  watchable?: boolean;
};

/** The real hub, from its bundle, on 127.0.0.1 with all its files below `dir`. */
export class HubProcess {
  private child: ChildProcess | undefined;
  private client: HttpClient | undefined;
  private port = 0;
  private adminKey = "";
  private readKey = "";
  private usesLeft = 0;
  private readonly config: string;
  readonly pmxcfs: string;

  constructor(
    readonly dir: string,
    private readonly options: HubProcessOptions = {},
  ) {
    this.config = join(dir, "hub.toml");
    this.pmxcfs = options.pmxcfs ?? join(dir, "pve");
  }

  get pid(): number {
    const pid = this.child?.pid;
    if (pid === undefined) throw new Error("the hub does not run");
    return pid;
  }

  get running(): boolean {
    return this.child !== undefined && this.child.exitCode === null && this.child.signalCode === null;
  }

  private get loopFile(): string {
    return join(this.dir, "loop.json");
  }

  /** From now on its event loop is watched, which costs it a wake-up every 5 ms. Only one that is `watchable`: any other the signal would end. */
  watchLoop(): void {
    if (this.options.watchable !== true) throw new Error("this hub runs without the probe of its event loop");
    watchLoop(this.pid);
  }

  loopPauses(): Promise<LoopPauses | undefined> {
    return readPauses(this.pid, this.loopFile);
  }

  /** Time until it answers on its API, ms. The first start makes configuration, certificate and join key before. */
  async start(): Promise<number> {
    if (!existsSync(this.config)) await this.prepare();
    const log = openSync(join(this.dir, "hub.log"), "a");
    const probe = this.options.watchable === true ? loopProbeFlags : [];
    this.child = spawn(process.execPath, [...probe, ...nodeFlags, ...program, "--config", this.config], {
      stdio: ["ignore", log, log],
      env: { ...process.env, ...hubUnit.env, ...loopProbeEnv(this.loopFile) },
    });
    closeSync(log);
    const child = this.child;
    return waitUntil(
      "the hub",
      async () => {
        if (child.exitCode !== null) throw new Error(`the hub ended with ${child.exitCode}: see ${this.dir}/hub.log`);
        return (await this.call("GET", "/api/v1/health", this.adminKey)).status === 200;
      },
      120_000,
    );
  }

  door(): HubDoor {
    const { url, fingerprint } = JSON.parse(readFileSync(join(this.pmxcfs, "proven/hub.json"), "utf8")) as Omit<
      HubDoor,
      "joinKey"
    >;
    const joinKey = Buffer.from(readFileSync(join(this.pmxcfs, "priv/proven/join.key"), "utf8").trim(), "base64");
    return { url, fingerprint, joinKey };
  }

  /** SIGKILL; resolves when the process is gone. */
  async kill(): Promise<void> {
    await this.end("SIGKILL");
  }

  async stop(): Promise<void> {
    await this.end("SIGTERM");
  }

  /** Makes room under the rate limit, outside of any measured time. */
  async prepareRequests(count: number): Promise<void> {
    if (this.usesLeft >= count) return;
    const wanted = { name: "bench", scopes: ["read"], expiresInDays: 1 };
    const body = Buffer.from(JSON.stringify(wanted));
    const answer = await this.call("POST", "/api/v1/keys", this.adminKey, body, { "content-type": "application/json" });
    if (answer.status > 299) throw new Error(`POST /api/v1/keys: ${answer.status} ${answer.body}`);
    this.readKey = (JSON.parse(answer.body.toString()) as { key: string }).key;
    this.usesLeft = requestsPerKey;
  }

  /** The binary answer's bytes. */
  async query(query: SeriesQuery): Promise<Buffer> {
    return this.ask("/api/v1/series/query", query);
  }

  /** The binary answer's bytes. */
  async top(query: TopQuery): Promise<Buffer> {
    return this.ask("/api/v1/series/top", query);
  }

  async columns(query: SeriesQuery): Promise<Columns[]> {
    return parseColumns(await this.query(query));
  }

  async get(path: string): Promise<unknown> {
    await this.prepareRequests(1);
    this.usesLeft--;
    const answer = await this.call("GET", path, this.readKey);
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.body.toString().slice(0, 300)}`);
    return JSON.parse(answer.body.toString());
  }

  /** Output of a command of the hub's bundle. */
  command(...args: string[]): string {
    return execFileSync(process.execPath, [...program, ...args, "--config", this.config], { encoding: "utf8" });
  }

  private async ask(path: string, question: SeriesQuery | TopQuery): Promise<Buffer> {
    await this.prepareRequests(1);
    this.usesLeft--;
    const headers = { "content-type": "application/json", accept: columnsType };
    const answer = await this.call("POST", path, this.readKey, Buffer.from(JSON.stringify(question)), headers);
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.body.toString().slice(0, 300)}`);
    return answer.body;
  }

  private async prepare(): Promise<void> {
    if (!runsFromSource && !existsSync(hubBundle)) throw new Error("dist/hub.mjs is not there: npm run build");
    this.port = await freePort();
    for (const path of ["state", "panel"]) mkdirSync(join(this.dir, path), { recursive: true });
    mkdirSync(this.pmxcfs, { recursive: true });
    const toml = {
      listen: "127.0.0.1",
      port: this.port,
      state: join(this.dir, "state"),
      panel: join(this.dir, "panel"),
    };
    const lines = Object.entries(toml).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
    writeFileSync(this.config, `${lines.join("\n")}\n[join]\npmxcfs = ${JSON.stringify(this.pmxcfs)}\n`);
    this.command("setup", "--url", `wss://127.0.0.1:${this.port}/agent`);
    this.adminKey = this.command("key", "create", "--name", "bench-admin", "--scope", "admin").trim();
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.child;
    if (child === undefined || !this.running) return;
    const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    child.kill(signal);
    await gone;
    this.client?.close();
    this.child = undefined;
  }

  private call(
    method: "GET" | "POST",
    path: string,
    key: string,
    body?: Uint8Array,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    this.client ??= new HttpClient(this.port, true);
    return this.client.request(method, path, { ...headers, authorization: `Bearer ${key}` }, body);
  }
}
