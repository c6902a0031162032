import { html, type TemplateResult } from "lit";
import { t } from "../i18n.ts";
import { Observable } from "../observable.ts";
import "./proven-empty.ts";

/**
 * What isn't needed for the first look is loaded when its page is opened. Elements of a piece may be drawn only once it is there. A few pieces, not
 * one per page: what some of them share becomes a file of its own, and each costs a request.
 */
const loaders = {
  entities: () => import("./pages-of-entities.ts"),
  alerting: () => import("./pages-of-alerting.ts"),
  proofs: () => import("./pages-of-proofs.ts"),
  tools: () => import("./pages-of-tools.ts"),
} as const satisfies Record<string, () => Promise<unknown>>;
export type Piece = keyof typeof loaders;

type PieceState = "loading" | "ready" | "failed";

/** Shared by all panels of a page: a piece is loaded once. Counts up when one came or failed. */
export const piecesChanged = new Observable(0);
const states = new Map<Piece, PieceState>();

function load(piece: Piece): void {
  states.set(piece, "loading");
  const settle = (state: PieceState) => {
    states.set(piece, state);
    piecesChanged.set(piecesChanged.value + 1);
  };
  loaders[piece]().then(
    () => settle("ready"),
    () => settle("failed"),
  );
}

/** The hub is back: pieces that didn't come while it was away are asked for again, where somebody wants them. */
export function retryPieces(): void {
  const failed = [...states].filter(([, state]) => state === "failed");
  for (const [piece] of failed) states.delete(piece);
  if (failed.length > 0) piecesChanged.set(piecesChanged.value + 1);
}

/** The content, once its piece is there; meanwhile that it is coming, or what to do where it doesn't come. */
export function withPiece(piece: Piece, content: () => TemplateResult): TemplateResult {
  const state = states.get(piece);
  if (state === undefined) load(piece);
  if (state === "ready") return content();
  if (state !== "failed") return html`<p class="dim" role="status">${t("Loading …")}</p>`;
  const steps = [t("Its script didn't come: the hub can't be reached, or was updated meanwhile.")];
  const action = { label: t("Load anew"), run: () => location.reload() };
  return html`<proven-empty .icon=${"critical"} .heading=${t("This page can't be shown")} .steps=${steps} .action=${action}></proven-empty>`;
}
