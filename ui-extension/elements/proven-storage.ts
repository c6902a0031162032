import { html, nothing, type PropertyValues } from "lit";
import type { StorageView } from "#protocol/api.ts";
import type { ChartSpec } from "../core/charts.ts";
import { statusProblems, storageFull, storageLabel } from "../core/problems.ts";
import { storageCharts } from "../core/storage-charts.ts";
import { t } from "../i18n.ts";
import { storageState } from "./figures.ts";
import { icon } from "./icon.ts";
import "./proven-charts.ts";
import "./proven-datastore-link.ts";
import "./proven-entity-alerts.ts";
import "./proven-outlook.ts";
import { EntityPage, factList, notice, pageStyles } from "./proven-page.ts";
import "./proven-storage-users.ts";
import "./proven-tile.ts";
import { shared } from "./styles.ts";

/** A storage's page. */
export class ProvenStorage extends EntityPage {
  static override styles = [shared, pageStyles];
  #charts: readonly ChartSpec[] = [];

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("entity")) this.#charts = storageCharts(this.entity, t);
  }

  protected override render() {
    const { panel } = this;
    const storage = this.find(panel.store.picture.value.storages);
    if (storage === undefined) return this.missing();
    const { nodes } = panel.store.picture.value;
    return html`
      <div class="title"><h1>${icon("storage")} ${storageLabel(storage)}</h1>${storageState(storage)}<span class="dim">${storage.type}</span></div>
      ${storage.state === "inactive" ? notice("warn", [t("No node that should have this storage has it active. Check its server and network.")]) : nothing}
      ${storage.state === "unknown" ? notice("grey", [t("Nothing is known of this storage now: no node says how it is."), ...statusProblems(nodes, storage.cluster, storage.node, t)]) : nothing}
      <proven-entity-alerts .panel=${panel} .entity=${storage.entity} .cluster=${storage.cluster}></proven-entity-alerts>
      <div class="tiles">
        <proven-tile .panel=${panel} .label=${t("Used")} .reading=${storage.used} .total=${storage.total} .unit=${"bytes"} .levels=${storageFull}></proven-tile>
        <proven-tile .panel=${panel} .label=${t("Available")} .reading=${storage.avail} .unit=${"bytes"}></proven-tile>
        <proven-tile .panel=${panel} .label=${t("Size")} .reading=${storage.total} .unit=${"bytes"}></proven-tile>
      </div>
      ${storage.type === "pbs" ? html`<proven-datastore-link .panel=${panel} .storage=${storage.storage} .cluster=${storage.cluster}></proven-datastore-link>` : nothing}
      <proven-outlook .panel=${panel} .entity=${storage.entity} .cluster=${storage.cluster}></proven-outlook>
      <proven-charts .panel=${panel} .entity=${storage.entity} .cluster=${storage.cluster} .about=${storageLabel(storage)} .charts=${this.#charts} .theme=${this.theme}></proven-charts>
      ${storage.content.some((kind) => kind === "images" || kind === "rootdir") ? html`<proven-storage-users .panel=${panel} .storage=${storage.storage} .node=${storage.node ?? undefined} .cluster=${storage.cluster}></proven-storage-users>` : nothing}
      ${this.#facts(storage)}
    `;
  }

  #facts(storage: StorageView) {
    return html`<section class="panel" aria-label=${t("Facts")}>
      <header><h2>${t("Facts")}</h2></header>
      ${factList([
        { name: t("Type"), value: storage.type },
        { name: t("Where"), value: storage.node ?? t("shared by all nodes, counted once") },
        { name: t("Content"), value: storage.content.join(", ") },
      ])}
    </section>`;
  }
}
customElements.define("proven-storage", ProvenStorage);
