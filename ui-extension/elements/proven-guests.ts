import { css, html, nothing } from "lit";
import type { GuestView } from "#protocol/api.ts";
import { filterGuests } from "../core/guests.ts";
import { ratioReading, sortValue } from "../core/reading.ts";
import type { Sorting } from "../core/sort.ts";
import { t } from "../i18n.ts";
import { brief, guestState, meter } from "./figures.ts";
import { icon } from "./icon.ts";
import { entityLink } from "./link.ts";
import { PanelElement } from "./panel-element.ts";
import "./proven-table.ts";
import type { TableColumn } from "./proven-table.ts";
import { shared } from "./styles.ts";

const firstSorting: Sorting = { column: "guest", descending: false };

/** Table of guests with its filter; `/` goes to it. `node`: only that node's. */
export class ProvenGuests extends PanelElement {
  static override properties = { ...PanelElement.properties, node: { attribute: false }, cluster: { attribute: false } };
  static override styles = [
    shared,
    css`
      .search { position: relative; display: flex; align-items: center; flex: 0 1 330px; min-width: 0; margin-left: auto; }
      .search .icon { position: absolute; left: 7px; color: var(--pv-dim); pointer-events: none; }
      .search input { width: 100%; padding-left: 26px; }
    `,
  ];
  declare node: string | undefined;
  declare cluster: string | undefined;
  readonly #focusSearch = (event: KeyboardEvent) => this.#onKey(event);

  protected watched() {
    return [this.panel.now, this.panel.store.picture, this.panel.navigation.route];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    window.addEventListener("keydown", this.#focusSearch);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    window.removeEventListener("keydown", this.#focusSearch);
  }

  protected override render() {
    const { filter } = this.panel.navigation.route.value;
    const all = this.panel.store.picture.value.guests.filter(
      (guest) => this.node === undefined || (guest.node === this.node && guest.cluster === this.cluster),
    );
    const guests = filterGuests(all, filter);
    const count = filter === "" ? String(all.length) : t("{n} of {all}", { n: guests.length, all: all.length });
    return html`<section class="panel" aria-label=${t("Guests")}>
      <header>
        <h2>${t("Guests")} <span class="dim num">${count}</span></h2>
        <label class="search">
          ${icon("search")}<span class="sr">${t("Filter guests")}</span>
          <input type="search" .value=${filter} placeholder=${t("name, tag:prod, node:pve1, state:running  ( / )")} @input=${this.#onInput} />
        </label>
      </header>
      <proven-table
        .caption=${t("Guests")}
        .columns=${this.#columns()}
        .rows=${guests}
        .keyOf=${(guest: GuestView) => `${guest.cluster} ${guest.entity}`}
        .sorting=${firstSorting}
        .maxHeight=${520}
        .empty=${filter === "" ? t("No guests here.") : t("No guest matches this filter.")}
      ></proven-table>
    </section>`;
  }

  #columns(): TableColumn<GuestView>[] {
    const now = this.panel.now.value;
    const levels = { warn: 0.8, crit: 0.95 };
    return [
      {
        id: "guest",
        title: t("Guest"),
        priority: 1,
        sort: (guest) => guest.vmid,
        cell: (guest) =>
          entityLink(
            this.panel,
            guest,
            html`${icon(guest.type, guest.type === "qemu" ? t("virtual machine") : t("container"))} <span class="num">${guest.vmid}</span> ${guest.name}`,
          ),
      },
      {
        id: "state",
        title: t("State"),
        priority: 1,
        width: "194px",
        sort: (guest) => guest.state,
        cell: (guest) =>
          html`${guestState(guest, now)}${guest.lock === null ? nothing : html` <span class="warn" title=${t("locked: {lock}", { lock: guest.lock })}>${icon("lock", t("locked: {lock}", { lock: guest.lock }))}</span>`}`,
      },
      ...(this.node === undefined
        ? [
            {
              id: "node",
              title: t("Node"),
              priority: 3 as const,
              width: "80px",
              sort: (guest: GuestView) => guest.node,
              cell: (guest: GuestView) => guest.node,
            },
          ]
        : []),
      {
        id: "cpu",
        title: t("CPU"),
        priority: 2,
        width: "112px",
        sort: (guest) => sortValue(guest.cpu, now),
        cell: (guest) => this.#whenRunning(guest, () => meter(guest.cpu, now, levels)),
      },
      {
        id: "memory",
        title: t("Memory"),
        priority: 2,
        width: "112px",
        sort: (guest) => sortValue(ratioReading(guest.memUsed, guest.memMax), now),
        cell: (guest) => this.#whenRunning(guest, () => meter(ratioReading(guest.memUsed, guest.memMax), now, levels)),
      },
      {
        id: "netin",
        title: t("Net in"),
        priority: 3,
        width: "90px",
        right: true,
        sort: (guest) => sortValue(guest.netIn, now),
        cell: (guest) => this.#whenRunning(guest, () => brief(guest.netIn, now, "bytesPerSecond")),
      },
      {
        id: "netout",
        title: t("Net out"),
        priority: 3,
        width: "90px",
        right: true,
        sort: (guest) => sortValue(guest.netOut, now),
        cell: (guest) => this.#whenRunning(guest, () => brief(guest.netOut, now, "bytesPerSecond")),
      },
      {
        id: "uptime",
        title: t("Uptime"),
        priority: 3,
        width: "110px",
        right: true,
        sort: (guest) => sortValue(guest.uptime, now),
        cell: (guest) => this.#whenRunning(guest, () => brief(guest.uptime, now, "seconds")),
      },
      {
        id: "tags",
        title: t("Tags"),
        priority: 3,
        sort: (guest) => guest.tags.join(" "),
        cell: (guest) => guest.tags.map((tag) => html`<span class="tag">${tag}</span>`),
      },
    ];
  }

  /** A stopped guest has no load: an empty cell says so more calmly than a dash, which means "should be known". */
  #whenRunning(guest: GuestView, cell: () => unknown): unknown {
    return guest.state === "stopped" ? nothing : cell();
  }

  #onInput(event: Event): void {
    const { navigation } = this.panel;
    if (event.target instanceof HTMLInputElement)
      navigation.go({ ...navigation.route.value, filter: event.target.value }, "replace");
  }

  #onKey(event: KeyboardEvent): void {
    const [target] = event.composedPath();
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (target instanceof HTMLElement && target.matches("input, textarea, select, [contenteditable]")) return;
    event.preventDefault();
    this.renderRoot.querySelector("input")?.focus();
  }
}
customElements.define("proven-guests", ProvenGuests);
