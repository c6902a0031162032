import { setImmediate } from "node:timers/promises";
import type { AuditState } from "#protocol/audit.ts";
import type { Clock } from "./ports.ts";
import { evidenceProblemInSlices } from "./proof/run-book.ts";
import type { StateStore } from "./store/state.ts";

/** Checked by itself so often. */
export const auditCheckMs = 24 * 3_600_000;

const unchecked: AuditState = { state: "unchecked", checkedAt: null, entries: null, head: null, problem: null };

/** Follows the audit log and compares the evidence, in slices beside everything else; and remembers what it found. */
export class AuditWatch {
  private last = unchecked;
  private going: Promise<AuditState> | undefined;
  private stopped = false;

  constructor(private readonly ports: { state: StateStore; clock: Clock }) {}

  get state(): AuditState {
    return this.going === undefined ? this.last : { ...this.last, state: "checking" };
  }

  /** For `health`. */
  problems(): string[] {
    return this.last.problem === null ? [] : [`The audit log can't be trusted: ${this.last.problem}`];
  }

  /** One check at a time: who asks meanwhile gets the one that goes on. */
  check(): Promise<AuditState> {
    this.going ??= this.run().finally(() => {
      this.going = undefined;
    });
    return this.going;
  }

  /** Ends a check that goes on; the store may be closed then. */
  async stop(): Promise<void> {
    this.stopped = true;
    await this.going;
  }

  private async run(): Promise<AuditState> {
    const { state, clock } = this.ports;
    const goOn = async () => {
      await setImmediate();
      return !this.stopped;
    };
    const verdict = await state.verifyAuditInSlices(goOn);
    const problem = verdict?.ok
      ? await evidenceProblemInSlices(state, goOn)
      : verdict && `entry ${verdict.seq}: ${verdict.problem}`;
    if (verdict === undefined || this.stopped) return this.last;
    const checkedAt = clock.now();
    this.last =
      verdict.ok && problem === undefined
        ? { state: "intact", checkedAt, entries: verdict.entries, head: verdict.head, problem: null }
        : { ...this.last, state: "broken", checkedAt, problem: problem ?? "unknown" };
    return this.last;
  }
}
