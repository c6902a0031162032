import { css, html, nothing, type PropertyValues } from "lit";
import type { GuestView } from "#protocol/api.ts";
import { t } from "../i18n.ts";
import { type PowerAction, powerActionsOf } from "../pve-actions.ts";
import { type Said, said } from "./form.ts";
import { consoleButton } from "./guest-columns.ts";
import { PanelElement } from "./panel-element.ts";
import { shared } from "./styles.ts";

/** What can be done with a guest at once: its console, and inside Proxmox VE's page what Proxmox VE lets this user do. */
export class ProvenGuestActions extends PanelElement {
  static override properties = {
    ...PanelElement.properties,
    guest: { attribute: false },
    privileges: { state: true },
    asked: { state: true },
    result: { state: true },
  };
  static override styles = [
    shared,
    css`
      .acts { display: flex; flex-wrap: wrap; gap: 4px 8px; align-items: center; }
      .said { display: flex; gap: 6px; padding: 4px 8px; }
      .said.bad { background: var(--pv-crit-tint); }
    `,
  ];
  declare guest: GuestView;
  /** On this guest; undefined: not told yet. */
  declare privileges: ReadonlySet<string> | undefined;
  /** Waits for a yes. */
  declare asked: PowerAction | undefined;
  declare result: Said;
  #about = "";

  protected watched() {
    return [this.panel.session];
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    const about = `${this.guest.cluster} ${this.guest.entity}`;
    if (!changed.has("guest") || about === this.#about) return;
    this.#about = about;
    this.asked = undefined;
    this.result = undefined;
    void this.#learn(about);
  }

  async #learn(about: string): Promise<void> {
    const privileges = await this.panel.pve?.privileges(this.guest);
    if (about === this.#about) this.privileges = privileges;
  }

  protected override render() {
    const { panel, guest, privileges } = this;
    const console = panel.pve === undefined || privileges?.has("VM.Console") ? consoleButton(panel, guest) : nothing;
    const actions = privileges?.has("VM.PowerMgmt") ? powerActionsOf(guest) : [];
    return html`<div class="acts">${console}${this.asked === undefined ? actions.map((action) => this.#button(action)) : this.#question(this.asked)}</div>${said(this.result)}`;
  }

  #button(action: PowerAction) {
    const ask = () => {
      this.asked = action;
      void this.updateComplete.then(() => this.renderRoot.querySelector<HTMLElement>("[data-yes]")?.focus());
    };
    return html`<button type="button" @click=${ask}>${actionNames()[action]}</button>`;
  }

  #question(action: PowerAction) {
    const { vmid, name } = this.guest;
    const no = () => {
      this.asked = undefined;
    };
    return html`<span role="status">${t("{action} {guest}?", { action: actionNames()[action], guest: `${vmid} ${name}` })}</span>
      <button type="button" class="primary" data-yes @click=${() => void this.#tell(action)}>${t("Yes")}</button>
      <button type="button" @click=${no}>${t("No")}</button>`;
  }

  async #tell(action: PowerAction): Promise<void> {
    this.asked = undefined;
    const told = await this.panel.pve?.power(this.guest, action);
    if (told === undefined) return;
    this.result = told.ok
      ? { ok: true, text: t("Proxmox VE does it: see the tasks.") }
      : { ok: false, text: t("Proxmox VE refused: {why}", { why: told.problem }) };
  }
}
customElements.define("proven-guest-actions", ProvenGuestActions);

const actionNames = (): Record<PowerAction, string> => ({ start: t("Start"), shutdown: t("Shut down"), reboot: t("Reboot") });
