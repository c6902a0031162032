import { errorMessage } from "../core/error.ts";
import type { Clock } from "../ports.ts";

/** Turning in the event loop costs CPU time, so it must not last. */
const atOnceMs = 1;
/** A timer that was cancelled still wakes the process when it would have been due: a first, short one is due while a tick is at work anyway. */
const soonMs = 4;

/**
 * One source's own lane: its work never runs twice at once, so that reads of a dead file system don't pile up, and whoever waits for it waits
 * only so long. The work reports its problems itself and does not throw; should it, that is a bug and is kept as `bug`.
 */
export class Lane {
  /** Duration of the newest finished run. */
  costMs = 0;
  bug: string | undefined;
  private startedMs: number | undefined;
  private finishedMs: number | undefined;
  private current: Promise<void> | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly work: () => Promise<void>,
  ) {}

  /** Starts the work unless it is under way or was started less than `everyMs` ago. */
  start(everyMs = 0): void {
    const now = this.clock.monotonicMs();
    if (this.current !== undefined || (this.startedMs !== undefined && now - this.startedMs < everyMs)) return;
    this.startedMs = now;
    this.bug = undefined;
    this.current = this.work()
      .catch((error: unknown) => {
        this.bug = errorMessage(error);
      })
      .finally(() => {
        this.finishedMs = this.clock.monotonicMs();
        this.costMs = this.finishedMs - now;
        this.current = undefined;
      });
  }

  /** Starts the work and waits for its end, at most `deadlineMs`. False: it is still under way. One that hangs already is not waited for again. */
  async run(deadlineMs: number): Promise<boolean> {
    if (this.hangs(deadlineMs)) return false;
    this.start();
    const { current } = this;
    if (current === undefined || (await this.endsAtOnce(current))) return true;
    return (await this.endsWithin(current, soonMs)) || (await this.endsWithin(current, deadlineMs - soonMs));
  }

  private async endsWithin(run: Promise<void>, waitMs: number): Promise<boolean> {
    const cancel = new AbortController();
    const late = this.clock.sleep(waitMs, cancel.signal).then(
      () => false,
      () => false,
    );
    const inTime = await Promise.race([run.then(() => true), late]);
    cancel.abort();
    return inTime;
  }

  /** True when the run ends before a timer would be worth its wake-up. */
  private async endsAtOnce(run: Promise<void>): Promise<boolean> {
    const { clock } = this;
    if (clock.turn === undefined) return false;
    const untilMs = clock.monotonicMs() + atOnceMs;
    while (this.current === run && clock.monotonicMs() < untilMs) await clock.turn();
    return this.current !== run;
  }

  /** True while the newest run is under way for longer than `ms`. */
  hangs(ms: number): boolean {
    return this.current !== undefined && this.clock.monotonicMs() - (this.startedMs ?? 0) > ms;
  }

  /** True: a run has finished. */
  get ended(): boolean {
    return this.finishedMs !== undefined;
  }

  /** Time since the newest finished run began to be true; Infinity before the first. */
  ageMs(): number {
    return this.finishedMs === undefined ? Number.POSITIVE_INFINITY : this.clock.monotonicMs() - this.finishedMs;
  }
}
