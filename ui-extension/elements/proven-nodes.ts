import { html } from "lit";
import type { NodeView } from "#protocol/api.ts";
import { ratioReading, sortValue } from "../core/reading.ts";
import { sectionRoute } from "../core/route.ts";
import { t } from "../i18n.ts";
import { brief, meter, nodeState } from "./figures.ts";
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
    const memory = (node: NodeView) => ratioReading(node.memUsed, node.memTotal);
    const root = (node: NodeView) => ratioReading(node.rootUsed, node.rootTotal);
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
      {
        id: "cpu",
        title: t("CPU"),
        priority: 1,
        width: "104px",
        sort: (node) => sortValue(node.cpu, now),
        cell: (node) => meter(node.cpu, now, cpuLevels),
      },
      {
        id: "memory",
        title: t("Memory"),
        priority: 2,
        width: "104px",
        sort: (node) => sortValue(memory(node), now),
        cell: (node) => meter(memory(node), now, spaceLevels),
      },
      {
        id: "root",
        title: t("Root disk"),
        priority: 2,
        width: "104px",
        sort: (node) => sortValue(root(node), now),
        cell: (node) => meter(root(node), now, spaceLevels),
      },
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
