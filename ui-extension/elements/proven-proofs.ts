import { css, html, nothing, type PropertyValues } from "lit";
import type { GuestProofView, RunView } from "#protocol/proof.ts";
import { formatMoment } from "../core/age.ts";
import { isDue } from "../core/due.ts";
import { upToDate } from "../core/live-runs.ts";
import {
  countMatrix,
  filterMatrix,
  type MatrixLook,
  type MatrixRow,
  matrixCsv,
  matrixLooks,
  matrixRows,
  matrixVerdict,
  toggledLook,
} from "../core/matrix.ts";
import { runWords } from "../core/proofs.ts";
import { sectionRoute } from "../core/route.ts";
import { type Sorting, SortingInAddress } from "../core/sort.ts";
import { formatSpan } from "../core/units.ts";
import { t, timeZone, tn } from "../i18n.ts";
import { download, fileName } from "./download.ts";
import { formStyles, refusal, type Said, said } from "./form.ts";
import { type IconName, icon } from "./icon.ts";
import { link } from "./link.ts";
import { type Loaded, loadedOf, loading } from "./loaded.ts";
import { matrixColumns } from "./matrix-columns.ts";
import { PanelElement } from "./panel-element.ts";
import { runMark } from "./proof-mark.ts";
import { proofTabs, tabStyles } from "./proof-tabs.ts";
import "./proven-open-runs.ts";
import "./proven-table.ts";
import "./proven-test-form.ts";
import type { TestedGuest } from "./proven-test-form.ts";
import { shared } from "./styles.ts";

const runsShown = 50;
/** Without a sign from the stream, proofs are asked anew so often: ages of policies go on by themselves. */
const refreshMs = 60_000;
const verdictLooks: Record<ReturnType<typeof matrixVerdict>["level"], { shape: IconName; tone: string }> = {
  critical: { shape: "critical", tone: "crit" },
  warning: { shape: "warning", tone: "warn" },
  unknown: { shape: "unknown", tone: "dim" },
  calm: { shape: "info", tone: "" },
  fine: { shape: "ok", tone: "ok" },
};

/** Every guest and its newest proof, what needs somebody first; what goes on now; and the newest tests. */
export class ProvenProofs extends PanelElement {
  static override properties = {
    ...PanelElement.properties,
    runs: { state: true },
    guests: { state: true },
    testing: { state: true },
    result: { state: true },
  };
  static override styles = [
    shared,
    formStyles,
    tabStyles,
    css`
      .line { display: flex; gap: 9px; align-items: center; padding: 10px 14px; border: 1px solid var(--pv-line); border-left-width: 5px; background: var(--pv-panel); }
      .line.critical { border-left-color: var(--pv-crit); background: var(--pv-crit-tint); }
      .line.warning { border-left-color: var(--pv-warn); background: var(--pv-warn-tint); }
      .line.fine { border-left-color: var(--pv-ok); }
      .line .icon { width: 1.3em; height: 1.3em; }
      .sum { display: grid; grid-template-columns: repeat(auto-fit, minmax(92px, 1fr)); gap: 6px; }
      .sum button { background: var(--pv-panel); text-align: left; padding: 6px 10px; }
      .sum button[aria-pressed="true"] { background: var(--pv-select); }
      .sum strong { display: block; font-size: 20px; font-weight: 400; line-height: 1.2; }
      header input { flex: 1 1 180px; max-width: 300px; min-width: 0; }
    `,
  ];
  declare runs: Loaded<readonly RunView[]>;
  declare guests: Loaded<readonly GuestProofView[]>;
  /** Whose backup is about to be tested. */
  declare testing: TestedGuest | undefined;
  declare result: Said;
  #asked = "";
  #askedAt = 0;
  readonly #sorting = new SortingInAddress(undefined);

  constructor() {
    super();
    this.runs = loading;
    this.guests = loading;
  }

  protected watched() {
    const { now, store, navigation } = this.panel;
    return [now, store.picture, store.runs, navigation.route];
  }

  /** Asks anew when a test ended, the stream came back, or a minute is over. */
  protected override willUpdate(_changed: PropertyValues<this>): void {
    const { runs, picture } = this.panel.store;
    const ended = [...runs.value.byId.values()].filter(({ state }) => state === "finished").map(({ id }) => id);
    const proofs = picture.value.guests.map(({ proof }) => proof?.runId ?? "");
    const wanted = `${runs.value.connection} ${ended.join()} ${proofs.join()}`;
    const now = Date.now();
    if (wanted === this.#asked && !isDue(this.#askedAt, refreshMs, now)) return;
    this.#asked = wanted;
    this.#askedAt = now;
    void this.#load();
  }

  protected override render() {
    const { panel, guests } = this;
    return html`
      ${proofTabs(panel, "proofs")}
      ${guests.state === "there" ? this.#matrix(guests.value) : html`<div class="title"><h1>${t("Do the backups restore?")}</h1></div>`}
      ${guests.state === "loading" ? html`<p class="dim" role="status">${t("Loading …")}</p>` : nothing}
      ${guests.state === "failed" ? said(refusal(guests.problem)) : nothing}
      ${this.#newest()}
    `;
  }

  #matrix(guests: readonly GuestProofView[]) {
    const { panel, testing } = this;
    const { filter, sort } = panel.navigation.route.value;
    const live = panel.store.runs.value;
    const asked = this.runs.state === "there" ? this.runs.value : [];
    const verdicts = new Map(upToDate(asked, live).map(({ id, verdict }) => [id, verdict ?? ""]));
    const all = matrixRows(guests, live, verdicts, t);
    const rows = filterMatrix(all, filter);
    const verdict = matrixVerdict(all, t);
    const look = verdictLooks[verdict.level];
    const test = (guest: GuestProofView) => this.#test(guest);
    return html`
      <div class="line ${verdict.level}" role="status"><span class=${look.tone}>${icon(look.shape)}</span><h1>${verdict.text}</h1></div>
      ${this.#counts(all, filter)}
      ${said(this.result)}
      ${testing === undefined ? nothing : html`<section class="panel" aria-label=${t("Test this backup …")}><header><h2>${t("Test a backup of {guest}", { guest: `${testing.vmid} ${testing.name}` })}</h2></header><proven-test-form .panel=${panel} .guest=${testing} @started=${this.#onStarted} @closed=${this.#onClosed}></proven-test-form></section>`}
      <proven-open-runs .panel=${panel}></proven-open-runs>
      <section class="panel" aria-label=${t("Guests")}>
        <header>
          <h2>${t("Guests")} <span class="dim num">${filter === "" ? all.length : t("{n} of {all}", { n: rows.length, all: all.length })}</span></h2>
          <input class="end" type="search" placeholder=${t("name, tag:prod, node:pve1, is:slower")} aria-label=${t("Filter guests")} .value=${filter} @input=${(event: Event) => this.#filterBy((event.target as HTMLInputElement).value)} />
          <button type="button" ?disabled=${rows.length === 0} @click=${() => this.#save(rows)}>${t("Save as CSV")}</button>
        </header>
        <proven-table .rows=${rows} .columns=${matrixColumns(panel, test)} .caption=${t("Guests and their restore proof")} .keyOf=${({ guest }: MatrixRow) => `${guest.cluster} ${guest.entity}`} .empty=${all.length === 0 ? t("No guest is known") : t("No guest matches this filter.")} .maxHeight=${520} .sorting=${this.#sorting.of(sort)} @sorted=${this.#onSorted}></proven-table>
      </section>
    `;
  }

  /** How many of each kind; a click shows only those. */
  #counts(rows: readonly MatrixRow[], filter: string) {
    const counts = countMatrix(rows);
    const words: Record<MatrixLook, [label: string, tone: string]> = {
      failed: [t("failed"), "crit"],
      never: [t("never proven"), "warn"],
      old: [t("too old"), "warn"],
      unknown: [t("unknown"), "dim"],
      part: [t("proven in part"), ""],
      works: [t("works"), "ok"],
    };
    return html`<div class="sum" role="group" aria-label=${t("In short")}>
      ${matrixLooks.map((look) => {
        const [label, tone] = words[look];
        const isSet = filter.includes(`proof:${look}`);
        return html`<button type="button" aria-pressed=${isSet ? "true" : "false"} @click=${() => this.#filterBy(toggledLook(filter, look))}><strong class="num ${counts[look] > 0 ? tone : ""}">${counts[look]}</strong><span class="dim">${label}</span></button>`;
      })}
    </div>`;
  }

  #newest() {
    const { runs, panel } = this;
    const now = panel.now.value;
    const shown =
      runs.state === "there"
        ? upToDate(runs.value, panel.store.runs.value)
            .filter(({ state }) => state === "finished")
            .slice(0, runsShown)
        : [];
    return html`<section class="panel" aria-label=${t("Newest tests")}>
      <header><h2>${t("Newest tests")}</h2></header>
      ${runs.state === "loading" ? html`<p class="empty" role="status">${t("Loading …")}</p>` : nothing}
      ${runs.state === "failed" ? said(refusal(runs.problem)) : nothing}
      ${runs.state === "there" && shown.length === 0 ? html`<p class="empty">${t("No backup was tested yet. Press “Test” at a guest, or switch a policy on.")}</p>` : nothing}
      <ul class="list">${shown.map(
        (run) => html`<li>
          <span>${runMark(run)} ${link(panel, sectionRoute("proofs", run.id), run.guest === null ? run.entity : `${run.guest.vmid} ${run.guest.name}`, "name")} <span>${runWords(run, now, t)}</span><br /><span class="more">${formatMoment(run.createdAt, now, timeZone)} · ${t("by {who}", { who: run.actor })}${run.durationMs === null ? "" : ` · ${formatSpan(run.durationMs / 1000)}`}${run.leftovers.length === 0 ? "" : ` · ${tn(run.leftovers.length, "{n} leftover", "{n} leftovers")}`}</span></span>
        </li>`,
      )}</ul>
    </section>`;
  }

  #test({ cluster, vmid, type, name }: GuestProofView): void {
    this.result = undefined;
    this.testing = { cluster, vmid, type, name };
    void this.updateComplete.then(() => this.renderRoot.querySelector("proven-test-form")?.scrollIntoView({ block: "center" }));
  }

  #onStarted({ detail }: CustomEvent<RunView>): void {
    const guest = this.testing;
    this.testing = undefined;
    this.result = {
      ok: true,
      text: t("Ordered: {guest}. It is shown below as it goes on.", { guest: `${guest?.vmid} ${guest?.name}` }),
    };
    this.panel.store.noteRun(detail);
  }

  #onClosed(): void {
    this.testing = undefined;
  }

  #filterBy(filter: string): void {
    const { navigation } = this.panel;
    navigation.go({ ...navigation.route.value, filter }, "replace");
  }

  #onSorted({ detail }: CustomEvent<Sorting>): void {
    const { navigation } = this.panel;
    navigation.go({ ...navigation.route.value, sort: this.#sorting.textOf(detail) }, "replace");
  }

  #save(rows: readonly MatrixRow[]): void {
    const content = new Blob([matrixCsv(rows)], { type: "text/csv;charset=utf-8" });
    download(fileName("proven", t("Restore proof"), this.panel.now.value, "csv"), content);
  }

  async #load(): Promise<void> {
    const { proof } = this.panel.api;
    const [runs, guests] = await Promise.all([proof.runs({ limit: runsShown }), proof.guests()]);
    // What is there stays while a later answer fails: its ages are told.
    if (runs.ok || this.runs.state !== "there") this.runs = loadedOf(runs.ok ? { ok: true, value: runs.value.items } : runs);
    if (guests.ok || this.guests.state !== "there")
      this.guests = loadedOf(guests.ok ? { ok: true, value: guests.value.items } : guests);
  }
}
customElements.define("proven-proofs", ProvenProofs);
