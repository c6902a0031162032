import type { OperationResult } from "#protocol/operations.ts";
import { backupOf } from "../core/run.ts";
import type { Run } from "../core/run-record.ts";
import { runEntity } from "../core/run-view.ts";
import type { Journal } from "../journal.ts";

/** What operators hear of runs. A dry run changes nothing and is no event. */

type Teller = Pick<Journal, "emit">;

function placeOf(run: Run) {
  const { cluster, node, actor } = run;
  return { cluster, entity: runEntity(run), actor, ...(node === null ? {} : { node }) };
}

function factsOf(run: Run) {
  const { storage, volid } = backupOf(run.operation);
  const subject =
    run.guest === null ? storage : `${run.guest.type === "qemu" ? "VM" : "CT"} ${run.guest.vmid} (${run.guest.name})`;
  return { run: run.id, subject: cut(subject, 200), backup: volid ?? storage };
}

export function tellStart(journal: Teller, run: Run): void {
  if (run.kind !== "restore-test") return;
  journal.emit("restore-test.started", { ...factsOf(run), node: run.node ?? "" }, placeOf(run));
}

/** `result`: as its agent told it; undefined: the hub ended it. */
export function tellEnd(journal: Teller, run: Run, result: OperationResult | undefined): void {
  const facts = { ...factsOf(run), verdict: cut(run.verdict ?? "", 900) };
  const place = placeOf(run);
  if (run.kind === "archive-check" || run.kind === "pbs-verify") {
    if (run.outcome === "failed") journal.emit("backup.unverifiable", facts, place);
    return;
  }
  if (run.kind !== "restore-test") return;
  const level = run.level ?? "none";
  const tookMs = run.durationMs ?? 0;
  if (run.outcome === "passed") journal.emit("restore-test.passed", { ...facts, level, tookMs }, place);
  else if (run.outcome === "failed") {
    const report = result?.kind === "restore-test" ? result.report : undefined;
    const failed = report?.steps.findLast(({ state }) => state === "failed" || state === "unknown");
    const log = (failed?.log ?? []).slice(-20);
    const screenshot = run.screenshotDigest !== null;
    journal.emit("restore-test.failed", { ...facts, level, step: failed?.step ?? null, log, screenshot }, place);
  } else journal.emit("restore-test.not-done", { ...facts, outcome: run.outcome ?? "refused" }, place);
  if (run.leftovers.length > 0) {
    journal.emit("restore-test.leftovers", { ...facts, node: run.node ?? "", leftovers: run.leftovers }, place);
  }
}

const cut = (text: string, max: number) => text.slice(0, max);
