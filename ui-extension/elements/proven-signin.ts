import { css, html, nothing } from "lit";
import { t } from "../i18n.ts";
import { icon } from "./icon.ts";
import { PanelElement } from "./panel-element.ts";
import { shared } from "./styles.ts";

/** Asks for an API key. */
export class ProvenSignin extends PanelElement {
  static override properties = { ...PanelElement.properties, busy: { state: true } };
  static override styles = [
    shared,
    css`
      form { max-width: 420px; margin: 10vh auto 0; }
      .body { padding: 16px; display: grid; gap: 10px; }
      label { display: grid; gap: 4px; }
      input { width: 100%; min-height: 32px; }
      button { min-height: 32px; }
      .bad { background: var(--pv-crit-tint); padding: 6px 10px; }
    `,
  ];
  declare busy: boolean;

  constructor() {
    super();
    this.busy = false;
  }

  protected watched() {
    return [this.panel.session];
  }

  protected override render() {
    const session = this.panel.session.value;
    if (session.state !== "signed-out") return nothing;
    return html`<form class="panel" @submit=${this.#onSubmit}>
      <header><h2>${icon("shield")} ${t("Sign in")}</h2></header>
      <div class="body">
        ${session.why === "ended" ? html`<p role="status">${t("Your session has ended. Sign in again to go on.")}</p>` : nothing}
        ${session.why === "refused" ? html`<p class="bad" role="alert">${t("This key was refused: {why}", { why: session.message })}</p>` : nothing}
        <label>${t("API key")}<input type="password" name="key" required autocomplete="current-password" placeholder="pvn_…" spellcheck="false" /></label>
        <button class="primary" type="submit" ?disabled=${this.busy}>${this.busy ? t("Signing in …") : t("Sign in")}</button>
        <p class="dim">${t("A key of this hub begins with pvn_. npm start prints one, with a link that signs in by itself.")}</p>
      </div>
    </form>`;
  }

  async #onSubmit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const key = this.renderRoot.querySelector("input")?.value ?? "";
    if (key.trim() === "") return;
    this.busy = true;
    await this.panel.signIn(key);
    this.busy = false;
  }
}
customElements.define("proven-signin", ProvenSignin);
