import { html, type TemplateResult } from "lit";
import type { GuestView } from "#protocol/api.ts";
import type { ProtectionView } from "#protocol/panel.ts";
import { formatAge } from "../core/age.ts";
import { t } from "../i18n.ts";
import { dash } from "./figures.ts";
import { icon } from "./icon.ts";

/** How old the newest good backup is, coloured by what the guest's own calendar says of it. */
export function protectionWord(view: ProtectionView | undefined, now: number): TemplateResult {
  if (view === undefined) return dash(t("backup unknown"));
  const age = view.backedUpAt === null ? "–" : formatAge(now - view.backedUpAt);
  switch (view.state) {
    case "current":
      return html`<span class="num nowrap" title=${t("every backup that was due was made")}>${icon("clock", t("in time"))} ${age}</span>`;
    case "overdue":
      return html`<span class="crit nowrap">${icon("critical", t("overdue"))} ${age}</span>`;
    case "failed":
      return html`<span class="crit nowrap">${icon("critical", t("the newest backup failed"))} ${age}</span>`;
    case "partial": {
      const disks = (view.unprotected ?? []).map(({ disk }) => disk).join(", ");
      return html`<span class="warn nowrap" title=${t("in no backup: {disks}", { disks })}>${icon("warning")} ${t("without {disks}", { disks })}</span>`;
    }
    case "none":
      return html`<span class="warn nowrap">${icon("warning")} ${t("no job")}</span>`;
    case "unknown":
      return html`<span class="dim nowrap">${icon("unknown", t("unknown"))} ${age}</span>`;
  }
}

/** What restore tests say of a guest. Nothing was tested, nothing is proven. */
export function proofState({ proof }: GuestView, now: number): TemplateResult {
  const age = proof === undefined || proof.at === null ? "" : formatAge(now - proof.at);
  switch (proof?.state) {
    case "proven":
      return html`<span class="ok nowrap">${icon("shield")} ${t("proven {age} ago", { age })}</span>`;
    case "failed":
      return html`<span class="crit nowrap">${icon("critical")} ${t("failed {age} ago", { age })}</span>`;
    case "overdue":
      return html`<span class="warn nowrap">${icon("warning")} ${t("too old: {age}", { age })}</span>`;
    case "unknown":
      return html`<span class="dim nowrap">${icon("unknown")} ${t("unknown")}</span>`;
    default:
      return html`<span class="dim nowrap">${t("no proof yet")}</span>`;
  }
}
