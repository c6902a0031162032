import type { OperationResult } from "#protocol/operations.ts";
import type { RunDetail, RunView } from "#protocol/proof.ts";
import type { StepRecord } from "#protocol/restore.ts";
import { notProven, stepView } from "./proof.ts";
import { backupOf } from "./run.ts";
import type { Run } from "./run-record.ts";

/** What an agent told of a run that has not ended. Lost with the hub: the agent tells it again, and the end holds it all. */
export type LiveRun = {
  steps: readonly StepRecord[];
  fraction: number | null;
  testVmid: number | null;
  keepUntil: number | null;
  waiting: string | null;
};

export const noLiveRun: LiveRun = { steps: [], fraction: null, testVmid: null, keepUntil: null, waiting: null };

export const runEntity = ({ guest }: Pick<Run, "guest">) => (guest === null ? "cluster" : `guest/${guest.vmid}`);

export function runView(run: Run, live: LiveRun = noLiveRun): RunView {
  const { guest, operation } = run;
  const isOpen = run.state !== "finished";
  const running = isOpen ? live.steps.findLast(({ state }) => state === "running") : undefined;
  return {
    id: run.id,
    kind: run.kind,
    cluster: run.cluster,
    entity: runEntity(run),
    guest: guest === null ? null : { vmid: guest.vmid, type: guest.type, name: guest.name },
    node: run.node,
    backup: { ...backupOf(operation), at: run.backupAt },
    actor: run.actor,
    reason: run.reason,
    policy: run.policy,
    createdAt: run.createdAt,
    expiresAt: run.expiresAt,
    state: run.state,
    waiting: isOpen ? live.waiting : null,
    step: running?.step ?? null,
    fraction: running === undefined ? null : live.fraction,
    startedAt: run.startedAt,
    finishedAt: run.finishedAt,
    cancelling: isOpen ? (run.cancel?.actor ?? null) : null,
    keepUntil: isOpen ? live.keepUntil : null,
    testVmid: run.testVmid ?? live.testVmid,
    outcome: run.outcome,
    level: run.level,
    verdict: run.verdict,
    durationMs: run.durationMs,
    measures: run.measures,
    slower: run.slower,
    leftovers: run.leftovers,
    screenshot: run.screenshotDigest !== null,
  };
}

/** `result`: what its agent told at the end; undefined while it runs, and where the hub ended it. */
export function runDetail(run: Run, live: LiveRun | undefined, result: OperationResult | undefined): RunDetail {
  const report = result?.kind === "restore-test" ? result.report : undefined;
  return {
    ...runView(run, live),
    request: { ...run.operation.params },
    steps: (report?.steps ?? live?.steps ?? []).map(stepView),
    checks: (report?.checks ?? []).map(({ durationMs, ...check }) => ({ ...check, durationMs: durationMs ?? null })),
    notProven: report === undefined ? [] : notProven(report, run.guest?.type),
    configurationDigest: run.configurationDigest,
    evidenceDigest: run.evidenceDigest,
    screenshotDigest: run.screenshotDigest,
    plan: result?.kind === "restore-plan" ? { ...result.plan } : null,
    archive: result?.kind === "archive-check" || result?.kind === "pbs-verify" ? { ...result.report } : null,
  };
}
