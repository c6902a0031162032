import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { HttpClient } from "./http-client.ts";
import { diskBytes } from "./page-cache.ts";

export type PeerName = "prometheus" | "victoria-metrics";

/** A TCP port of 127.0.0.1 that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        typeof address === "object" && address !== null ? resolve(address.port) : reject(new Error("no port")),
      );
    });
  });
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Asks every 5 ms until it says yes; how long that took, ms. */
export async function waitUntil(what: string, isReady: () => Promise<boolean>, atMostMs: number): Promise<number> {
  const startedMs = performance.now();
  for (;;) {
    if (await isReady().catch(() => false)) return performance.now() - startedMs;
    if (performance.now() - startedMs > atMostMs) throw new Error(`${what} was not ready within ${atMostMs / 1000} s`);
    await sleep(5);
  }
}

type Launch = { args(dir: string, port: number): string[]; readyPath: string };

/** Defaults, except what the comparison needs: retention that keeps the history, and answers about the newest sample at once. */
const launches: Record<PeerName, Launch> = {
  prometheus: {
    args: (dir, port) => [
      "--config.file=/dev/null",
      `--storage.tsdb.path=${dir}`,
      "--storage.tsdb.retention.time=400d",
      "--web.enable-remote-write-receiver",
      `--web.listen-address=127.0.0.1:${port}`,
      "--query.max-samples=200000000",
      "--log.level=warn",
    ],
    readyPath: "/-/ready",
  },
  "victoria-metrics": {
    args: (dir, port) => [
      `-storageDataPath=${dir}`,
      "-retentionPeriod=24",
      `-httpListenAddr=127.0.0.1:${port}`,
      "-search.latencyOffset=0s",
      "-loggerLevel=WARN",
    ],
    readyPath: "/health",
  },
};

const writeHeaders = {
  "content-encoding": "snappy",
  "content-type": "application/x-protobuf",
  "x-prometheus-remote-write-version": "0.1.0",
};

/** A peer of ours, run from its unpacked Debian package on 127.0.0.1 with its data in `dir`. */
export class PeerProcess {
  private child: ChildProcess | undefined;
  private client: HttpClient | undefined;

  constructor(
    readonly name: PeerName,
    private readonly program: string,
    readonly dir: string,
  ) {}

  get pid(): number {
    const pid = this.child?.pid;
    if (pid === undefined) throw new Error(`${this.name} does not run`);
    return pid;
  }

  private get http(): HttpClient {
    if (this.client === undefined) throw new Error(`${this.name} does not run`);
    return this.client;
  }

  /** Time until it answered that it is ready, ms. */
  async start(): Promise<number> {
    mkdirSync(this.dir, { recursive: true });
    const port = await freePort();
    const client = new HttpClient(port, false);
    this.client = client;
    const { args, readyPath } = launches[this.name];
    const log = openSync(`${this.dir}.log`, "a");
    this.child = spawn(this.program, args(this.dir, port), { stdio: ["ignore", log, log], cwd: this.dir });
    closeSync(log);
    return waitUntil(this.name, async () => (await client.request("GET", readyPath)).status === 200, 120_000);
  }

  /** One remote-write request, compressed. */
  async write(body: Uint8Array): Promise<void> {
    const { status, body: answer } = await this.http.request("POST", "/api/v1/write", writeHeaders, body);
    if (status > 299) throw new Error(`${this.name} refused samples: ${status} ${answer.toString().slice(0, 200)}`);
  }

  /** The answer's bytes; anything but 200 throws. */
  async get(path: string): Promise<Buffer> {
    const { status, body } = await this.http.request("GET", path);
    if (status !== 200) throw new Error(`${this.name}: ${path}: ${status} ${body.toString().slice(0, 200)}`);
    return body;
  }

  /** SIGKILL, by pid; resolves when it is gone. */
  async kill(): Promise<void> {
    const child = this.child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    child.kill("SIGKILL");
    await gone;
    this.client?.close();
    this.child = undefined;
  }

  /** Bytes per stored sample: of Prometheus what its finished blocks say (without write-ahead log and head), of others all over all. */
  bytesPerSample(samples: number): number {
    if (this.name !== "prometheus") return diskBytes(this.dir) / samples;
    const blocks = readdirSync(this.dir).filter((entry) => /^[0-9A-Z]{26}$/.test(entry));
    let bytes = 0;
    let stored = 0;
    for (const block of blocks) {
      const meta = JSON.parse(readFileSync(join(this.dir, block, "meta.json"), "utf8")) as { stats?: { numSamples?: number } };
      stored += meta.stats?.numSamples ?? 0;
      bytes += diskBytes(join(this.dir, block));
    }
    return bytes / stored;
  }
}
