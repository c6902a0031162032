import * as z from "zod/mini";
import type { RangeStranger } from "#protocol/inventory.ts";
import type { Message, MessageOf } from "#protocol/messages.ts";
import { type Operation, type OperationResult, operationSchema } from "#protocol/operations.ts";
import type { RestoreTest } from "#protocol/restore.ts";
import { errorTrace } from "../core/error.ts";
import { type OperationState, owesCleaning } from "../core/restore/journal.ts";
import { restoreReport } from "../core/restore/report.ts";
import { checkBytes } from "./bytes-report.ts";
import { type Journal, Journals } from "./journal.ts";
import { runRestoreTest } from "./machine.ts";
import { planRestoreTest } from "./plan.ts";
import type { RestorePorts } from "./ports.ts";
import { livesElsewhere, thisProcess } from "./process.ts";
import { recover, sweepRange } from "./reaper.ts";
import { type Progress, TestRun } from "./run.ts";

/** Operations that wait for their turn; more are refused as busy. */
const waitingMax = 16;
/** A bar that moves need not move more often; the hub counts messages. */
const fractionEveryMs = 1000;

type Start = MessageOf<"op.start">["body"];
type Refusal = Extract<OperationResult, { kind: "refused" }>;

export type OperationsPorts = {
  restore: RestorePorts;
  /** Folder of the journals. */
  dir: string;
  /** Says it to the hub if there is one; nobody depends on that it arrives. */
  send(message: Message): void;
  /** What the node should know of its test range; empty: nothing is wrong. `strangers`: guests there that are none of ours. */
  onProblems(problems: readonly string[], strangers: readonly RangeStranger[] | undefined): void;
  /** Default: this process. Tests pretend to be several. */
  process?: string;
};

type Running = { run: TestRun | undefined; cancel(actor: string): void; done: Promise<void> };

/** What the hub asks this node to do: each at most once, journalled, its result told until the hub has it. */
export class Operations {
  readonly journals: Journals;
  private readonly running = new Map<string, Running>();
  private readonly waiting: { start: Start; operation: Operation; journal: Journal }[] = [];
  private readonly process: string;
  /** A test that begins meanwhile waits for it: its sandbox would look like a dead one's. */
  private reaping: Promise<string[]> = Promise.resolve([]);
  /** When it was last said how far the running ones are. */
  private readonly fractionToldMs = new Map<string, number>();

  constructor(private readonly ports: OperationsPorts) {
    this.journals = new Journals(ports.dir);
    this.process = ports.process ?? thisProcess();
  }

  /** Undefined: not about operations. */
  hear(message: Message): void {
    switch (message.type) {
      case "op.start":
        this.start(message.body);
        break;
      case "op.cancel":
        this.cancel(message.body);
        break;
      case "op.keep":
        this.keep(message.body);
        break;
      case "op.seen":
        this.seen(message.body.id);
        break;
    }
  }

  /** A session began: everything the hub may have missed. */
  connected(): void {
    for (const { id, state } of this.journals.all()) {
      if (state.result !== undefined && !state.seen) this.tellResult(id, state.result);
      else if (this.running.has(id)) this.tellAgain(id, state);
    }
  }

  /** A hub that was started anew knows none of it. */
  private tellAgain(id: string, { steps, intent, gone, keptUntil }: OperationState): void {
    for (const step of steps) this.tellProgress(id, { step });
    const testVmid = gone ? undefined : intent?.vmid;
    if (testVmid === undefined) return;
    this.tellProgress(id, { testVmid, ...(keptUntil === undefined ? {} : { keepUntil: keptUntil }) });
  }

  /** Finishes what a dead agent began, then looks for leftovers. At the start of the agent and every hour. */
  async tend(): Promise<void> {
    const { clock, log } = this.ports.restore;
    await Promise.all(this.abandoned().map(({ id, state }) => this.takeOver(id, state)));
    this.reaping = this.reapSandboxes();
    const left = await this.reaping;
    const isLive = (id: string, state: OperationState) => this.isLive(id, state);
    const { cleared, problems, strangers } = await sweepRange(this.ports.restore, this.journals, isLive);
    if (cleared.length > 0) log(5, "leftovers of restore tests were removed", { guests: cleared.join(",") });
    this.ports.onProblems([...left, ...problems], strangers);
    this.journals.prune(clock.now());
  }

  private async reapSandboxes(): Promise<string[]> {
    const alive = this.journals.all().filter(({ id, state }) => this.isLive(id, state));
    const inUse = new Set(alive.flatMap(({ id, state }) => [id, ...(state.sandbox === undefined ? [] : [state.sandbox])]));
    try {
      return await this.ports.restore.sandboxes.reap(inUse);
    } catch (error) {
      return [`The sandboxes could not be looked through: ${String(error)}`];
    }
  }

  /** Resolves when what runs now is over. */
  async settled(): Promise<void> {
    while (this.running.size > 0) await Promise.all([...this.running.values()].map(({ done }) => done));
  }

  private start(start: Start): void {
    const { id } = start;
    const known = this.journals.read(id);
    if (known?.result !== undefined) this.tellResult(id, known.result);
    if (known !== undefined || this.waiting.some((one) => one.start.id === id)) return;
    const parsed = operationSchema.safeParse(start.operation);
    const refusal = parsed.success ? this.refusal(start, parsed.data) : invalid(z.prettifyError(parsed.error));
    if (refusal !== undefined) this.tellResult(id, refusal);
    else if (parsed.success) this.takeOn(start, parsed.data);
  }

  private takeOn(start: Start, operation: Operation): void {
    const { id, expiresAt, actor, reason } = start;
    const journal = this.journals.open(id);
    journal.append({ entry: "start", at: this.now(), operation, expiresAt, actor, reason, process: this.process });
    this.ports.restore.log(5, "operation taken on", { id, kind: operation.kind, actor });
    const full = isTest(operation) && this.testsRunning() >= this.ports.restore.limits.parallel;
    if (full) this.waiting.push({ start, operation, journal });
    else this.begin(operation, journal);
  }

  /** Refused without a trace: nothing was begun, so the same order may come again and be taken then. */
  private refusal({ expiresAt }: Start, operation: Operation): Refusal | undefined {
    if (this.now() > expiresAt) return { kind: "refused", code: "expired", reason: "It came after its time" };
    if (!isTest(operation)) return undefined;
    if (!this.ports.restore.limits.enabled)
      return { kind: "refused", code: "not-permitted", reason: "Restore tests are switched off in this node's agent.toml" };
    if (this.waiting.length >= waitingMax) return { kind: "refused", code: "busy", reason: `${waitingMax} tests wait already` };
    return undefined;
  }

  private begin(operation: Operation, journal: Journal): void {
    const { id } = journal;
    const over = new AbortController();
    const run = isTest(operation) ? this.newRun(operation.params, journal) : undefined;
    const begun = () => (run === undefined ? this.readOnly(id, operation, over.signal) : this.restoreTest(run));
    const work = Promise.resolve().then(begun); // when it can already be cancelled
    const cancel = (actor: string) => {
      if (run === undefined) journal.append({ entry: "cancel", at: this.now(), actor });
      over.abort();
      run?.cancel(actor);
    };
    const done = work.then((result) => this.finish(journal, result)).catch((error: unknown) => this.crashed(id, error));
    this.running.set(id, { run, cancel, done: done.finally(() => this.over(id)) });
  }

  private newRun(test: RestoreTest, journal: Journal): TestRun {
    const { id } = journal;
    return new TestRun(
      id,
      test,
      this.ports.restore,
      journal,
      (progress) => this.tellProgress(id, progress),
      () => this.takenVmids(id),
      () => [...this.running].flatMap(([other, { run }]) => (run === undefined || other === id ? [] : [run.claimed])),
    );
  }

  private async restoreTest(run: TestRun): Promise<OperationResult> {
    await this.reaping;
    return { kind: "restore-test", report: await runRestoreTest(run) };
  }

  /** What changes nothing: a plan, or reading an archive. */
  private async readOnly(id: string, operation: Operation, signal: AbortSignal): Promise<OperationResult> {
    const { restore } = this.ports;
    switch (operation.kind) {
      case "restore-plan": {
        const planned = await planRestoreTest(id, operation.params, restore, () => this.takenVmids(id));
        if (!planned.ok) return { kind: "refused", code: "unavailable", reason: planned.problem.slice(0, 1000) };
        return { kind: "restore-plan", plan: planned.plan };
      }
      case "archive-check":
      case "pbs-verify":
        return checkBytes(restore, operation, (fraction) => this.tellProgress(id, { fraction }), signal);
      case "restore-test":
        throw new Error("a restore test changes something");
    }
  }

  private finish(journal: Journal, result: OperationResult): void {
    journal.append({ entry: "result", at: this.now(), result });
    this.tellResult(journal.id, result);
  }

  /** A bug: what it left is cleared away like that of a dead agent. */
  private crashed(id: string, error: unknown): void {
    const problem = errorTrace(error);
    this.ports.restore.log(3, "an operation failed unexpectedly", { id, problem });
  }

  private over(id: string): void {
    this.running.delete(id);
    while (this.waiting.length > 0 && this.testsRunning() < this.ports.restore.limits.parallel) {
      const next = this.waiting.shift();
      if (next === undefined) return;
      if (this.now() <= next.start.expiresAt) this.begin(next.operation, next.journal);
      else this.finish(next.journal, { kind: "refused", code: "expired", reason: "Its time was over before its turn came" });
    }
  }

  private cancel({ id, actor }: MessageOf<"op.cancel">["body"]): void {
    this.running.get(id)?.cancel(actor);
    const place = this.waiting.findIndex(({ start }) => start.id === id);
    const [waiting] = place < 0 ? [] : this.waiting.splice(place, 1);
    if (waiting === undefined || waiting.operation.kind !== "restore-test") return;
    waiting.journal.append({ entry: "cancel", at: this.now(), actor });
    const { state } = waiting.journal;
    if (state === undefined) return;
    const end = {
      node: this.ports.restore.node,
      outcome: "cancelled",
      reason: "Cancelled before its turn",
      leftovers: [],
    } as const;
    const report = restoreReport(state, waiting.operation.params, { ...end, endedAt: this.now() });
    this.finish(waiting.journal, { kind: "restore-test", report });
  }

  /** Only of a guest that is kept already: before that its test has its own time. Never longer than the node allows. */
  private keep({ id, untilAt, actor }: MessageOf<"op.keep">["body"]): void {
    const run = this.running.get(id)?.run;
    if (run?.state.keptUntil === undefined) return;
    run.keepUntil(Math.min(untilAt, this.now() + this.ports.restore.limits.keepSec * 1000), actor);
  }

  private seen(id: string): void {
    const state = this.journals.read(id);
    if (state?.result === undefined || state.seen) return;
    this.journals.open(id).append({ entry: "seen", at: this.now() });
    if (!owesCleaning(state) && state.sandbox === undefined) this.journals.shelve(id);
  }

  /** Operations without a result that no living process works on. */
  private abandoned(): { id: string; state: OperationState }[] {
    return this.journals.all().filter(({ id, state }) => state.result === undefined && !this.isLive(id, state));
  }

  private isLive(id: string, state: OperationState): boolean {
    if (this.running.has(id) || this.waiting.some(({ start }) => start.id === id)) return true;
    return state.result === undefined && livesElsewhere(state.process, this.process);
  }

  private async takeOver(id: string, state: OperationState): Promise<void> {
    const journal = this.journals.open(id);
    journal.append({ entry: "taken-over", at: this.now(), process: this.process });
    const { operation } = state;
    if (operation.kind !== "restore-test") {
      this.finish(journal, { kind: "refused", code: "unavailable", reason: "The agent ended before it was done" });
      return;
    }
    const run = this.newRun(operation.params, journal);
    const done = recover(run)
      .then((report) => this.finish(journal, { kind: "restore-test", report }))
      .catch((error: unknown) => this.crashed(id, error))
      .finally(() => this.over(id));
    this.running.set(id, { run, cancel: (actor) => run.cancel(actor), done });
    this.tellAgain(id, state);
    // A guest that is kept on is no reason to wait with the rest.
    if (state.keptUntil === undefined || state.keptUntil <= this.now()) await done;
  }

  /** Numbers that tests have for themselves, whether their guest is there already or not. */
  private takenVmids(exceptId: string): ReadonlySet<number> {
    const owing = this.journals
      .all()
      .filter(({ id, state }) => id !== exceptId && (owesCleaning(state) || this.isLive(id, state)));
    return new Set(owing.flatMap(({ state }) => [state.reserved, state.intent?.vmid].filter((vmid) => vmid !== undefined)));
  }

  private testsRunning(): number {
    return [...this.running.values()].filter(({ run }) => run !== undefined).length;
  }

  private tellProgress(id: string, { step, fraction, testVmid, keepUntil }: Progress): void {
    const nowMs = this.ports.restore.clock.monotonicMs();
    if (fraction !== undefined && nowMs - (this.fractionToldMs.get(id) ?? Number.NEGATIVE_INFINITY) < fractionEveryMs) return;
    if (fraction !== undefined) this.fractionToldMs.set(id, nowMs);
    const body = {
      id,
      ...(step !== undefined && { step }),
      ...(fraction !== undefined && { fraction: Math.min(1, Math.max(0, fraction)) }),
      ...(testVmid !== undefined && { testVmid }),
      ...(keepUntil !== undefined && { keepUntil }),
    };
    this.ports.send({ type: "op.progress", body });
  }

  private tellResult(id: string, result: OperationResult): void {
    this.fractionToldMs.delete(id);
    this.ports.send({ type: "op.result", body: { id, result } });
  }

  private now(): number {
    return this.ports.restore.clock.now();
  }
}

const isTest = (operation: Operation): operation is Extract<Operation, { kind: "restore-test" }> =>
  operation.kind === "restore-test";

const invalid = (problem: string): Refusal => ({ kind: "refused", code: "invalid", reason: problem.slice(0, 1000) });
