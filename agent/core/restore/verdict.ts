import type { CheckRecord, ProofLevel, RestoreReport, RestoreStep, StepRecord } from "#protocol/restore.ts";

const passed = (steps: readonly StepRecord[], step: RestoreStep) =>
  steps.some((each) => each.step === step && each.state === "passed");

/**
 * The highest level really reached. Booting is proven by the guest agent, by a container's running init, or by the guest speaking in its sandbox;
 * working by checks that all passed: one that was skipped proves nothing, and none at all neither.
 */
export function proofLevel(steps: readonly StepRecord[], checks: readonly CheckRecord[], bytesProven: boolean): ProofLevel {
  const boots = passed(steps, "start") && (passed(steps, "heartbeat") || passed(steps, "network"));
  if (!boots) return bytesProven ? "bytes" : "none";
  const works = passed(steps, "checks") && checks.length > 0 && checks.every(({ state }) => state === "passed");
  return works ? "works" : "boots";
}

/** What the checks say together: `failed` when one failed, `skipped` when none ran. */
export function judgeChecks(checks: readonly CheckRecord[]): { state: "passed" | "failed" | "skipped"; reason: string } {
  const failed = checks.filter(({ state }) => state === "failed");
  const skipped = checks.filter(({ state }) => state === "skipped");
  const name = (list: readonly CheckRecord[]) =>
    list
      .map((each) => `${each.name} (${each.reason})`)
      .join("; ")
      .slice(0, 1500);
  if (checks.length === 0) return { state: "skipped", reason: "No checks are defined" };
  if (failed.length > 0)
    return { state: "failed", reason: `${failed.length} of ${checks.length} checks failed: ${name(failed)}` };
  if (skipped.length === checks.length) return { state: "skipped", reason: `No check could run: ${name(skipped)}` };
  if (skipped.length === 0) return { state: "passed", reason: `All ${checks.length} checks passed` };
  return {
    state: "passed",
    reason: `${checks.length - skipped.length} of ${checks.length} checks passed, the others could not run: ${name(skipped)}`,
  };
}

const proven: Record<ProofLevel, string> = {
  none: "nothing is proven",
  bytes: "the backup's bytes are verified",
  boots: "it restores and boots",
  works: "it restores, boots and works",
};

/** By what bytes were verified, in words. */
const verifiers: Readonly<Record<NonNullable<RestoreReport["bytesBy"]>, string>> = {
  "pbs-verify": "by the Backup Server",
  "compressor-checksum": "by the compressor's checksum",
  "own-sha256": "by the SHA-256 that was taken after the backup",
};

/** The verdict on a test that ran to its end, one sentence. `bytesBy` undefined: the bytes were not checked, which the sentence says. */
export function passedReason(level: ProofLevel, bytesBy: RestoreReport["bytesBy"]): string {
  const bytes = bytesBy === undefined ? "; its bytes were not checked" : `; its bytes are verified ${verifiers[bytesBy]}`;
  return `The backup is good: ${proven[level]}${level === "bytes" ? "" : bytes}`;
}
