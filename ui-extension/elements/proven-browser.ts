import { css, html, nothing, type TemplateResult } from "lit";
import { formatExact } from "../core/age.ts";
import { t, timeZone } from "../i18n.ts";
import type { BrowserApp, PushState } from "../push.ts";
import { icon } from "./icon.ts";
import { PanelElement } from "./panel-element.ts";
import { shared } from "./styles.ts";

/** What this browser does for its user: messages though no page is open, the panel as an app, the last state without a hub. */
export class ProvenBrowser extends PanelElement {
  static override properties = { ...PanelElement.properties, app: { attribute: false } };
  static override styles = [
    shared,
    css`
      :host { display: grid; gap: 8px; grid-template-columns: minmax(0, 1fr); max-width: 760px; }
      h1 { font-size: 18px; font-weight: 500; padding: 0 2px; }
      .body { padding: 10px 12px 12px; display: grid; gap: 8px; justify-items: start; }
      .now { display: flex; gap: 8px; align-items: baseline; }
    `,
  ];
  /** Undefined inside Proxmox VE's page, which is another site's. */
  declare app: BrowserApp | undefined;

  protected watched() {
    const { app, panel } = this;
    return app === undefined ? [panel.session] : [panel.session, app.push, app.install, app.installed];
  }

  protected override render() {
    const { app } = this;
    if (app === undefined) return html`<p>${t("Open the panel on the hub's own page for this.")}</p>`;
    return html`<h1>${t("This browser")}</h1>
      <section class="panel" aria-label=${t("Messages of this hub")}><header><h2>${icon("bell")} ${t("Messages of this hub")}</h2></header><div class="body">${this.#push(app, app.push.value)}</div></section>
      <section class="panel" aria-label=${t("As an app")}><header><h2>${icon("qemu")} ${t("As an app")}</h2></header><div class="body">${this.#install(app)}</div></section>
      <section class="panel" aria-label=${t("Without a connection")}><header><h2>${icon("clock")} ${t("Without a connection")}</h2></header><div class="body">${this.#offline()}</div></section>`;
  }

  #push(app: BrowserApp, push: PushState): TemplateResult {
    const on = html`<button type="button" class="primary" @click=${() => void app.subscribe()}>${t("Show messages in this browser")}</button>`;
    switch (push.state) {
      case "asking":
      case "busy":
        return html`<p class="dim" role="status">${t("One moment …")}</p>`;
      case "unsupported":
        return html`<p>${t("This browser knows no web push. On an iPhone or iPad, add the page to the home screen first.")}</p>`;
      case "untrusted":
        return html`<p>${t("This browser doesn't trust the hub's certificate, so it keeps nothing of this page and takes no messages. Give the hub a certificate that it trusts, or import the hub's own.")}</p>`;
      case "blocked":
        return html`<p>${t("Notifications of this page are blocked. Allow them in the browser's settings of this page, then load it anew.")}</p>`;
      case "off":
        return html`<p>${t("Messages come to this browser though no page is open, with a button to take them.")}</p>
          <p class="dim">${t("Only messages that a route sends to a receiver of the kind web push.")}</p>${on}`;
      case "on":
        return html`<p class="now" role="status"><span class="ok">${icon("ok")}</span>${t("This browser shows the hub's messages.")}</p>
          <button type="button" @click=${() => void app.unsubscribe()}>${t("No more messages here")}</button>`;
      case "failed":
        return html`<p class="now" role="alert"><span class="crit">${icon("critical")}</span>${t("That didn't work: {why}", { why: push.problem })}</p>${on}`;
    }
  }

  #install(app: BrowserApp): TemplateResult {
    if (app.installed.value)
      return html`<p class="now"><span class="ok">${icon("ok")}</span>${t("Proven runs as an app here.")}</p>`;
    if (app.install.value !== undefined) {
      return html`<p>${t("The panel gets a window and an icon of its own.")}</p><button type="button" class="primary" @click=${() => void app.askInstall()}>${t("Install")}</button>`;
    }
    return html`<p>${t("The browser offers no installation now. In its menu: Install, or Add to home screen.")}</p>`;
  }

  #offline() {
    const session = this.panel.session.value;
    const until = session.state === "signed-in" ? formatExact(session.session.expiresAt, timeZone) : undefined;
    return html`<p>${t("Without a hub the panel shows what was last known, and how old it is. Nothing of it is shown as live.")}</p>
      ${until === undefined ? nothing : html`<p class="dim">${t("It is kept in this browser until you sign out, at most until your session ends: {time}.", { time: until })}</p>`}`;
  }
}
customElements.define("proven-browser", ProvenBrowser);
