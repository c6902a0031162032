import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { createInterface } from "node:readline";

export type DaemonOptions = {
  name: string;
  args: readonly string[];
  /** All that it says goes here too. */
  logFile: string;
  env?: Record<string, string>;
  /** Start is over when a line of stdout or stderr matches; default: at once. */
  ready?: RegExp;
};

/** The process ended, or never became ready: its last lines say why. */
class DaemonError extends Error {}

/** One program of ours as a child process: started again after a kill with the same arguments, ended by its own pid only. */
export class Daemon {
  private child: ChildProcess | undefined;
  private ended: Promise<number | null> = Promise.resolve(null);
  private lastLines: string[] = [];
  readonly name: string;

  constructor(private readonly options: DaemonOptions) {
    this.name = options.name;
    mkdirSync(dirname(options.logFile), { recursive: true });
  }

  get pid(): number {
    if (this.child?.pid === undefined) throw new DaemonError(`${this.name} does not run`);
    return this.child.pid;
  }

  get running(): boolean {
    return this.child !== undefined;
  }

  /** Resolves when it is ready; rejects with its last words when it ends before. */
  async start(): Promise<void> {
    const { args, env, logFile, ready } = this.options;
    const log = createWriteStream(logFile, { flags: "a" });
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } });
    this.child = child;
    this.lastLines = [];
    let isReady = () => {};
    const becameReady = new Promise<void>((resolve) => {
      isReady = resolve;
    });
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        log.write(`${line}\n`);
        this.lastLines = [...this.lastLines.slice(-9), line];
        if (ready?.test(line)) isReady();
      });
    }
    this.ended = new Promise((resolve) => {
      child.once("close", (code) => {
        this.child = undefined;
        log.end(() => resolve(code));
      });
    });
    if (ready === undefined) return;
    const early = this.ended.then((code) => {
      throw new DaemonError(`${this.name} ended with ${code}: ${this.lastLines.join("\n")}`);
    });
    await Promise.race([becameReady, early]);
    early.catch(() => undefined); // a later end is not this start's
  }

  /** Exit code, null after a signal. */
  exit(): Promise<number | null> {
    return this.ended;
  }

  signal(signal: NodeJS.Signals): void {
    this.child?.kill(signal);
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    this.signal(signal);
    return this.ended;
  }
}
