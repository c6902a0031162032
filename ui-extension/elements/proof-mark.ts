import { html, type TemplateResult } from "lit";
import type { ProofBadge, RunView } from "#protocol/proof.ts";
import { lookWords, type MatrixRow } from "../core/matrix.ts";
import { lookOf, lookOfRun, outcomeWords, type ProofLook, proofWords, type RunLook } from "../core/proofs.ts";
import { t } from "../i18n.ts";
import { type IconName, icon } from "./icon.ts";

const ofProof: Record<ProofLook, { shape: IconName; tone: string }> = {
  good: { shape: "ok", tone: "ok" },
  bad: { shape: "critical", tone: "crit" },
  old: { shape: "clock", tone: "warn" },
  none: { shape: "unknown", tone: "dim" },
  unknown: { shape: "unknown", tone: "dim" },
};
const ofRun: Record<RunLook, { shape: IconName; tone: string }> = {
  good: { shape: "ok", tone: "ok" },
  bad: { shape: "critical", tone: "crit" },
  running: { shape: "running", tone: "" },
  waiting: { shape: "clock", tone: "dim" },
  unknown: { shape: "unknown", tone: "dim" },
};

const ofMatrix: Record<MatrixRow["look"], { shape: IconName; tone: string }> = {
  failed: { shape: "critical", tone: "crit" },
  never: { shape: "warning", tone: "warn" },
  old: { shape: "clock", tone: "warn" },
  unknown: { shape: "unknown", tone: "dim" },
  part: { shape: "info", tone: "" },
  works: { shape: "ok", tone: "ok" },
};

/** How a guest of the matrix stands, by shape, colour and word. */
export function matrixMark({ look, guest }: Pick<MatrixRow, "look" | "guest">): TemplateResult {
  const { shape, tone } = ofMatrix[look];
  return html`<span class="${tone} nowrap">${icon(shape)} ${lookWords(look, guest.proof.level, t)}</span>`;
}

/** A guest's badge, with its shape and its words. */
export function proofMark(proof: ProofBadge | undefined, now: number): TemplateResult {
  const { shape, tone } = ofProof[lookOf(proof)];
  return html`<span class="proof"><span class=${tone}>${icon(shape)}</span> ${proofWords(proof, now, t)}</span>`;
}

/** A run's state as a sign with a name. */
export function runMark(run: Pick<RunView, "state" | "outcome">): TemplateResult {
  const { shape, tone } = ofRun[lookOfRun(run)];
  return html`<span class=${tone}>${icon(shape, outcomeWords(run, t))}</span>`;
}
