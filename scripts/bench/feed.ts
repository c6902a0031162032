import type { EpochMs } from "#protocol/ids.ts";
import type { Sink } from "./sinks.ts";
import { tickMs, type Workload } from "./workload.ts";

export const ticksIn = (hours: number) => Math.round((hours * 3_600_000) / tickMs);

/** The last whole tick before now. */
export const recentEnd = (nowMs = Date.now()) => (Math.floor(nowMs / tickMs) * tickMs) as EpochMs;

export type Feed = {
  workload: Workload;
  sinks: readonly Sink[];
  /** Time of the last tick. */
  end: EpochMs;
  ticks: number;
  /** The first so many guests are alive. */
  guests: number;
  /** Time between two ticks; the workload moves one step each. */
  stepMs?: number;
  onProgress?: (share: number) => void;
};

/** Sends `ticks` ticks that end at `end`, as fast as all sinks take them, and waits until they are durable. */
export async function feed({ workload, sinks, end, ticks, guests, stepMs = tickMs, onProgress }: Feed): Promise<void> {
  for (let index = 0; index < ticks; index++) {
    workload.tick(guests);
    const at = (end - (ticks - 1 - index) * stepMs) as EpochMs;
    await Promise.all(sinks.map((sink) => sink.write(at, guests)));
    if (index % 1000 === 999) onProgress?.((index + 1) / ticks);
  }
  await Promise.all(sinks.map((sink) => sink.drained()));
}
