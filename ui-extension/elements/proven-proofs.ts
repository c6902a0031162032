import { css, html, nothing, type PropertyValues } from "lit";
import type { RunView } from "#protocol/proof.ts";
import { formatMoment } from "../core/age.ts";
import { countLooks, levelWords, type ProofRow, proofRows, runWords } from "../core/proofs.ts";
import { sectionRoute } from "../core/route.ts";
import { formatDuration } from "../core/units.ts";
import { t, timeZone, tn } from "../i18n.ts";
import { formStyles, refusal, said } from "./form.ts";
import { entityLink, link } from "./link.ts";
import { type Loaded, loadedOf, loading } from "./loaded.ts";
import { PanelElement } from "./panel-element.ts";
import { proofMark, runMark } from "./proof-mark.ts";
import "./proven-table.ts";
import type { TableColumn } from "./proven-table.ts";
import { shared } from "./styles.ts";

const runsShown = 50;

/** Every guest and its newest proof, what needs somebody first; and the newest tests. */
export class ProvenProofs extends PanelElement {
  static override properties = { ...PanelElement.properties, runs: { state: true } };
  static override styles = [
    shared,
    formStyles,
    css`
      .sum { display: grid; grid-template-columns: repeat(auto-fit, minmax(130px, 1fr)); gap: 8px; }
      .sum > div { background: var(--pv-panel); border: 1px solid var(--pv-line); padding: 8px 12px; }
      .sum strong { display: block; font-size: 20px; font-weight: 400; }
    `,
  ];
  declare runs: Loaded<readonly RunView[]>;
  #finished = "";

  constructor() {
    super();
    this.runs = loading;
  }

  protected watched() {
    return [this.panel.now, this.panel.store.picture, this.panel.navigation.route];
  }

  protected override firstUpdated(_changed: PropertyValues<this>): void {
    void this.#load();
  }

  /** A badge that changed means that a test has ended. */
  protected override updated(): void {
    const finished = this.panel.store.picture.value.guests.map(({ proof }) => proof?.runId ?? "").join();
    if (finished === this.#finished) return;
    this.#finished = finished;
    void this.#load();
  }

  protected override render() {
    const { panel } = this;
    const rows = proofRows(panel.store.picture.value.guests, panel.navigation.route.value.filter);
    const counts = countLooks(rows);
    return html`
      <div class="title"><h1>${t("Do the backups restore?")}</h1></div>
      <div class="sum" role="group" aria-label=${t("In short")}>
        ${this.#number(counts.good, t("proven"), counts.good > 0 ? "ok" : "")}
        ${this.#number(counts.bad, t("failed"), counts.bad > 0 ? "crit" : "")}
        ${this.#number(counts.old, t("overdue"), counts.old > 0 ? "warn" : "")}
        ${this.#number(counts.none + counts.unknown, t("without proof"), "")}
      </div>
      <section class="panel" aria-label=${t("Guests")}>
        <header>
          <h2>${t("Guests")} <span class="dim num">${rows.length}</span></h2>
          <input class="end" type="search" placeholder=${t("Filter")} aria-label=${t("Filter")} .value=${panel.navigation.route.value.filter} @input=${(event: Event) => this.#filter(event)} />
        </header>
        <proven-table .rows=${rows} .columns=${this.#columns()} .caption=${t("Guests and their restore proof")} .keyOf=${({ guest }: ProofRow) => `${guest.cluster} ${guest.entity}`} .empty=${t("No guest fits.")} .maxHeight=${480}></proven-table>
      </section>
      ${this.#newest()}
    `;
  }

  #number(n: number, label: string, tone: string) {
    return html`<div><strong class="num ${tone}">${n}</strong><span class="dim">${label}</span></div>`;
  }

  #filter(event: Event): void {
    const { navigation } = this.panel;
    navigation.go({ ...navigation.route.value, filter: (event.target as HTMLInputElement).value }, "replace");
  }

  #columns(): TableColumn<ProofRow>[] {
    const { panel } = this;
    const now = panel.now.value;
    return [
      {
        id: "guest",
        title: t("Guest"),
        priority: 1,
        width: "28%",
        sort: ({ guest }) => guest.vmid,
        cell: ({ guest }) => entityLink(panel, guest, `${guest.vmid} ${guest.name}`),
      },
      { id: "proof", title: t("Restore proof"), priority: 1, cell: ({ proof }) => proofMark(proof, now) },
      {
        id: "level",
        title: t("Level"),
        priority: 3,
        width: "110px",
        cell: ({ proof }) => (proof?.state === "proven" || proof?.state === "overdue" ? levelWords(proof.level, t) : "–"),
      },
      {
        id: "at",
        title: t("Tested"),
        priority: 2,
        width: "120px",
        sort: ({ proof }) => proof?.at ?? 0,
        cell: ({ proof }) => (proof?.at == null ? "–" : formatMoment(proof.at, now, timeZone)),
      },
      {
        id: "run",
        title: t("Evidence"),
        priority: 2,
        width: "90px",
        cell: ({ proof }) => (proof?.runId == null ? "–" : link(panel, sectionRoute("proofs", proof.runId), t("open"))),
      },
    ];
  }

  #newest() {
    const { runs, panel } = this;
    const now = panel.now.value;
    return html`<section class="panel" aria-label=${t("Newest tests")}>
      <header><h2>${t("Newest tests")}</h2></header>
      ${runs.state === "loading" ? html`<p class="empty" role="status">${t("Loading …")}</p>` : nothing}
      ${runs.state === "failed" ? said(refusal(runs.problem)) : nothing}
      ${runs.state === "there" && runs.value.length === 0 ? html`<p class="empty">${t("No backup was tested yet. Open a guest and press “Test this backup”.")}</p>` : nothing}
      ${
        runs.state === "there"
          ? html`<ul class="list">${runs.value.map(
              (run) => html`<li>
                <span>${runMark(run)} ${link(panel, sectionRoute("proofs", run.id), run.guest === null ? run.entity : `${run.guest.vmid} ${run.guest.name}`, "name")} <span>${runWords(run, now, t)}</span><br /><span class="more">${formatMoment(run.createdAt, now, timeZone)} · ${t("by {who}", { who: run.actor })}${run.durationMs === null ? "" : ` · ${formatDuration(run.durationMs / 1000)}`}${run.leftovers.length === 0 ? "" : ` · ${tn(run.leftovers.length, "{n} leftover", "{n} leftovers")}`}</span></span>
              </li>`,
            )}</ul>`
          : nothing
      }
    </section>`;
  }

  async #load(): Promise<void> {
    const answer = await this.panel.api.proof.runs({ limit: runsShown });
    this.runs = loadedOf(answer.ok ? { ok: true, value: answer.value.items } : answer);
  }
}
customElements.define("proven-proofs", ProvenProofs);
