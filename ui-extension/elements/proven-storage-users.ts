import { css, html } from "lit";
import type { GuestView } from "#protocol/api.ts";
import type { EntityView } from "#protocol/entities.ts";
import type { Answer } from "../api.ts";
import { shownReading } from "../core/reading.ts";
import { t } from "../i18n.ts";
import { AskedElement } from "./asked-element.ts";
import { figure, guestState } from "./figures.ts";
import { icon } from "./icon.ts";
import { entityLink } from "./link.ts";
import "./proven-table.ts";
import type { TableColumn } from "./proven-table.ts";
import { shared } from "./styles.ts";

/** Which guests have volumes on a storage, the loudest first. */
export class ProvenStorageUsers extends AskedElement<readonly EntityView[]> {
  static override properties = {
    ...AskedElement.properties,
    storage: { attribute: false },
    node: { attribute: false },
    cluster: { attribute: false },
  };
  static override styles = [
    shared,
    css`
      .state { padding: 8px 10px; }
    `,
  ];
  declare storage: string;
  /** Undefined: all nodes have it. */
  declare node: string | undefined;
  declare cluster: string;

  protected question() {
    return `${this.cluster} ${this.node} ${this.storage}`;
  }

  protected override watched() {
    return [this.panel.now, this.panel.store.picture] as never;
  }

  protected async ask(): Promise<Answer<readonly EntityView[]>> {
    const { cluster, node } = this;
    const answer = await this.panel.api.entities.list({ kind: "guest", cluster, ...(node === undefined ? {} : { node }) });
    return answer.ok ? { ok: true, value: answer.value.items } : answer;
  }

  protected override render() {
    const users = new Set(
      (this.asked.value ?? []).filter(({ storages }) => storages.includes(this.storage)).map(({ entity }) => entity),
    );
    const guests = this.panel.store.picture.value.guests.filter(
      ({ cluster, entity }) => cluster === this.cluster && users.has(entity),
    );
    return html`<section class="panel" aria-label=${t("Who uses it")}>
      <header><h2>${t("Who uses it")} <span class="dim num">${users.size}</span></h2></header>
      ${this.state()}
      <proven-table
        .caption=${t("Who uses it")}
        .columns=${this.#columns()}
        .rows=${guests}
        .keyOf=${(guest: GuestView) => guest.entity}
        .sorting=${{ column: "traffic", descending: true }}
        .maxHeight=${340}
        .empty=${this.asked.value === undefined ? "" : t("No guest that you may see has a volume here.")}
      ></proven-table>
    </section>`;
  }

  #columns(): TableColumn<GuestView>[] {
    const now = this.panel.now.value;
    return [
      {
        ...{ id: "guest", title: t("Guest"), priority: 1 },
        sort: (guest) => guest.vmid,
        cell: (guest) => html`${icon(guest.type)} ${entityLink(this.panel, guest, `${guest.vmid} ${guest.name}`)}`,
      },
      { id: "node", title: t("Node"), priority: 2, width: "90px", sort: (guest) => guest.node, cell: (guest) => guest.node },
      { id: "state", title: t("State"), priority: 2, width: "120px", cell: (guest) => guestState(guest, now) },
      {
        ...{ id: "traffic", title: t("Read and written"), priority: 1, width: "172px", right: true },
        sort: (guest) => trafficOf(guest, now),
        cell: (guest) => figure(trafficReading(guest, now), now, "bytesPerSecond"),
      },
    ];
  }
}
customElements.define("proven-storage-users", ProvenStorageUsers);

function trafficOf(guest: GuestView, now: number): number | undefined {
  const [read, written] = [shownReading(guest.diskRead, now), shownReading(guest.diskWrite, now)];
  return read.state === "fresh" && written.state === "fresh" ? read.value + written.value : undefined;
}

function trafficReading(guest: GuestView, now: number): GuestView["diskRead"] {
  const value = trafficOf(guest, now);
  return value === undefined ? { state: "absent", value: null, at: null } : { state: "fresh", value, at: guest.diskRead.at };
}
