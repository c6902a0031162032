import { css, html, nothing } from "lit";
import { alertsAbout } from "../core/alerts.ts";
import { t } from "../i18n.ts";
import { PanelElement } from "./panel-element.ts";
import "./proven-alert-row.ts";
import { shared } from "./styles.ts";

/** Alerts about one node, guest or storage, on its page; nothing where there are none. */
export class ProvenEntityAlerts extends PanelElement {
  static override properties = { ...PanelElement.properties, entity: { attribute: false }, cluster: { attribute: false } };
  static override styles = [
    shared,
    css`
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
    if (alerts.length === 0) return nothing;
    return html`<section class="panel" aria-label=${t("Alerts")}>
      <header><h2>${t("Alerts")} <span class="dim num">${alerts.length}</span></h2></header>
      <div class="scroll">${alerts.map((alert) => html`<proven-alert-row .panel=${this.panel} .alert=${alert}></proven-alert-row>`)}</div>
    </section>`;
  }
}
customElements.define("proven-entity-alerts", ProvenEntityAlerts);
