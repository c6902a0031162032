import { css, html } from "lit";
import { withoutCopies } from "../core/live-runs.ts";
import { summarizeProtection } from "../core/protection.ts";
import { formatNumber, formatPercent, formatShare } from "../core/units.ts";
import { totalsOf } from "../core/verdict.ts";
import { t, tn } from "../i18n.ts";
import { bar } from "./figures.ts";
import { type IconName, icon } from "./icon.ts";
import { PanelElement } from "./panel-element.ts";
import { shared } from "./styles.ts";

type Card = { icon: IconName; title: string; value: string; note: string; ratio?: number };

/** What there is, in a line of figures. */
export class ProvenFigures extends PanelElement {
  static override styles = [
    shared,
    css`
      .cards { display: grid; gap: 8px; grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); }
      .card { background: var(--pv-panel); border: 1px solid var(--pv-line); padding: 5px 12px 7px; min-width: 0; }
      .card dt { color: var(--pv-dim); font-size: 12px; }
      .card dd.value { font-size: 18px; line-height: 1.3; font-variant-numeric: tabular-nums; }
      .card dd.note { color: var(--pv-dim); font-size: 12px; line-height: 1.35; overflow-wrap: anywhere; }
      .card .bar { margin-top: 4px; }
      @media (max-width: 480px) { .cards { grid-template-columns: 1fr 1fr; } }
    `,
  ];

  protected watched() {
    return [this.panel.now, this.panel.store.picture, this.panel.overview.protections];
  }

  protected override render() {
    return html`<dl class="cards">${this.#cards().map((card) => this.#card(card))}</dl>`;
  }

  #card({ icon: name, title, value, note, ratio }: Card) {
    return html`<div class="card">
      <dt>${icon(name)} ${title}</dt>
      <dd class="value">${value}</dd>
      <dd class="note">${note}</dd>
      ${ratio === undefined ? "" : html`<dd>${bar(ratio)}</dd>`}
    </div>`;
  }

  #cards(): Card[] {
    const picture = this.panel.store.picture.value;
    const { nodes, guests, storages, cpu, memory } = totalsOf(picture, this.panel.now.value);
    const { proofs } = summarizeProtection(
      withoutCopies(picture.guests, this.panel.store.runs.value),
      this.panel.overview.protections.value,
    );
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
        note:
          storages.total === 0
            ? t("none known")
            : away === 0
              ? t("all answer")
              : tn(away, "{n} not active or unknown", "{n} not active or unknown"),
      },
      {
        icon: "shield",
        title: t("Restore proof"),
        value: proofs.none === guests.total ? t("none yet") : `${proofs.proven} / ${guests.total}`,
        note: proofs.none === guests.total ? t("no backup was ever restored") : t("restored and proven"),
      },
    ];
  }

  #quorumNote(): string {
    const { nodes } = this.panel.store.picture.value;
    const away = nodes.filter((node) => node.agent.state !== "connected").length;
    if (nodes.length === 0) return t("none known");
    return away === 0 ? t("all agents connected") : tn(away, "{n} agent not connected", "{n} agents not connected");
  }
}
customElements.define("proven-figures", ProvenFigures);
