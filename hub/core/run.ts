import type { EpochMs, NodeName } from "#protocol/ids.ts";
import type { Operation, OperationResult } from "#protocol/operations.ts";
import type { MeasuresView, RunOutcome, Slower } from "#protocol/proof.ts";
import type { ProofLevel, RestoreReport, StepRecord } from "#protocol/restore.ts";
import type { ProofRecord, Run } from "./run-record.ts";

/** How a run goes on. Each function returns the next run; what is finished stays so, but for one that was given up without an end. */

const dayMs = 86_400_000;

/** The backup an operation is about. `volid` null: all of a storage's. */
export function backupOf(operation: Operation): { storage: string; volid: string | null } {
  switch (operation.kind) {
    case "restore-test":
    case "restore-plan":
      return operation.params.backup;
    case "archive-check":
      return operation.params;
    case "pbs-verify":
      return { storage: operation.params.storage, volid: operation.params.volid ?? null };
  }
}

/** Time an operation may take once begun, what is kept after it included, ms. A check's end nobody can tell: a large archive takes hours. */
function longestMs(operation: Operation): number {
  if (operation.kind === "restore-test") return (operation.params.timeoutSec + operation.params.keepSec) * 1000;
  return operation.kind === "restore-plan" ? 10 * 60_000 : dayMs;
}

export type NewRun = Pick<
  Run,
  "id" | "cluster" | "guest" | "backupAt" | "operation" | "actor" | "reason" | "policy" | "createdAt" | "expiresAt" | "nodes"
>;

export function newRun(order: NewRun): Run {
  return {
    ...order,
    kind: order.operation.kind,
    state: "queued",
    node: null,
    sentAt: null,
    startedAt: null,
    cancel: null,
    keep: null,
    finishedAt: null,
    outcome: null,
    givenUp: false,
    level: null,
    verdict: null,
    durationMs: null,
    measures: null,
    slower: [],
    leftovers: [],
    testVmid: null,
    configurationDigest: null,
    evidenceDigest: null,
    screenshotDigest: null,
  };
}

export const isOpen = ({ state }: Run) => state !== "finished";

export const given = (run: Run, node: NodeName, now: EpochMs): Run => ({ ...run, state: "sent", node, sentAt: now });

export const begun = (run: Run, now: EpochMs): Run => (run.state === "sent" ? { ...run, state: "running", startedAt: now } : run);

/** The hub's own end of a run. `givenUp`: nobody heard how it ended, so that a result that still comes counts. */
export function ended(run: Run, end: { outcome: RunOutcome; verdict: string; givenUp?: boolean }, now: EpochMs): Run {
  const { outcome, verdict, givenUp = false } = end;
  return { ...run, state: "finished", outcome, verdict, givenUp, level: "none", finishedAt: now };
}

/** Digests of what is stored beside the run. */
export type Digests = { evidence: string; screenshot: string | null };

/** The run with what its agent told at the end. `lastGood`: of the same guest, to compare with. */
export function withResult(
  run: Run,
  result: OperationResult,
  digests: Digests,
  lastGood: ProofRecord["lastGood"],
  now: EpochMs,
): Run {
  const finished: Run = {
    ...run,
    state: "finished",
    givenUp: false,
    finishedAt: now,
    evidenceDigest: digests.evidence,
    screenshotDigest: digests.screenshot,
  };
  switch (result.kind) {
    case "refused":
      return { ...finished, outcome: "refused", level: "none", verdict: result.reason };
    case "restore-plan": {
      const { problems } = result.plan;
      const verdict = problems.length === 0 ? "It would run" : `It would be refused: ${problems.join("; ")}`;
      return { ...finished, outcome: problems.length === 0 ? "passed" : "refused", level: "none", verdict };
    }
    case "archive-check":
    case "pbs-verify": {
      const { state, reason, startedAt, endedAt } = result.report;
      const level: ProofLevel = state === "verified" ? "bytes" : "none";
      const outcome = state === "verified" ? "passed" : state === "damaged" ? "failed" : "refused";
      return { ...finished, outcome, level, verdict: reason, durationMs: Math.max(0, endedAt - startedAt) };
    }
    case "restore-test":
      return { ...finished, ...resultOfTest(result.report, lastGood) };
  }
}

function resultOfTest(report: RestoreReport, lastGood: ProofRecord["lastGood"]): Partial<Run> {
  const measures = measuresOf(report);
  return {
    outcome: report.outcome,
    level: report.level,
    verdict: report.reason,
    durationMs: Math.max(0, report.endedAt - report.startedAt - keptMs(report)),
    measures,
    slower: lastGood === null ? [] : slowerThan(lastGood.measures, measures),
    leftovers: report.leftovers,
    testVmid: report.testVmid ?? null,
    configurationDigest: report.configurationDigest ?? null,
  };
}

/** Time for which somebody wanted to look at the test guest: it says nothing of how long a restore takes. */
function keptMs({ steps }: Pick<RestoreReport, "steps">): number {
  const kept = steps.find(({ step }) => step === "keep");
  return kept?.endedAt === undefined ? 0 : Math.max(0, kept.endedAt - kept.startedAt);
}

function measuresOf({ measures }: Pick<RestoreReport, "measures">): MeasuresView {
  const { restoreBytes, restoreMs, heartbeatMs, serviceMs, sequentialRead, randomRead } = measures;
  return {
    restoreBytes: restoreBytes ?? null,
    restoreMs: restoreMs ?? null,
    heartbeatMs: heartbeatMs ?? null,
    serviceMs: serviceMs ?? null,
    sequentialRead: sequentialRead ?? null,
    randomRead: randomRead ?? null,
  };
}

/** Worse than this many times is told. */
const slowerFactor = 2;

/** Restore speed in bytes per second; null: not measured. */
export const restoreSpeed = ({ restoreBytes, restoreMs }: MeasuresView): number | null =>
  restoreBytes === null || restoreMs === null || restoreMs === 0 ? null : (restoreBytes * 1000) / restoreMs;

/** What got more than twice as bad. Restores are compared by speed, because guests grow. */
function slowerThan(before: MeasuresView, now: MeasuresView): Slower[] {
  const rows: [measure: string, before: number | null, now: number | null, more: "worse" | "better"][] = [
    ["restoreSpeed", restoreSpeed(before), restoreSpeed(now), "better"],
    ["heartbeatMs", before.heartbeatMs, now.heartbeatMs, "worse"],
    ["serviceMs", before.serviceMs, now.serviceMs, "worse"],
    ["sequentialRead", before.sequentialRead, now.sequentialRead, "better"],
    ["randomRead", before.randomRead, now.randomRead, "better"],
  ];
  return rows.flatMap(([measure, was, is, more]): Slower[] => {
    if (was === null || is === null || was <= 0 || is <= 0) return [];
    const factor = more === "worse" ? is / was : was / is;
    return factor > slowerFactor ? [{ measure, before: was, now: is, factor: Math.round(factor * 10) / 10 }] : [];
  });
}

/** Steps as the agent tells them: the newest of each. */
export function withStep(steps: readonly StepRecord[], step: StepRecord): StepRecord[] {
  const at = steps.findIndex((one) => one.step === step.step);
  return at < 0 ? [...steps, step] : steps.map((one, index) => (index === at ? step : one));
}

/** How long a run may be without an end before the hub gives it up: an agent whose node burnt down never says anything. */
const patienceMs = dayMs;

/**
 * What time alone does to an open run. `ask`: its agent is there and says nothing, so it is sent again, which is harmless: an id runs once.
 * `give-up`: nobody will say any more.
 */
export function dueStep(run: Run, agentIsThere: boolean, now: EpochMs): "none" | "expire" | "ask" | "give-up" {
  if (run.state === "queued") return now >= run.expiresAt ? "expire" : "none";
  if (run.state === "finished") return "none";
  const from = run.state === "sent" ? run.expiresAt : (run.startedAt ?? run.expiresAt);
  const keptMs = run.keep === null ? 0 : Math.max(0, run.keep.untilAt - from);
  if (now >= from + longestMs(run.operation) + keptMs + patienceMs) return "give-up";
  return run.state === "sent" && agentIsThere && now >= run.expiresAt ? "ask" : "none";
}
