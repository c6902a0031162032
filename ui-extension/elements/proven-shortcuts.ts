import { css, html } from "lit";
import { sectionName } from "../core/find.ts";
import { shortcutSections } from "../core/shortcuts.ts";
import { t } from "../i18n.ts";
import { dialogStyles } from "./dialog-styles.ts";
import { PanelElement } from "./panel-element.ts";
import { shared } from "./styles.ts";

/** Which keys do what. Tells `closed` when it is done. */
export class ProvenShortcuts extends PanelElement {
  static override styles = [
    shared,
    dialogStyles,
    css`
      .body { padding: 12px 16px 16px; display: grid; gap: 10px; overflow-y: auto; max-height: 78vh; }
      h2 { font-size: 16px; font-weight: 600; }
      h3 { font-size: 13px; font-weight: 600; padding-top: 4px; }
      dl { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: 4px 16px; }
      dt { white-space: nowrap; }
      kbd { border: 1px solid var(--pv-line); border-radius: 3px; padding: 0 6px; font: inherit; background: var(--pv-head); }
      header { display: flex; justify-content: space-between; align-items: center; }
    `,
  ];

  protected watched() {
    return [];
  }

  protected override firstUpdated(): void {
    this.renderRoot.querySelector("dialog")?.showModal();
  }

  protected override render() {
    const row = (keys: readonly string[], words: string) =>
      html`<dt>${keys.map((key) => html`<kbd>${key}</kbd> `)}</dt><dd>${words}</dd>`;
    return html`<dialog aria-label=${t("Keyboard shortcuts")} @close=${() => this.dispatchEvent(new CustomEvent("closed"))}>
      <div class="body">
        <header><h2>${t("Keyboard shortcuts")}</h2><button type="button" @click=${this.#close}>${t("Close")}</button></header>
        <dl>${row(["/"], t("Search"))}${row(["Ctrl", "K"], t("Search, also from a field"))}${row(["?"], t("This list"))}${row(["Esc"], t("Closes what is open; leaves the wall screen"))}</dl>
        <h3>${t("Go to")}</h3>
        <dl>${row(["g", "o"], t("Overview"))}${shortcutSections.map(([key, section]) => row(["g", key], sectionName(section, t)))}</dl>
        <h3>${t("On charts")}</h3>
        <dl>${row(["←", "→"], t("Moves the cursor in all charts at once"))}</dl>
        <h3>${t("While a page is arranged")}</h3>
        <dl>${row(["↑", "↓"], t("Moves the part whose handle has the focus"))}</dl>
      </div>
    </dialog>`;
  }

  #close(): void {
    this.renderRoot.querySelector("dialog")?.close();
  }
}
customElements.define("proven-shortcuts", ProvenShortcuts);
