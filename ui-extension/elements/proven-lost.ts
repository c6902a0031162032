import { css, html, nothing } from "lit";
import { formatAge } from "../core/age.ts";
import { t } from "../i18n.ts";
import { icon } from "./icon.ts";
import { PanelElement } from "./panel-element.ts";
import { shared } from "./styles.ts";

/** Says that what is on the screen is old, and how old. */
export class ProvenLost extends PanelElement {
  static override styles = [
    shared,
    css`
      div { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 12px; background: var(--pv-warn-tint); border-bottom: 1px solid var(--pv-line); padding: 7px 14px; }
    `,
  ];

  protected watched() {
    return [this.panel.now, this.panel.stream.state];
  }

  protected override render() {
    const state = this.panel.stream.state.value;
    if (state.state !== "lost") return nothing;
    const age = formatAge(Date.now() - state.since);
    return html`<div>
      <span class="warn">${icon("warning")}</span>
      <strong role="status">${t("The live stream is lost: this is not live.")}</strong>
      <span>${t("What you see is {age} old. Trying again by itself.", { age })}</span>
      <button type="button" @click=${() => this.panel.stream.retryNow()}>${t("Try now")}</button>
    </div>`;
  }
}
customElements.define("proven-lost", ProvenLost);
