import { html, type TemplateResult } from "lit";
import type { GuestRecovery } from "#protocol/recovery.ts";
import { type IconName, icon } from "./icon.ts";

const looks: Record<GuestRecovery["state"] | "none", { shape: IconName; tone: string }> = {
  lost: { shape: "critical", tone: "crit" },
  failed: { shape: "critical", tone: "crit" },
  unknown: { shape: "unknown", tone: "dim" },
  unproven: { shape: "warning", tone: "warn" },
  stays: { shape: "info", tone: "" },
  proven: { shape: "ok", tone: "ok" },
  none: { shape: "info", tone: "dim" },
};

/** How something stands after a node's loss, by shape, colour and words. Green is only what a test proved. */
export function recoveryMark(state: GuestRecovery["state"] | "none", words: string, more = words): TemplateResult {
  const { shape, tone } = looks[state];
  return html`<span title=${more}><span class=${tone}>${icon(shape)}</span> ${words}</span>`;
}
