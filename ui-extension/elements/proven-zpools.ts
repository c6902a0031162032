import { css, html, nothing } from "lit";
import type { EntityView } from "#protocol/entities.ts";
import type { Answer } from "../api.ts";
import { newestOf } from "../core/entity-values.ts";
import { poolVerdict, zpoolHealths } from "../core/pool-tiles.ts";
import { formatPercent, formatShare } from "../core/units.ts";
import { t } from "../i18n.ts";
import { AskedElement } from "./asked-element.ts";
import { bar, dash } from "./figures.ts";
import { icon, levelIcons } from "./icon.ts";
import { entityLink } from "./link.ts";
import "./proven-table.ts";
import type { TableColumn } from "./proven-table.ts";
import { shared } from "./styles.ts";

/** Table of a node's ZFS pools. */
export class ProvenZpools extends AskedElement<readonly EntityView[]> {
  static override properties = {
    ...AskedElement.properties,
    node: { attribute: false },
    cluster: { attribute: false },
    pools: { attribute: false },
  };
  static override styles = [
    shared,
    css`
      .state { padding: 8px 10px; }
    `,
  ];
  declare node: string;
  declare cluster: string;
  /** Their names; with another one, all are asked again. */
  declare pools: readonly string[];

  protected question() {
    return `${this.cluster} ${this.node} ${this.pools.join(" ")}`;
  }

  protected async ask(): Promise<Answer<readonly EntityView[]>> {
    const { cluster, node } = this;
    const answer = await this.panel.api.entities.list({ kind: "zpool", cluster, node, values: 1 });
    return answer.ok ? { ok: true, value: answer.value.items } : answer;
  }

  protected override render() {
    const { value } = this.asked;
    return html`<section class="panel" aria-label=${t("ZFS pools")}>
      <header><h2>${t("ZFS pools")}</h2></header>
      ${this.state()}
      ${value === undefined ? nothing : html`<proven-table .caption=${t("ZFS pools")} .columns=${this.#columns(this.panel.now.value)} .rows=${value} .keyOf=${(pool: EntityView) => pool.entity}></proven-table>`}
    </section>`;
  }

  #columns(now: number): TableColumn<EntityView>[] {
    const shareOf = (pool: EntityView) => {
      const [used, total] = [newestOf(pool, "allocated", now), newestOf(pool, "size", now)];
      return used === undefined || total === undefined || total <= 0 ? undefined : { used, total };
    };
    return [
      {
        id: "pool",
        title: t("Pool"),
        priority: 1,
        sort: (pool) => pool.name,
        cell: (pool) => entityLink(this.panel, pool, pool.name),
      },
      {
        id: "health",
        title: t("Health"),
        priority: 1,
        width: "130px",
        sort: (pool) => newestOf(pool, "health", now),
        cell: (pool) => health(pool, now),
      },
      {
        id: "used",
        title: t("Used"),
        priority: 1,
        width: "240px",
        cell: (pool) => {
          const share = shareOf(pool);
          if (share === undefined) return dash(t("no value now"));
          const words = t("{used} of {total}", formatShare(share.used, share.total));
          return html`<div class="meter wide"><span class="num">${words}</span>${bar(share.used / share.total, { warn: 0.8, crit: 0.9 })}</div>`;
        },
      },
      {
        id: "fragmentation",
        title: t("Fragmentation"),
        priority: 2,
        width: "120px",
        right: true,
        sort: (pool) => newestOf(pool, "fragmentation", now),
        cell: (pool) => {
          const share = newestOf(pool, "fragmentation", now);
          return share === undefined ? dash(t("no value now")) : formatPercent(share);
        },
      },
    ];
  }
}
customElements.define("proven-zpools", ProvenZpools);

/** ZFS' own word, looking as what the pool's page says of it: a pool that is ONLINE may have lost data. */
function health(pool: EntityView, now: number) {
  const code = newestOf(pool, "health", now);
  const word = code === undefined ? undefined : zpoolHealths[code];
  if (word === undefined) return dash(t("no value now"));
  const { level, text } = poolVerdict(pool, now, t);
  return html`<span class="nowrap ${level}" title=${text}>${icon(levelIcons[level])} ${word}</span>`;
}
