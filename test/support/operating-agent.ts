import type { MessageOf } from "#protocol/messages.ts";
import type { OperationResult } from "#protocol/operations.ts";
import type { RestoreReport, RestoreTest } from "#protocol/restore.ts";
import type { OperationMessage, OperationType } from "../../hub/proof/operations.ts";

/** What a test that went well tells. */
export function reportOf(test: RestoreTest, overrides: Partial<RestoreReport> = {}): RestoreReport {
  return {
    outcome: "passed",
    level: "works",
    reason: "Restored, booted and answered",
    startedAt: 1_767_600_000_000,
    endedAt: 1_767_600_192_000,
    node: "pve1",
    vmid: test.vmid,
    backup: test.backup,
    testVmid: 990_000,
    configurationDigest: "c".repeat(64),
    bytesBy: "compressor-checksum",
    steps: [
      { step: "locate", state: "passed", startedAt: 1_767_600_000_000, endedAt: 1_767_600_001_000, log: [] },
      { step: "restore", state: "passed", startedAt: 1_767_600_001_000, endedAt: 1_767_600_100_000, log: ["progress 100%"] },
    ],
    checks: [{ name: "web", kind: "http", state: "passed", reason: "200", durationMs: 12 }],
    measures: { restoreBytes: 10_000_000_000, restoreMs: 100_000, heartbeatMs: 20_000, serviceMs: 30_000 },
    screenshot: Buffer.from("a picture").toString("base64"),
    leftovers: [],
    ...overrides,
  };
}

type Body<T extends OperationType> = MessageOf<T>["body"];
type Work = { start: Body<"op.start">; result: OperationResult | undefined };

/**
 * An agent as far as operations go: it journals ids, runs each at most once, and tells its results at each connect until they were seen. It
 * survives its hub. `play`: what comes of an operation; undefined: it goes on until `finish`.
 */
export class OperatingAgent {
  /** How often each id was begun. */
  readonly begun = new Map<string, number>();
  readonly cancelled: string[] = [];
  readonly kept: Body<"op.keep">[] = [];
  readonly journal = new Map<string, Work>();
  private tell: ((message: OperationMessage) => void) | undefined;

  constructor(
    private readonly now: () => number,
    private readonly play: (test: RestoreTest) => OperationResult | undefined = (test) => ({
      kind: "restore-test",
      report: reportOf(test),
    }),
  ) {}

  get isConnected(): boolean {
    return this.tell !== undefined;
  }

  connect(tell: (message: OperationMessage) => void): void {
    this.tell = tell;
  }

  /** What agents do when they were welcomed. */
  repeatResults(): void {
    for (const [id, { result }] of this.journal) if (result !== undefined) this.say(id, result);
  }

  disconnect(): void {
    this.tell = undefined;
  }

  hear<T extends OperationType>(type: T, body: Body<T>): void {
    const { id } = body;
    if (type === "op.start") this.start(body as Body<"op.start">);
    else if (type === "op.seen") this.journal.delete(id);
    else if (type === "op.keep") this.kept.push(body as Body<"op.keep">);
    else if (type === "op.cancel") this.cancel(id);
  }

  progress(id: string, body: Omit<MessageOf<"op.progress">["body"], "id">): void {
    this.tell?.({ type: "op.progress", body: { id, ...body } });
  }

  finish(id: string, result: OperationResult): void {
    const work = this.journal.get(id);
    if (work === undefined || work.result !== undefined) return;
    work.result = result;
    this.say(id, result);
  }

  private start(start: Body<"op.start">): void {
    const known = this.journal.get(start.id);
    if (known !== undefined || this.begun.has(start.id)) {
      if (known?.result !== undefined) this.say(start.id, known.result);
      return;
    }
    this.journal.set(start.id, { start, result: undefined });
    if (this.now() >= start.expiresAt) {
      this.finish(start.id, { kind: "refused", code: "expired", reason: "It came too late" });
      return;
    }
    this.begun.set(start.id, 1 + (this.begun.get(start.id) ?? 0));
    this.progress(start.id, { step: { step: "locate", state: "running", startedAt: this.now(), log: [] } });
    const result = this.play(start.operation.params as RestoreTest);
    if (result !== undefined) this.finish(start.id, result);
  }

  private cancel(id: string): void {
    this.cancelled.push(id);
    const work = this.journal.get(id);
    if (work === undefined || work.result !== undefined) return;
    const report = reportOf(work.start.operation.params as RestoreTest, {
      outcome: "cancelled",
      level: "none",
      reason: "Cancelled",
    });
    this.finish(id, { kind: "restore-test", report });
  }

  private say(id: string, result: OperationResult): void {
    this.tell?.({ type: "op.result", body: { id, result: { ...result } } });
  }
}
