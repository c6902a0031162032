import { css, html, nothing } from "lit";
import { type FoundKind, type Place, placesOf } from "../core/find.ts";
import type { Picture } from "../core/problems.ts";
import { search } from "../core/search.ts";
import { t, tn } from "../i18n.ts";
import { dialogStyles } from "./dialog-styles.ts";
import { consoleButton } from "./guest-columns.ts";
import { type IconName, icon } from "./icon.ts";
import { PanelElement } from "./panel-element.ts";
import { shared } from "./styles.ts";

const shownMax = 30;
const icons: Record<FoundKind, IconName> = { page: "info", node: "node", guest: "qemu", storage: "storage", alert: "bell" };

/** Finds whatever has a page, by keyboard alone: type, arrows, Enter. Tells `closed` when it is done. */
export class ProvenSearch extends PanelElement {
  static override properties = {
    ...PanelElement.properties,
    embedded: { attribute: false },
    question: { state: true },
    chosen: { state: true },
  };
  static override styles = [
    shared,
    dialogStyles,
    css`
      .box { display: flex; flex-direction: column; max-height: inherit; }
      .ask { display: flex; gap: 8px; align-items: center; padding: 8px 12px; border-bottom: 1px solid var(--pv-line); }
      .ask input { flex: 1; border: 0; background: none; font-size: 16px; min-height: 34px; min-width: 0; }
      .ask input:focus-visible { outline-offset: 3px; }
      [role="listbox"] { overflow-y: auto; max-height: min(60vh, 560px); }
      [role="option"] { display: grid; grid-template-columns: auto minmax(0, 1fr) auto; gap: 10px; padding: 6px 12px; align-items: center; min-height: 34px; cursor: pointer; }
      [role="option"][aria-selected="true"] { background: var(--pv-select); }
      [role="option"] small { color: var(--pv-text); }
      p { padding: 10px 12px; }
      .keys { border-top: 1px solid var(--pv-line); font-size: 12px; display: flex; flex-wrap: wrap; gap: 4px 14px; align-items: center; }
      kbd { border: 1px solid var(--pv-line); border-radius: 3px; padding: 0 5px; font: inherit; font-size: 11.5px; background: var(--pv-head); color: var(--pv-text); }
    `,
  ];
  declare embedded: boolean;
  declare question: string;
  /** Place in the list. */
  declare chosen: number;
  #known: { picture: Picture; places: Place[] } | undefined;
  #found: Place[] = [];

  constructor() {
    super();
    this.question = "";
    this.chosen = 0;
  }

  protected watched() {
    return [this.panel.store.picture];
  }

  protected override firstUpdated(): void {
    this.renderRoot.querySelector("dialog")?.showModal();
  }

  protected override willUpdate(): void {
    const picture = this.panel.store.picture.value;
    if (this.#known?.picture !== picture) this.#known = { picture, places: placesOf(picture, !this.embedded, t) };
    this.#found = search(this.#known.places, this.question, shownMax);
    this.chosen = Math.min(this.chosen, Math.max(0, this.#found.length - 1));
  }

  protected override render() {
    const active = this.#found[this.chosen];
    return html`<dialog aria-label=${t("Search")} @close=${this.#onClose} @click=${this.#onClick}>
      <div class="box">
        <label class="ask">${icon("search")}<span class="sr">${t("Search guests, nodes, storages, alerts and pages")}</span>
          <input type="text" role="combobox" autofocus autocomplete="off" spellcheck="false" aria-expanded="true" aria-controls="found" aria-activedescendant=${active === undefined ? nothing : `found-${this.chosen}`}
            placeholder=${t("Search guests, nodes, storages, alerts and pages")} .value=${this.question} @input=${this.#onInput} @keydown=${this.#onKey} />
        </label>
        <div id="found" role="listbox" aria-label=${t("Found")}>${this.#found.map((place, index) => this.#option(place, index))}</div>
        ${this.question.trim() !== "" && this.#found.length === 0 ? html`<p class="dim">${t("Nothing of that name, or you may not see it.")}</p>` : nothing}
        <p class="keys dim">
          <span><kbd>↑</kbd> <kbd>↓</kbd> ${t("choose")}</span><span><kbd>Enter</kbd> ${t("open")}</span><span><kbd>Esc</kbd> ${t("close")}</span>${this.#act(active)}
          <span class="sr" role="status">${tn(this.#found.length, "{n} found", "{n} found")}</span>
        </p>
      </div>
    </dialog>`;
  }

  #option(place: Place, index: number) {
    return html`<div id="found-${index}" role="option" aria-selected=${index === this.chosen ? "true" : "false"} @click=${() => this.#open(place)}>
      ${icon(icons[place.kind])}<span class="cut">${place.title}</span><small class="cut">${place.detail}</small>
    </div>`;
  }

  /** What can be done about the chosen one without opening its page. */
  #act(place: Place | undefined) {
    if (place?.kind !== "guest") return nothing;
    const guest = this.panel.store.picture.value.guests.find(({ cluster, entity }) => `${cluster} ${entity}` === place.key);
    return guest === undefined ? nothing : consoleButton(this.panel, guest);
  }

  #onInput(event: Event): void {
    if (!(event.target instanceof HTMLInputElement)) return;
    this.question = event.target.value;
    this.chosen = 0;
  }

  #onKey(event: KeyboardEvent): void {
    const moves: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 };
    const by = moves[event.key];
    if (by !== undefined) {
      this.chosen = Math.max(0, Math.min(this.#found.length - 1, this.chosen + by));
      void this.updateComplete.then(() =>
        this.renderRoot.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" }),
      );
    } else if (event.key === "Enter") {
      const place = this.#found[this.chosen];
      if (place !== undefined) this.#open(place);
    } else return;
    event.preventDefault();
  }

  #open({ page }: Place): void {
    const { navigation } = this.panel;
    navigation.go({ page, range: navigation.route.value.range, filter: "" }, "push");
    this.renderRoot.querySelector("dialog")?.close();
  }

  /** Beside the window: the dialog itself is only its frame. */
  #onClick(event: MouseEvent): void {
    if (event.target instanceof HTMLDialogElement) event.target.close();
  }

  #onClose(): void {
    this.dispatchEvent(new CustomEvent("closed"));
  }
}
customElements.define("proven-search", ProvenSearch);
