import { css, html, nothing } from "lit";
import { alertsAbout } from "../core/alerts.ts";
import { sectionRoute } from "../core/route.ts";
import { t, tn } from "../i18n.ts";
import { link } from "./link.ts";
import { PanelElement } from "./panel-element.ts";
import { alertRows } from "./proven-alert-row.ts";
import "./proven-why-links.ts";
import { shared } from "./styles.ts";

const shown = 50;

/** Alerts about one node, guest or storage, on its page, and the way to why a rule did, or didn't, fire for it. */
export class ProvenEntityAlerts extends PanelElement {
  static override properties = { ...PanelElement.properties, entity: { attribute: false }, cluster: { attribute: false } };
  static override styles = [
    shared,
    css`
      .rest { padding: 8px 12px; }
      .scroll { max-height: 360px; overflow-y: auto; }
    `,
  ];
  declare entity: string;
  declare cluster: string;

  protected watched() {
    return [this.panel.store.picture];
  }

  protected override render() {
    const alerts = alertsAbout(this.panel.store.picture.value.alerts ?? [], this.entity, this.cluster);
    const why = html`<proven-why-links .panel=${this.panel} .entity=${this.entity} .cluster=${this.cluster}></proven-why-links>`;
    if (alerts.length === 0) return why;
    return html`<section class="panel" aria-label=${t("Alerts")}>
      <header><h2>${t("Alerts")} <span class="dim num">${alerts.length}</span></h2></header>
      <div class="scroll">${alertRows(this.panel, alerts.slice(0, shown))}${this.#rest(alerts.length - shown)}</div>
    </section>${why}`;
  }

  #rest(left: number) {
    if (left <= 0) return nothing;
    return html`<p class="rest">${link(this.panel, sectionRoute("alerts"), t("All alerts"))} <span class="dim">${tn(left, "and {n} more", "and {n} more")}</span></p>`;
  }
}
customElements.define("proven-entity-alerts", ProvenEntityAlerts);
