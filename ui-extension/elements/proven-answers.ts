import { css, html, nothing } from "lit";
import { repeat } from "lit/directives/repeat.js";
import type { AlertView } from "#protocol/alerting.ts";
import type { EventView, GuestView } from "#protocol/api.ts";
import { formatAge } from "../core/age.ts";
import { headlineOf } from "../core/alerts.ts";
import { withoutCopies } from "../core/live-runs.ts";
import { findProblems, type Problem } from "../core/problems.ts";
import {
  type Gap,
  gapLabel,
  gapWords,
  type ProtectionSummary,
  type Protections,
  type ProtectionVerdict,
  proofWords,
  protectionKey,
  protectionVerdict,
  summarizeProtection,
} from "../core/protection.ts";
import { sectionRoute } from "../core/route.ts";
import { t, tn } from "../i18n.ts";
import { moment } from "./figures.ts";
import { refusal, type Said, said } from "./form.ts";
import { type IconName, icon } from "./icon.ts";
import { entityLink, link } from "./link.ts";
import { PanelElement } from "./panel-element.ts";
import { shared } from "./styles.ts";

const looks: Record<Problem["severity"], { icon: IconName; level: string; word: string }> = {
  critical: { icon: "critical", level: "crit", word: "critical" },
  warning: { icon: "warning", level: "warn", word: "warning" },
  unknown: { icon: "unknown", level: "dim", word: "unknown" },
};
const protectionLooks: Record<ProtectionVerdict["level"], { icon: IconName; level: string }> = {
  critical: { icon: "critical", level: "crit" },
  warning: { icon: "warning", level: "warn" },
  unknown: { icon: "unknown", level: "dim" },
  calm: { icon: "clock", level: "" },
  fine: { icon: "ok", level: "ok" },
};
const gapLooks: Record<Gap["state"], { icon: IconName; level: string; word: string }> = {
  failed: { icon: "critical", level: "crit", word: "critical" },
  overdue: { icon: "critical", level: "crit", word: "critical" },
  partial: { icon: "warning", level: "warn", word: "warning" },
  none: { icon: "warning", level: "warn", word: "warning" },
  unknown: { icon: "unknown", level: "dim", word: "unknown" },
};
const changeLooks: Record<EventView["severity"], { icon: IconName; level: string; word: string }> = {
  info: { icon: "live", level: "dim", word: "information" },
  warning: { icon: "warning", level: "warn", word: "warning" },
  critical: { icon: "critical", level: "crit", word: "critical" },
};
const gapsShown = 50;
const problemsShown = 50;

/** The three questions one opens the panel with, each with its answer first and what it stands on below. */
export class ProvenAnswers extends PanelElement {
  static override properties = { ...PanelElement.properties, result: { state: true }, busy: { state: true } };
  static override styles = [
    shared,
    css`
      :host { display: grid; gap: 8px; grid-template-columns: repeat(3, minmax(0, 1fr)); }
      section { display: flex; flex-direction: column; height: 262px; }
      ul { overflow-y: auto; flex: 1; min-height: 0; }
      li { display: grid; grid-template-columns: auto minmax(0, 1fr) auto; gap: 0 8px; padding: 4px 10px; border-bottom: 1px solid var(--pv-line-soft); align-items: baseline; }
      .below { grid-column: 2 / 4; display: flex; gap: 8px; align-items: center; min-width: 0; }
      .below small { font-size: 11.5px; flex: 1; }
      .below a, .below button { white-space: nowrap; font-size: 12px; }
      li button { min-height: 24px; padding: 0 8px; font-size: 12px; }
      .answer { display: flex; gap: 8px; padding: 8px 10px; border-bottom: 1px solid var(--pv-line-soft); align-items: baseline; }
      .answer strong { font-weight: 600; }
      .proof { padding: 5px 10px; border-bottom: 1px solid var(--pv-line-soft); font-size: 12px; }
      .more { padding: 5px 10px; }
      p.calm { padding: 8px 10px; }
      @media (max-width: 1000px) { :host { grid-template-columns: minmax(0, 1fr); } section { height: auto; } ul { max-height: 260px; } }
    `,
  ];
  declare result: Said;
  /** The alert that is being taken. */
  declare busy: string | undefined;
  #known: { guests: readonly GuestView[]; protections: Protections; summary: ProtectionSummary } | undefined;

  protected watched() {
    return [this.panel.now, this.panel.store.picture, this.panel.overview.protections];
  }

  protected override render() {
    return html`${this.#wrong()}${this.#protected()}${this.#changed()}`;
  }

  #wrong() {
    const picture = this.panel.store.picture.value;
    const problems = findProblems(picture, this.panel.now.value, t);
    const alerts = new Map((picture.alerts ?? []).map((alert) => [alert.id, alert]));
    return html`<section class="panel" data-answer="wrong" aria-label=${t("Is anything wrong?")}>
      <header><h2>${t("Is anything wrong?")}</h2><span class="dim num">${problems.length}</span></header>
      ${said(this.result)}
      ${
        problems.length === 0
          ? html`<p class="calm dim">${t("Nothing in what reports.")}</p>`
          : html`<ul tabindex="0" aria-label=${t("Problems")}>${repeat(
              problems.slice(0, problemsShown),
              ({ key }) => key,
              (problem) => this.#problem(problem, alerts.get(problem.key)),
            )}${this.#otherProblems(problems.length - problemsShown)}</ul>`
      }
    </section>`;
  }

  #otherProblems(left: number) {
    if (left <= 0) return nothing;
    return html`<li><span></span>${link(this.panel, sectionRoute("alerts"), tn(left, "and {n} more", "and {n} more"))}</li>`;
  }

  #problem({ severity, text, detail, at, entity, cluster }: Problem, alert: AlertView | undefined) {
    const look = looks[severity];
    const words = entity === undefined || cluster === undefined ? text : entityLink(this.panel, { entity, cluster }, text);
    return html`<li>
      <span class=${look.level}>${icon(look.icon, t(look.word))}</span>
      <span>${words}</span>
      ${at === undefined ? html`<span></span>` : moment(at, this.panel.now.value)}
      ${detail === "" && alert === undefined ? nothing : html`<div class="below"><small class="dim cut" title=${detail}>${detail}</small>${alert === undefined ? nothing : this.#take(alert)}</div>`}
    </li>`;
  }

  #take(alert: AlertView) {
    if (!this.panel.mayWrite) return link(this.panel, sectionRoute("alerts", alert.id), t("Why?"));
    const name = t("Take: {what}", { what: t(headlineOf(alert.text)[0]) });
    return html`<button type="button" aria-label=${name} ?disabled=${this.busy === alert.id} @click=${() => void this.#acknowledge(alert)}>${t("Take")}</button>
      ${link(this.panel, sectionRoute("silences", alert.id), t("Silence …"))} ${link(this.panel, sectionRoute("alerts", alert.id), t("Why?"))}`;
  }

  async #acknowledge({ id }: AlertView): Promise<void> {
    this.busy = id;
    const answer = await this.panel.api.alerting.acknowledge(id, "");
    this.busy = undefined;
    this.result = answer.ok ? { ok: true, text: t("You took it: no repeats, no escalation.") } : refusal(answer.problem);
  }

  #protected() {
    const summary = this.#summary();
    const { level, text } = protectionVerdict(summary, t);
    const look = protectionLooks[level];
    const left = summary.gaps.length - gapsShown;
    return html`<section class="panel" data-answer="protected" aria-label=${t("Is everything protected?")}>
      <header><h2>${t("Is everything protected?")}</h2><span class="dim num">${t("{n} of {all} backed up in time", { n: summary.counts.current, all: summary.total })}</span></header>
      <p class="answer"><span class=${look.level}>${icon(look.icon)}</span><strong class="cut">${text}</strong></p>
      <p class="proof dim cut" title=${proofWords(summary, t)}>${icon("shield")} ${proofWords(summary, t)}</p>
      ${
        summary.gaps.length === 0
          ? nothing
          : html`<ul tabindex="0" aria-label=${t("Guests that are not protected")}>
              ${repeat(
                summary.gaps.slice(0, gapsShown),
                ({ guest }) => protectionKey(guest),
                (gap) => this.#gap(gap),
              )}
              ${left > 0 ? html`<li><span></span>${link(this.panel, { ...sectionRoute("guests"), sort: "protection" }, tn(left, "and {n} more", "and {n} more"))}</li>` : nothing}
            </ul>`
      }
    </section>`;
  }

  /** Worked out when something of it is new, not with every second. */
  #summary(): ProtectionSummary {
    const { picture, runs } = this.panel.store;
    const guests = withoutCopies(picture.value.guests, runs.value);
    const protections = this.panel.overview.protections.value;
    if (this.#known?.guests !== guests || this.#known.protections !== protections) {
      this.#known = { guests, protections, summary: summarizeProtection(guests, protections) };
    }
    return this.#known.summary;
  }

  #gap(gap: Gap) {
    const look = gapLooks[gap.state];
    const age = (at: number) => formatAge(this.panel.now.value - at);
    return html`<li>
      <span class=${look.level}>${icon(look.icon, t(look.word))}</span>
      <span class="cut">${entityLink(this.panel, gap.guest, gapLabel(gap))} <span class="dim">${gapWords(gap, age, t)}</span></span>
      <span class="dim nowrap">${gap.guest.node}</span>
    </li>`;
  }

  #changed() {
    const { events } = this.panel.store.picture.value;
    return html`<section class="panel" data-answer="changed" aria-label=${t("What changed?")}>
      <header><h2>${t("What changed?")}</h2><span class="end">${link(this.panel, sectionRoute("events"), t("All events"))}</span></header>
      ${
        events.length === 0
          ? html`<p class="calm dim">${t("Nothing was noted yet.")}</p>`
          : html`<ul tabindex="0" aria-label=${t("What changed?")}>${events.slice(0, 40).map((event) => this.#change(event))}</ul>`
      }
    </section>`;
  }

  #change({ at, severity, text }: EventView) {
    const look = changeLooks[severity];
    return html`<li><span class=${look.level}>${icon(look.icon, t(look.word))}</span><span>${t(text)}</span>${moment(at, this.panel.now.value)}</li>`;
  }
}
customElements.define("proven-answers", ProvenAnswers);
