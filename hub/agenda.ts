import { describeError } from "./log.ts";
import { after, type Clock, type Log } from "./ports.ts";

/** Does a piece of work. Returns in how many ms it wants to run again at the latest; Infinity: only when somebody asks. */
export type Work = () => number | Promise<number>;

/** What is due so soon runs at once: one wake-up of the process serves all of it. */
const togetherMs = 250;
/** When work has taken so long, what else is due has the next turn of the event loop: agents and panels come in between. */
const turnMs = 8;
/** A piece of work that failed is done again. */
const againMs = 1000;

/** One piece of work on the agenda. */
export type Job = {
  /** Has it run within so many ms, if that is earlier than it would. */
  soon(withinMs: number): void;
  /** It runs no more. Resolves when what is under way has ended. */
  stop(): Promise<void>;
};

type Entry = { work: Work; name: string; dueMs: number; earlyMs: number; running: Promise<void> | undefined; stopped: boolean };

/** All that the hub does by time, on one timer: it sleeps until the next instant at which anything is due, and not a second at a time. */
export class Agenda {
  private readonly entries = new Set<Entry>();
  /** When the timer goes off; Infinity: there is none. */
  private timerMs = Number.POSITIVE_INFINITY;
  private cancel: () => void = () => undefined;

  constructor(private readonly ports: { clock: Clock; log: Log }) {}

  /**
   * First runs after `firstMs`. A run that fails is logged and done again a second later. `earlyMs`: it may come so much earlier, where other work
   * has the hub awake.
   */
  add(name: string, firstMs: number, work: Work, earlyMs = togetherMs): Job {
    const entry: Entry = { name, work, dueMs: this.nowMs + firstMs, earlyMs, running: undefined, stopped: false };
    this.entries.add(entry);
    this.arm();
    return {
      soon: (withinMs) => {
        const dueMs = this.nowMs + withinMs;
        if (entry.stopped || dueMs >= entry.dueMs) return;
        entry.dueMs = dueMs;
        this.arm();
      },
      stop: async () => {
        entry.stopped = true;
        this.entries.delete(entry);
        if (this.entries.size === 0) this.disarm();
        await entry.running;
      },
    };
  }

  private get nowMs(): number {
    return this.ports.clock.monotonicMs();
  }

  private disarm(): void {
    this.cancel();
    this.timerMs = Number.POSITIVE_INFINITY;
  }

  /** A timer that goes off too early stays: it costs one look, and changing it with every frame would cost more. */
  private arm(): void {
    let next = Number.POSITIVE_INFINITY;
    for (const { dueMs, running } of this.entries) if (running === undefined && dueMs < next) next = dueMs;
    if (next >= this.timerMs) return;
    this.disarm();
    this.timerMs = next;
    const inMs = next - this.nowMs;
    this.cancel = inMs > 0 ? after(this.ports.clock, inMs, () => this.look()) : inNextTurn(() => this.look());
  }

  private look(): void {
    this.timerMs = Number.POSITIVE_INFINITY;
    const { nowMs } = this;
    for (const entry of this.entries) {
      if (entry.running !== undefined || entry.dueMs - entry.earlyMs > nowMs) continue;
      this.run(entry);
      if (this.nowMs - nowMs >= turnMs) break;
    }
    this.arm();
  }

  private run(entry: Entry): void {
    // What asks for it meanwhile is heard: only its own wish comes after.
    entry.dueMs = Number.POSITIVE_INFINITY;
    const wish = (inMs: number) => {
      entry.dueMs = Math.min(entry.dueMs, this.nowMs + inMs);
    };
    try {
      const result = entry.work();
      if (typeof result === "number") wish(result);
      else {
        entry.running = result
          .then(wish, (error: unknown) => {
            this.failed(entry, error);
            wish(againMs);
          })
          .then(() => {
            entry.running = undefined;
            if (!entry.stopped) this.arm();
          });
      }
    } catch (error) {
      this.failed(entry, error);
      wish(againMs);
    }
  }

  private failed({ name }: Entry, error: unknown): void {
    this.ports.log(3, `${name} failed: ${describeError(error)}`);
  }
}

/** Behind what came meanwhile: a timer that work of some ms sets for at once goes off before any socket is read. */
function inNextTurn(look: () => void): () => void {
  const immediate = setImmediate(look);
  return () => clearImmediate(immediate);
}
