import { css, html, nothing } from "lit";
import type { LoginState, SignInRealms } from "#protocol/api.ts";
import { t } from "../i18n.ts";
import { icon } from "./icon.ts";
import { PanelElement } from "./panel-element.ts";
import { shared } from "./styles.ts";

type SecondStep = Extract<LoginState, { state: "tfa-needed" }>;
type Clusters = SignInRealms["clusters"];

const kindText = {
  totp: () => t("Code of the authenticator app"),
  recovery: () => t("Recovery key (is used up)"),
  yubico: () => t("YubiKey code"),
} as const;

/** Asks for a Proxmox VE account, where an agent can check one, or for an API key. */
export class ProvenSignin extends PanelElement {
  static override properties = {
    ...PanelElement.properties,
    busy: { state: true },
    clusters: { state: true },
    cluster: { state: true },
    second: { state: true },
  };
  static override styles = [
    shared,
    css`
      section { max-width: 420px; margin: 10vh auto 0; }
      form { padding: 16px; display: grid; gap: 10px; }
      form + form { border-top: 1px solid var(--pv-line); }
      h3 { margin: 0; font-size: 1em; }
      label { display: grid; gap: 4px; }
      input, input[type="password"], select { width: 100%; min-height: 32px; background: var(--pv-panel); color: var(--pv-text); border: 1px solid var(--pv-line); border-radius: 3px; padding: 3px 8px; }
      button { min-height: 32px; }
      .says { padding: 16px 16px 0; margin: 0; }
      .bad { background: var(--pv-crit-tint); padding: 6px 10px; margin: 16px 16px 0; }
    `,
  ];
  declare busy: boolean;
  declare clusters: Clusters;
  declare cluster: string;
  declare second: SecondStep | undefined;

  constructor() {
    super();
    this.busy = false;
    this.clusters = [];
    this.cluster = "";
    this.second = undefined;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#readRealms();
  }

  protected watched() {
    return [this.panel.session];
  }

  protected override render() {
    const session = this.panel.session.value;
    if (session.state !== "signed-out") return nothing;
    const { why, message } = session;
    return html`<section class="panel">
      <header><h2>${icon("shield")} ${t("Sign in")}</h2></header>
      ${why === "ended" ? html`<p class="says" role="status">${t("Your session has ended. Sign in again to go on.")}</p>` : nothing}
      ${why === "refused" ? html`<p class="bad" role="alert">${t("This key was refused: {why}", { why: message })}</p>` : nothing}
      ${why === "login-refused" ? html`<p class="bad" role="alert">${t("This login was refused: {why}", { why: message })}</p>` : nothing}
      ${this.second === undefined ? [this.#accountForm(), this.#keyForm()] : this.#secondForm(this.second)}
    </section>`;
  }

  /** Nothing where no agent can ask Proxmox VE: an account would be of no use. */
  #accountForm() {
    if (!this.clusters.some(({ realms }) => realms.length > 0)) return nothing;
    const realms = this.clusters.find(({ cluster }) => cluster === this.cluster)?.realms ?? [];
    return html`<form @submit=${this.#onAccount} aria-label=${t("Account of Proxmox VE")}>
      ${this.clusters.length > 1 ? this.#clusterChoice() : nothing}
      <label>${t("User name")}<input name="user" required maxlength="64" autocomplete="username" autocapitalize="none" spellcheck="false" /></label>
      <label>${t("Password")}<input type="password" name="password" required autocomplete="current-password" /></label>
      ${
        realms.length === 0
          ? html`<p role="status">${t("No agent of this cluster can ask Proxmox VE now.")}</p>`
          : html`<label>${t("Realm")}<select name="realm">${realms.map(
              ({ realm, comment, preselected }) =>
                html`<option value=${realm} ?selected=${preselected}>${comment === null ? realm : `${comment} (${realm})`}</option>`,
            )}</select></label>`
      }
      <button class="primary" type="submit" ?disabled=${this.busy || realms.length === 0}>${this.busy ? t("Checking …") : t("Log in")}</button>
    </form>`;
  }

  #clusterChoice() {
    const choose = (event: Event) => {
      this.cluster = (event.target as HTMLSelectElement).value;
    };
    return html`<label>${t("Cluster")}<select name="cluster" @change=${choose}>${this.clusters.map(
      ({ cluster, name }) => html`<option value=${cluster} ?selected=${cluster === this.cluster}>${name}</option>`,
    )}</select></label>`;
  }

  #keyForm() {
    const offersAccount = this.clusters.some(({ realms }) => realms.length > 0);
    return html`<form @submit=${this.#onKey}>
      ${offersAccount ? html`<h3>${t("Or with an API key")}</h3>` : nothing}
      <label>${t("API key")}<input type="password" name="key" required autocomplete="off" placeholder="pvn_…" spellcheck="false" /></label>
      <button class=${offersAccount ? "" : "primary"} type="submit" ?disabled=${this.busy}>${this.busy ? t("Signing in …") : t("Sign in")}</button>
      <p class="dim">${t("A key of this hub begins with pvn_. npm start prints one, with a link that signs in by itself.")}</p>
    </form>`;
  }

  #secondForm({ kinds }: SecondStep) {
    const back = () => {
      this.second = undefined;
    };
    return html`<form @submit=${this.#onSecond} aria-label=${t("Second factor")}>
      <h3>${t("Second factor")}</h3>
      <label>${t("Kind of code")}<select name="kind">${kinds.map(
        (kind) => html`<option value=${kind}>${kindText[kind]()}</option>`,
      )}</select></label>
      <label>${t("Code")}<input name="code" required maxlength="128" autocomplete="one-time-code" spellcheck="false" autofocus /></label>
      <button class="primary" type="submit" ?disabled=${this.busy}>${this.busy ? t("Checking …") : t("Log in")}</button>
      <button type="button" @click=${back}>${t("Back")}</button>
    </form>`;
  }

  async #readRealms(): Promise<void> {
    const answer = await this.panel.api.realms();
    if (!answer.ok) return; // a hub that can't be asked for realms still takes keys
    this.clusters = answer.value.clusters;
    this.cluster = this.clusters[0]?.cluster ?? "";
  }

  #onAccount(event: SubmitEvent): Promise<void> {
    const [user, password, realm] = [fieldOf(event, "user").trim(), fieldOf(event, "password"), fieldOf(event, "realm")];
    const account = { user, password, realm, ...(this.clusters.length > 1 ? { cluster: this.cluster } : {}) };
    return this.#step(event, () => this.panel.logIn(this.panel.api.login(account)));
  }

  #onSecond(event: SubmitEvent): Promise<void> {
    const { challenge = "", kinds = [] } = this.second ?? {};
    const kind = kinds.find((one) => one === fieldOf(event, "kind")) ?? "totp";
    const code = fieldOf(event, "code").trim();
    return this.#step(event, () => this.panel.logIn(this.panel.api.loginAnswer({ challenge, kind, code })));
  }

  /** After a refusal it begins again: a challenge is good for one answer. */
  async #step(event: SubmitEvent, step: () => Promise<SecondStep | undefined>): Promise<void> {
    event.preventDefault();
    this.busy = true;
    this.second = await step();
    this.busy = false;
  }

  async #onKey(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const key = fieldOf(event, "key");
    if (key.trim() === "") return;
    this.busy = true;
    await this.panel.signIn(key);
    this.busy = false;
  }
}

function fieldOf(event: SubmitEvent, name: string): string {
  const value = new FormData(event.target as HTMLFormElement).get(name);
  return typeof value === "string" ? value : "";
}

customElements.define("proven-signin", ProvenSignin);
