import { css, html, nothing, type PropertyValues } from "lit";
import type { GuestView } from "#protocol/api.ts";
import type { RunView } from "#protocol/proof.ts";
import { formatMoment } from "../core/age.ts";
import { isDue } from "../core/due.ts";
import { upToDate } from "../core/live-runs.ts";
import { runWords } from "../core/proofs.ts";
import { sectionRoute } from "../core/route.ts";
import { t, timeZone } from "../i18n.ts";
import { formStyles, refusal, said } from "./form.ts";
import { icon } from "./icon.ts";
import { link } from "./link.ts";
import { type Loaded, loadedOf, loading } from "./loaded.ts";
import { PanelElement } from "./panel-element.ts";
import { proofMark, runMark } from "./proof-mark.ts";
import "./proven-open-runs.ts";
import "./proven-test-form.ts";
import { shared } from "./styles.ts";

const runsShown = 10;
const seekEveryMs = 60_000;

/** On a guest's page: its proof, its tests, and the button that tests a backup now. */
export class ProvenGuestProof extends PanelElement {
  static override properties = {
    ...PanelElement.properties,
    guest: { attribute: false },
    runs: { state: true },
    noBackup: { state: true },
    ordering: { state: true },
  };
  static override styles = [
    shared,
    formStyles,
    css`
      .badge { padding: 8px 12px; font-size: 14px; }
      .proof > span { margin-right: 4px; }
    `,
  ];
  declare guest: GuestView;
  declare runs: Loaded<readonly RunView[]>;
  /** Why there is none that could be tested; undefined: there is one, or nobody has said. */
  declare noBackup: string | undefined;
  /** The form is open. */
  declare ordering: boolean;
  #shownFor = "";
  #soughtAt = Number.NEGATIVE_INFINITY;

  constructor() {
    super();
    this.runs = loading;
    this.ordering = false;
  }

  protected watched() {
    return [this.panel.now, this.panel.store.runs];
  }

  protected override willUpdate(_changed: PropertyValues<this>): void {
    const { cluster, entity, proof } = this.guest;
    const shown = `${cluster} ${entity} ${proof?.runId} ${this.panel.store.runs.value.connection}`;
    const isOther = shown !== this.#shownFor;
    this.#shownFor = shown;
    if (isOther) void this.#load();
    const now = this.panel.now.value;
    if (!isOther && !isDue(this.#soughtAt, seekEveryMs, now)) return;
    this.#soughtAt = now;
    void this.#seekBackup();
  }

  protected override render() {
    const { guest, panel, runs } = this;
    const close = () => this.#open(false);
    const started = ({ detail }: CustomEvent<RunView>) => {
      panel.store.noteRun(detail);
      panel.navigation.go(sectionRoute("proofs", detail.id), "push");
    };
    return html`<section class="panel" aria-label=${t("Restore proof")}>
      <header>
        <h2>${t("Restore proof")}</h2>
        ${guest.template || !panel.mayWrite || this.noBackup !== undefined ? nothing : html`<button class="end primary" type="button" aria-expanded=${this.ordering ? "true" : "false"} @click=${() => this.#open(!this.ordering)}>${t("Test this backup …")}</button>`}
      </header>
      <p class="badge">${proofMark(guest.proof, panel.now.value)}</p>
      ${this.noBackup === undefined || guest.template ? nothing : html`<p class="badge"><span class="warn">${icon("warning")}</span> ${t("There is nothing to test: {why}", { why: t(this.noBackup) })}</p>`}
      ${this.ordering ? html`<proven-test-form .panel=${panel} .guest=${guest} @started=${started} @closed=${close}></proven-test-form>` : nothing}
      <proven-open-runs .panel=${panel} .about=${guest}></proven-open-runs>
      ${runs.state === "failed" ? said(refusal(runs.problem)) : nothing}
      ${runs.state === "there" ? this.#runs(runs.value) : nothing}
    </section>`;
  }

  #runs(asked: readonly RunView[]) {
    const { guest, panel } = this;
    const now = panel.now.value;
    const isIts = ({ cluster, entity }: RunView) => cluster === guest.cluster && entity === guest.entity;
    const runs = upToDate(asked, panel.store.runs.value, isIts).filter(({ state }) => state === "finished");
    if (runs.length === 0)
      return html`<p class="empty">${t("No backup of this guest was ever restored to see whether it works.")}</p>`;
    return html`<ul class="list">${runs
      .slice(0, runsShown)
      .map(
        (run) =>
          html`<li><span>${runMark(run)} ${runWords(run, now, t)}<br /><span class="more">${formatMoment(run.createdAt, now, timeZone)} · ${run.backup.storage} · ${t("by {who}", { who: run.actor })}</span></span>${link(panel, sectionRoute("proofs", run.id), t("Evidence"), "button")}</li>`,
      )}</ul>`;
  }

  #open(ordering: boolean): void {
    this.ordering = ordering;
  }

  /** As the hub knows it of all storages, also of those that this user may not look into. */
  async #seekBackup(): Promise<void> {
    const { vmid, cluster, entity } = this.guest;
    const answer = await this.panel.api.proof.guest(vmid, cluster);
    if (entity !== this.guest.entity || cluster !== this.guest.cluster) return;
    const gaps = answer.ok ? answer.value.items[0]?.gaps : undefined;
    this.noBackup = gaps?.find(({ gap }) => gap === "no-backup")?.text;
  }

  async #load(): Promise<void> {
    const { vmid, cluster } = this.guest;
    const answer = await this.panel.api.proof.runs({ guest: vmid, cluster, limit: runsShown });
    this.runs = loadedOf(answer.ok ? { ok: true, value: answer.value.items } : answer);
  }
}
customElements.define("proven-guest-proof", ProvenGuestProof);
