import { type RestoreReport, type RestoreTest, restoreSteps, type StepRecord } from "#protocol/restore.ts";
import type { OperationState } from "./journal.ts";
import { proofLevel } from "./verdict.ts";

/** What a test proved, from its journal alone: the same for one that ran to its end and for one that its agent did not survive. */
export function restoreReport(
  state: OperationState,
  test: RestoreTest,
  end: {
    node: string;
    outcome: RestoreReport["outcome"];
    reason: string;
    endedAt: number;
    leftovers: readonly string[];
    screenshot?: string | undefined;
    testVmid?: number | undefined;
  },
): RestoreReport {
  const { facts, intent } = state;
  const testVmid = end.testVmid ?? intent?.vmid;
  return {
    outcome: end.outcome,
    level: proofLevel(state.steps, state.checks, facts.bytesBy !== undefined),
    reason: end.reason.slice(0, 2000),
    startedAt: state.startedAt,
    endedAt: end.endedAt,
    node: end.node,
    vmid: test.vmid,
    backup: test.backup,
    ...(facts.backupAt !== undefined && { backupAt: facts.backupAt }),
    ...(facts.backupBytes !== undefined && { backupBytes: facts.backupBytes }),
    ...(testVmid !== undefined && { testVmid }),
    ...(facts.configurationDigest !== undefined && { configurationDigest: facts.configurationDigest }),
    ...(facts.bytesBy !== undefined && { bytesBy: facts.bytesBy }),
    steps: allSteps(state.steps, end.endedAt),
    checks: state.checks,
    measures: state.measures,
    ...(end.screenshot !== undefined && { screenshot: end.screenshot }),
    leftovers: end.leftovers.slice(0, 32).map((text) => text.slice(0, 500)),
  };
}

/** Every step has a record: one that was never reached is skipped, one that nobody saw the end of is unknown. */
function allSteps(steps: readonly StepRecord[], at: number): StepRecord[] {
  const known = steps.map((record): StepRecord => {
    if (record.state !== "running") return record;
    return { ...record, state: "unknown", endedAt: at, reason: "Nobody saw its end: the agent ended in it" };
  });
  const missing = restoreSteps.filter((step) => !steps.some((record) => record.step === step));
  const reason = "The test ended before it";
  return [
    ...known,
    ...missing.map((step): StepRecord => ({ step, state: "skipped", startedAt: at, endedAt: at, reason, log: [] })),
  ];
}
