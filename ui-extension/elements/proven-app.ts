import { css, html, nothing, type TemplateResult } from "lit";
import { keyed } from "lit/directives/keyed.js";
import type { ApiProblem } from "../api.ts";
import { sectionRoute } from "../core/route.ts";
import { type Command, commandOf, type Key } from "../core/shortcuts.ts";
import { language, t } from "../i18n.ts";
import { palette, type ThemeWatch } from "../theme.ts";
import { pageView } from "./page-view.ts";
import { PanelElement } from "./panel-element.ts";
import { piecesChanged, retryPieces, withPiece } from "./pieces.ts";
import "./proven-empty.ts";
import "./proven-header.ts";
import "./proven-lost.ts";
import "./proven-signin.ts";
import { shared } from "./styles.ts";

/** The whole panel. `embedded`: inside Proxmox VE's page, which has its own frame. */
export class ProvenApp extends PanelElement {
  static override properties = {
    ...PanelElement.properties,
    themes: { attribute: false },
    embedded: { type: Boolean },
    open: { state: true },
  };
  static override styles = [
    palette,
    shared,
    css`
      :host { background: var(--pv-page); min-height: 100%; }
      /* What is not live is not green. */
      :host([past]) { --pv-ok: var(--pv-dim); --pv-ok-tint: var(--pv-unknown-tint); }
      main { padding: 8px 10px 24px; max-width: 1800px; margin: 0 auto; }
      main:focus { outline: none; }
      @media (max-width: 560px) { main { padding: 6px 6px 20px; } }
    `,
  ];
  declare themes: ThemeWatch;
  declare embedded: boolean;
  /** The window above the page. */
  declare open: "search" | "shortcuts" | undefined;
  #waiting = false;
  #stream = "";
  #hadFocus = false;
  readonly #keys = (event: KeyboardEvent) => this.#onKeyDown(event);

  override connectedCallback(): void {
    super.connectedCallback();
    window.addEventListener("keydown", this.#keys);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    window.removeEventListener("keydown", this.#keys);
  }

  protected watched() {
    const { session, stream, navigation, store } = this.panel;
    return [session, stream.state, navigation.route, store.loaded, this.themes.theme, language, store.anyNode, piecesChanged];
  }

  protected override willUpdate(): void {
    const root = this.renderRoot;
    this.#hadFocus ||= root instanceof ShadowRoot && root.activeElement !== null;
    this.setAttribute("theme", this.themes.theme.value);
    this.setAttribute("lang", language.value);
    const { state } = this.panel.stream.state.value;
    this.toggleAttribute("past", state === "lost");
    if (state === "live" && this.#stream !== "live") retryPieces();
    this.#stream = state;
  }

  /**
   * Whoever follows a link by keyboard goes on at the page it led to: the link itself is gone, and with it the focus. A window above the page
   * closes after what was chosen in it has come.
   */
  protected override updated(): void {
    const root = this.renderRoot;
    if (!this.#hadFocus || this.open !== undefined) return;
    this.#hadFocus = false;
    if (root instanceof ShadowRoot && root.activeElement === null) root.querySelector("main")?.focus({ preventScroll: true });
  }

  protected override render() {
    const { panel } = this;
    return keyed(
      language.value,
      html`
        <proven-header .panel=${panel} .themes=${this.themes} .embedded=${this.embedded} @command=${(event: CustomEvent<Command>) => this.run(event.detail)}></proven-header>
        ${panel.session.value.state === "signed-in" && panel.stream.state.value.state === "lost" ? html`<proven-lost .panel=${panel}></proven-lost>` : nothing}
        <main tabindex="-1">${this.#content()}</main>
        ${this.#window()}
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
    return panel.store.anyNode.value ? pageView(panel, panel.navigation.route.value.page, this.themes.theme.value) : noAgents();
  }

  /** Above the page, one at a time. */
  #window(): TemplateResult | typeof nothing {
    const { panel, embedded } = this;
    const close = () => {
      this.open = undefined;
    };
    if (this.open === "search")
      return withPiece(
        "tools",
        () => html`<proven-search .panel=${panel} .embedded=${embedded} @closed=${close}></proven-search>`,
      );
    if (this.open === "shortcuts")
      return withPiece("tools", () => html`<proven-shortcuts .panel=${panel} @closed=${close}></proven-shortcuts>`);
    return nothing;
  }

  /** In Proxmox VE's page only keys pressed in the panel are the panel's. */
  #onKeyDown(event: KeyboardEvent): void {
    const path = event.composedPath();
    const [target] = path;
    if (event.defaultPrevented || this.panel.session.value.state !== "signed-in" || (this.embedded && !path.includes(this)))
      return;
    const inField = target instanceof HTMLElement && target.matches("input, textarea, select, [contenteditable]");
    const key: Key = { key: event.key, ctrl: event.ctrlKey, alt: event.altKey, meta: event.metaKey, inField };
    const { command, waiting } = commandOf(key, this.#waiting);
    this.#waiting = waiting;
    if (command === undefined) return;
    event.preventDefault();
    this.run(command);
  }

  /** What a shortcut or a button of the header asks for. */
  run(command: Command): void {
    const { navigation } = this.panel;
    const { range } = navigation.route.value;
    if (command.do === "home") navigation.go({ ...navigation.start, range }, "push");
    else if (command.do === "section") navigation.go({ ...sectionRoute(command.section), range }, "push");
    else this.open = command.do;
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
    const refused = [
      t("The hub answered with an error: {message}", { message }),
      t("Its log says more: journalctl -u proven-hub"),
    ];
    const steps = code === "unreachable" ? unreachable(this.embedded) : refused;
    return html`<proven-empty .icon=${"critical"} .heading=${t("The hub can't be asked")} .steps=${steps} .action=${retry}></proven-empty>`;
  }
}
customElements.define("proven-app", ProvenApp);

const unreachable = (embedded: boolean) =>
  embedded
    ? [
        t("Proven's gateway on this node doesn't answer. Nothing is lost: agents keep their samples."),
        t("On this node: systemctl status proven-agent"),
      ]
    : [
        t("The hub doesn't answer. Agents keep their samples until it is back; nothing is lost."),
        t("On the hub's host: systemctl status proven-hub"),
      ];

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
