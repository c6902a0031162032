import type { EpochMs } from "#protocol/ids.ts";
import type { OperationResult } from "#protocol/operations.ts";
import type { ProofBadge, RunStep } from "#protocol/proof.ts";
import type { RestoreReport, StepRecord } from "#protocol/restore.ts";
import type { ProofRecord, Run } from "./run-record.ts";

/** Lines of the step that failed, kept for the alert. */
const logLines = 20;

/** Does this record speak of the guest that has the number now? Nothing known is no evidence of another one. */
export function isOfGuest(record: Pick<ProofRecord, "identity">, identity: readonly string[]): boolean {
  if (record.identity.length === 0 || identity.length === 0) return true;
  return record.identity.some((one) => identity.includes(one));
}

/** The record with the end of a restore test. Cancelled, refused and expired ones say nothing of the backup. */
export function stepProof(
  before: ProofRecord | undefined,
  run: Run,
  result: OperationResult | undefined,
): ProofRecord | undefined {
  const { guest, outcome, finishedAt, level, verdict } = run;
  if (run.kind !== "restore-test" || guest === null || finishedAt === null || verdict === null) return before;
  if (outcome !== "passed" && outcome !== "failed" && outcome !== "interrupted") return before;
  const known = before !== undefined && isOfGuest(before, guest.identity) ? before : undefined;
  const report = result?.kind === "restore-test" ? result.report : undefined;
  const at = (report?.endedAt ?? finishedAt) as EpochMs;
  const durationMs = run.durationMs ?? 0;
  const lastTest = {
    runId: run.id,
    at,
    outcome,
    level: level ?? "none",
    verdict,
    durationMs,
    backup: run.operation.kind === "restore-test" ? run.operation.params.backup.volid : "",
    log: report === undefined ? [] : failedLog(report),
    screenshot: run.screenshotDigest !== null,
  };
  const isGood = outcome === "passed" && report !== undefined && run.measures !== null;
  const lastGood = isGood
    ? {
        runId: run.id,
        at,
        level: level ?? "none",
        durationMs,
        measures: run.measures ?? noMeasures,
        backupAt: (report.backupAt ?? run.backupAt) as EpochMs | null,
        notProven: notProven(report, guest.type),
        slower: run.slower,
      }
    : (known?.lastGood ?? null);
  const identity = [...new Set([...(known?.identity ?? []), ...guest.identity])];
  const newer = known?.lastTest ?? null;
  return {
    cluster: run.cluster,
    vmid: guest.vmid,
    identity,
    lastGood: known?.lastGood != null && lastGood !== null && known.lastGood.at > lastGood.at ? known.lastGood : lastGood,
    lastTest: newer !== null && newer.runId !== run.id && newer.at > at ? newer : lastTest,
  };
}

const noMeasures = {
  restoreBytes: null,
  restoreMs: null,
  heartbeatMs: null,
  serviceMs: null,
  sequentialRead: null,
  randomRead: null,
};

/** `everyDays`: what the guest's policy wants; undefined: none holds it, so that nothing is overdue. */
export function badgeOf(
  record: ProofRecord | undefined,
  identity: readonly string[],
  everyDays: number | undefined,
  now: EpochMs,
): ProofBadge {
  const known = record !== undefined && isOfGuest(record, identity) ? record : undefined;
  const good = known?.lastGood ?? null;
  const last = known?.lastTest ?? null;
  const isNewer = last !== null && (good === null || last.at > good.at);
  if (isNewer && last.outcome === "failed") {
    return { state: "failed", level: last.level, at: last.at, durationMs: last.durationMs, runId: last.runId };
  }
  if (good === null) {
    const state = last === null ? "never" : "unknown";
    return { state, level: "none", at: last?.at ?? null, durationMs: last?.durationMs ?? null, runId: last?.runId ?? null };
  }
  const late = everyDays !== undefined && now - good.at > everyDays * 86_400_000;
  const { level, at, durationMs, runId } = good;
  return { state: late ? "overdue" : "proven", level, at, durationMs, runId };
}

/** Steps that prove nothing when they run, so that nothing is missing when they don't; what checks prove is told by the checks. */
const provesNothing: ReadonlySet<string> = new Set<StepRecord["step"]>(["keep", "benchmark", "network", "checks"]);

/** What a test does not prove, a sentence each; empty: bytes, boot and services were all proven. `type` undefined: of a guest nobody knows. */
export function notProven(report: RestoreReport, type: "qemu" | "lxc" | undefined): string[] {
  const missing: string[] = [];
  if (report.bytesBy === undefined) missing.push("Not every byte of the backup was verified");
  if (report.level === "none" || report.level === "bytes") missing.push("The guest was not seen to boot");
  if (report.level !== "works") {
    missing.push(
      report.checks.length === 0 ? "No check says whether its services work" : "Not every check of its services passed",
    );
  }
  for (const { name, state, reason } of report.checks)
    if (state === "skipped") missing.push(`Check ${name} was skipped: ${reason}`);
  for (const { step, state, reason } of report.steps) {
    // A container has no screen: nothing is missing where there is no picture of it.
    const isMissing = state === "skipped" && !provesNothing.has(step) && !(step === "screenshot" && type === "lxc");
    if (state === "unknown" || isMissing) missing.push(`Step ${step}: ${state}${reason === undefined ? "" : `, ${reason}`}`);
  }
  return missing.slice(0, 50);
}

/** Last lines of the step that failed. */
function failedLog({ steps }: RestoreReport): string[] {
  const failed = steps.findLast(({ state }) => state === "failed" || state === "unknown");
  return failed === undefined ? [] : failed.log.slice(-logLines);
}

export function stepView({ step, state, startedAt, endedAt, reason, upid, log }: StepRecord): RunStep {
  return { step, state, startedAt, endedAt: endedAt ?? null, reason: reason ?? null, upid: upid ?? null, log };
}
