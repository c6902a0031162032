import { limits } from "#protocol/limits.ts";
import { errorTrace } from "./core/error.ts";
import type { SampleTable } from "./core/table.ts";
import type { Facts } from "./facts.ts";
import type { Clock, Collector, Log } from "./ports.ts";
import type { SpoolStore } from "./spool-store.ts";

export type SamplerPorts = {
  clock: Clock;
  log: Log;
  collector: Collector;
  table: SampleTable;
  store: SpoolStore;
  facts: Facts;
  /** How long the hub has been away, ms. */
  awayMs(): number;
  /** After each tick that was made or skipped: the loop lives. */
  onTick(): void;
};

/** One tick after the other, each when pvestatd has written new values: a tick that takes too long delays the next and is never queued. */
export class Sampler {
  /** Ticks whose values came too late to be called values of their time. */
  skipped = 0;
  private failing = "";

  constructor(private readonly ports: SamplerPorts) {}

  async run(signal: AbortSignal): Promise<void> {
    const { collector, onTick } = this.ports;
    while (!signal.aborted) {
      await this.tick();
      onTick();
      await collector.nextChange(limits.sampleEveryMs + 500, signal);
    }
  }

  /** Never throws: a collector that fails is logged, and the hub sees the gap. */
  async tick(): Promise<void> {
    const { clock, store, awayMs } = this.ports;
    try {
      await this.sample();
      await this.ports.facts.refresh(this.ports.collector, clock.now(), store.clockProblem);
      this.failing = "";
    } catch (error) {
      const problem = errorTrace(error);
      if (problem !== this.failing) this.ports.log(3, "a tick failed", { problem });
      this.failing = problem;
    }
    void store.tend(clock.monotonicMs(), awayMs()); // a disk that hangs must not stop the sampling
  }

  private async sample(): Promise<void> {
    const { clock, log, collector, table, store } = this.ports;
    const startedMs = clock.monotonicMs();
    const at = clock.now();
    table.begin();
    await collector.collect(table, at);
    const tookMs = Math.round(clock.monotonicMs() - startedMs);
    if (tookMs > limits.sampleEveryMs) {
      this.skipped++;
      log(4, "reading this node took too long, tick skipped", { tookMs, skipped: this.skipped });
      return;
    }
    store.record(table, at);
  }
}
