import { html } from "lit";
import type { NodeView, Reading } from "#protocol/api.ts";
import { ratioReading, sortValue } from "../core/reading.ts";
import { sectionRoute } from "../core/route.ts";
import { t } from "../i18n.ts";
import { brief, type Levels, meter, nodeState } from "./figures.ts";
import { icon } from "./icon.ts";
import { entityLink, link } from "./link.ts";
import { PanelElement } from "./panel-element.ts";
import "./proven-age.ts";
import "./proven-table.ts";
import type { TableColumn } from "./proven-table.ts";
import { shared } from "./styles.ts";

const cpuLevels = { warn: 0.8, crit: 0.95 };
const spaceLevels = { warn: 0.85, crit: 0.95 };

/** Table of nodes with their live load. */
export class ProvenNodes extends PanelElement {
  static override styles = [shared];

  protected watched() {
    return [this.panel.now, this.panel.store.picture];
  }

  protected override render() {
    const { nodes } = this.panel.store.picture.value;
    return html`<section class="panel" aria-label=${t("Nodes")}>
      <header><h2>${t("Nodes")} <span class="dim num">${nodes.length}</span></h2>
        <span class="end">${link(this.panel, sectionRoute("agents"), t("Agents"))}</span></header>
      <proven-table
        .caption=${t("Nodes")}
        .columns=${this.#columns()}
        .rows=${nodes}
        .keyOf=${(node: NodeView) => `${node.cluster} ${node.entity}`}
        .sorting=${{ column: "node", descending: false }}
        .maxHeight=${400}
        .empty=${t("No nodes yet.")}
      ></proven-table>
    </section>`;
  }

  #columns(): TableColumn<NodeView>[] {
    const now = this.panel.now.value;
    const share = (id: string, title: string, priority: 1 | 2, of: (node: NodeView) => Reading, levels: Levels) => ({
      id,
      title,
      priority,
      width: "104px",
      sort: (node: NodeView) => sortValue(of(node), now),
      cell: (node: NodeView) => meter(of(node), now, levels),
    });
    return [
      {
        id: "node",
        title: t("Node"),
        priority: 1,
        sort: (node) => node.node,
        cell: (node) => entityLink(this.panel, node, html`${icon("node")} ${node.node}`),
      },
      {
        id: "state",
        title: t("State"),
        priority: 1,
        width: "100px",
        sort: (node) => node.state,
        cell: (node) => nodeState(node),
      },
      share("cpu", t("CPU"), 1, (node) => node.cpu, cpuLevels),
      share("memory", t("Memory"), 2, (node) => ratioReading(node.memUsed, node.memTotal), spaceLevels),
      share("root", t("Root disk"), 2, (node) => ratioReading(node.rootUsed, node.rootTotal), spaceLevels),
      {
        id: "uptime",
        title: t("Uptime"),
        priority: 3,
        width: "92px",
        right: true,
        sort: (node) => sortValue(node.uptime, now),
        cell: (node) => brief(node.uptime, now, "seconds"),
      },
      {
        id: "guests",
        title: t("Guests"),
        priority: 3,
        width: "76px",
        right: true,
        sort: (node) => node.guests.running,
        cell: ({ guests }) =>
          html`<span class="num" title=${t("{running} run, {unknown} unknown, {total} in all", guests)}>${guests.unknown > 0 && guests.running === 0 ? "–" : guests.running} / ${guests.total}</span>`,
      },
      {
        id: "age",
        title: t("Age"),
        priority: 2,
        width: "64px",
        right: true,
        cell: (node) => html`<proven-age .panel=${this.panel} .at=${node.cpu.at}></proven-age>`,
      },
    ];
  }
}
customElements.define("proven-nodes", ProvenNodes);
