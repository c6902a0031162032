import { css, html, nothing } from "lit";
import type { Page } from "#protocol/api.ts";
import type { NodeRecovery } from "#protocol/recovery.ts";
import type { Answer } from "../api.ts";
import { asTold, dataWords, type Loss, lossBrief, lossRank, lossWords, roomWords, timeWords, worstOf } from "../core/recovery.ts";
import { t } from "../i18n.ts";
import { AskedElement } from "./asked-element.ts";
import { dash } from "./figures.ts";
import { icon } from "./icon.ts";
import { entityLink } from "./link.ts";
import "./proven-table.ts";
import type { TableColumn } from "./proven-table.ts";
import { recoveryMark } from "./recovery-mark.ts";
import { shared } from "./styles.ts";

/** Each node with what its loss would do: what comes back, how old, how long, and whether there is room. */
export class ProvenRecovery extends AskedElement<Page<NodeRecovery>> {
  static override styles = [
    shared,
    css`
      .state { padding: 8px 10px; }
    `,
  ];

  protected question() {
    return "recovery";
  }

  /** It moves with backups and tests, not with samples. */
  protected override get everyMs() {
    return 60_000;
  }

  protected ask(): Promise<Answer<Page<NodeRecovery>>> {
    return this.panel.api.entities.recovery();
  }

  protected override render() {
    const { value } = this.asked;
    return html`<section class="panel" aria-label=${t("If a node burned now")}>
      <header><h2>${t("If a node burned now")}</h2></header>
      ${this.state()}
      ${value === undefined ? nothing : html`<proven-table .caption=${t("If a node burned now")} .columns=${this.#columns()} .rows=${asTold(value.items, this.panel.store.picture.value.nodes)} .keyOf=${(node: NodeRecovery) => `${node.cluster} ${node.entity}`} .sorting=${{ column: "loss", descending: true }} .maxHeight=${260} .empty=${t("No nodes yet.")}></proven-table>`}
    </section>`;
  }

  #columns(): TableColumn<NodeRecovery & Loss>[] {
    const now = this.panel.now.value;
    return [
      {
        id: "node",
        title: t("Node"),
        priority: 1,
        width: "92px",
        sort: (node) => node.node,
        cell: (node) => entityLink(this.panel, node, html`${icon("node")} ${node.node}`),
      },
      {
        id: "loss",
        title: t("What becomes of its guests"),
        priority: 1,
        sort: lossRank,
        cell: (node) => recoveryMark(worstOf(node), lossBrief(node, t), lossWords(node, t)),
      },
      {
        id: "data",
        title: t("Data"),
        priority: 2,
        width: "110px",
        sort: ({ oldestAt }) => (oldestAt === null ? undefined : now - oldestAt),
        cell: (node) => dataWords(node, now, t) ?? dash(t("nothing that has an age")),
      },
      {
        id: "time",
        title: t("Restores take"),
        priority: 2,
        width: "136px",
        sort: ({ restores }) => (restores.measured === 0 ? undefined : restores.totalMs),
        cell: (node) => timeWords(node, t) ?? dash(t("nothing to restore")),
      },
      {
        id: "room",
        title: t("Memory"),
        priority: 3,
        width: "190px",
        sort: ({ room }) => room.fits,
        cell: (node) => roomWords(node, t),
      },
    ];
  }
}
customElements.define("proven-recovery", ProvenRecovery);
