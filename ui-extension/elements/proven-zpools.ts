import { html } from "lit";
import { columnKey, gridOf, lastKnown } from "../core/columns.ts";
import { zpoolHealths } from "../core/pool-tiles.ts";
import { formatPercent, formatShare } from "../core/units.ts";
import { t } from "../i18n.ts";
import { bar, dash } from "./figures.ts";
import { icon } from "./icon.ts";
import { entityLink } from "./link.ts";
import { PanelElement } from "./panel-element.ts";
import "./proven-table.ts";
import type { TableColumn } from "./proven-table.ts";
import { shared } from "./styles.ts";

const metrics = ["health", "size", "allocated", "fragmentation"] as const;
/** Pools are read more slowly than the rest; an older figure than this counts as unknown. */
const lookBackMs = 900_000;

type Pool = { name: string } & Record<(typeof metrics)[number], number | undefined>;

/** Table of a node's ZFS pools, read once a minute from history. */
export class ProvenZpools extends PanelElement {
  static override properties = {
    ...PanelElement.properties,
    node: { attribute: false },
    cluster: { attribute: false },
    pools: { attribute: false },
    rows: { state: true },
  };
  static override styles = [shared];
  declare node: string;
  declare cluster: string;
  declare pools: readonly string[];
  declare rows: readonly Pool[] | undefined;
  #asked = { about: "", at: 0 };

  protected watched() {
    return [this.panel.now];
  }

  protected override willUpdate(): void {
    const about = `${this.cluster} ${this.node} ${this.pools.join(" ")}`;
    const now = this.panel.now.value;
    if (about === this.#asked.about && now - this.#asked.at < 60_000) return;
    if (about !== this.#asked.about) this.rows = undefined;
    this.#asked = { about, at: now };
    void this.#read(now, about);
  }

  async #read(now: number, about: string): Promise<void> {
    const entityOf = (pool: string) => `zpool/${this.node}/${pool}`;
    const series = this.pools.flatMap((pool) =>
      metrics.map((metric) => ({ cluster: this.cluster, entity: entityOf(pool), metric })),
    );
    const [from, to] = [Math.floor(now) - lookBackMs, Math.floor(now) + 1];
    const answer = await this.panel.api.querySeries({ series, from, to, stepMs: lookBackMs, aggregates: ["last"] });
    if (!answer.ok || about !== this.#asked.about) return;
    // The hub may begin a step on its own boundary, so the answer can hold two: one more slot before ours.
    const grid = gridOf([answer.value], from - lookBackMs, to + lookBackMs, lookBackMs);
    const last = (pool: string, metric: string) => {
      const column = grid.columns.get(columnKey(entityOf(pool), metric, null, "last"));
      return column === undefined ? undefined : lastKnown(column)?.value;
    };
    this.rows = this.pools.map((name) => ({
      name,
      health: last(name, "health"),
      size: last(name, "size"),
      allocated: last(name, "allocated"),
      fragmentation: last(name, "fragmentation"),
    }));
  }

  protected override render() {
    return html`<section class="panel" aria-label=${t("ZFS pools")}>
      <header><h2>${t("ZFS pools")}</h2></header>
      <proven-table
        .caption=${t("ZFS pools")}
        .columns=${this.#columns()}
        .rows=${this.rows ?? []}
        .keyOf=${(pool: Pool) => pool.name}
        .empty=${t("Reading history …")}
      ></proven-table>
    </section>`;
  }

  #columns(): TableColumn<Pool>[] {
    return [
      {
        id: "pool",
        title: t("Pool"),
        priority: 1,
        sort: (pool) => pool.name,
        cell: (pool) => entityLink(this.panel, { entity: `zpool/${this.node}/${pool.name}`, cluster: this.cluster }, pool.name),
      },
      {
        id: "health",
        title: t("Health"),
        priority: 1,
        width: "130px",
        sort: (pool) => pool.health,
        cell: (pool) => health(pool.health),
      },
      {
        id: "used",
        title: t("Used"),
        priority: 1,
        width: "240px",
        cell: ({ size, allocated }) =>
          size === undefined || allocated === undefined || size <= 0
            ? dash(t("no value now"))
            : html`<div class="meter wide"><span class="num">${t("{used} of {total}", formatShare(allocated, size))}</span>${bar(allocated / size, { warn: 0.8, crit: 0.9 })}</div>`,
      },
      {
        id: "fragmentation",
        title: t("Fragmentation"),
        priority: 2,
        width: "120px",
        right: true,
        sort: (pool) => pool.fragmentation,
        cell: (pool) => (pool.fragmentation === undefined ? dash(t("no value now")) : formatPercent(pool.fragmentation)),
      },
    ];
  }
}
customElements.define("proven-zpools", ProvenZpools);

function health(code: number | undefined) {
  const word = code === undefined ? undefined : zpoolHealths[code];
  if (word === undefined) return dash(t("no value now"));
  return html`<span class="nowrap ${word === "ONLINE" ? "ok" : "crit"}">${icon(word === "ONLINE" ? "ok" : "critical")} ${word}</span>`;
}
