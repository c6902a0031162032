import type { EpochMs } from "#protocol/ids.ts";
import { errorMessage } from "./core/error.ts";
import { type Forgetting, startForgetting, stepForgetting } from "./core/forgetting.ts";
import type { Clock, Log } from "./ports.ts";
import type { StateStore } from "./store/state.ts";

const by = { actor: "hub", reason: "time goes on" };
const writtenEveryMs = 10 * 60_000;

/** By which time the stores let go of what is old (core/forgetting.ts), kept over restarts. */
export class KeptTime {
  private forgetting: Forgetting;
  private writtenAtMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly ports: { state: Pick<StateStore, "get" | "put">; clock: Pick<Clock, "now" | "monotonicMs">; log: Log },
  ) {
    const { state, clock } = ports;
    this.forgetting = startForgetting(state.get("keptTime", "all")?.at, clock.now(), clock.monotonicMs());
  }

  now(): EpochMs {
    const { clock, log } = this.ports;
    const before = this.forgetting;
    this.forgetting = stepForgetting(before, clock.now(), clock.monotonicMs());
    const { at, aheadSinceMs, monotonicMs } = this.forgetting;
    if (aheadSinceMs !== undefined && before.aheadSinceMs === undefined) {
      const days = Math.round((clock.now() - at) / 86_400_000);
      log(
        4,
        `the clock is ${days} days ahead of what this hub knew: nothing of the history is let go until it has stood for a while`,
      );
    }
    const whole = Math.floor(at) as EpochMs;
    if (monotonicMs - this.writtenAtMs >= writtenEveryMs) this.write(whole, monotonicMs);
    return whole;
  }

  /** A disk that takes nothing is the last reason not to let go of what is old. */
  private write(at: EpochMs, monotonicMs: number): void {
    this.writtenAtMs = monotonicMs;
    try {
      this.ports.state.put("keptTime", "all", { at }, by);
    } catch (error) {
      this.ports.log(4, `the time of the history can't be written down: ${errorMessage(error)}`);
    }
  }
}
