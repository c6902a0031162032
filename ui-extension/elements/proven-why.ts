import { css, html, nothing, type PropertyValues } from "lit";
import type { Decision, Why } from "#protocol/alerting.ts";
import { formatExact } from "../core/age.ts";
import { formatFigure } from "../core/alert-figures.ts";
import { headlineOf } from "../core/alerts.ts";
import { sectionRoute } from "../core/route.ts";
import { formatDuration } from "../core/units.ts";
import { t, timeZone } from "../i18n.ts";
import { formStyles, refusal, said } from "./form.ts";
import { link } from "./link.ts";
import { type Loaded, loadedOf, loading } from "./loaded.ts";
import { PanelElement } from "./panel-element.ts";
import "./proven-alert-row.ts";
import { factList, pageStyles } from "./proven-page.ts";
import { severityMark } from "./severity.ts";
import { shared } from "./styles.ts";

const stateWords: Record<Why["state"], () => string> = {
  inactive: () => t("The condition does not hold now."),
  pending: () => t("The condition holds, but not for long enough yet."),
  firing: () => t("The condition holds: it fires."),
  resolved: () => t("It fired, and is over."),
};

/** Why a rule did, or didn't, fire: its last evaluations and every decision, in words. */
export class ProvenWhy extends PanelElement {
  static override properties = { ...PanelElement.properties, alert: { attribute: false }, why: { state: true } };
  static override styles = [
    shared,
    pageStyles,
    formStyles,
    css`
      ol { margin: 0; padding: 0; list-style: none; }
      li { display: grid; grid-template-columns: 118px 128px minmax(0, 1fr); gap: 2px 12px; padding: 6px 12px; border-bottom: 1px solid var(--pv-line-soft); }
      li.strong { background: var(--pv-hover); }
      li strong { font-weight: 600; }
      @media (max-width: 600px) { li { grid-template-columns: auto minmax(0, 1fr); } li > :last-child { grid-column: 1 / -1; } }
    `,
  ];
  declare alert: string;
  declare why: Loaded<Why>;

  constructor() {
    super();
    this.why = loading;
  }

  protected watched() {
    return [this.panel.now, this.panel.store.picture];
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("alert")) void this.#load();
  }

  protected override render() {
    const { panel, why } = this;
    const alert = panel.store.picture.value.alerts?.find(({ id }) => id === this.alert);
    return html`
      <p>${link(panel, sectionRoute("alerts"), html`‹ ${t("All alerts")}`)}</p>
      <div class="title">
        <h1>${t("Why: {what}", { what: alert === undefined ? this.alert.replace(/@[^/]*\//, ": ") : t(headlineOf(alert.text)[0]) })}</h1>
        <span class="end"><button type="button" @click=${() => void this.#load()}>${t("Look again")}</button></span>
      </div>
      ${alert === undefined ? nothing : html`<section class="panel"><proven-alert-row .panel=${panel} .alert=${alert}></proven-alert-row></section>`}
      ${why.state === "loading" ? html`<p class="dim" role="status">${t("Loading …")}</p>` : nothing}
      ${why.state === "failed" ? said(refusal(why.problem)) : nothing}
      ${why.state === "there" ? this.#answer(why.value, alert?.unit ?? null) : nothing}
    `;
  }

  #answer({ rule, state, applies, effective, decisions }: Why, unit: string | null) {
    const figure = (value: number | null) => (value === null ? null : formatFigure(value, unit));
    return html`
      <section class="panel" aria-label=${t("In short")}>
        <header><h2>${t("In short")}</h2></header>
        <div class="body"><p>${applies ? stateWords[state]() : t("The rule does not count here; the newest decision says why.")}</p></div>
        ${factList([
          { name: t("Rule"), value: link(this.panel, sectionRoute("rules", rule), rule) },
          { name: t("Fires beyond"), value: figure(effective.trigger) },
          { name: t("Over at"), value: figure(effective.clear) },
          { name: t("Must hold for"), value: formatDuration(effective.forSec) },
          { name: t("Severity"), value: severityMark(effective.severity) },
        ])}
      </section>
      <section class="panel" aria-label=${t("What was decided")}>
        <header><h2>${t("What was decided")}</h2><span class="dim">${t("the newest first")}</span></header>
        ${decisions.length === 0 ? html`<p class="empty">${t("Nothing was evaluated yet.")}</p>` : html`<ol>${decisions.map((decision) => this.#decision(decision, unit))}</ol>`}
      </section>
    `;
  }

  #decision({ at, what, reason, value, text }: Decision, unit: string | null) {
    const evaluated = what === "evaluated";
    const figure = value === null ? "" : `${formatFigure(value, unit)} · `;
    return html`<li class=${evaluated ? "" : "strong"}>
      <span class="num nowrap">${formatExact(at, timeZone).slice(5)}</span>
      <span class=${evaluated ? "dim" : ""}>${evaluated ? t(what) : html`<strong>${t(what)}</strong>`}</span>
      <span title=${reason}>${evaluated ? figure : ""}${text === "" ? reason : t(text)}</span>
    </li>`;
  }

  async #load(): Promise<void> {
    const asked = this.alert;
    const answer = await this.panel.api.alerting.why(asked);
    if (asked === this.alert) this.why = loadedOf(answer);
  }
}
customElements.define("proven-why", ProvenWhy);
