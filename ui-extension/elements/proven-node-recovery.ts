import { css, html, nothing } from "lit";
import type { GuestRecovery, RecoveryDetail } from "#protocol/recovery.ts";
import type { Answer } from "../api.ts";
import { formatAge } from "../core/age.ts";
import {
  asTold,
  dataWords,
  type Loss,
  lossBrief,
  lossWords,
  roomWords,
  sourceWords,
  stateRank,
  stateWords,
  timeWords,
  worstOf,
} from "../core/recovery.ts";
import { sectionRoute } from "../core/route.ts";
import { formatSpan, formatValue } from "../core/units.ts";
import { t, tn } from "../i18n.ts";
import { AskedElement } from "./asked-element.ts";
import { dash, moment } from "./figures.ts";
import { icon } from "./icon.ts";
import { entityLink, link } from "./link.ts";
import { factList, pageStyles } from "./proven-page.ts";
import "./proven-table.ts";
import type { TableColumn } from "./proven-table.ts";
import { recoveryMark } from "./recovery-mark.ts";
import { shared } from "./styles.ts";

/** If this node burned now: what comes back, when, and how do you know? A line that opens; where the node is gone already it stands open. */
export class ProvenNodeRecovery extends AskedElement<RecoveryDetail> {
  static override properties = {
    ...AskedElement.properties,
    node: { attribute: false },
    cluster: { attribute: false },
    gone: { attribute: false },
  };
  static override styles = [
    shared,
    pageStyles,
    css`
      .state { padding: 8px 10px; }
      .hub { padding: 6px 10px; border-bottom: 1px solid var(--pv-line-soft); }
      summary { display: flex; flex-wrap: wrap; gap: 2px 14px; align-items: baseline; padding: 7px 10px; cursor: pointer; list-style: none; }
      summary::-webkit-details-marker { display: none; }
      summary h2 { font-size: 14px; font-weight: 500; color: var(--pv-title); }
      summary h2::before { content: "▸ " / ""; }
      details[open] summary h2::before { content: "▾ " / ""; }
      details[open] summary { border-bottom: 1px solid var(--pv-line); }
      .answer { display: flex; flex-wrap: wrap; gap: 4px 14px; padding: 8px 10px; border-bottom: 1px solid var(--pv-line-soft); }
      .answer > span { overflow-wrap: anywhere; flex: 1; font-weight: 600; }
    `,
  ];
  declare node: string;
  declare cluster: string;
  /** The node is seen offline. */
  declare gone: boolean;

  protected question() {
    return `${this.cluster} ${this.node}`;
  }

  /** It moves with backups and tests, not with samples. */
  protected override get everyMs() {
    return 60_000;
  }

  protected ask(): Promise<Answer<RecoveryDetail>> {
    return this.panel.api.entities.recoveryOf(this.node, this.cluster);
  }

  protected override render() {
    const { value: answer, problem } = this.asked;
    const { node, gone } = this;
    const [value] = answer === undefined ? [] : asTold([answer], this.panel.store.picture.value.nodes);
    const title = gone ? t("If {node} does not come back", { node }) : t("If {node} burned now", { node });
    return html`<section class="panel" aria-label=${title}>
      ${problem === undefined ? nothing : this.state()}
      <details ?open=${gone}>
        <summary><h2>${title}</h2>${value === undefined ? nothing : recoveryMark(worstOf(value), lossBrief(value, t), lossWords(value, t))}</summary>
        ${problem === undefined ? this.state() : nothing}
        ${value === undefined ? nothing : this.#answer(value)}
      </details>
    </section>`;
  }

  #answer(recovery: RecoveryDetail & Loss) {
    const now = this.panel.now.value;
    const { room, keysNeeded, hubHere, each } = recovery;
    const bytes = (value: number | null) => (value === null ? t("unknown") : formatValue(value, "bytes"));
    const needed = bytes(room.neededBytes);
    const memory =
      room.fits === "none"
        ? t("{needed} needed", { needed })
        : t("{needed} needed, {free} free elsewhere", { needed, free: bytes(room.freeBytes) });
    return html`
      <p class="answer"><span>${lossWords(recovery, t)}</span>${link(this.panel, sectionRoute("proofs"), t("Restore proof"))}</p>
      ${hubHere ? html`<p class="hub"><span class="warn">${icon("warning")}</span> ${t("Proven's hub runs on this node: what it knows would burn too. Keep a copy elsewhere: proven-hub store backup.")}</p>` : nothing}
      ${
        each.length === 0
          ? nothing
          : html`${factList([
              { name: t("Data that comes back"), value: dataWords(recovery, now, t) ?? dash(t("nothing that has an age")) },
              {
                name: t("Restores, one after another"),
                value: timeWords(recovery, t) ?? dash(t("nothing to restore")),
              },
              {
                name: t("Memory for its guests"),
                value: html`${roomWords(recovery, t)} <span class="dim">${memory}</span>`,
              },
              ...(keysNeeded === 0
                ? []
                : [
                    {
                      name: t("Encryption keys"),
                      value: html`<span class="warn">${icon("warning")} ${tn(keysNeeded, "{n} backup needs its key: keep it outside of this node", "{n} backups need their key: keep it outside of this node")}</span>`,
                    },
                  ]),
            ])}
          <proven-table .caption=${t("What becomes of each guest")} .columns=${this.#columns(now)} .rows=${each} .keyOf=${(guest: GuestRecovery) => guest.entity} .sorting=${{ column: "state", descending: false }} .maxHeight=${330}></proven-table>`
      }`;
  }

  #columns(now: number): TableColumn<GuestRecovery>[] {
    const { cluster } = this;
    return [
      {
        id: "guest",
        title: t("Guest"),
        priority: 1,
        sort: (guest) => guest.vmid,
        cell: (guest) => entityLink(this.panel, { ...guest, cluster }, html`${icon(guest.type)} ${guest.vmid} ${guest.name}`),
      },
      {
        id: "state",
        title: t("What becomes of it"),
        priority: 1,
        sort: stateRank,
        cell: (guest) => recoveryMark(guest.state, stateWords(guest, t)),
      },
      {
        id: "source",
        title: t("From"),
        priority: 2,
        width: "32%",
        cell: (guest) => {
          const words = sourceWords(guest, t);
          return words === "" ? dash(t("unknown")) : html`<span title=${words}>${words}</span>`;
        },
      },
      {
        id: "data",
        title: t("Data of"),
        priority: 2,
        width: "124px",
        sort: ({ dataAt }) => dataAt ?? undefined,
        cell: ({ dataAt, state }) => {
          if (dataAt !== null) return moment(dataAt, now);
          if (state === "stays") return t("the end");
          return dash(state === "unknown" ? t("nobody can tell") : t("nothing outlives the node"));
        },
      },
      {
        id: "proven",
        title: t("Proven"),
        priority: 3,
        width: "104px",
        sort: ({ provenAt }) => provenAt ?? undefined,
        cell: ({ provenAt }) => (provenAt === null ? dash(t("never")) : t("{age} ago", { age: formatAge(now - provenAt) })),
      },
      {
        id: "time",
        title: t("Takes"),
        priority: 3,
        width: "100px",
        right: true,
        sort: ({ restoreMs }) => restoreMs ?? undefined,
        cell: ({ restoreMs }) => (restoreMs === null ? dash(t("never measured")) : formatSpan(restoreMs / 1000)),
      },
    ];
  }
}
customElements.define("proven-node-recovery", ProvenNodeRecovery);
