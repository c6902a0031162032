import type { Measures, RestoreReport, RestoreStep, RestoreTest, StepRecord } from "#protocol/restore.ts";
import { errorMessage, errorTrace } from "../core/error.ts";
import type { JournalEntry } from "../core/restore/journal.ts";
import type { Journal } from "./journal.ts";
import { NodeView } from "./node-view.ts";
import type { RestorePorts } from "./ports.ts";

/** What a step came to. `failed` ends the test, `refused` where it says nothing against the backup; `state` default: passed. */
export type StepResult<T> = StepNotes &
  ({ value: T; state?: "passed" | "skipped" | "unknown"; reason?: string } | { failed: string; outcome?: "failed" | "refused" });
type StepNotes = { upid?: string | undefined; log?: readonly string[] | undefined };

export type Progress = { step?: StepRecord; fraction?: number; testVmid?: number; keepUntil?: number };

/** What a test takes of its node: disks that are still to be written, memory that its guest may ask for. `guest`: the one that has begun to take it. */
export type Claim = {
  storage: string | undefined;
  bytes: number;
  memoryMib: number;
  guest?: { type: "qemu" | "lxc"; vmid: number };
};

/** Thrown to leave a test early, and caught where its report is made. */
export class TestEnd extends Error {
  constructor(
    readonly outcome: RestoreReport["outcome"],
    reason: string,
  ) {
    super(reason);
  }
}

/** One restore test as its steps see it: what it is asked, what it may use, and where everything it does is written down. */
export class TestRun {
  readonly view: NodeView;
  /** Wakes whoever waits in `keep`. */
  onKeep: () => void = () => undefined;
  private readonly over = new AbortController();
  private endedBy: "cancelled" | "timeout" | undefined;

  constructor(
    readonly id: string,
    readonly test: RestoreTest,
    readonly ports: RestorePorts,
    readonly journal: Journal,
    private readonly tell: (progress: Progress) => void,
    /** Numbers that other running tests have for themselves. */
    readonly takenVmids: () => ReadonlySet<number>,
    /** What other running tests of this process have claimed. */
    readonly otherClaims: () => readonly Claim[] = () => [],
  ) {
    this.view = new NodeView(ports);
  }

  /** Aborts when the test is cancelled or its time is over; clearing away goes on all the same. */
  get signal(): AbortSignal {
    return this.over.signal;
  }

  get state() {
    const { state } = this.journal;
    if (state === undefined) throw new Error(`operation ${this.id} has no start in its journal`);
    return state;
  }

  readonly claimed: Claim = { storage: undefined, bytes: 0, memoryMib: 0 };

  /** In the turn in which it was found to fit: the next one that looks must see it. */
  readonly claim = (part: Partial<Claim>): void => {
    Object.assign(this.claimed, part);
  };

  /** Other tests of this node see it from here on. */
  readonly reserve = (vmid: number): void => {
    this.note({ entry: "reserve", vmid });
  };

  note(entry: DistributiveOmit<JournalEntry, "at">): void {
    this.journal.append({ ...entry, at: this.ports.clock.now() });
  }

  measure(measures: Measures): void {
    this.note({ entry: "measures", measures });
  }

  cancel(actor: string): void {
    if (this.signal.aborted) return;
    this.note({ entry: "cancel", actor });
    this.end("cancelled");
  }

  /** Ends the test when its time is over. Call once; `stop` ends the watch. */
  watchTime(stop: AbortSignal): void {
    void this.ports.clock.sleep(this.test.timeoutSec * 1000, stop).then(() => {
      if (!stop.aborted && this.state.keptUntil === undefined) this.end("timeout");
    });
  }

  keepUntil(untilAt: number, actor: string): void {
    this.note({ entry: "keep", untilAt, actor });
    this.tell({ keepUntil: untilAt });
    this.onKeep();
  }

  readonly progress = (progress: Progress): void => this.tell(progress);

  /** Runs one step and records it; what it found is its value. Throws TestEnd when it failed, or when the test is over. */
  async step<T>(step: RestoreStep, work: () => Promise<StepResult<T>>): Promise<T> {
    this.throwIfOver();
    const result = await this.record(step, work);
    if (!("failed" in result)) {
      this.throwIfOver();
      return result.value;
    }
    this.throwIfOver();
    throw new TestEnd(result.outcome ?? "failed", result.failed);
  }

  /** As `step`, for clearing away: never throws, whatever became of the test. */
  async record<T>(step: RestoreStep, work: () => Promise<StepResult<T>>): Promise<StepResult<T>> {
    const startedAt = this.ports.clock.now();
    this.takeRecord({ step, state: "running", startedAt, log: [] });
    const result = await this.caught(work);
    const reason = "failed" in result ? result.failed : result.reason;
    this.takeRecord({
      step,
      state: this.stateOf(step, result),
      startedAt,
      endedAt: this.ports.clock.now(),
      ...(reason !== undefined && reason !== "" && { reason: reason.slice(0, 2000) }),
      ...(result.upid !== undefined && { upid: result.upid }),
      log: tail(result.log ?? []),
    });
    return result;
  }

  /** Nobody saw the end of a step that failed because the test was over. */
  private stateOf(step: RestoreStep, result: StepResult<unknown>): StepRecord["state"] {
    if (!("failed" in result)) return result.state ?? "passed";
    return this.signal.aborted && !cleaning.has(step) ? "unknown" : "failed";
  }

  /** The promise's value, or undefined when the test is over first: whatever ignores the signal holds nobody up. */
  async unlessOver<T>(promise: Promise<T>): Promise<T | undefined> {
    const { signal } = this;
    if (signal.aborted) return undefined;
    let stop: () => void = () => undefined;
    const over = new Promise<undefined>((resolve) => {
      stop = () => resolve(undefined);
      signal.addEventListener("abort", stop, { once: true });
    });
    try {
      return await Promise.race([promise, over]);
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  private end(why: "cancelled" | "timeout"): void {
    this.endedBy ??= why;
    this.over.abort();
  }

  private throwIfOver(): void {
    if (this.endedBy === "cancelled") throw new TestEnd("cancelled", "Cancelled");
    if (this.endedBy !== "timeout") return;
    const after = `Not done after ${this.test.timeoutSec} s`;
    if (this.state.steps.some(({ step }) => step === "start")) throw new TestEnd("failed", after);
    throw new TestEnd("refused", `${after}: too short a time to read and restore it here, which says nothing against the backup`);
  }

  /** A bug in a step is that step's failure: the guest is cleared away all the same. */
  private async caught<T>(work: () => Promise<StepResult<T>>): Promise<StepResult<T>> {
    try {
      return await work();
    } catch (error) {
      const problem = errorTrace(error);
      this.ports.log(3, "a step of a restore test failed unexpectedly", { operation: this.id, problem });
      return { failed: errorMessage(error) };
    }
  }

  private takeRecord(record: StepRecord): void {
    this.note({ entry: "step", record });
    this.tell({ step: record });
  }
}

/** Last lines that a record has room for: the whole report must fit into one message. */
function tail(log: readonly string[]): string[] {
  const lines = log.slice(-100).map((line) => line.slice(0, 1000));
  while (lines.reduce((sum, line) => sum + line.length, 0) > 20_000) lines.shift();
  return lines;
}

const cleaning = new Set<RestoreStep>(["stop", "destroy"]);

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
