import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { OpenSeries } from "../../hub/assembly.ts";
import { remoteWriteConfig } from "../../hub/senders/remote-write/config.ts";
import { RemoteWrite } from "../../hub/senders/remote-write/remote-write.ts";
import { FakeClock } from "./fake-clock.ts";
import { FakeSeries } from "./fake-series.ts";
import { type PictureSetup, testPicture } from "./test-cluster.ts";

/** Remote write on a fake store and a standing clock, with a queue of its own. Its jitter is always a half. */
export class RemoteWriteBench {
  readonly clock = new FakeClock();
  readonly epoch = this.clock.now();
  readonly log: string[] = [];
  readonly stateDir: string;
  private running: RemoteWrite | undefined;
  private endBefore: () => void = () => undefined;

  constructor(
    t: TestContext,
    private readonly url: string,
    private readonly setup: Omit<PictureSetup, "at">,
    private readonly settings: Record<string, unknown> = {},
    readonly series: Pick<OpenSeries, "reader" | "live" | "sink"> = new FakeSeries(),
  ) {
    this.stateDir = mkdtempSync(join(tmpdir(), "proven-remote-write-"));
    t.after(async () => {
      await this.running?.stop();
      rmSync(this.stateDir, { recursive: true, force: true });
    });
    this.open();
  }

  /** A hub that starts on what disk and store hold. One that ran before never moves again, as after `kill -9`. */
  open(): RemoteWrite {
    this.endBefore();
    const { clock, series } = this;
    const life = { over: false };
    this.endBefore = () => {
      life.over = true;
    };
    const never = new Promise<void>(() => undefined);
    this.running = new RemoteWrite(remoteWriteConfig.parse({ url: this.url, allow_loopback: true, ...this.settings }), {
      reader: series.reader,
      live: {
        latest: (id) => series.live.latest(id),
        newestFrame: (agent) => series.live.newestFrame(agent),
        newestFrameOfAll: () => series.live.newestFrameOfAll(),
        onFrame: (listener) => series.live.onFrame((frame) => life.over || listener(frame)),
      },
      pictures: () => [testPicture({ ...this.setup, at: clock.now() })],
      hubRows: () => [],
      clock: {
        now: () => clock.now(),
        monotonicMs: () => clock.monotonicMs(),
        sleep: (ms, signal) => clock.sleep(ms, signal).then(() => (life.over ? never : undefined)),
      },
      log: (_, message) => this.log.push(message),
      random: () => 0.5,
      stateDir: this.stateDir,
    });
    return this.running;
  }

  get remoteWrite(): RemoteWrite {
    return this.running ?? this.open();
  }

  figure(name: string): number {
    return this.remoteWrite.rows().find(({ family }) => family.name === `proven_remote_write_${name}`)?.value ?? Number.NaN;
  }

  /** Turns of the event loop until it is so: real sockets and processes answer in their own time. */
  async until(condition: () => boolean, what: string): Promise<void> {
    const giveUpAt = performance.now() + 120_000;
    while (!condition()) {
      if (performance.now() > giveUpAt) throw new Error(`it never came that ${what}; the log: ${this.log.join(" · ")}`);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  /** Lets time pass, second by second, until it is so; real answers get time to come in between, or the queue would age while they travel. */
  async advanceUntil(condition: () => boolean, what: string): Promise<void> {
    const giveUpAt = performance.now() + 120_000;
    while (!condition()) {
      if (performance.now() > giveUpAt) throw new Error(`it never came that ${what}; the log: ${this.log.join(" · ")}`);
      await this.clock.advance(1000);
      const stepEndsAt = performance.now() + 25;
      while (!condition() && performance.now() < stepEndsAt) await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  /** Everything taken so far is queued and delivered. */
  async delivered(): Promise<void> {
    await this.clock.advance(5000);
    await this.until(() => this.figure("queue_samples") === 0, "the queue is empty");
  }
}
