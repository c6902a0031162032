import { html } from "lit";
import type { StorageView } from "#protocol/api.ts";
import { storageFull, storageLabel } from "../core/problems.ts";
import { ratioReading, shownReading, sortValue } from "../core/reading.ts";
import { formatShare } from "../core/units.ts";
import { t } from "../i18n.ts";
import { dash, meter, storageState } from "./figures.ts";
import { icon } from "./icon.ts";
import { entityLink } from "./link.ts";
import { PanelElement } from "./panel-element.ts";
import "./proven-table.ts";
import type { TableColumn } from "./proven-table.ts";
import { shared } from "./styles.ts";

/** Table of storages, the fullest first. `node`: that node's own and the shared ones of its cluster. */
export class ProvenStorages extends PanelElement {
  static override properties = { ...PanelElement.properties, node: { attribute: false }, cluster: { attribute: false } };
  static override styles = [shared];
  declare node: string | undefined;
  declare cluster: string | undefined;

  protected watched() {
    return [this.panel.now, this.panel.store.picture];
  }

  protected override render() {
    const storages = this.panel.store.picture.value.storages.filter(
      (storage) =>
        this.node === undefined || (storage.cluster === this.cluster && (storage.node === null || storage.node === this.node)),
    );
    return html`<section class="panel" aria-label=${t("Storages")}>
      <header><h2>${t("Storages")} <span class="dim num">${storages.length}</span></h2></header>
      <proven-table
        .caption=${t("Storages")}
        .columns=${this.#columns()}
        .rows=${storages}
        .keyOf=${(storage: StorageView) => `${storage.cluster} ${storage.entity}`}
        .sorting=${{ column: "used", descending: true }}
        .maxHeight=${400}
        .empty=${t("No storages known yet.")}
      ></proven-table>
    </section>`;
  }

  #columns(): TableColumn<StorageView>[] {
    const now = this.panel.now.value;
    const share = (storage: StorageView) => ratioReading(storage.used, storage.total);
    return [
      {
        id: "storage",
        title: t("Storage"),
        priority: 1,
        sort: storageLabel,
        cell: (storage) => entityLink(this.panel, storage, html`${icon("storage")} ${storageLabel(storage)}`),
      },
      {
        id: "type",
        title: t("Type"),
        priority: 3,
        width: "82px",
        sort: (storage) => storage.type,
        cell: (storage) => storage.type,
      },
      {
        id: "state",
        title: t("State"),
        priority: 2,
        width: "124px",
        sort: (storage) => storage.state,
        cell: (storage) => storageState(storage),
      },
      {
        id: "used",
        title: t("Used"),
        priority: 1,
        width: "108px",
        sort: (storage) => sortValue(share(storage), now),
        cell: (storage) => meter(share(storage), now, storageFull),
      },
      {
        id: "size",
        title: t("Of"),
        priority: 2,
        width: "128px",
        right: true,
        sort: (storage) => sortValue(storage.total, now),
        cell: (storage) => sizes(storage, now),
      },
    ];
  }
}

function sizes(storage: StorageView, now: number) {
  const [used, total] = [shownReading(storage.used, now), shownReading(storage.total, now)];
  if (used.state !== "fresh" || total.state !== "fresh") return dash(t("no value now"));
  return html`<span class="num">${t("{used} of {total}", formatShare(used.value, total.value))}</span>`;
}
customElements.define("proven-storages", ProvenStorages);
