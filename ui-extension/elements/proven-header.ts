import { css, html, nothing } from "lit";
import { countAlerts } from "../core/alerts.ts";
import { sectionName } from "../core/find.ts";
import { home, menuSectionOf, menuSections, sectionRoute } from "../core/route.ts";
import type { Command } from "../core/shortcuts.ts";
import { type Language, language, languages, t, tn } from "../i18n.ts";
import type { ThemeWatch } from "../theme.ts";
import type { ThemeChoice } from "../theme-choice.ts";
import { type IconName, icon } from "./icon.ts";
import { link } from "./link.ts";
import { PanelElement } from "./panel-element.ts";
import { shared } from "./styles.ts";

/** The standalone panel's top line: where one is, whether it is live, theme, language, sign-out. */
export class ProvenHeader extends PanelElement {
  static override properties = { ...PanelElement.properties, themes: { attribute: false }, embedded: { type: Boolean } };
  static override styles = [
    shared,
    css`
      :host { container-type: inline-size; }
      header { display: flex; align-items: center; gap: 6px 14px; background: var(--pv-top); padding: 6px 12px; min-height: 42px; flex-wrap: wrap; }
      .brand { display: flex; align-items: center; gap: 6px; font-size: 17px; font-weight: 600; color: var(--pv-text); }
      .brand:hover { text-decoration: none; }
      nav a { text-decoration: underline; color: var(--pv-text); }
      .where { flex: 1 1 0; min-width: 0; }
      .sections { display: flex; flex-wrap: wrap; gap: 2px; }
      .sections a { text-decoration: none; padding: 3px 9px; border-radius: 3px; display: flex; gap: 6px; align-items: center; min-height: 26px; }
      .sections a:hover { background: var(--pv-hover); }
      .sections a.here { background: var(--pv-panel); box-shadow: inset 0 -2px 0 var(--pv-primary); }
      .count { background: var(--pv-crit); color: var(--pv-panel); border-radius: 9px; padding: 0 7px; font-size: 11.5px; font-weight: 600; }
      .end { margin-left: auto; display: flex; gap: 6px; align-items: center; flex-wrap: wrap; }
      select { background: var(--pv-panel); border: 1px solid var(--pv-line); border-radius: 3px; min-height: 26px; }
      .state { background: var(--pv-panel); border: 1px solid var(--pv-line); border-radius: 12px; padding: 1px 10px; display: flex; gap: 5px; align-items: center; margin-right: 6px; }
      .state .icon { width: 0.8em; height: 0.8em; }
      .find { display: flex; gap: 6px; align-items: center; }
      .find kbd { border: 1px solid var(--pv-line); border-radius: 3px; padding: 0 5px; font: inherit; font-size: 11.5px; }
      .tool { padding: 3px 7px; }
      .choices { display: flex; gap: 6px; align-items: center; }
      /* The page's heading says what it is about; the way back is what must not be cut off. */
      @container (max-width: 1000px) { .find span, .find kbd, .where .dim, .where [aria-current] { display: none; } .where { flex: none; } }
      @media (max-width: 560px) {
        header { padding: 6px 8px; }
        .where, .find span, .find kbd, .tool.wide { display: none; }
        .choices { width: 100%; }
        .sections { order: 1; width: 100%; flex-wrap: nowrap; overflow-x: auto; }
        .sections a { padding: 3px 7px; white-space: nowrap; }
      }
    `,
  ];
  declare themes: ThemeWatch;
  /** In Proxmox VE's page, which has the theme, the language and the sign-out. */
  declare embedded: boolean;

  protected watched() {
    const { session, stream, navigation, now, store } = this.panel;
    return [session, stream.state, navigation.route, now, this.themes.choice, store.picture];
  }

  protected override render() {
    const { panel } = this;
    const { page, range } = panel.navigation.route.value;
    const signedIn = panel.session.value.state === "signed-in";
    return html`<header>
      ${link(panel, { ...panel.navigation.start, range }, html`${icon("shield")} Proven`, "brand")}
      ${signedIn ? this.#sections() : nothing}
      ${page.kind === "entity" && signedIn ? html`<nav class="where cut" aria-label=${t("You are here")}>${link(panel, { ...home, range }, t("Overview"))} <span class="dim">›</span> <span aria-current="page">${page.entity}</span></nav>` : nothing}
      <div class="end">
        ${signedIn ? this.#liveness() : nothing}
        ${signedIn ? this.#tools() : nothing}
      </div>
      ${this.embedded ? nothing : html`<div class="choices">${this.#choices(signedIn)}</div>`}
    </header>`;
  }

  #choices(signedIn: boolean) {
    return html`<select aria-label=${t("Theme")} @change=${this.#onTheme}>
        ${(["auto", "light", "dark"] as const).map((choice) => html`<option value=${choice} ?selected=${choice === this.themes.choice.value}>${t(choice)}</option>`)}
        </select>
        <select aria-label=${t("Language")} @change=${this.#onLanguage}>
          ${Object.entries(languages).map(([code, name]) => html`<option value=${code} ?selected=${code === language.value}>${name}</option>`)}
        </select>
        ${signedIn ? html`<button type="button" @click=${() => void this.panel.signOut()}>${t("Sign out")}</button>` : nothing}`;
  }

  #sections() {
    const { page } = this.panel.navigation.route.value;
    const here = page.kind === "section" ? menuSectionOf(page.section) : undefined;
    const { open } = countAlerts(this.panel.store.picture.value.alerts ?? []);
    const count =
      open === 0
        ? nothing
        : html`<span class="count num" aria-label=${tn(open, "{n} alert needs you", "{n} alerts need you")}>${open}</span>`;
    return html`<nav class="sections" aria-label=${t("Sections")}>
      ${menuSections.map((section) => link(this.panel, sectionRoute(section), html`${sectionName(section, t)}${section === "alerts" ? count : nothing}`, section === here ? "here" : ""))}
    </nav>`;
  }

  #tools() {
    const ask = (command: Command) => this.dispatchEvent(new CustomEvent<Command>("command", { detail: command }));
    const tool = (name: IconName, words: string, command: Command) =>
      html`<button type="button" class="tool ${name === "bell" ? "" : "wide"}" aria-label=${words} title=${words} @click=${() => ask(command)}>${icon(name)}</button>`;
    return html`
      <button type="button" class="find" aria-label=${t("Search")} @click=${() => ask({ do: "search" })}>${icon("search")} <span>${t("Search")}</span> <kbd>/</kbd></button>
      ${tool("screen", t("Wall screen"), { do: "section", section: "screen" })}
      ${this.embedded ? nothing : tool("bell", t("This browser: messages, app"), { do: "section", section: "browser" })}
      ${tool("keyboard", t("Keyboard shortcuts (?)"), { do: "shortcuts" })}`;
  }

  #liveness() {
    const { state } = this.panel.stream.state.value;
    const words = { live: t("live"), connecting: t("connecting"), lost: t("not live") }[state];
    const levels = { live: "ok", connecting: "dim", lost: "crit" };
    return html`<span class="state ${levels[state]}">${icon(state === "lost" ? "critical" : "live")} ${words}</span>`;
  }

  #onTheme(event: Event): void {
    if (event.target instanceof HTMLSelectElement) this.themes.choose(event.target.value as ThemeChoice);
  }

  #onLanguage(event: Event): void {
    if (event.target instanceof HTMLSelectElement) language.set(event.target.value as Language);
  }
}
customElements.define("proven-header", ProvenHeader);
