import { css, html, nothing, type PropertyValues } from "lit";
import type { Rule, SignalView } from "#protocol/alerting.ts";
import { sectionRoute } from "../core/route.ts";
import { conditionText, scopeText } from "../core/rules.ts";
import { formatDuration } from "../core/units.ts";
import { t, tn } from "../i18n.ts";
import { check, formStyles, refusal, type Said, said } from "./form.ts";
import { link } from "./link.ts";
import { type Loaded, loadedOf, loading } from "./loaded.ts";
import { PanelElement } from "./panel-element.ts";
import { severityMark } from "./severity.ts";
import { shared } from "./styles.ts";

/** All rules: what is watched, how strictly, for what. */
export class ProvenRules extends PanelElement {
  static override properties = {
    ...PanelElement.properties,
    rules: { state: true },
    result: { state: true },
    search: { state: true },
  };
  static override styles = [
    shared,
    formStyles,
    css`
      .list > li { grid-template-columns: 92px minmax(0, 1fr) auto; }
      @media (max-width: 560px) { .list > li { grid-template-columns: minmax(0, 1fr); } }
    `,
  ];
  declare rules: Loaded<{ rules: readonly Rule[]; signals: readonly SignalView[] }>;
  declare result: Said;
  declare search: string;

  constructor() {
    super();
    this.rules = loading;
    this.search = "";
  }

  protected watched() {
    return [this.panel.store.picture];
  }

  protected override firstUpdated(_changed: PropertyValues<this>): void {
    void this.#load();
  }

  protected override render() {
    const { rules } = this;
    return html`
      <div class="title">
        <h1>${t("Rules")}</h1>
        <input type="search" aria-label=${t("Filter rules")} placeholder=${t("Filter rules")} .value=${this.search} @input=${(
          event: Event,
        ) => {
          this.search = (event.target as HTMLInputElement).value;
        }} />
        ${this.panel.maySet ? html`<span class="end">${link(this.panel, sectionRoute("rules", "new"), t("New rule"), "button primary")}</span>` : nothing}
      </div>
      ${said(this.result)}
      ${rules.state === "loading" ? html`<p class="dim" role="status">${t("Loading …")}</p>` : nothing}
      ${rules.state === "failed" ? said(refusal(rules.problem)) : nothing}
      ${rules.state === "there" ? this.#list(rules.value.rules, rules.value.signals) : nothing}
    `;
  }

  #list(rules: readonly Rule[], signals: readonly SignalView[]) {
    const wanted = this.search.toLowerCase();
    const shown = rules.filter((rule) =>
      `${rule.id} ${rule.name} ${t(rule.name)} ${rule.entity} ${rule.severity}`.toLowerCase().includes(wanted),
    );
    const off = rules.filter(({ enabled }) => !enabled).length;
    return html`<section class="panel" aria-label=${t("Rules")}>
      <header><h2>${tn(rules.length, "{n} rule", "{n} rules")}</h2><span class="dim">${off === 0 ? t("all on") : tn(off, "{n} is off", "{n} are off")}</span></header>
      ${shown.length === 0 ? html`<p class="empty">${t("No rule fits the filter.")}</p>` : html`<ul class="list">${shown.map((rule) => this.#row(rule, signals))}</ul>`}
    </section>`;
  }

  #row(rule: Rule, signals: readonly SignalView[]) {
    const firing = (this.panel.store.picture.value.alerts ?? []).filter(
      (alert) => alert.rule === rule.id && alert.state === "firing",
    ).length;
    const hold = rule.forSec === 0 ? t("at once") : t("after {time}", { time: formatDuration(rule.forSec) });
    const overrides = rule.overrides.length === 0 ? "" : ` · ${tn(rule.overrides.length, "{n} exception", "{n} exceptions")}`;
    return html`<li class=${rule.enabled ? "" : "off"}>
      <span>${severityMark(rule.severity)}</span>
      <span>
        ${link(this.panel, sectionRoute("rules", rule.id), t(rule.name), "name")}
        ${firing === 0 ? nothing : html`<strong class="crit">${tn(firing, "{n} fires", "{n} fire")}</strong>`}
        ${rule.shipped ? nothing : html`<span class="tag">${t("own")}</span>`}
        <br /><span class="more">${t(rule.entity)}: ${conditionText(rule, signals, t)} · ${hold} · ${scopeText(rule.scope, t)}${overrides}</span>
      </span>
      ${this.panel.maySet ? check(rule.enabled ? t("on") : t("off"), rule.enabled, (enabled) => void this.#switch(rule, enabled)) : html`<span>${rule.enabled ? t("on") : t("off")}</span>`}
    </li>`;
  }

  async #switch(rule: Rule, enabled: boolean): Promise<void> {
    const answer = await this.panel.api.alerting.saveRule({ ...rule, enabled }, false);
    const text = enabled
      ? t("{name} is on.", { name: t(rule.name) })
      : t("{name} is off: it fires no more.", { name: t(rule.name) });
    this.result = answer.ok ? { ok: true, text } : refusal(answer.problem);
    await this.#load();
  }

  async #load(): Promise<void> {
    const { alerting } = this.panel.api;
    const [rules, signals] = await Promise.all([alerting.rules(), alerting.signals()]);
    const loaded = loadedOf(rules);
    this.rules =
      loaded.state === "there"
        ? { state: "there", value: { rules: loaded.value.items, signals: signals.ok ? signals.value.items : [] } }
        : loaded;
  }
}
customElements.define("proven-rules", ProvenRules);
