import { css, html, LitElement, nothing, type PropertyValues } from "lit";
import { repeat } from "lit/directives/repeat.js";

import { fittingColumns } from "../core/fitting-columns.ts";
import { rowWindow } from "../core/row-window.ts";
import { type Sorting, type SortKey, sortRows } from "../core/sort.ts";
import { icon } from "./icon.ts";
import { styled } from "./styled.ts";
import { shared } from "./styles.ts";

export type TableColumn<T> = {
  id: string;
  title: string;
  /** 1 is always seen; the others where the table has room for them: core/fitting-columns.ts. */
  priority: 1 | 2 | 3;
  /** CSS width; without one the column shares what is left. */
  width?: string;
  right?: boolean;
  /** Its cells hold controls: nothing of them is cut off with dots. */
  whole?: boolean;
  sort?: (row: T) => SortKey;
  cell: (row: T) => unknown;
};

/** Beyond so many rows only those in sight are drawn; on paper all of them. */
const drawAllUpTo = 100;

/** A table with sortable headings. Tells of a sorting its user chose by the event `sorted`. All rows have one height, so that thousands of them scroll smoothly. */
export class ProvenTable<T> extends LitElement {
  static override properties = {
    caption: { attribute: false },
    columns: { attribute: false },
    rows: { attribute: false },
    keyOf: { attribute: false },
    sorting: { attribute: false },
    tone: { attribute: false },
    maxHeight: { attribute: false },
    empty: { attribute: false },
    scrollPx: { state: true },
    widthPx: { state: true },
    onPaper: { state: true },
  };
  static override styles = [
    shared,
    css`
      :host { container-type: inline-size; }
      /* Holds what only screen readers read too: outside of it that would make the page longer than it is. */
      .scroll { position: relative; overflow-y: auto; overflow-x: hidden; }
      table { border-collapse: collapse; width: 100%; table-layout: fixed; }
      th, td { text-align: left; padding: 0 10px; height: 30px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; border-bottom: 1px solid var(--pv-line-soft); }
      th { position: sticky; top: 0; z-index: 1; background: var(--pv-panel); font-weight: 500; color: var(--pv-dim); border-bottom-color: var(--pv-line); height: 28px; padding: 0; }
      th > span { padding: 0 10px; }
      th button { width: 100%; height: 28px; padding: 0 10px; border: 0; border-radius: 0; background: none; text-align: inherit; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
      th button:hover { background: var(--pv-hover); }
      th .icon { width: 0.8em; height: 0.8em; vertical-align: 0; }
      .right { text-align: right; }
      .whole { text-overflow: clip; }
      td button { min-height: 24px; padding: 0 8px; }
      td small { font-size: 12px; margin-left: 6px; }
      tbody tr:hover td { background: var(--pv-hover); }
      tr.crit td { background: var(--pv-crit-tint); color: var(--pv-text); }
      tr.pad td { padding: 0; border: 0; height: auto; }
      .empty { padding: 12px 10px; color: var(--pv-dim); }
      @container (max-width: 759px) { th, td { padding: 0 7px; } th { padding: 0; } th button, th > span { padding: 0 7px; } }
      @media print { .scroll { max-height: none !important; overflow: visible; } table { table-layout: auto; } col { width: auto !important; } th, td { white-space: normal; overflow-wrap: anywhere; height: auto; } }
    `,
  ];
  declare caption: string;
  declare columns: readonly TableColumn<T>[];
  declare rows: readonly T[];
  declare keyOf: (row: T) => string;
  declare sorting: Sorting | undefined;
  /** Colours a whole row, as PVE's task log does. */
  declare tone: ((row: T) => "crit" | "") | undefined;
  /** Height in px from which the table scrolls inside itself. */
  declare maxHeight: number | undefined;
  declare empty: string;
  declare scrollPx: number;
  /** Its own width; 0 until it was measured, before it is seen. */
  declare widthPx: number;
  /** It is printed: nobody can scroll there. */
  declare onPaper: boolean;
  readonly #print = ({ type }: Event) => {
    this.onPaper = type === "beforeprint";
    if (this.hasUpdated) this.performUpdate();
  };
  readonly #measure = new ResizeObserver(() => {
    this.widthPx = Math.floor(this.clientWidth);
  });
  #viewPx = 600;
  #sorted: readonly T[] = [];
  /** What had the focus before rows were moved: a moved element loses it. */
  #focused: Element | null = null;

  constructor() {
    super();
    this.scrollPx = 0;
    this.widthPx = 0;
    this.onPaper = false;
    this.empty = "";
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#measure.observe(this);
    for (const type of ["beforeprint", "afterprint"]) window.addEventListener(type, this.#print);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#measure.disconnect();
    for (const type of ["beforeprint", "afterprint"]) window.removeEventListener(type, this.#print);
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    const root = this.renderRoot;
    this.#focused = root instanceof ShadowRoot ? root.activeElement : null;
    // Not with new columns: their cells tell ages and are made every second, and thousands of rows needn't be sorted that often.
    if (!changed.has("rows") && !changed.has("sorting")) return;
    const column = this.columns.find(({ id }) => id === this.sorting?.column);
    this.#sorted = column?.sort === undefined ? this.rows : sortRows(this.rows, column.sort, this.sorting?.descending ?? false);
  }

  protected override updated(): void {
    const [root, focused] = [this.renderRoot, this.#focused];
    if (focused instanceof HTMLElement && focused.isConnected && root instanceof ShadowRoot && root.activeElement === null)
      focused.focus({ preventScroll: true });
    this.#focused = null;
    const scroll = this.renderRoot.querySelector(".scroll");
    if (scroll !== null && scroll.clientHeight > 0) this.#viewPx = scroll.clientHeight;
  }

  protected override render() {
    if (this.rows.length === 0) return html`<p class="empty">${this.empty}</p>`;
    const columns = fittingColumns(this.columns, this.widthPx);
    const whole = this.onPaper || this.#sorted.length <= drawAllUpTo;
    const view = whole
      ? { first: 0, last: this.#sorted.length, before: 0, after: 0 }
      : rowWindow(this.#sorted.length, 30, this.scrollPx, this.#viewPx);
    const scrolls = this.maxHeight !== undefined && this.#sorted.length * 30 + 28 > this.maxHeight;
    return html`
      <div
        class="scroll"
        ${styled(scrolls ? { "max-height": `${this.maxHeight}px` } : { "max-height": "" })}
        tabindex=${scrolls ? 0 : nothing}
        role=${scrolls ? "region" : nothing}
        aria-label=${scrolls ? this.caption : nothing}
        @scroll=${this.#onScroll}
      >
        <table aria-rowcount=${this.#sorted.length + 1}>
          <caption class="sr">${this.caption}</caption>
          <colgroup>${columns.map((column) => html`<col ${styled({ width: column.width ?? "" })} />`)}</colgroup>
          <thead><tr aria-rowindex="1">${columns.map((column) => this.#heading(column))}</tr></thead>
          <tbody>
            ${this.#spacer(view.before)}
            ${repeat(this.#sorted.slice(view.first, view.last), this.keyOf, (row, index) => this.#row(row, view.first + index, columns))}
            ${this.#spacer(view.after)}
          </tbody>
        </table>
      </div>
    `;
  }

  #heading(column: TableColumn<T>) {
    const className = column.right ? "right" : "";
    if (column.sort === undefined) return html`<th scope="col" class=${className}><span>${column.title}</span></th>`;
    const active = this.sorting?.column === column.id;
    const direction = this.sorting?.descending ? "descending" : "ascending";
    return html`<th scope="col" class=${className} aria-sort=${active ? direction : "none"}>
      <button type="button" @click=${() => this.#sortBy(column.id)}>
        ${column.title} ${active ? icon(direction === "ascending" ? "up" : "down") : nothing}
      </button>
    </th>`;
  }

  #row(row: T, index: number, columns: readonly TableColumn<T>[]) {
    return html`<tr class=${this.tone?.(row) ?? ""} aria-rowindex=${index + 2} data-key=${this.keyOf(row)}>
      ${columns.map((column) => html`<td class="${column.right ? "right" : ""} ${column.whole ? "whole" : ""}">${column.cell(row)}</td>`)}
    </tr>`;
  }

  #spacer(px: number) {
    return px === 0 ? nothing : html`<tr class="pad" aria-hidden="true"><td ${styled({ height: `${px}px` })}></td></tr>`;
  }

  #sortBy(column: string): void {
    const descending = this.sorting?.column === column && !this.sorting.descending;
    this.sorting = { column, descending };
    this.dispatchEvent(new CustomEvent<Sorting>("sorted", { detail: this.sorting }));
  }

  #onScroll(event: Event): void {
    if (event.target instanceof HTMLElement && this.#sorted.length > drawAllUpTo) this.scrollPx = event.target.scrollTop;
  }
}
customElements.define("proven-table", ProvenTable);
