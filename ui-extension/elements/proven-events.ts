import { css, html } from "lit";
import type { EventView } from "#protocol/api.ts";
import { t } from "../i18n.ts";
import { moment } from "./figures.ts";
import { type IconName, icon } from "./icon.ts";
import { PanelElement } from "./panel-element.ts";
import { shared } from "./styles.ts";

const looks: Record<EventView["severity"], { icon: IconName; level: string; word: string }> = {
  info: { icon: "live", level: "dim", word: "information" },
  warning: { icon: "warning", level: "warn", word: "warning" },
  critical: { icon: "critical", level: "crit", word: "critical" },
};

/** What changed lately, newest first. */
export class ProvenEvents extends PanelElement {
  static override styles = [
    shared,
    css`
      ul { max-height: 308px; overflow-y: auto; }
      li { display: grid; grid-template-columns: auto auto minmax(0, 1fr); gap: 8px; padding: 5px 10px; border-bottom: 1px solid var(--pv-line-soft); }
      p { padding: 12px 10px; }
    `,
  ];

  protected watched() {
    return [this.panel.now, this.panel.store.picture];
  }

  protected override render() {
    const events = this.panel.store.picture.value.events.slice(0, 50);
    return html`<section class="panel" aria-label=${t("What changed")}>
      <header><h2>${t("What changed")}</h2></header>
      ${events.length === 0 ? html`<p class="dim">${t("Nothing was noted yet.")}</p>` : html`<ul tabindex="0" aria-label=${t("What changed")}>${events.map((event) => this.#row(event))}</ul>`}
    </section>`;
  }

  #row(event: EventView) {
    const look = looks[event.severity];
    return html`<li>${moment(event.at, this.panel.now.value)}<span class=${look.level}>${icon(look.icon, t(look.word))}</span><span>${t(event.text)}</span></li>`;
  }
}
customElements.define("proven-events", ProvenEvents);
