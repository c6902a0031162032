import { css, html } from "lit";
import { formatNumber, formatPercent, formatShare } from "../core/units.ts";
import { totalsOf } from "../core/verdict.ts";
import { t, tn } from "../i18n.ts";
import { bar } from "./figures.ts";
import { type IconName, icon } from "./icon.ts";
import { PanelElement } from "./panel-element.ts";
import "./proven-busiest.ts";
import "./proven-events.ts";
import "./proven-guests.ts";
import "./proven-nodes.ts";
import "./proven-storages.ts";
import "./proven-tasks.ts";
import "./proven-verdict.ts";
import { shared } from "./styles.ts";

type Card = { icon: IconName; title: string; value: string; note: string; ratio?: number };

/** The first page: is anything wrong, what runs where, what changed. */
export class ProvenOverview extends PanelElement {
  static override styles = [
    shared,
    css`
      :host { display: grid; gap: 8px; grid-template-columns: minmax(0, 1fr); }
      .cards { display: grid; gap: 8px; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); }
      .card { background: var(--pv-panel); border: 1px solid var(--pv-line); padding: 7px 12px 9px; min-width: 0; }
      .card dt { color: var(--pv-dim); font-size: 12px; }
      .card dd.value { font-size: 20px; line-height: 1.35; font-variant-numeric: tabular-nums; }
      .card dd.note { color: var(--pv-dim); font-size: 12px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
      .card .bar { margin-top: 4px; }
      .two { display: grid; gap: 8px; grid-template-columns: minmax(0, 2fr) minmax(0, 3fr); align-items: start; }
      .two.even { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); }
      @media (max-width: 900px) { .two, .two.even { grid-template-columns: minmax(0, 1fr); } }
      @media (max-width: 480px) { .cards { grid-template-columns: 1fr 1fr; } }
    `,
  ];

  protected watched() {
    return [this.panel.now, this.panel.store.picture];
  }

  protected override render() {
    const { panel } = this;
    return html`
      <proven-verdict .panel=${panel}></proven-verdict>
      <dl class="cards">${this.#cards().map((card) => this.#card(card))}</dl>
      <div class="two">
        <proven-problems .panel=${panel}></proven-problems>
        <proven-nodes .panel=${panel}></proven-nodes>
      </div>
      <proven-guests .panel=${panel}></proven-guests>
      <div class="two even">
        <proven-storages .panel=${panel}></proven-storages>
        <proven-events .panel=${panel}></proven-events>
      </div>
      <div class="two even">
        <proven-busiest .panel=${panel}></proven-busiest>
        <proven-tasks .panel=${panel}></proven-tasks>
      </div>
    `;
  }

  #card({ icon: name, title, value, note, ratio }: Card) {
    return html`<div class="card">
      <dt>${icon(name)} ${title}</dt>
      <dd class="value">${value}</dd>
      <dd class="note" title=${note}>${note}</dd>
      ${ratio === undefined ? "" : html`<dd>${bar(ratio)}</dd>`}
    </div>`;
  }

  #cards(): Card[] {
    const { nodes, guests, storages, cpu, memory } = totalsOf(this.panel.store.picture.value, this.panel.now.value);
    const stopped = [
      tn(guests.stopped, "{n} stopped", "{n} stopped"),
      guests.unknown > 0 ? tn(guests.unknown, "{n} unknown", "{n} unknown") : "",
      guests.other > 0 ? tn(guests.other, "{n} other", "{n} other") : "",
    ];
    const share = memory === undefined ? undefined : formatShare(memory.used, memory.total);
    const away = storages.total - storages.available;
    const measured = (on: number) => (on === nodes.total ? "" : t(" · {on} of {n} nodes", { on, n: nodes.total }));
    return [
      { icon: "node", title: t("Nodes online"), value: `${nodes.online} / ${nodes.total}`, note: this.#quorumNote() },
      {
        icon: "running",
        title: t("Guests running"),
        value: `${guests.running} / ${guests.total}`,
        note: stopped.filter(Boolean).join(" · "),
      },
      {
        icon: "cpu",
        title: t("CPU of all nodes"),
        value: cpu === undefined ? "–" : formatPercent(cpu.used / cpu.total),
        note:
          cpu === undefined
            ? t("no fresh reading")
            : `${t("{used} of {total} threads", { used: formatNumber(cpu.used), total: formatNumber(cpu.total) })}${measured(cpu.nodes)}`,
        ...(cpu === undefined ? {} : { ratio: cpu.used / cpu.total }),
      },
      {
        icon: "memory",
        title: t("Memory of all nodes"),
        value: memory === undefined ? "–" : formatPercent(memory.used / memory.total),
        note:
          memory === undefined || share === undefined
            ? t("no fresh reading")
            : `${t("{used} of {total}", share)}${measured(memory.nodes)}`,
        ...(memory === undefined ? {} : { ratio: memory.used / memory.total }),
      },
      {
        icon: "storage",
        title: t("Storages available"),
        value: `${storages.available} / ${storages.total}`,
        note: away === 0 ? t("all answer") : tn(away, "{n} not active or unknown", "{n} not active or unknown"),
      },
      { icon: "shield", title: t("Restore proof"), value: t("unknown"), note: t("not set up yet") },
    ];
  }

  #quorumNote(): string {
    const { nodes } = this.panel.store.picture.value;
    const away = nodes.filter((node) => node.agent.state !== "connected").length;
    return away === 0 ? t("all agents connected") : tn(away, "{n} agent not connected", "{n} agents not connected");
  }
}
customElements.define("proven-overview", ProvenOverview);
