import { css, html } from "lit";
import { compareAlerts, isOpen } from "../core/alerts.ts";
import { sectionRoute } from "../core/route.ts";
import { t } from "../i18n.ts";
import { link } from "./link.ts";
import { PanelElement } from "./panel-element.ts";
import { alertRows } from "./proven-alert-row.ts";
import { shared } from "./styles.ts";

const shown = 20;

/** Alerts that need somebody, with everything that can be done about them. */
export class ProvenOpenAlerts extends PanelElement {
  static override styles = [
    shared,
    css`
      .list { max-height: 400px; overflow-y: auto; }
      p { padding: 12px 10px; }
    `,
  ];

  protected watched() {
    return [this.panel.store.picture];
  }

  protected override render() {
    const alerts = (this.panel.store.picture.value.alerts ?? []).filter(isOpen).sort(compareAlerts);
    return html`<section class="panel" aria-label=${t("Open alerts")}>
      <header><h2>${t("Open alerts")} <span class="dim num">${alerts.length}</span></h2><span class="end">${link(this.panel, sectionRoute("alerts"), t("All alerts"))}</span></header>
      ${
        alerts.length === 0
          ? html`<p class="dim">${t("None needs you now.")}</p>`
          : html`<div class="list" tabindex="0" role="region" aria-label=${t("Open alerts")}>
              ${alertRows(this.panel, alerts.slice(0, shown))}
            </div>`
      }
    </section>`;
  }
}
customElements.define("proven-open-alerts", ProvenOpenAlerts);
