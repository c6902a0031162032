import { softwareVersion } from "#protocol/version.ts";
import { describeError } from "../../log.ts";
import type { OutgoingResult } from "../../outgoing.ts";
import type { Clock, Log } from "../../ports.ts";
import type { Receiver } from "../receiver.ts";
import { parseRetryAfter, retryDelayMs, verdictOf } from "./delivery.ts";
import type { DiskQueue } from "./queue.ts";

export type SenderCounters = { sent: number; refused: number; lost: number; requests: number; retries: number };

export type SenderPorts = {
  queue: DiskQueue;
  receiver: Receiver;
  clock: Clock;
  log: Log;
  random: () => number;
};

/** Delivers the queue's batches one after the other, so that a series' samples arrive in order. */
export class Sender {
  readonly counters: SenderCounters = { sent: 0, refused: 0, lost: 0, requests: 0, retries: 0 };
  private running: Promise<void> | undefined;
  private readonly stopping = new AbortController();
  /** What the journal was last told, so that a lasting trouble is told once. */
  private trouble: string | undefined;

  constructor(private readonly ports: SenderPorts) {}

  /** There may be something to deliver. */
  wake(): void {
    if (this.stopping.signal.aborted || this.running !== undefined) return;
    this.running = this.drain().then(
      () => {
        this.running = undefined;
        // A batch may have come between the last look and now.
        if (this.ports.queue.peek() !== undefined) this.wake();
      },
      (error: unknown) => {
        this.running = undefined;
        this.ports.log(3, `remote write failed, the next batch tries again: ${describeError(error)}`);
      },
    );
  }

  /** Resolves when the request under way has ended. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  private async drain(): Promise<void> {
    for (let attempt = 0; !this.stopping.signal.aborted; ) {
      const { queue, clock } = this.ports;
      queue.enforce(clock.now());
      this.noteLoss();
      const batch = queue.peek();
      if (batch === undefined) return;
      const result = await this.post(batch.payload);
      const verdict = verdictOf(result.ok ? result.answer.status : undefined);
      if (verdict === "retry") {
        const problem = problemOf(result);
        if (this.trouble !== problem) this.ports.log(4, `remote write is delayed: ${problem}`, { waiting: queue.samples });
        this.trouble = problem;
        await this.wait(attempt++, result);
        continue;
      }
      attempt = 0;
      // While the request was under way the queue may have dropped this very batch.
      if (queue.peek() === batch) queue.shift();
      if (verdict === "delivered") this.delivered(batch.samples);
      else this.refused(batch.samples, problemOf(result));
    }
  }

  private post(payload: Uint8Array): Promise<OutgoingResult> {
    const { client, url, headers, timeoutMs } = this.ports.receiver;
    this.counters.requests++;
    return client.send({
      url,
      method: "POST",
      headers: {
        ...headers,
        "content-type": "application/x-protobuf",
        "content-encoding": "snappy",
        "x-prometheus-remote-write-version": "0.1.0",
        "user-agent": `proven-hub/${softwareVersion}`,
      },
      body: payload,
      timeoutMs,
      answerMaxBytes: 64 << 10,
    });
  }

  private async wait(attempt: number, result: OutgoingResult): Promise<void> {
    const { clock, random } = this.ports;
    const header = result.ok ? result.answer.headers["retry-after"] : undefined;
    const delayMs = retryDelayMs(attempt, parseRetryAfter(header, clock.now()), random);
    this.counters.retries++;
    await clock.sleep(delayMs, this.stopping.signal);
  }

  private delivered(samples: number): void {
    this.counters.sent += samples;
    if (this.trouble !== undefined) this.ports.log(5, "remote write delivers again", { waiting: this.ports.queue.samples });
    this.trouble = undefined;
  }

  private refused(samples: number, problem: string): void {
    this.counters.refused += samples;
    if (this.trouble !== problem)
      this.ports.log(4, `remote write: the receiver refused samples, they are dropped: ${problem}`, { samples });
    this.trouble = problem;
  }

  private noteLoss(): void {
    const lost = this.ports.queue.takeLost();
    if (lost === 0) return;
    this.counters.lost += lost;
    this.ports.log(4, "remote write: the queue is full or too old, its oldest samples were dropped", { samples: lost });
  }
}

function problemOf(result: OutgoingResult): string {
  if (!result.ok) return result.problem;
  const { status, body } = result.answer;
  return `HTTP ${status} ${body.toString("utf8", 0, 300).trim()}`.trim();
}
