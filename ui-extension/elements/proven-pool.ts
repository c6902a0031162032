import { css, html, nothing, type PropertyValues, type TemplateResult } from "lit";
import type { EntityView } from "#protocol/entities.ts";
import type { MetricName } from "#protocol/metrics.ts";
import type { Answer } from "../api.ts";
import type { ChartSpec } from "../core/charts.ts";
import { instancesWith, newestOf } from "../core/entity-values.ts";
import { poolVerdict, scrubText, tileReading } from "../core/pool-tiles.ts";
import { home } from "../core/route.ts";
import { datastoreCharts, thinpoolCharts, zpoolCharts } from "../core/storage-charts.ts";
import { formatDuration, formatNumber, formatPercent, formatValue } from "../core/units.ts";
import { t, tn } from "../i18n.ts";
import { AskedElement } from "./asked-element.ts";
import { icon, levelIcons } from "./icon.ts";
import { entityLink, link } from "./link.ts";
import "./proven-charts.ts";
import "./proven-entity-alerts.ts";
import "./proven-outlook.ts";
import { type Fact, factList, notice, pageStyles } from "./proven-page.ts";
import "./proven-tile.ts";
import { shared } from "./styles.ts";

const charts: Partial<Record<string, (entity: string, translate: typeof t) => ChartSpec[]>> = {
  zpool: zpoolCharts,
  thinpool: thinpoolCharts,
  datastore: datastoreCharts,
};
const full = { warn: 0.8, crit: 0.9 };

/** Page of a ZFS pool, an LVM thin pool or a Backup Server's datastore. */
export class ProvenPool extends AskedElement<EntityView | undefined> {
  static override properties = {
    ...AskedElement.properties,
    entity: { attribute: false },
    cluster: { attribute: false },
    theme: { attribute: false },
  };
  static override styles = [
    shared,
    pageStyles,
    css`
      .verdict { display: flex; gap: 8px; padding: 8px 12px; border: 1px solid var(--pv-line); border-left-width: 5px; background: var(--pv-panel); font-size: 15px; }
      .verdict.warn { background: var(--pv-warn-tint); border-left-color: var(--pv-warn); }
      .verdict.crit { background: var(--pv-crit-tint); border-left-color: var(--pv-crit); }
      .verdict.ok { border-left-color: var(--pv-ok); }
      .verdict > span + span { color: var(--pv-text); }
    `,
  ];
  declare entity: string;
  declare cluster: string | undefined;
  declare theme: string;
  #charts: readonly ChartSpec[] = [];

  protected question() {
    return `${this.cluster} ${this.entity}`;
  }

  protected async ask(): Promise<Answer<EntityView | undefined>> {
    const { entity, cluster } = this;
    const answer = await this.panel.api.entities.list({ entity, values: 1, ...(cluster === undefined ? {} : { cluster }) });
    return answer.ok ? { ok: true, value: answer.value.items[0] } : answer;
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    super.willUpdate(changed);
    if (changed.has("entity")) this.#charts = charts[this.entity.split("/")[0] ?? ""]?.(this.entity, t) ?? [];
  }

  protected override render() {
    const { panel } = this;
    const pool = this.asked.value;
    if (pool === undefined)
      return this.asked.at > 0 ? this.#missing() : html`<div class="title"><h1>${this.entity}</h1></div>${this.state()}`;
    const { entity, cluster, node, title } = pool;
    const verdict = poolVerdict(pool, panel.now.value, t);
    return html`
      <div class="title">
        <h1>${icon("storage")} ${title}</h1><span class="dim">${kindWords(pool)}</span>
        ${node === null ? nothing : html`<span class="dim">${t("on node")} ${entityLink(panel, { entity: `node/${node}`, cluster }, node)}</span>`}
      </div>
      ${this.state()}
      <div class="verdict ${verdict.level}" role="status"><span class=${verdict.level}>${icon(levelIcons[verdict.level])}</span><span>${verdict.text}</span></div>
      <proven-entity-alerts .panel=${panel} .entity=${entity} .cluster=${cluster}></proven-entity-alerts>
      <div class="tiles">${this.#tiles(pool)}</div>
      <proven-outlook .panel=${panel} .entity=${entity} .cluster=${cluster}></proven-outlook>
      <proven-charts .panel=${panel} .entity=${entity} .cluster=${cluster} .about=${title} .charts=${this.#charts} .theme=${this.theme}></proven-charts>
      <section class="panel" aria-label=${t("Facts")}><header><h2>${t("Facts")}</h2></header>${factList(this.#facts(pool))}</section>
    `;
  }

  #missing(): TemplateResult {
    return html`<div class="title"><h1>${this.entity}</h1></div>
      ${notice("grey", [t("Nothing of this name is known here: it was removed, or you may not see it.")])}
      <p>${link(this.panel, { ...home, range: this.panel.navigation.route.value.range }, t("Back to the overview"))}</p>`;
  }

  #tiles(pool: EntityView): TemplateResult[] {
    const tile = (
      label: string,
      metric: MetricName,
      unit: string,
      more: { total?: MetricName; levels?: typeof full; note?: string } = {},
    ) => html`<proven-tile
      .panel=${this.panel} .label=${label} .reading=${tileReading(pool, metric)} .unit=${unit} .note=${more.note} .levels=${more.levels}
      .total=${more.total === undefined ? undefined : tileReading(pool, more.total)}
    ></proven-tile>`;
    switch (pool.kind) {
      case "thinpool":
        return [
          tile(t("Data"), "data", "percent", { levels: { warn: 0.8, crit: 0.95 } }),
          tile(t("Metadata"), "metadata", "percent", { levels: { warn: 0.8, crit: 0.95 }, note: t("full stops all writes") }),
          tile(t("Size"), "size", "bytes"),
          tile(t("Promised to volumes"), "provisioned", "bytes"),
        ];
      case "zpool":
        return [
          tile(t("Allocated"), "allocated", "bytes", { total: "size", levels: full }),
          tile(t("Free"), "free", "bytes"),
          tile(t("Fragmentation"), "fragmentation", "percent", { levels: { warn: 0.5, crit: 0.8 } }),
        ];
      default:
        return [tile(t("Used"), "used", "bytes", { total: "total", levels: full }), tile(t("Available"), "avail", "bytes")];
    }
  }

  #facts(pool: EntityView): Fact[] {
    const now = this.panel.now.value;
    const of = (metric: MetricName, text: (value: number) => string) => {
      const value = newestOf(pool, metric, now);
      return value === undefined ? null : text(value);
    };
    const counted = (value: number) => formatNumber(value);
    if (pool.kind === "zpool") {
      return [
        { name: t("Newest scrub"), value: scrubText(pool, now, t) },
        { name: t("Damaged places of data"), value: of("data_errors", counted) },
        { name: t("Free"), value: of("free", (value) => formatValue(value, "bytes")) },
      ];
    }
    if (pool.kind === "thinpool") {
      const [promised, size] = [newestOf(pool, "provisioned", now), newestOf(pool, "size", now)];
      return [
        { name: t("Size of the metadata"), value: of("metadata_size", (value) => formatValue(value, "bytes")) },
        {
          name: t("Promised, of its size"),
          value: promised === undefined || size === undefined || size <= 0 ? null : formatPercent(promised / size),
        },
      ];
    }
    const backups = instancesWith(pool, "snapshots").reduce(
      (sum, namespace) => sum + (newestOf(pool, "snapshots", now, namespace) ?? 0),
      0,
    );
    const failed = instancesWith(pool, "snapshots_failed").reduce(
      (sum, namespace) => sum + (newestOf(pool, "snapshots_failed", now, namespace) ?? 0),
      0,
    );
    const never = instancesWith(pool, "snapshots_unverified").reduce(
      (sum, namespace) => sum + (newestOf(pool, "snapshots_unverified", now, namespace) ?? 0),
      0,
    );
    return [
      { name: t("Backups in it"), value: tn(backups, "{n} backup", "{n} backups") },
      {
        name: t("Failed their newest verification"),
        value: failed > 0 ? html`<span class="crit">${icon("critical")} ${failed}</span>` : String(failed),
      },
      { name: t("Never verified"), value: String(never) },
      {
        name: t("Newest garbage collection"),
        value: of("gc_age", (value) => t("ended {time} ago", { time: formatDuration(value) })),
      },
      { name: t("It freed"), value: of("gc_removed", (value) => formatValue(value, "bytes")) },
      { name: t("Deduplication factor"), value: of("dedup_factor", (value) => formatNumber(value)) },
      { name: t("Storages on it"), value: pool.storages.join(", ") },
    ];
  }
}
customElements.define("proven-pool", ProvenPool);

function kindWords({ kind }: EntityView): string {
  if (kind === "zpool") return t("ZFS pool");
  return kind === "thinpool" ? t("LVM thin pool") : t("datastore of a Proxmox Backup Server");
}
