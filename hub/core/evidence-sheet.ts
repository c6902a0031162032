import type { RunDetail } from "#protocol/proof.ts";
import type { Sheet, SheetBlock } from "#protocol/sheet.ts";
import { restoreSpeed } from "./run.ts";
import { measureName, sizeText, spanText, utcText } from "./sheet-text.ts";

/** What stands in the audit log about a run. */
export type AuditLine = { seq: number; at: number; actor: string; action: string; reason: string; hash: string };

/** The run's screenshot: base64 of its PNG, or why it can't be shown. */
export type Screenshot = { png: string } | { problem: string };

/** A run as a page or two that an auditor can file: verdict first, then what it rests on. `screenshot` undefined: none was taken, its step says why. */
export function evidenceSheet(run: RunDetail, audit: readonly AuditLine[], screenshot: Screenshot | undefined): Sheet {
  const subject =
    run.guest === null ? run.backup.storage : `${run.guest.name} (${run.guest.type === "qemu" ? "VM" : "CT"} ${run.guest.vmid})`;
  const blocks: SheetBlock[] = [
    { is: "title", text: `${titles[run.kind]}: ${subject}` },
    { is: "text", text: verdictOf(run) },
    { is: "facts", rows: factsOf(run) },
  ];
  if (run.notProven.length > 0)
    blocks.push(
      { is: "heading", text: "Not proven" },
      ...run.notProven.map((text): SheetBlock => ({ is: "text", text: `– ${text}` })),
    );
  if (run.steps.length > 0) blocks.push({ is: "heading", text: "Steps" }, stepTable(run));
  for (const { step, log } of run.steps)
    if (log.length > 0) blocks.push({ is: "note", text: `Log of ${step}` }, { is: "log", lines: log });
  if (run.checks.length > 0) blocks.push({ is: "heading", text: "Checks" }, checkTable(run));
  if (screenshot !== undefined) blocks.push({ is: "heading", text: "Screenshot" }, pictureOf(screenshot));
  blocks.push({ is: "heading", text: "Audit log" }, auditTable(audit), ...digests(run));
  return { title: `${titles[run.kind]} ${run.id}`, at: run.finishedAt ?? run.createdAt, blocks };
}

const titles = {
  "restore-test": "Restore test",
  "restore-plan": "Dry run of a restore test",
  "archive-check": "Check of a backup",
  "pbs-verify": "Verification by the Backup Server",
} as const;

function verdictOf({ outcome, level, verdict }: RunDetail): string {
  if (outcome === null) return "Not finished";
  return `${outcome.toUpperCase()}${level === null ? "" : `, level: ${level}`}. ${verdict ?? ""}`;
}

function factsOf(run: RunDetail): [string, string][] {
  const when = (at: number | null) => (at === null ? "–" : utcText(at));
  const rows: [string, string][] = [
    ["Run", run.id],
    ["Backup", run.backup.volid ?? `all of ${run.backup.storage}`],
    ["Backup made", when(run.backup.at)],
    ["Node", run.node ?? "–"],
    ["Test guest", run.testVmid === null ? "–" : String(run.testVmid)],
    ["Ordered by", `${run.actor}: ${run.reason}`],
    ["Began", when(run.startedAt)],
    ["Ended", when(run.finishedAt)],
    ["Took", run.durationMs === null ? "–" : spanText(run.durationMs)],
  ];
  const { measures } = run;
  if (measures?.restoreBytes != null && measures.restoreMs != null) {
    const speed = restoreSpeed(measures);
    const rate = speed === null ? "" : `, ${sizeText(speed)}/s`;
    rows.push(["Restored", `${sizeText(measures.restoreBytes)} in ${spanText(measures.restoreMs)}${rate}`]);
  }
  if (measures?.heartbeatMs != null) rows.push(["First sign of life", spanText(measures.heartbeatMs)]);
  if (measures?.serviceMs != null) rows.push(["Services answered", spanText(measures.serviceMs)]);
  if (measures?.sequentialRead != null) rows.push(["Sequential reads inside", `${sizeText(measures.sequentialRead)}/s`]);
  if (measures?.randomRead != null) rows.push(["Random reads inside", `${measures.randomRead}/s, 4 KiB each`]);
  for (const { measure, factor } of run.slower)
    rows.push(["Worse than the last good test", `${measureName(measure, "en")}: ${factor} times`]);
  if (run.leftovers.length > 0) rows.push(["Left over", run.leftovers.join("; ")]);
  return rows;
}

const pictureOf = (screenshot: Screenshot): SheetBlock =>
  "png" in screenshot
    ? { is: "image", png: screenshot.png }
    : { is: "text", text: `There is a screenshot, but it can't be shown: ${screenshot.problem}.` };

const stepTable = ({ steps }: RunDetail): SheetBlock => ({
  is: "table",
  head: ["Step", "State", "Began (UTC)", "Took", "Why"],
  rows: steps.map(({ step, state, startedAt, endedAt, reason }) => [
    step,
    state,
    utcText(startedAt).slice("2026-01-05 ".length, -" UTC".length),
    endedAt === null ? "–" : spanText(endedAt - startedAt),
    reason ?? "",
  ]),
});

const checkTable = ({ checks }: RunDetail): SheetBlock => ({
  is: "table",
  head: ["Check", "Kind", "State", "What it saw"],
  rows: checks.map(({ name, kind, state, reason }) => [name, kind, state, reason]),
});

const auditTable = (audit: readonly AuditLine[]): SheetBlock => ({
  is: "table",
  head: ["Entry", "When", "Who", "Why", "Hash"],
  rows: audit.map(({ seq, at, actor, reason, hash }) => [String(seq), utcText(at), actor, reason, hash.slice(0, 16)]),
});

function digests({ configurationDigest, evidenceDigest, screenshotDigest }: RunDetail): SheetBlock[] {
  const rows: [string, string][] = [
    ["Configuration, SHA-256", configurationDigest ?? "–"],
    ["Evidence, SHA-256", evidenceDigest ?? "–"],
    ["Screenshot, SHA-256", screenshotDigest ?? "–"],
  ];
  return [
    { is: "facts", rows },
    { is: "note", text: "proven-hub audit verify checks that log, evidence and screenshot are unchanged." },
  ];
}
