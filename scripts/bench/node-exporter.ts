import { type ChildProcess, spawn } from "node:child_process";
import { HttpClient } from "./http-client.ts";
import { freePort, waitUntil } from "./peer-process.ts";

/** Debian's node-exporter with its defaults, scraped every ten seconds as a Prometheus would. */
export class NodeExporter {
  private timer: NodeJS.Timeout | undefined;

  private constructor(
    private readonly child: ChildProcess,
    private readonly client: HttpClient,
  ) {}

  static async start(program: string): Promise<NodeExporter> {
    const port = await freePort();
    const args = [`--web.listen-address=127.0.0.1:${port}`, "--log.level=error"];
    const exporter = new NodeExporter(spawn(program, args, { stdio: "ignore" }), new HttpClient(port, false));
    const scrape = () => exporter.client.request("GET", "/metrics");
    await waitUntil("node-exporter", async () => (await scrape()).status === 200, 10_000);
    exporter.timer = setInterval(() => void scrape().catch(() => undefined), 10_000);
    return exporter;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  async kill(): Promise<void> {
    clearInterval(this.timer);
    this.client.close();
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => this.child.once("exit", () => resolve()));
    this.child.kill("SIGKILL");
    await gone;
  }
}
