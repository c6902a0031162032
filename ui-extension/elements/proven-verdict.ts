import { css, html, nothing } from "lit";
import { findProblems, type Problem } from "../core/problems.ts";
import { type Verdict, verdictOf } from "../core/verdict.ts";
import { t } from "../i18n.ts";
import { moment } from "./figures.ts";
import { type IconName, icon } from "./icon.ts";
import { entityLink } from "./link.ts";
import { PanelElement } from "./panel-element.ts";
import { shared } from "./styles.ts";

const icons: Record<Verdict["level"], IconName> = { critical: "critical", warning: "warning", unknown: "unknown", fine: "ok" };

/** The line that answers at 3 a.m.: is anything wrong? Spoken by screen readers when it changes. */
export class ProvenVerdict extends PanelElement {
  static override styles = [
    shared,
    css`
      .line { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 14px; padding: 10px 14px; border: 1px solid var(--pv-line); border-left-width: 5px; background: var(--pv-panel); }
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
    return [this.panel.now, this.panel.store.picture];
  }

  protected override render() {
    const picture = this.panel.store.picture.value;
    const verdict = verdictOf(picture, findProblems(picture, this.panel.now.value, t), t);
    return html`<div class="line ${verdict.level}" role="status" aria-live="polite">
      <h1><span class="sign">${icon(icons[verdict.level])}</span><span>${verdict.text}</span></h1>
      <ul class="not">${verdict.unknown.map((text) => html`<li class="nowrap">${icon("unknown", t("unknown"))} ${text}</li>`)}</ul>
    </div>`;
  }
}
customElements.define("proven-verdict", ProvenVerdict);

const severities: Record<Problem["severity"], { icon: IconName; level: string; word: string }> = {
  critical: { icon: "critical", level: "crit", word: "critical" },
  warning: { icon: "warning", level: "warn", word: "warning" },
  unknown: { icon: "unknown", level: "dim", word: "unknown" },
};

/** What the verdict sums up, one line each, the worst first. */
export class ProvenProblems extends PanelElement {
  static override styles = [
    shared,
    css`
      ul { max-height: 232px; overflow-y: auto; }
      li { display: grid; grid-template-columns: auto minmax(0, 1fr) auto; gap: 0 8px; padding: 5px 10px; border-bottom: 1px solid var(--pv-line-soft); }
      li small { grid-column: 2 / 4; font-size: 11.5px; }
      p { padding: 12px 10px; display: flex; gap: 8px; }
    `,
  ];

  protected watched() {
    return [this.panel.now, this.panel.store.picture];
  }

  protected override render() {
    const problems = findProblems(this.panel.store.picture.value, this.panel.now.value, t);
    return html`<section class="panel" aria-label=${t("Problems")}>
      <header><h2>${t("Problems")} <span class="dim num">${problems.length}</span></h2></header>
      ${
        problems.length === 0
          ? html`<p class="dim">${icon("ok")}<span>${t("None in what reports. A backup counts as proven only after a restore test.")}</span></p>`
          : html`<ul tabindex="0" aria-label=${t("Problems")}>${problems.map((problem) => this.#row(problem))}</ul>`
      }
    </section>`;
  }

  #row({ severity, text, detail, at, entity, cluster }: Problem) {
    const { icon: name, level, word } = severities[severity];
    const words = entity === undefined || cluster === undefined ? text : entityLink(this.panel, { entity, cluster }, text);
    return html`<li>
      <span class=${level}>${icon(name, t(word))}</span>
      <span>${words}</span>
      ${at === undefined ? html`<span></span>` : moment(at, this.panel.now.value)}
      ${detail === "" ? nothing : html`<small class="dim cut" title=${detail}>${detail}</small>`}
    </li>`;
  }
}
customElements.define("proven-problems", ProvenProblems);
