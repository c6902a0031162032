import { css, html, nothing } from "lit";
import type { GuestView } from "#protocol/api.ts";
import { filterGuests } from "../core/guests.ts";
import { type Sorting, SortingInAddress } from "../core/sort.ts";
import { t } from "../i18n.ts";
import { guestColumns, usualGuestColumns } from "./guest-columns.ts";
import { icon } from "./icon.ts";
import { PanelElement } from "./panel-element.ts";
import "./proven-table.ts";
import { shared } from "./styles.ts";

const firstSorting: Sorting = { column: "guest", descending: false };

/** Table of guests with its filter. `node`: only that node's. Filter and sorting are in the address; columns and named filters are the user's. */
export class ProvenGuests extends PanelElement {
  static override properties = {
    ...PanelElement.properties,
    node: { attribute: false },
    cluster: { attribute: false },
    maxHeight: { attribute: false },
    choosing: { state: true },
  };
  static override styles = [
    shared,
    css`
      .search { position: relative; display: flex; align-items: center; flex: 0 1 330px; min-width: 0; margin-left: auto; }
      .search .icon { position: absolute; left: 7px; color: var(--pv-dim); pointer-events: none; }
      .search input { width: 100%; padding-left: 26px; }
      header select { background: var(--pv-panel); border: 1px solid var(--pv-line); border-radius: 3px; min-height: 26px; max-width: 150px; }
      fieldset { border: 0; border-bottom: 1px solid var(--pv-line); margin: 0; padding: 6px 10px; display: flex; flex-wrap: wrap; gap: 4px 14px; }
      fieldset label { display: flex; gap: 5px; align-items: center; min-height: 26px; }
      fieldset input { width: 16px; height: 16px; margin: 0; accent-color: var(--pv-primary); }
    `,
  ];
  declare node: string | undefined;
  declare cluster: string | undefined;
  declare maxHeight: number | undefined;
  /** The list of columns is open. */
  declare choosing: boolean;
  readonly #sorting = new SortingInAddress(firstSorting);
  #rows: { of: readonly unknown[]; rows: GuestView[]; total: number } = { of: [], rows: [], total: 0 };

  constructor() {
    super();
    this.choosing = false;
  }

  protected watched() {
    const { now, store, navigation, overview } = this.panel;
    return [now, store.picture, navigation.route, overview.layout, overview.protections];
  }

  protected override render() {
    const { filter } = this.panel.navigation.route.value;
    const { rows, total } = this.#filtered(filter);
    const count = filter === "" ? String(total) : t("{n} of {all}", { n: rows.length, all: total });
    return html`<section class="panel" aria-label=${t("Guests")}>
      <header>
        <h2>${t("Guests")} <span class="dim num">${count}</span></h2>
        <label class="search">
          ${icon("search")}<span class="sr">${t("Filter guests")}</span>
          <input type="search" .value=${filter} placeholder=${t("name, tag:prod, node:pve1, state:running")} @input=${this.#onInput} />
        </label>
        ${this.#savedFilters(filter)}
        <button type="button" aria-expanded=${this.choosing ? "true" : "false"} @click=${() => this.#toggleChoosing()}>${t("Columns")}</button>
      </header>
      ${this.choosing ? this.#columnChoice() : nothing}
      <proven-table
        .caption=${t("Guests")}
        .columns=${this.#columns()}
        .rows=${rows}
        .keyOf=${(guest: GuestView) => `${guest.cluster} ${guest.entity}`}
        .sorting=${this.#sorting.of(this.panel.navigation.route.value.sort)}
        .maxHeight=${this.maxHeight ?? 520}
        .empty=${filter === "" ? t("No guests here.") : t("No guest matches this filter.")}
        @sorted=${this.#onSorted}
      ></proven-table>
    </section>`;
  }

  /** The same list while nothing of it changes: sorting thousands of rows every second would be felt. */
  #filtered(filter: string): { rows: GuestView[]; total: number } {
    const { guests } = this.panel.store.picture.value;
    const of = [guests, filter, this.node, this.cluster];
    if (of.some((value, index) => value !== this.#rows.of[index])) {
      const all =
        this.node === undefined ? guests : guests.filter((guest) => guest.node === this.node && guest.cluster === this.cluster);
      this.#rows = { of, rows: filterGuests(all, filter), total: all.length };
    }
    return this.#rows;
  }

  #shownColumns(): readonly string[] {
    const { guestColumns: chosen } = this.panel.overview.layout.value;
    return chosen.length > 0 ? chosen : usualGuestColumns;
  }

  #columns() {
    const shown = this.#shownColumns();
    const columns = guestColumns(this.panel, this.panel.now.value);
    return columns.filter(({ id }) => id === "guest" || (shown.includes(id) && (id !== "node" || this.node === undefined)));
  }

  #columnChoice() {
    const shown = this.#shownColumns();
    const columns = guestColumns(this.panel, this.panel.now.value).filter(({ id }) => id !== "guest");
    const choose = (id: string, on: boolean) => {
      const next = columns.map((column) => column.id).filter((one) => (one === id ? on : shown.includes(one)));
      void this.panel.overview.change({ guestColumns: ["guest", ...next] });
    };
    return html`<fieldset>
      <legend class="sr">${t("Columns")}</legend>
      ${columns.map(({ id, title }) => html`<label><input type="checkbox" .checked=${shown.includes(id)} @change=${(event: Event) => choose(id, event.target instanceof HTMLInputElement && event.target.checked)} />${title}</label>`)}
    </fieldset>`;
  }

  #savedFilters(filter: string) {
    const { filters } = this.panel.overview.layout.value;
    const saved = filters.find((one) => one.filter === filter);
    const choice =
      filters.length === 0
        ? nothing
        : html`<select aria-label=${t("Saved filters")} @change=${this.#onSaved}>
            <option value="" ?selected=${saved === undefined}>${t("Saved filters")}</option>
            ${filters.map((one) => html`<option value=${one.filter} ?selected=${one === saved}>${one.name}</option>`)}
          </select>`;
    const act =
      saved !== undefined
        ? html`<button type="button" @click=${() => this.#keepFilters(filters.filter((one) => one !== saved))}>${t("Forget filter")}</button>`
        : filter === ""
          ? nothing
          : html`<button type="button" @click=${() => this.#keepFilters([...filters, { name: filter.slice(0, 80), filter }])}>${t("Save filter")}</button>`;
    return html`${choice}${act}`;
  }

  #keepFilters(filters: { name: string; filter: string }[]): void {
    void this.panel.overview.change({ filters: filters.slice(-50) });
  }

  #onSorted({ detail }: CustomEvent<Sorting>): void {
    const { navigation } = this.panel;
    navigation.go({ ...navigation.route.value, sort: this.#sorting.textOf(detail) }, "replace");
  }

  #onSaved(event: Event): void {
    if (event.target instanceof HTMLSelectElement) this.#filterBy(event.target.value);
  }

  #onInput(event: Event): void {
    if (event.target instanceof HTMLInputElement) this.#filterBy(event.target.value);
  }

  #filterBy(filter: string): void {
    const { navigation } = this.panel;
    navigation.go({ ...navigation.route.value, filter }, "replace");
  }

  #toggleChoosing(): void {
    this.choosing = !this.choosing;
  }
}
customElements.define("proven-guests", ProvenGuests);
