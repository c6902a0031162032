import * as z from "zod";
import { softwareVersion } from "#protocol/version.ts";
import { OutgoingClient } from "./outgoing.ts";
import { after, type Clock, type Log } from "./ports.ts";
import type { HttpProxy } from "./tunnel.ts";

/** `[heartbeat]` of hub.toml: an address that an outside service watches, so that somebody notices a dead hub. */
export const heartbeatConfig = z.strictObject({
  url: z.url({ protocol: /^https?$/ }),
  every_sec: z.int().min(10).max(86_400).default(60),
  timeout_sec: z.int().min(1).max(60).default(10),
  /** So many may fail in a row before the hub calls itself degraded. */
  tolerate: z.int().min(0).max(1000).default(2),
  allow_private: z.boolean().default(false),
  allow_loopback: z.boolean().default(false),
});
export type HeartbeatConfig = z.infer<typeof heartbeatConfig>;

/** Asks the address again and again. Which one it is stays out of logs and problems: such addresses are secrets. */
export class Heartbeat {
  private readonly client: OutgoingClient;
  private failures = 0;
  private problem: string | undefined;
  private cancel: () => void = () => undefined;
  private running: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(
    private readonly config: HeartbeatConfig,
    private readonly ports: { clock: Clock; log: Log; proxy?: HttpProxy | undefined },
  ) {
    const rules = { allowPrivate: config.allow_private, allowLoopback: config.allow_loopback };
    this.client = new OutgoingClient(rules, { proxy: ports.proxy });
  }

  start(): void {
    this.running = this.beat().then(() => {
      if (!this.stopped) this.cancel = after(this.ports.clock, this.config.every_sec * 1000, () => this.start());
    });
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.cancel();
    this.client.close();
    await this.running;
  }

  /** For `health`: empty while no more failed than is tolerated. */
  problems(): string[] {
    const failed = this.failures > this.config.tolerate;
    return failed ? [`The heartbeat has failed ${this.failures} times: ${this.problem ?? "no answer"}`] : [];
  }

  private async beat(): Promise<void> {
    const { url, timeout_sec } = this.config;
    const headers = { "user-agent": `proven-hub/${softwareVersion}` };
    const request = {
      url: new URL(url),
      method: "GET" as const,
      headers,
      timeoutMs: timeout_sec * 1000,
      answerMaxBytes: 64 << 10,
    };
    const sent = await this.client.send(request);
    const problem = sent.ok ? statusProblem(sent.answer.status) : sent.problem;
    const { log } = this.ports;
    if (problem === undefined) {
      if (this.failures > this.config.tolerate) log(5, "the heartbeat gets through again");
      this.failures = 0;
    } else if (++this.failures === this.config.tolerate + 1) log(4, `the heartbeat fails: ${problem}`, { times: this.failures });
    this.problem = problem;
  }
}

const statusProblem = (status: number) => (status >= 200 && status < 300 ? undefined : `HTTP ${status}`);
