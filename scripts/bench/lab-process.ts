import { type ChildProcess, spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const main = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), "test/lab/main.ts");

type Places = { dir: string; agents: { node: string; config: string }[] };

/** The simulated cluster in its own process, so that its work is not counted as the agent's. */
export class LabProcess {
  private constructor(
    private readonly child: ChildProcess,
    private readonly places: Places,
  ) {}

  static async start(dir: string, nodes: number, guests: number): Promise<LabProcess> {
    const args = ["--import", "tsx", main, "--dir", dir, "--nodes", String(nodes), "--guests", String(guests)];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    const lines = createInterface({ input: child.stdout });
    const line = await new Promise<string>((resolve, reject) => {
      lines.once("line", resolve);
      child.once("exit", (code) => reject(new Error(`the lab ended with ${code}`)));
    });
    return new LabProcess(child, JSON.parse(line) as Places);
  }

  /** The cluster's shared folder. */
  get pmxcfs(): string {
    return join(this.places.dir, "pmxcfs");
  }

  /** The agent's configuration file of a node. */
  config(node: string): string {
    const agent = this.places.agents.find((one) => one.node === node);
    if (agent === undefined) throw new Error(`the lab has no node ${node}`);
    return agent.config;
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => this.child.once("exit", () => resolve()));
    this.child.kill("SIGTERM");
    await gone;
  }
}
