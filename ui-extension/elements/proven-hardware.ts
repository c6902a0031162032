import { css, html, nothing } from "lit";
import type { EntityView } from "#protocol/entities.ts";
import type { MetricName } from "#protocol/metrics.ts";
import type { Answer } from "../api.ts";
import { type DiskVerdict, diskVerdict, newestOf } from "../core/entity-values.ts";
import { type DisplayUnit, formatDuration, formatPercent, formatValue } from "../core/units.ts";
import { isWithheld } from "../core/withheld.ts";
import { t } from "../i18n.ts";
import { AskedElement } from "./asked-element.ts";
import { bar, dash } from "./figures.ts";
import { type IconName, icon } from "./icon.ts";
import { entityLink } from "./link.ts";
import "./proven-table.ts";
import type { TableColumn } from "./proven-table.ts";
import { shared } from "./styles.ts";

type Hardware = { disks: readonly EntityView[]; thinpools: readonly EntityView[] };

/** A node's disks as they say of themselves, and its thin pools. */
export class ProvenHardware extends AskedElement<Hardware> {
  static override properties = { ...AskedElement.properties, node: { attribute: false }, cluster: { attribute: false } };
  static override styles = [
    shared,
    css`
      :host { display: grid; gap: 8px; grid-template-columns: minmax(0, 1fr); }
      .state { padding: 8px 10px; }
    `,
  ];
  declare node: string;
  declare cluster: string;

  protected question() {
    return `${this.cluster} ${this.node}`;
  }

  protected async ask(): Promise<Answer<Hardware>> {
    const { cluster, node } = this;
    const [disks, thinpools] = await Promise.all(
      (["disk", "thinpool"] as const).map((kind) => this.panel.api.entities.list({ kind, cluster, node, values: 1 })),
    );
    if (disks?.ok !== true) return disks ?? { ok: true, value: { disks: [], thinpools: [] } };
    return { ok: true, value: { disks: disks.value.items, thinpools: thinpools?.ok === true ? thinpools.value.items : [] } };
  }

  protected override render() {
    const { value } = this.asked;
    const now = this.panel.now.value;
    return html`
      <section class="panel" aria-label=${t("Physical disks")}>
        <header><h2>${t("Physical disks")}</h2></header>
        ${this.state()}
        ${value === undefined ? nothing : html`<proven-table .caption=${t("Physical disks")} .columns=${diskColumns(now)} .rows=${value.disks} .keyOf=${(disk: EntityView) => disk.entity} .empty=${this.#none()}></proven-table>`}
      </section>
      ${
        value === undefined || value.thinpools.length === 0
          ? nothing
          : html`<section class="panel" aria-label=${t("Thin pools")}>
        <header><h2>${t("Thin pools")}</h2></header>
        <proven-table .caption=${t("Thin pools")} .columns=${this.#thinpoolColumns(now)} .rows=${value.thinpools} .keyOf=${(pool: EntityView) => pool.entity}></proven-table>
      </section>`
      }
    `;
  }

  #none(): string {
    const node = this.panel.store.picture.value.nodes.find((one) => one.node === this.node && one.cluster === this.cluster);
    if (node !== undefined && isWithheld(node)) return t("You may not see this: ask for Sys.Audit in Proxmox VE.");
    return t("The agent found no disks: install smartmontools on the node, or it has none of its own.");
  }

  #thinpoolColumns(now: number): TableColumn<EntityView>[] {
    const share = (metric: MetricName) => (pool: EntityView) => {
      const value = newestOf(pool, metric, now);
      if (value === undefined) return dash(t("no value now"));
      return html`<div class="meter"><span class="num">${formatPercent(value)}</span>${bar(value, { warn: 0.8, crit: 0.95 })}</div>`;
    };
    return [
      {
        id: "name",
        title: t("Pool"),
        priority: 1,
        sort: (pool) => pool.name,
        cell: (pool) => entityLink(this.panel, pool, pool.title.split(" on ")[0] ?? pool.name),
      },
      {
        id: "data",
        title: t("Data"),
        priority: 1,
        width: "26%",
        sort: (pool) => newestOf(pool, "data", now),
        cell: share("data"),
      },
      {
        id: "metadata",
        title: t("Metadata"),
        priority: 1,
        width: "26%",
        sort: (pool) => newestOf(pool, "metadata", now),
        cell: share("metadata"),
      },
      figureColumn(now, "size", t("Size"), "bytes", 2),
    ];
  }
}
customElements.define("proven-hardware", ProvenHardware);

const looks: Record<DiskVerdict["word"], IconName> = {
  well: "ok",
  worn: "warning",
  errors: "warning",
  failing: "critical",
  unknown: "unknown",
};

function verdictCell(disk: EntityView, now: number) {
  const { level, word } = diskVerdict(disk, now);
  const words: Record<DiskVerdict["word"], string> = {
    well: t("well"),
    worn: t("worn out"),
    errors: t("errors"),
    failing: t("failing: replace it"),
    unknown: disk.disk?.smart === "asleep" ? t("asleep") : disk.disk?.smart === "none" ? t("no SMART") : t("unknown"),
  };
  return html`<span class="nowrap ${level}">${icon(looks[word])} ${words[word]}</span>`;
}

function figureColumn(
  now: number,
  metric: MetricName,
  title: string,
  unit: DisplayUnit,
  priority: 1 | 2 | 3,
  width = "104px",
): TableColumn<EntityView> {
  return {
    ...{ id: metric, title, priority, width, right: true },
    sort: (entity) => newestOf(entity, metric, now),
    cell: (entity) => {
      const value = newestOf(entity, metric, now);
      if (value === undefined) return dash(t("no value now"));
      return html`<span class="num">${unit === "seconds" ? formatDuration(value) : formatValue(value, unit)}</span>`;
    },
  };
}

function diskColumns(now: number): TableColumn<EntityView>[] {
  return [
    {
      ...{ id: "disk", title: t("Disk"), priority: 1 },
      sort: (disk) => disk.name,
      cell: (disk) =>
        html`<span title=${disk.disk?.serial ?? ""}>${disk.name} <span class="dim">${disk.disk?.model ?? ""}</span></span>`,
    },
    {
      id: "state",
      title: t("SMART"),
      priority: 1,
      width: "124px",
      sort: (disk) => diskVerdict(disk, now).word,
      cell: (disk) => verdictCell(disk, now),
    },
    {
      ...{ id: "size", title: t("Size"), priority: 2, width: "86px", right: true },
      sort: (disk) => disk.disk?.sizeBytes ?? undefined,
      cell: (disk) =>
        disk.disk?.sizeBytes
          ? html`<span class="num">${formatValue(disk.disk.sizeBytes, "bytes")}</span>`
          : dash(t("no value now")),
    },
    figureColumn(now, "temperature", t("Temperature"), "celsius", 2),
    figureColumn(now, "wear", t("Life used"), "percent", 1, "92px"),
    figureColumn(now, "pending", t("Unreadable"), "count", 3),
    figureColumn(now, "reallocated", t("Replaced"), "count", 3),
    figureColumn(now, "power_on", t("Under power"), "seconds", 3),
  ];
}
