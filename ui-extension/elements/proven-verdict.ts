import { css, html } from "lit";
import { formatAge } from "../core/age.ts";
import { findProblems } from "../core/problems.ts";
import { pastVerdict, type Verdict, verdictOf } from "../core/verdict.ts";
import { t } from "../i18n.ts";
import { type IconName, icon } from "./icon.ts";
import { PanelElement } from "./panel-element.ts";
import { shared } from "./styles.ts";

const icons: Record<Verdict["level"], IconName> = { critical: "critical", warning: "warning", unknown: "unknown", fine: "ok" };

/** The line that answers at 3 a.m.: is anything wrong? Spoken by screen readers when it changes. */
export class ProvenVerdict extends PanelElement {
  static override styles = [
    shared,
    css`
      .line { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 14px; padding: 8px 14px; border: 1px solid var(--pv-line); border-left-width: 5px; background: var(--pv-panel); }
      h1 { font-size: 18px; font-weight: 500; line-height: 1.3; display: flex; gap: 9px; align-items: center; min-width: 0; }
      .critical { border-left-color: var(--pv-crit); background: var(--pv-crit-tint); }
      .warning { border-left-color: var(--pv-warn); background: var(--pv-warn-tint); }
      .unknown { border-left-color: var(--pv-dim); background: var(--pv-unknown-tint); }
      .fine { border-left-color: var(--pv-ok); }
      .critical .sign { color: var(--pv-crit); }
      .warning .sign { color: var(--pv-warn); }
      .fine .sign { color: var(--pv-ok); }
      .sign { font-size: 20px; }
      .not { margin-left: auto; display: flex; flex-wrap: wrap; gap: 2px 14px; font-size: 12.5px; }
    `,
  ];

  protected watched() {
    return [this.panel.now, this.panel.store.picture, this.panel.stream.state];
  }

  protected override render() {
    const picture = this.panel.store.picture.value;
    const known = verdictOf(picture, findProblems(picture, this.panel.now.value, t), t);
    const stream = this.panel.stream.state.value;
    const verdict = stream.state === "lost" ? pastVerdict(known, formatAge(Date.now() - stream.since), t) : known;
    return html`<div class="line ${verdict.level}" role="status" aria-live="polite">
      <h1><span class="sign">${icon(icons[verdict.level])}</span><span>${verdict.text}</span></h1>
      <ul class="not">${verdict.unknown.map((text) => html`<li class="nowrap">${icon("unknown", t("unknown"))} ${text}</li>`)}</ul>
    </div>`;
  }
}
customElements.define("proven-verdict", ProvenVerdict);
