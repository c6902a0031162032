import { css, html, nothing, type TemplateResult } from "lit";
import { keyed } from "lit/directives/keyed.js";
import type { ApiProblem } from "../api.ts";
import { formatAge } from "../core/age.ts";
import type { Page, Section } from "../core/route.ts";
import { language, t } from "../i18n.ts";
import { palette, type ThemeWatch } from "../theme.ts";
import { PanelElement } from "./panel-element.ts";
import "./proven-alerts.ts";
import "./proven-empty.ts";
import "./proven-event-log.ts";
import "./proven-guest.ts";
import "./proven-header.ts";
import "./proven-node.ts";
import "./proven-overview.ts";
import "./proven-routes.ts";
import "./proven-rule.ts";
import "./proven-rules.ts";
import "./proven-signin.ts";
import "./proven-silences.ts";
import "./proven-storage.ts";
import "./proven-why.ts";
import { icon } from "./icon.ts";
import { shared } from "./styles.ts";

/** The whole panel. `embedded`: inside Proxmox VE's page, which has its own frame. */
export class ProvenApp extends PanelElement {
  static override properties = { ...PanelElement.properties, themes: { attribute: false }, embedded: { type: Boolean } };
  static override styles = [
    palette,
    shared,
    css`
      :host { background: var(--pv-page); min-height: 100%; }
      main { padding: 8px 10px 24px; max-width: 1800px; margin: 0 auto; }
      @media (max-width: 560px) { main { padding: 6px 6px 20px; } }
    `,
  ];
  declare themes: ThemeWatch;
  declare embedded: boolean;

  protected watched() {
    const { session, stream, navigation, store } = this.panel;
    return [session, stream.state, navigation.route, store.loaded, this.themes.theme, language, store.anyNode];
  }

  protected override willUpdate(): void {
    this.setAttribute("theme", this.themes.theme.value);
    this.setAttribute("lang", language.value);
  }

  protected override render() {
    const { panel } = this;
    return keyed(
      language.value,
      html`
        <proven-header .panel=${panel} .themes=${this.themes} .embedded=${this.embedded}></proven-header>
        ${panel.session.value.state === "signed-in" && panel.stream.state.value.state === "lost" ? html`<proven-lost .panel=${panel}></proven-lost>` : nothing}
        <main>${this.#content()}</main>
      `,
    );
  }

  #content(): TemplateResult {
    const { panel } = this;
    const session = panel.session.value;
    switch (session.state) {
      case "checking":
        return html`<p class="dim" role="status">${t("Loading …")}</p>`;
      case "signed-out":
        return this.embedded ? this.#signedOut() : html`<proven-signin .panel=${panel}></proven-signin>`;
      case "failed":
        return this.#failure(session.problem);
      case "signed-in":
        break;
    }
    if (!panel.store.loaded.value) return html`<p class="dim" role="status">${t("Waiting for the first samples …")}</p>`;
    return panel.store.anyNode.value ? this.#page(panel.navigation.route.value.page) : noAgents();
  }

  #page(page: Page): TemplateResult {
    const { panel } = this;
    const theme = this.themes.theme.value;
    if (page.kind === "overview") return html`<proven-overview .panel=${panel}></proven-overview>`;
    if (page.kind === "section") return this.#section(page.section, page.item);
    const { entity, cluster } = page;
    if (entity.startsWith("node/"))
      return html`<proven-node .panel=${panel} .entity=${entity} .cluster=${cluster} .theme=${theme}></proven-node>`;
    if (entity.startsWith("guest/"))
      return html`<proven-guest .panel=${panel} .entity=${entity} .cluster=${cluster} .theme=${theme}></proven-guest>`;
    return html`<proven-storage .panel=${panel} .entity=${entity} .cluster=${cluster} .theme=${theme}></proven-storage>`;
  }

  #section(section: Section, item: string): TemplateResult {
    const { panel } = this;
    switch (section) {
      case "alerts":
        return item.includes("@")
          ? html`<proven-why .panel=${panel} .alert=${item}></proven-why>`
          : html`<proven-alerts .panel=${panel} .tab=${item === "history" ? "history" : "active"}></proven-alerts>`;
      case "rules":
        return item === ""
          ? html`<proven-rules .panel=${panel}></proven-rules>`
          : html`${keyed(item, html`<proven-rule .panel=${panel} .rule=${item}></proven-rule>`)}`;
      case "silences":
        return html`${keyed(item, html`<proven-silences .panel=${panel} .about=${item}></proven-silences>`)}`;
      case "routes":
        return html`<proven-routes .panel=${panel}></proven-routes>`;
      case "events":
        return html`<proven-event-log .panel=${panel}></proven-event-log>`;
    }
  }

  #signedOut(): TemplateResult {
    const steps = [t("Sign in to Proxmox VE on this page; this goes on by itself.")];
    const retry = { label: t("Try again"), run: () => void this.panel.start() };
    return html`<proven-empty .icon=${"lock"} .heading=${t("Not signed in to Proxmox VE")} .steps=${steps} .action=${retry}></proven-empty>`;
  }

  #failure({ code, status, message }: ApiProblem): TemplateResult {
    const retry = { label: t("Try again"), run: () => void this.panel.start() };
    if (status === 403) {
      return html`<proven-empty .icon=${"lock"} .heading=${t("You may not see this")} .steps=${[message, t("Ask for a key with the scope read.")]} .action=${retry}></proven-empty>`;
    }
    const steps =
      code === "unreachable" && this.embedded
        ? [
            t("Proven's gateway on this node doesn't answer. Nothing is lost: agents keep their samples."),
            t("On this node: systemctl status proven-agent"),
          ]
        : code === "unreachable"
          ? [
              t("The hub doesn't answer. Agents keep their samples until it is back; nothing is lost."),
              t("On the hub's host: systemctl status proven-hub"),
            ]
          : [t("The hub answered with an error: {message}", { message }), t("Its log says more: journalctl -u proven-hub")];
    return html`<proven-empty .icon=${"critical"} .heading=${t("The hub can't be asked")} .steps=${steps} .action=${retry}></proven-empty>`;
  }
}
customElements.define("proven-app", ProvenApp);

function noAgents(): TemplateResult {
  const steps = [
    t("The hub runs, but no node has reported yet, so nothing can be said."),
    t(
      "Install proven-agent on each Proxmox VE node. On nodes of the hub's own cluster it joins by itself; elsewhere it is told where the hub is with: proven-agent join",
    ),
    t("On a node, proven-agent --check prints what it can read and what is missing. This page fills by itself."),
  ];
  return html`<proven-empty .icon=${"unknown"} .heading=${t("No agents yet")} .steps=${steps}></proven-empty>`;
}

/** Says that what is on the screen is old, and how old. */
export class ProvenLost extends PanelElement {
  static override styles = [
    shared,
    css`
      div { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 12px; background: var(--pv-warn-tint); border-bottom: 1px solid var(--pv-line); padding: 7px 14px; }
    `,
  ];

  protected watched() {
    return [this.panel.now, this.panel.stream.state];
  }

  protected override render() {
    const state = this.panel.stream.state.value;
    if (state.state !== "lost") return nothing;
    const age = formatAge(Date.now() - state.since);
    return html`<div>
      <span class="warn">${icon("warning")}</span>
      <strong role="status">${t("The live stream is lost: this is not live.")}</strong>
      <span>${t("What you see is {age} old. Trying again by itself.", { age })}</span>
      <button type="button" @click=${() => this.panel.stream.retryNow()}>${t("Try now")}</button>
    </div>`;
  }
}
customElements.define("proven-lost", ProvenLost);
