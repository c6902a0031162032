import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setImmediate } from "node:timers/promises";
import type { EpochMs } from "#protocol/ids.ts";
import { parseConfig } from "../../hub/config.ts";
import { startHub } from "../../hub/hub.ts";
import type { Clock } from "../../hub/ports.ts";
import { openSeries } from "../../hub/store/series.ts";
import { StateStore } from "../../hub/store/state.ts";
import { loadCertificate } from "../../hub/tls.ts";

/**
 * A whole hub whose time its starter moves on, an hour at a step: months pass in minutes. Arguments: configuration file, time of the start.
 * A line of its input is the time to move to; then it does all the background work that is due, and answers with a line of JSON (SteppedReport).
 * `check` does the same, and reads the whole store.
 */
export type SteppedReport = { heapMb: number; activeEntities: number; storedEntities?: number; problems?: readonly string[] };

/** Retention that a simulated month passes through several times. */
const day = 86_400_000;
const retention = { rawMs: day, rollupMs: 3 * day };

/** Records wait for so little for their commit: the month's length is what they wait for, not real seconds. */
const commitAfterMs = 5;

type Sleeper = { dueMs: number; wake(): void };

/** Stands still until it is moved; then whoever is due wakes once, as on a machine that was busy. */
class SteppedClock implements Clock {
  private readonly sleepers = new Set<Sleeper>();

  constructor(private wallMs: number) {}

  now(): EpochMs {
    return this.wallMs as EpochMs;
  }

  monotonicMs(): number {
    return this.wallMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        signal?.removeEventListener("abort", wake);
        this.sleepers.delete(sleeper);
        resolve();
      };
      const sleeper = { dueMs: this.wallMs + ms, wake };
      this.sleepers.add(sleeper);
      if (signal?.aborted) wake();
      else signal?.addEventListener("abort", wake, { once: true });
    });
  }

  moveTo(ms: number): void {
    this.wallMs = ms;
    for (const sleeper of [...this.sleepers]) if (sleeper.dueMs <= ms) sleeper.wake();
  }
}

const [configPath = "", startAt = ""] = process.argv.slice(2);
const config = parseConfig(readFileSync(configPath, "utf8"), configPath);
const clock = new SteppedClock(Number(startAt));
const log = (level: number, message: string, fields?: object) => {
  if (level <= 4) process.stderr.write(`${message} ${JSON.stringify(fields ?? {})}\n`);
};
const now = () => clock.now();
const state = StateStore.open({ dir: config.state, now });
const series = openSeries({
  dir: join(config.state, "series"),
  now,
  log,
  retention,
  schedule: (_, callback) => {
    const timer = setTimeout(callback, commitAfterMs);
    return () => clearTimeout(timer);
  },
});
// A certificate is valid by the real clock of who connects.
const certificate = await loadCertificate(config.state, Date.now());
const hub = await startHub({ config, clock, log, state, series, certificate });

async function report(wholeStore: boolean): Promise<SteppedReport> {
  const checked = wholeStore ? series.check() : undefined;
  global.gc?.();
  return {
    heapMb: process.memoryUsage().heapUsed / 1e6,
    activeEntities: (await series.size()).activeEntities,
    ...(checked === undefined ? {} : { storedEntities: checked.entities, problems: checked.problems }),
  };
}

process.stdout.write(`${JSON.stringify({ port: hub.port })}\n`);
for await (const line of createInterface({ input: process.stdin })) {
  if (line !== "check") {
    clock.moveTo(Number(line));
    await setImmediate();
    while ((await series.maintain(clock.now())).due) await setImmediate();
  }
  process.stdout.write(`${JSON.stringify(await report(line === "check"))}\n`);
}
await hub.stop();
process.exit();
