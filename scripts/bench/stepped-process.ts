import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { EpochMs } from "#protocol/ids.ts";
import { setup } from "../../hub/cli/setup.ts";
import { loadCertificate } from "../../hub/tls.ts";
import type { HubDoor } from "./link-client.ts";
import type { SteppedReport } from "./stepped-hub.ts";

const program = join(dirname(fileURLToPath(import.meta.url)), "stepped-hub.ts");

/** The hub of stepped-hub.ts as a process of its own, with all its files below `dir`. */
export class SteppedProcess {
  private child: ChildProcess | undefined;
  private lines: AsyncIterator<string> | undefined;
  private port = 0;

  constructor(private readonly dir: string) {}

  get pid(): number {
    const pid = this.child?.pid;
    if (pid === undefined) throw new Error("the stepped hub does not run");
    return pid;
  }

  /** Resolves when it listens; returns how long that took, ms. */
  async start(at: EpochMs): Promise<number> {
    for (const path of ["state", "panel", "pve"]) mkdirSync(join(this.dir, path), { recursive: true });
    const config = join(this.dir, "hub.toml");
    const settings = { listen: "127.0.0.1", port: 0, state: join(this.dir, "state"), panel: join(this.dir, "panel") };
    const lines = Object.entries(settings).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
    writeFileSync(config, `${lines.join("\n")}\n[join]\npmxcfs = ${JSON.stringify(join(this.dir, "pve"))}\n`);
    await this.setUp();
    const started = performance.now();
    const log = openSync(join(this.dir, "hub.log"), "a");
    this.child = spawn(
      process.execPath,
      ["--expose-gc", "--max-semi-space-size=4", "--import", "tsx", program, config, String(at)],
      {
        stdio: ["pipe", "pipe", log],
        env: { ...process.env, MALLOC_ARENA_MAX: "2", MALLOC_MMAP_THRESHOLD_: "65536", MALLOC_TRIM_THRESHOLD_: "131072" },
      },
    );
    closeSync(log);
    if (this.child.stdout === null) throw new Error("the stepped hub has no output");
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
    this.port = ((await this.answer()) as { port: number }).port;
    return performance.now() - started;
  }

  async door(): Promise<HubDoor> {
    const { fingerprint } = await this.setUp();
    const joinKey = Buffer.from(readFileSync(join(this.dir, "pve/priv/proven/join.key"), "utf8").trim(), "base64");
    return { url: `wss://127.0.0.1:${this.port}/agent`, fingerprint, joinKey };
  }

  /** Moves its time on; resolves when its background work is done. */
  moveTo(at: EpochMs): Promise<SteppedReport> {
    this.child?.stdin?.write(`${at}\n`);
    return this.answer() as Promise<SteppedReport>;
  }

  check(): Promise<SteppedReport> {
    this.child?.stdin?.write("check\n");
    return this.answer() as Promise<SteppedReport>;
  }

  /** SIGKILL; resolves when the process is gone. */
  async kill(): Promise<void> {
    const { child } = this;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    child.kill("SIGKILL");
    await gone;
  }

  private async setUp(): Promise<{ fingerprint: string }> {
    const stateDir = join(this.dir, "state");
    const { fingerprint } = await loadCertificate(stateDir, Date.now());
    setup({ pmxcfs: join(this.dir, "pve"), stateDir, url: "wss://127.0.0.1/agent", fingerprint });
    return { fingerprint };
  }

  private async answer(): Promise<unknown> {
    const line = await this.lines?.next();
    if (line === undefined || line.done) throw new Error(`the stepped hub ended: see ${this.dir}/hub.log`);
    return JSON.parse(line.value);
  }
}
