import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { closeSync, copyFileSync, openSync } from "node:fs";
import { agentBundle } from "./hub-process.ts";
import { evictFile } from "./page-cache.ts";
import { agentUnit } from "./service-units.ts";

export const { flags: nodeFlags, env: nodeEnv } = agentUnit;

/** The real agent from its bundle, on its own copy of the Node binary: pages shared with other Nodes would halve its PSS. */
export class AgentProcess {
  private readonly child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.child = child;
  }

  /** `procsFile`: of a control group the process enters before it begins. */
  static start(options: { config: string; nodeCopy: string; log: string; procsFile?: string }): AgentProcess {
    const { config, nodeCopy, log, procsFile } = options;
    const file = openSync(log, "a");
    const command = [nodeCopy, ...nodeFlags, agentBundle, "--config", config];
    const [program, ...args] =
      procsFile === undefined ? command : ["/bin/sh", "-c", 'echo $$ > "$0"; exec "$@"', procsFile, ...command];
    const child = spawn(program as string, args, { stdio: ["ignore", file, file], env: { ...process.env, ...nodeEnv } });
    closeSync(file);
    return new AgentProcess(child);
  }

  /** Out of the page cache again: cached pages belong to the control group that read them first, and that must be the agent's. */
  static copyNode(to: string): string {
    copyFileSync(process.execPath, to);
    spawnSync("sync", [to]);
    evictFile(to);
    return to;
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  get pid(): number {
    if (this.child.pid === undefined || !this.running) throw new Error("the agent ended: see its log");
    return this.child.pid;
  }

  async kill(): Promise<void> {
    if (!this.running) return;
    const gone = new Promise<void>((resolve) => this.child.once("exit", () => resolve()));
    this.child.kill("SIGKILL");
    await gone;
  }
}
