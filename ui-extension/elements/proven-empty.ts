import { css, html, LitElement, nothing } from "lit";
import { type IconName, icon } from "./icon.ts";
import { shared } from "./styles.ts";

/** A page without content says why, and what to do. */
export class ProvenEmpty extends LitElement {
  static override properties = {
    icon: { attribute: false },
    heading: { attribute: false },
    steps: { attribute: false },
    action: { attribute: false },
  };
  static override styles = [
    shared,
    css`
      section { max-width: 620px; margin: 8vh auto 0; }
      .body { padding: 16px; display: grid; gap: 10px; }
    `,
  ];
  declare icon: IconName;
  declare heading: string;
  declare steps: readonly string[];
  declare action: { label: string; run: () => void } | undefined;

  protected override render() {
    return html`<section class="panel">
      <header><h2>${icon(this.icon)} ${this.heading}</h2></header>
      <div class="body">
        ${this.steps.map((step) => html`<p>${step}</p>`)}
        ${this.action === undefined ? nothing : html`<div><button class="primary" type="button" @click=${this.action.run}>${this.action.label}</button></div>`}
      </div>
    </section>`;
  }
}
customElements.define("proven-empty", ProvenEmpty);
