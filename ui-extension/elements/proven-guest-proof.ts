import { css, html, nothing, type PropertyValues } from "lit";
import type { GuestView } from "#protocol/api.ts";
import type { BackupView, RunView } from "#protocol/proof.ts";
import { formatMoment } from "../core/age.ts";
import { runWords } from "../core/proofs.ts";
import { sectionRoute } from "../core/route.ts";
import { formatValue } from "../core/units.ts";
import { t, timeZone } from "../i18n.ts";
import { check, choice, field, formStyles, numberInput, refusal, type Said, said } from "./form.ts";
import { link } from "./link.ts";
import { type Loaded, loadedOf, loading } from "./loaded.ts";
import { PanelElement } from "./panel-element.ts";
import { proofMark, runMark } from "./proof-mark.ts";
import { shared } from "./styles.ts";

type Lists = { runs: readonly RunView[]; backups: readonly BackupView[] };
type Wishes = { volid: string; integrity: boolean; screenshot: boolean; benchmark: boolean; keepSec: number };

/** On a guest's page: its proof, its tests, and the button that tests a backup now. */
export class ProvenGuestProof extends PanelElement {
  static override properties = {
    ...PanelElement.properties,
    guest: { attribute: false },
    lists: { state: true },
    wishes: { state: true },
    result: { state: true },
    busy: { state: true },
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
  declare lists: Loaded<Lists>;
  /** Undefined: the form is closed. */
  declare wishes: Wishes | undefined;
  declare result: Said;
  declare busy: boolean;
  #shownFor = "";

  constructor() {
    super();
    this.lists = loading;
    this.busy = false;
  }

  protected watched() {
    return [this.panel.now];
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has("guest")) return;
    const shown = `${this.guest.cluster} ${this.guest.entity} ${this.guest.proof?.runId}`;
    if (shown !== this.#shownFor) void this.#load();
    this.#shownFor = shown;
  }

  protected override render() {
    const { guest, panel, lists } = this;
    return html`<section class="panel" aria-label=${t("Restore proof")}>
      <header>
        <h2>${t("Restore proof")}</h2>
        ${guest.template ? nothing : html`<button class="end primary" type="button" aria-expanded=${this.wishes !== undefined} @click=${() => this.#toggle()}>${t("Test this backup …")}</button>`}
      </header>
      <p class="badge">${proofMark(guest.proof, panel.now.value)}</p>
      ${said(this.result)}
      ${this.wishes === undefined ? nothing : this.#form(this.wishes)}
      ${lists.state === "failed" ? said(refusal(lists.problem)) : nothing}
      ${lists.state === "there" ? this.#runs(lists.value.runs) : nothing}
    </section>`;
  }

  #form(wishes: Wishes) {
    const { lists, panel } = this;
    const now = panel.now.value;
    const backups = lists.state === "there" ? lists.value.backups : [];
    const label = ({ at, storage, bytes, state }: BackupView) =>
      `${formatMoment(at, now, timeZone)} · ${storage}${bytes === null ? "" : ` · ${formatValue(bytes, "bytes")}`}${state === "failed" ? ` · ${t("verification failed")}` : ""}`;
    const options = [
      ["", t("the newest")] as const,
      ...backups.filter(({ guest }) => guest !== "other").map((backup) => [backup.volid, label(backup)] as const),
    ];
    const change = (part: Partial<Wishes>) => {
      this.wishes = { ...wishes, ...part };
    };
    return html`<form @submit=${(event: Event) => this.#start(event, wishes)}>
      <div class="fields">
        ${field(
          t("Backup"),
          choice(wishes.volid, options, (volid) => change({ volid })),
        )}
        ${field(
          t("Leave it running afterwards"),
          numberInput(wishes.keepSec, (keepSec) => change({ keepSec }), {
            factor: 1 / 60,
            suffix: t("min"),
            label: t("Leave it running afterwards"),
          }),
          [],
          t("0: it is removed at once"),
        )}
      </div>
      ${check(t("Read every byte first"), wishes.integrity, (integrity) => change({ integrity }))}
      ${check(t("Take a picture of its screen"), wishes.screenshot, (screenshot) => change({ screenshot }))}
      ${check(t("Measure its disk"), wishes.benchmark, (benchmark) => change({ benchmark }))}
      <p class="hint">${t("The copy gets its own number, no way to your network, no host devices, and is removed at the end. The guest itself isn't touched.")}</p>
      <div class="buttons">
        <button class="primary" type="submit" ?disabled=${this.busy}>${t("Test it now")}</button>
        <button type="button" @click=${() => this.#toggle()}>${t("Close")}</button>
      </div>
    </form>`;
  }

  #runs(runs: readonly RunView[]) {
    const now = this.panel.now.value;
    if (runs.length === 0)
      return html`<p class="empty">${t("No backup of this guest was ever restored to see whether it works.")}</p>`;
    return html`<ul class="list">${runs.map(
      (run) =>
        html`<li><span>${runMark(run)} ${runWords(run, now, t)}<br /><span class="more">${formatMoment(run.createdAt, now, timeZone)} · ${run.backup.storage} · ${t("by {who}", { who: run.actor })}</span></span>${link(this.panel, sectionRoute("proofs", run.id), t("Evidence"), "button")}</li>`,
    )}</ul>`;
  }

  #toggle(): void {
    this.result = undefined;
    this.wishes =
      this.wishes === undefined ? { volid: "", integrity: true, screenshot: true, benchmark: false, keepSec: 0 } : undefined;
  }

  async #start(event: Event, { volid, ...wishes }: Wishes): Promise<void> {
    event.preventDefault();
    const { guest, panel, lists } = this;
    const chosen = lists.state === "there" ? lists.value.backups.find((backup) => backup.volid === volid) : undefined;
    this.busy = true;
    const answer = await panel.api.proof.start({
      vmid: guest.vmid,
      cluster: guest.cluster,
      ...wishes,
      ...(chosen === undefined ? {} : { backup: { storage: chosen.storage, volid } }),
    });
    this.busy = false;
    if (!answer.ok) {
      this.result = refusal(answer.problem);
      return;
    }
    panel.navigation.go(sectionRoute("proofs", answer.value.id), "push");
  }

  async #load(): Promise<void> {
    const { proof } = this.panel.api;
    const { vmid, cluster } = this.guest;
    const [runs, backups] = await Promise.all([proof.runs({ guest: vmid, limit: 10 }), proof.backups(vmid)]);
    if (!runs.ok) this.lists = loadedOf(runs);
    else if (!backups.ok) this.lists = loadedOf(backups);
    else {
      const here = <T extends { cluster: string }>(items: readonly T[]) => items.filter((item) => item.cluster === cluster);
      this.lists = { state: "there", value: { runs: here(runs.value.items), backups: here(backups.value.items) } };
    }
  }
}
customElements.define("proven-guest-proof", ProvenGuestProof);
