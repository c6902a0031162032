import { css, html, nothing, type TemplateResult } from "lit";
import { home } from "../core/route.ts";
import { t } from "../i18n.ts";
import { icon } from "./icon.ts";
import { link } from "./link.ts";
import { PanelElement } from "./panel-element.ts";

/** Layout of the pages about one thing. */
export const pageStyles = css`
  :host { display: grid; gap: 8px; grid-template-columns: minmax(0, 1fr); }
  .title { display: flex; flex-wrap: wrap; align-items: baseline; gap: 4px 14px; padding: 2px 2px 0; }
  h1 { font-size: 18px; font-weight: 500; overflow-wrap: anywhere; }
  .tiles { display: grid; gap: 8px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 150px), 1fr)); }
  .facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 300px), 1fr)); gap: 0 28px; padding: 6px 12px; }
  .facts > div { display: flex; justify-content: space-between; gap: 14px; padding: 3px 0; border-bottom: 1px solid var(--pv-line-soft); }
  .facts dt { color: var(--pv-dim); white-space: nowrap; }
  .facts dd { text-align: right; overflow-wrap: anywhere; }
  .notice { padding: 8px 12px; border: 1px solid var(--pv-line); background: var(--pv-warn-tint); display: flex; gap: 8px; }
  .notice.calm { background: var(--pv-unknown-tint); }
  .notice p + p { margin-top: 2px; }
  .two { display: grid; gap: 8px; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); align-items: start; }
  @media (max-width: 900px) { .two { grid-template-columns: minmax(0, 1fr); } }
`;

export type Fact = { name: string; value: unknown };

/** A list of facts; one without a value shows a dash. */
export const factList = (facts: readonly Fact[]): TemplateResult =>
  html`<dl class="facts">${facts.map(({ name, value }) => html`<div><dt>${name}</dt><dd>${value === null || value === "" ? "–" : value}</dd></div>`)}</dl>`;

export const notice = (kind: "warn" | "grey", words: readonly string[]): TemplateResult =>
  html`<div class="notice ${kind === "warn" ? "" : "calm"}"><span class=${kind === "warn" ? "warn" : "dim"}>${icon(kind === "warn" ? "warning" : "unknown")}</span><div>${words.map((text) => html`<p>${text}</p>`)}</div></div>`;

/** A page about one node, guest or storage. */
export abstract class EntityPage extends PanelElement {
  static override properties = {
    ...PanelElement.properties,
    entity: { attribute: false },
    cluster: { attribute: false },
    theme: { attribute: false },
  };
  declare entity: string;
  /** Undefined: the only cluster. */
  declare cluster: string | undefined;
  declare theme: string;

  protected watched() {
    return [this.panel.now, this.panel.store.picture];
  }

  /** What this page is about, out of a list. */
  protected find<T extends { entity: string; cluster: string }>(items: readonly T[]): T | undefined {
    return items.find((item) => item.entity === this.entity && (this.cluster === undefined || item.cluster === this.cluster));
  }

  /** It isn't there, or this user may not see it: the hub tells no difference. */
  protected missing(): TemplateResult {
    const known = this.panel.store.loaded.value;
    if (!known) return html`<p class="dim" role="status">${t("Loading …")}</p>`;
    return html`<div class="title"><h1>${this.entity}</h1></div>
      ${notice("grey", [t("Nothing of this name is known here: it was removed, or you may not see it.")])}
      <p>${link(this.panel, { ...home, range: this.panel.navigation.route.value.range }, t("Back to the overview"))}</p>`;
  }
}

export const lockNotice = (lock: string | null) =>
  lock === null ? nothing : notice("warn", [t("Locked by Proxmox VE: {lock}. Changes are refused until that ends.", { lock })]);
