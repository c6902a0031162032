import { type ChildProcess, spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const main = join(dirname(fileURLToPath(import.meta.url)), "lab/main.ts");

/** The simulated cluster in its own process. */
export class LabProcess {
  private constructor(
    private readonly child: ChildProcess,
    /** The agents' configuration files, by node. */
    readonly configs: Readonly<Record<string, string>>,
    /** The cluster's shared folder. */
    readonly pmxcfs: string,
  ) {}

  static async start(dir: string, nodes: number, guests: number): Promise<LabProcess> {
    const args = ["--import", "tsx", main, dir, String(nodes), String(guests)];
    const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: child.stdout });
    const line = await new Promise<string>((resolve, reject) => {
      lines.once("line", resolve);
      child.once("exit", (code) => reject(new Error(`the lab ended with ${code}`)));
    });
    const { configs, pmxcfs } = JSON.parse(line) as { configs: Record<string, string>; pmxcfs: string };
    return new LabProcess(child, configs, pmxcfs);
  }

  config(node: string): string {
    const config = this.configs[node];
    if (config === undefined) throw new Error(`the lab has no node ${node}`);
    return config;
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => this.child.once("exit", () => resolve()));
    this.child.stdin?.end();
    await gone;
  }
}
