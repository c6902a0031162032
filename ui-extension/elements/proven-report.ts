import { css, html, nothing } from "lit";
import type { ReportLanguage, RestoreReportView } from "#protocol/report.ts";
import type { Answer } from "../api.ts";
import { formatMoment } from "../core/age.ts";
import { levelWords, slowerName } from "../core/proofs.ts";
import { lastDays } from "../core/reports.ts";
import { sectionRoute } from "../core/route.ts";
import { formatSpan, formatValue } from "../core/units.ts";
import { t, timeZone, tn } from "../i18n.ts";
import { AskedElement } from "./asked-element.ts";
import { formStyles } from "./form.ts";
import { icon } from "./icon.ts";
import { link } from "./link.ts";
import { factList, pageStyles } from "./proven-page.ts";
import { shared } from "./styles.ts";

type Test = RestoreReportView["broken"][number];
const testsShown = 25;

/** What the restore tests of a period showed, as it is mailed; and the same as PDF. */
export class ProvenReport extends AskedElement<RestoreReportView> {
  static override properties = { ...AskedElement.properties, days: { attribute: false }, lang: { attribute: false } };
  static override styles = [
    shared,
    pageStyles,
    formStyles,
    css`
      .state { padding: 8px 12px; }
      .line { display: flex; gap: 9px; align-items: baseline; padding: 10px 12px 4px; font-size: 15px; }
      h3 { font-size: 13px; font-weight: 600; padding: 8px 12px 2px; }
    `,
  ];
  declare days: number;
  declare lang: ReportLanguage;

  protected question() {
    return `${this.days} ${this.lang}`;
  }

  protected ask(): Promise<Answer<RestoreReportView>> {
    return this.panel.api.proof.report({ ...lastDays(this.days, this.panel.now.value), lang: this.lang });
  }

  protected override render() {
    const { value } = this.asked;
    return html`${this.state()}${value === undefined ? nothing : this.#report(value)}`;
  }

  #report(report: RestoreReportView) {
    const { failed, guestsTested, broken, notDone, coverage } = report;
    const isPartial = notDone > 0 || (coverage?.unproven ?? 0) > 0;
    const tone = broken.length > 0 ? "crit" : guestsTested === 0 ? "dim" : isPartial ? "warn" : "ok";
    const shape = { crit: "critical", dim: "unknown", warn: "warning", ok: "ok" } as const;
    const levels = (["works", "boots", "bytes", "none"] as const).map(
      (level) => `${levelWords(level, t)} ${report.levels[level] ?? 0}`,
    );
    const href = this.panel.api.proof.reportUrl({ from: report.from, to: report.to, lang: this.lang });
    return html`
      <p class="line" role="status"><span class=${tone}>${icon(shape[tone])}</span><strong>${report.verdict}</strong></p>
      ${factList([
        {
          name: t("Tests"),
          value: t("{passed} passed, {failed} failed, {notDone} without a verdict", { passed: report.passed, failed, notDone }),
        },
        { name: t("Guests tested"), value: guestsTested },
        {
          name: t("Without a proof today"),
          value: coverage === null ? null : t("{unproven} of {guests} guests", coverage),
        },
        { name: t("Highest proof"), value: guestsTested === 0 ? null : levels.join(", ") },
        { name: t("Restored"), value: report.restoredBytes === 0 ? null : formatValue(report.restoredBytes, "bytes") },
        { name: t("Median duration"), value: report.medianMs === null ? null : formatSpan(report.medianMs / 1000) },
      ])}
      ${this.#tests(t("Did not restore"), report.broken)} ${this.#tests(t("Without a verdict"), report.notDoneTests)} ${this.#slower(report)}
      ${this.#tests(t("Restored"), report.passedTests)}
      <p class="buttons body"><a class="button" href=${href} download>${t("Save as PDF")}</a></p>
    `;
  }

  #tests(title: string, tests: readonly Test[]) {
    if (tests.length === 0) return nothing;
    const { panel } = this;
    const now = panel.now.value;
    const more = tests.length - testsShown;
    return html`<h3>${title} <span class="dim num">${tests.length}</span></h3>
      <ul class="list">${tests
        .slice(0, testsShown)
        .map(
          ({ run, vmid, name, at, level, verdict, durationMs }) =>
            html`<li><span>${link(panel, sectionRoute("proofs", run), `${vmid} ${name}`, "name")} <span>${verdict}</span><br /><span class="more">${formatMoment(at, now, timeZone)} · ${levelWords(level, t)}${durationMs === null ? "" : ` · ${formatSpan(durationMs / 1000)}`}</span></span></li>`,
        )}</ul>
      ${more > 0 ? html`<p class="empty">${tn(more, "and {n} more", "and {n} more")}</p>` : nothing}`;
  }

  #slower({ slower }: RestoreReportView) {
    if (slower.length === 0) return nothing;
    return html`<h3>${t("More than twice as slow as the last good test")}</h3>
      <ul class="list">${slower.map(({ vmid, name, measure, factor }) => html`<li><span><span class="name">${vmid} ${name}</span> ${slowerName(measure, t)} <span class="warn num">${factor.toFixed(1)}×</span></span></li>`)}</ul>`;
  }
}
customElements.define("proven-report", ProvenReport);
