import { css, html, nothing, type PropertyValues } from "lit";
import type { BackupView, RunView } from "#protocol/proof.ts";
import { formatMoment } from "../core/age.ts";
import { formatValue } from "../core/units.ts";
import { t, timeZone } from "../i18n.ts";
import { check, choice, field, formStyles, numberInput, refusal, type Said, said } from "./form.ts";
import { PanelElement } from "./panel-element.ts";
import { shared } from "./styles.ts";

/** Whose backup is tested. */
export type TestedGuest = { cluster: string; vmid: number; type: "qemu" | "lxc"; name: string };
type Wishes = { volid: string; integrity: boolean; screenshot: boolean; benchmark: boolean; keepSec: number };

/** Orders a restore test: with what it begins, Enter orders it. Says `started` with the run, or `closed`. */
export class ProvenTestForm extends PanelElement {
  static override properties = {
    ...PanelElement.properties,
    guest: { attribute: false },
    backups: { state: true },
    wishes: { state: true },
    result: { state: true },
    busy: { state: true },
  };
  static override styles = [
    shared,
    formStyles,
    css`
      form { border-bottom: 1px solid var(--pv-line-soft); }
    `,
  ];
  declare guest: TestedGuest;
  declare backups: readonly BackupView[];
  declare wishes: Wishes;
  declare result: Said;
  declare busy: boolean;
  #shownFor = "";

  constructor() {
    super();
    this.backups = [];
    this.wishes = { volid: "", integrity: true, screenshot: true, benchmark: false, keepSec: 0 };
    this.busy = false;
  }

  protected watched() {
    return [];
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    const shown = `${this.guest.cluster} ${this.guest.vmid}`;
    if (!changed.has("guest") || shown === this.#shownFor) return;
    this.#shownFor = shown;
    this.wishes = { ...this.wishes, volid: "" };
    this.result = undefined;
    void this.#load(shown);
  }

  protected override firstUpdated(_changed: PropertyValues<this>): void {
    this.renderRoot.querySelector<HTMLElement>("[type=submit]")?.focus();
  }

  protected override render() {
    const { wishes } = this;
    const now = this.panel.now.value;
    const label = ({ at, storage, bytes, state }: BackupView) =>
      `${formatMoment(at, now, timeZone)} · ${storage}${bytes === null ? "" : ` · ${formatValue(bytes, "bytes")}`}${state === "failed" ? ` · ${t("verification failed")}` : ""}`;
    const options = [
      ["", t("the newest")] as const,
      ...this.backups.filter(({ guest }) => guest !== "other").map((backup) => [backup.volid, label(backup)] as const),
    ];
    const change = (part: Partial<Wishes>) => {
      this.wishes = { ...wishes, ...part };
    };
    return html`<form aria-label=${t("Test a backup of {guest}", { guest: `${this.guest.vmid} ${this.guest.name}` })} @submit=${(event: Event) => this.#start(event)}>
      <div class="fields">
        ${field(
          t("Backup"),
          choice(wishes.volid, options, (volid) => change({ volid })),
        )}
        ${field(
          t("Leave it running afterwards"),
          numberInput(wishes.keepSec, (keepSec) => change({ keepSec: Math.max(0, Math.round(keepSec)) }), {
            factor: 1 / 60,
            suffix: t("min"),
            label: t("Leave it running afterwards"),
          }),
          [],
          t("0: it is removed at once"),
        )}
      </div>
      ${check(t("Read every byte first"), wishes.integrity, (integrity) => change({ integrity }))}
      ${this.guest.type === "lxc" ? nothing : check(t("Take a picture of its screen"), wishes.screenshot, (screenshot) => change({ screenshot }))}
      ${check(t("Measure its disk"), wishes.benchmark, (benchmark) => change({ benchmark }))}
      <p class="hint">${t("The copy gets its own number, no way to your network, no host devices, and is removed at the end. The guest itself isn't touched.")}</p>
      ${this.result === undefined ? nothing : said(this.result)}
      <div class="buttons">
        <button class="primary" type="submit" ?disabled=${this.busy}>${t("Test it now")}</button>
        <button type="button" @click=${() => this.dispatchEvent(new CustomEvent("closed"))}>${t("Close")}</button>
      </div>
    </form>`;
  }

  async #start(event: Event): Promise<void> {
    event.preventDefault();
    const { volid, ...wishes } = this.wishes;
    const { cluster, vmid } = this.guest;
    const chosen = this.backups.find((backup) => backup.volid === volid);
    this.busy = true;
    const answer = await this.panel.api.proof.start({
      vmid,
      cluster,
      ...wishes,
      ...(chosen === undefined ? {} : { backup: { storage: chosen.storage, volid } }),
    });
    this.busy = false;
    if (answer.ok) this.dispatchEvent(new CustomEvent<RunView>("started", { detail: answer.value }));
    else this.result = refusal(answer.problem);
  }

  /** Without them the newest one can be tested all the same. */
  async #load(shown: string): Promise<void> {
    const { vmid, cluster } = this.guest;
    const answer = await this.panel.api.proof.backups(vmid);
    if (shown !== this.#shownFor) return;
    this.backups = answer.ok ? answer.value.items.filter((backup) => backup.cluster === cluster) : [];
  }
}
customElements.define("proven-test-form", ProvenTestForm);
