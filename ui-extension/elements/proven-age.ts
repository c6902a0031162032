import { css, html } from "lit";
import { formatAge, formatExact } from "../core/age.ts";
import { t, timeZone } from "../i18n.ts";
import { PanelElement } from "./panel-element.ts";

/** How old something is, counting on: `4 s`. */
export class ProvenAge extends PanelElement {
  static override properties = { ...PanelElement.properties, at: { attribute: false } };
  static override styles = css`
    :host { color: var(--pv-dim); font-size: 11.5px; font-variant-numeric: tabular-nums; white-space: nowrap; }
  `;
  /** Null or undefined: nothing was ever known. */
  declare at: number | null | undefined;

  protected watched() {
    return [this.panel.now];
  }

  protected override render() {
    if (this.at === null || this.at === undefined) return html`<span title=${t("never known")}>–</span>`;
    const age = formatAge(this.panel.now.value - this.at);
    return html`<span title=${t("sampled at {time}", { time: formatExact(this.at, timeZone) })}>${age}</span>`;
  }
}
customElements.define("proven-age", ProvenAge);
