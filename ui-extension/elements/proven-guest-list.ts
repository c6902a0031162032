import { css, html } from "lit";
import { t } from "../i18n.ts";
import { PanelElement } from "./panel-element.ts";
import "./proven-guests.ts";
import { shared } from "./styles.ts";

/** Height of what stands above and below the list. */
const aroundPx = 150;

/** All guests on a page of their own, as high as the window. */
export class ProvenGuestList extends PanelElement {
  static override properties = { ...PanelElement.properties, height: { state: true } };
  static override styles = [
    shared,
    css`
      h1 { font-size: 18px; font-weight: 500; padding: 0 2px 8px; }
    `,
  ];
  declare height: number;
  readonly #measure = () => {
    this.height = Math.max(300, window.innerHeight - aroundPx);
  };

  constructor() {
    super();
    this.#measure();
  }

  protected watched() {
    return [];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    window.addEventListener("resize", this.#measure);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    window.removeEventListener("resize", this.#measure);
  }

  protected override render() {
    return html`<h1>${t("Guests")}</h1><proven-guests .panel=${this.panel} .maxHeight=${this.height}></proven-guests>`;
  }
}
customElements.define("proven-guest-list", ProvenGuestList);
