import { css, html } from "lit";
import { sectionName } from "../core/find.ts";
import { proofSections, sectionRoute } from "../core/route.ts";
import { t } from "../i18n.ts";
import type { Panel } from "../panel.ts";
import { link } from "./link.ts";

export const tabStyles = css`
  .tabs { display: flex; flex-wrap: wrap; gap: 2px; }
  .tabs a { padding: 4px 14px; border: 1px solid var(--pv-line); background: var(--pv-head); color: var(--pv-text); }
  .tabs a.here { background: var(--pv-panel); box-shadow: inset 0 2px 0 var(--pv-primary); }
`;

/** The pages about restore proof: guests, policies, reports. */
export const proofTabs = (panel: Panel, here: (typeof proofSections)[number]) =>
  html`<nav class="tabs" aria-label=${t("Restore proof")}>
    ${proofSections.map((section) => link(panel, sectionRoute(section), section === "proofs" ? t("Guests") : sectionName(section, t), section === here ? "here" : ""))}
  </nav>`;
