import { css, html, nothing, type PropertyValues } from "lit";
import { keyed } from "lit/directives/keyed.js";
import type { Report, ReportLanguage } from "#protocol/report.ts";
import type { Answer } from "../api.ts";
import { blankReport, daysOf, reportDays, reportText } from "../core/reports.ts";
import { sectionRoute } from "../core/route.ts";
import { language, languages, t, timeZone, tn } from "../i18n.ts";
import { choice, formStyles, refusal, type Said, said } from "./form.ts";
import { link } from "./link.ts";
import { type Loaded, loadedOf, loading } from "./loaded.ts";
import { PanelElement } from "./panel-element.ts";
import { proofTabs, tabStyles } from "./proof-tabs.ts";
import "./proven-audit-log.ts";
import "./proven-chain.ts";
import "./proven-report.ts";
import "./proven-report-form.ts";
import { shared } from "./styles.ts";

/** `receivers`: those that mail. */
type Lists = { reports: readonly Report[]; receivers: readonly string[] };

/** What was proven, over a time: to look at, to file, and to have mailed. */
export class ProvenReports extends PanelElement {
  static override properties = {
    ...PanelElement.properties,
    lists: { state: true },
    editing: { state: true },
    days: { state: true },
    lang: { state: true },
    result: { state: true },
    removing: { state: true },
  };
  static override styles = [
    shared,
    formStyles,
    tabStyles,
    css`
      header select { background: var(--pv-panel); border: 1px solid var(--pv-line); border-radius: 3px; min-height: 26px; }
      header .end { display: flex; gap: 6px; flex-wrap: wrap; }
    `,
  ];
  declare lists: Loaded<Lists>;
  declare editing: { report: Report; isNew: boolean } | undefined;
  declare days: number;
  declare lang: ReportLanguage;
  declare result: Said;
  /** Id of the report whose removal waits for a yes. */
  declare removing: string;

  constructor() {
    super();
    this.lists = loading;
    this.days = 31;
    this.lang = language.value;
    this.removing = "";
  }

  protected watched() {
    return [];
  }

  protected override firstUpdated(_changed: PropertyValues<this>): void {
    void this.#load();
  }

  protected override render() {
    const { lists, panel } = this;
    return html`
      ${proofTabs(panel, "reports")}
      <div class="title"><h1>${t("What was proven, to look at, to file and to have mailed")}</h1></div>
      ${said(this.result)}
      ${this.#preview()}
      ${lists.state === "loading" ? html`<p class="dim" role="status">${t("Loading …")}</p>` : nothing}
      ${lists.state === "failed" ? said(refusal(lists.problem)) : nothing}
      ${lists.state === "there" ? this.#mailed(lists.value) : nothing}
      <proven-chain .panel=${panel}></proven-chain>
      <proven-audit-log .panel=${panel}></proven-audit-log>
    `;
  }

  #preview() {
    const days = reportDays.map((one) => [String(one), tn(one, "the last day", "the last {n} days")] as const);
    const known = Object.entries(languages).map(([code, name]) => [code as ReportLanguage, name] as const);
    return html`<section class="panel" aria-label=${t("The report")}>
      <header><h2>${t("The report")}</h2>
        <span class="end"><label><span class="sr">${t("Period")}</span>${choice(String(this.days), days, (one) => {
          this.days = Number(one);
        })}</label>
        <label><span class="sr">${t("Language of the report")}</span>${choice(this.lang, known, (lang) => {
          this.lang = lang;
        })}</label></span></header>
      <proven-report .panel=${this.panel} .days=${this.days} .lang=${this.lang}></proven-report>
    </section>`;
  }

  #mailed({ reports, receivers }: Lists) {
    const { panel, editing } = this;
    const add = (every: "week" | "month") =>
      this.#edit({ report: blankReport(every, timeZone, language.value, receivers[0] ?? ""), isNew: true });
    const canMail = receivers.length > 0;
    return html`<section class="panel" aria-label=${t("By mail")}>
      <header><h2>${t("By mail")}</h2>
        ${panel.maySet && canMail ? html`<span class="end"><button type="button" @click=${() => add("week")}>${t("Each week …")}</button><button type="button" @click=${() => add("month")}>${t("Each month …")}</button></span>` : nothing}</header>
      ${canMail ? nothing : html`<p class="empty">${t("No receiver mails: make one of type email first, on the page")} ${link(panel, sectionRoute("routes"), t("Routes"))}.</p>`}
      ${editing === undefined ? nothing : keyed(editing.report, html`<proven-report-form .panel=${panel} .initial=${editing.report} .isNew=${editing.isNew} .receivers=${receivers} .taken=${reports.map(({ id }) => id)} @saved=${this.#onSaved} @cancelled=${() => this.#edit(undefined)}></proven-report-form>`)}
      ${canMail && reports.length === 0 ? html`<p class="empty">${t("No report is mailed.")}</p>` : nothing}
      ${reports.length === 0 ? nothing : html`<ul class="list">${reports.map((report) => this.#report(report, receivers))}</ul>`}
    </section>`;
  }

  #report(report: Report, receivers: readonly string[]) {
    const named = html`<span class="sr"> ${report.name}</span>`;
    const show = () => {
      this.days = daysOf(report);
      this.lang = report.language;
      this.renderRoot.querySelector("proven-report")?.scrollIntoView({ block: "center" });
    };
    return html`<li class=${report.enabled ? "" : "off"}>
      <span><span class="name">${report.name}</span>${report.enabled ? nothing : html` <span class="tag">${t("off")}</span>`}
        <br /><span class="more">${reportText(report, languages, t)}</span></span>
      <span class="buttons">
        <button type="button" @click=${show}>${t("Preview")}${named}</button>
        ${this.panel.maySet ? this.#changes(report, receivers, named) : nothing}
      </span>
    </li>`;
  }

  #changes(report: Report, receivers: readonly string[], named: unknown) {
    const { proof } = this.panel.api;
    const ask = (id: string) => {
      this.removing = id;
    };
    if (this.removing === report.id) {
      const yes = () => this.#act(() => proof.removeReport(report.id), t("Removed."));
      return html`<span role="status">${t("Remove it?")}</span><button type="button" class="primary" @click=${yes}>${t("Yes")}</button><button type="button" @click=${() => ask("")}>${t("No")}</button>`;
    }
    const [only, ...others] = receivers;
    const receiver = report.receiver ?? only ?? null;
    const changed = { ...report, receiver, enabled: !report.enabled };
    const save = () =>
      this.#act(
        () => proof.saveReport(report.enabled ? { ...report, enabled: false } : changed),
        report.enabled ? t("It is no longer mailed.") : t("It is mailed from its next time on."),
      );
    // To whom, of several, is asked.
    const asks = !report.enabled && report.receiver === null && others.length > 0;
    const toggle = asks ? () => this.#edit({ report: changed, isNew: false }) : save;
    return html`${report.enabled || receiver !== null ? html`<button type="button" @click=${toggle}>${report.enabled ? t("Pause") : t("Switch on")}${named}</button>` : nothing}
      <button type="button" @click=${() => this.#edit({ report, isNew: false })}>${t("Edit")}${named}</button>
      <button type="button" @click=${() => ask(report.id)}>${t("Remove")}${named}</button>`;
  }

  #edit(editing: typeof this.editing): void {
    this.editing = editing;
    this.result = undefined;
  }

  #onSaved(): void {
    this.editing = undefined;
    this.result = { ok: true, text: t("Saved: it counts from now on.") };
    void this.#load();
  }

  async #act(ask: () => Promise<Answer<unknown>>, done: string): Promise<void> {
    const answer = await ask();
    this.removing = "";
    this.result = answer.ok ? { ok: true, text: done } : refusal(answer.problem);
    await this.#load();
  }

  async #load(): Promise<void> {
    const { proof, alerting } = this.panel.api;
    const [reports, receivers] = await Promise.all([proof.reports(), alerting.receivers()]);
    if (!reports.ok) this.lists = loadedOf(reports);
    else if (!receivers.ok) this.lists = loadedOf(receivers);
    else {
      const mail = receivers.value.items.filter(({ receiver }) => receiver.type === "email").map(({ receiver }) => receiver.id);
      this.lists = { state: "there", value: { reports: reports.value.items, receivers: mail } };
    }
  }
}
customElements.define("proven-reports", ProvenReports);
