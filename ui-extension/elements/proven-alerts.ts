import { css, html, nothing, type PropertyValues } from "lit";
import { repeat } from "lit/directives/repeat.js";
import type { AlertView } from "#protocol/alerting.ts";
import { alertsVerdict, type Cause, filterAlerts, groupCauses } from "../core/alerts.ts";
import { sectionRoute } from "../core/route.ts";
import { t, tn } from "../i18n.ts";
import { said } from "./form.ts";
import { icon } from "./icon.ts";
import { link } from "./link.ts";
import { PanelElement } from "./panel-element.ts";
import "./proven-alert-history.ts";
import { formStyles } from "./form.ts";
import { alertRows } from "./proven-alert-row.ts";
import { shared } from "./styles.ts";

/** Each row tells ages and so is drawn every second: thousands at once would stop the page. */
const shownAtOnce = 100;

/** What fires now, by cause, and what fired. */
export class ProvenAlerts extends PanelElement {
  static override properties = {
    ...PanelElement.properties,
    tab: { attribute: false },
    open: { state: true },
    shown: { state: true },
  };
  static override styles = [
    shared,
    formStyles,
    css`
      .line { display: flex; gap: 9px; align-items: center; padding: 10px 14px; border: 1px solid var(--pv-line); border-left-width: 5px; background: var(--pv-panel); }
      .line.critical { border-left-color: var(--pv-crit); background: var(--pv-crit-tint); }
      .line.warning { border-left-color: var(--pv-warn); background: var(--pv-warn-tint); }
      .line.fine { border-left-color: var(--pv-ok); }
      .line .icon { width: 1.3em; height: 1.3em; }
      h1 { line-height: 1.3; }
      .bar { display: flex; flex-wrap: wrap; gap: 6px 12px; align-items: center; height: auto; background: none; overflow: visible; }
      .tabs { display: flex; gap: 2px; }
      .tabs a { padding: 4px 14px; border: 1px solid var(--pv-line); background: var(--pv-head); color: var(--pv-text); }
      .tabs a.here { background: var(--pv-panel); box-shadow: inset 0 2px 0 var(--pv-primary); }
      input[type="search"] { flex: 1; min-width: 160px; max-width: 420px; }
      .follow { margin: 0 0 0 22px; border-left: 2px solid var(--pv-line); }
      .more { padding: 6px 10px; }
      .follow button { margin: 4px 10px; }
      h2.part { font-size: 13px; font-weight: 500; color: var(--pv-dim); padding: 6px 2px 0; }
    `,
  ];
  declare tab: "active" | "history";
  /** Causes whose consequences are unfolded. */
  declare open: ReadonlySet<string>;
  /** Causes that are drawn of each part, and consequences of each cause. */
  declare shown: number;

  constructor() {
    super();
    this.open = new Set();
    this.shown = shownAtOnce;
  }

  protected watched() {
    return [this.panel.now, this.panel.store.picture, this.panel.navigation.route];
  }

  protected override willUpdate(_changed: PropertyValues<this>): void {
    this.tab ??= "active";
  }

  protected override render() {
    const { panel } = this;
    const { alerts } = panel.store.picture.value;
    const verdict = alertsVerdict(alerts ?? [], t);
    const { filter } = panel.navigation.route.value;
    return html`
      ${
        alerts === undefined
          ? said({ ok: false, text: t("This hub has not said which alerts there are: nothing is known.") })
          : html`<div class="line ${verdict.level}" role="status">${verdictSign(verdict.level)}<h1>${verdict.text}</h1></div>`
      }
      <div class="bar">
        <nav class="tabs" aria-label=${t("Alerts")}>
          ${link(panel, sectionRoute("alerts", "", filter), t("Active"), this.tab === "active" ? "here" : "")}
          ${link(panel, sectionRoute("alerts", "history", filter), t("History"), this.tab === "history" ? "here" : "")}
        </nav>
        <input type="search" aria-label=${t("Filter alerts")} placeholder=${t("Filter: name, node, tag, rule …")} .value=${filter} @input=${this.#onFilter} />
      </div>
      ${
        this.tab === "history"
          ? html`<proven-alert-history .panel=${panel} .filter=${filter}></proven-alert-history>`
          : this.#active(filterAlerts(alerts ?? [], filter), filter)
      }
    `;
  }

  #active(alerts: readonly AlertView[], filter: string) {
    const causes = groupCauses(alerts);
    const firing = causes.filter(({ alert }) => alert.state === "firing");
    const pending = causes.filter(({ alert }) => alert.state !== "firing");
    if (causes.length === 0) {
      return html`<section class="panel"><p class="empty">${filter === "" ? t("No alert fires.") : t("No alert fits the filter.")}</p></section>`;
    }
    return html`
      ${firing.length === 0 ? nothing : html`<section class="panel" aria-label=${t("Firing")}>${this.#causes(firing)}</section>`}
      ${pending.length === 0 ? nothing : html`<h2 class="part">${t("Not yet firing: their time is not over")}</h2><section class="panel" aria-label=${t("Pending")}>${this.#causes(pending)}</section>`}
    `;
  }

  #causes(causes: readonly Cause[]) {
    const rows = repeat(
      causes.slice(0, this.shown),
      ({ alert }) => alert.id,
      (cause) => this.#cause(cause),
    );
    return html`${rows}${this.#more(causes.length)}`;
  }

  #more(all: number) {
    const left = all - this.shown;
    if (left <= 0) return nothing;
    const show = () => {
      this.shown += shownAtOnce;
    };
    return html`<p class="more"><button type="button" @click=${show}>${t("Show more")}</button> <span class="dim">${tn(left, "and {n} more", "and {n} more")}</span></p>`;
  }

  #cause({ alert, consequences }: Cause) {
    const { panel } = this;
    const isOpen = this.open.has(alert.id);
    return html`<proven-alert-row .panel=${panel} .alert=${alert}></proven-alert-row>
      ${
        consequences.length === 0
          ? nothing
          : html`<div class="follow">
              <button type="button" class="quiet" aria-expanded=${isOpen ? "true" : "false"} @click=${() => this.#toggle(alert.id)}>
                ${icon(isOpen ? "up" : "down")} ${tn(consequences.length, "{n} alert follows from it and was not told", "{n} alerts follow from it and were not told")}
              </button>
              ${isOpen ? html`${alertRows(panel, consequences.slice(0, this.shown))}${this.#more(consequences.length)}` : nothing}
            </div>`
      }`;
  }

  #toggle(id: string): void {
    const next = new Set(this.open);
    if (!next.delete(id)) next.add(id);
    this.open = next;
  }

  #onFilter(event: Event): void {
    if (!(event.target instanceof HTMLInputElement)) return;
    const { navigation } = this.panel;
    navigation.go({ ...navigation.route.value, filter: event.target.value }, "replace");
  }
}
customElements.define("proven-alerts", ProvenAlerts);

const verdictLooks = {
  critical: { level: "crit", shape: "critical" },
  warning: { level: "warn", shape: "warning" },
  fine: { level: "ok", shape: "ok" },
} as const;

function verdictSign(verdict: keyof typeof verdictLooks) {
  const { level, shape } = verdictLooks[verdict];
  return html`<span class=${level}>${icon(shape)}</span>`;
}
