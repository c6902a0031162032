import { css, html, nothing } from "lit";
import { repeat } from "lit/directives/repeat.js";
import type { AlertView } from "#protocol/alerting.ts";
import type { Answer } from "../api.ts";
import { formatAge } from "../core/age.ts";
import { dispositionWords, figureWords, headlineOf, isOpen, placeOf, sinceOf } from "../core/alerts.ts";
import { hasPage, sectionRoute } from "../core/route.ts";
import { t, timeZone, tn } from "../i18n.ts";
import type { Panel } from "../panel.ts";
import { moment } from "./figures.ts";
import { refusal, type Said, said } from "./form.ts";
import { icon } from "./icon.ts";
import { entityLink, link } from "./link.ts";
import { PanelElement } from "./panel-element.ts";
import { alertMark, toldIcons } from "./severity.ts";
import { shared } from "./styles.ts";

const snoozes = [
  [3600, "1 h"],
  [4 * 3600, "4 h"],
  [24 * 3600, "24 h"],
  [7 * 86_400, "7 d"],
] as const;
const affectedShown = 8;
/** What it takes along are storages, not guests. */
const isPool = ({ entity }: AlertView) => /^(thinpool|zpool)\//.test(entity);

/** One alert: what, where, since when, how bad, who knows, and what to do. */
export class ProvenAlertRow extends PanelElement {
  static override properties = {
    ...PanelElement.properties,
    alert: { attribute: false },
    result: { state: true },
    busy: { state: true },
    noting: { state: true },
  };
  static override styles = [
    shared,
    css`
      article { display: grid; grid-template-columns: 112px minmax(0, 1fr) auto; gap: 2px 12px; padding: 9px 12px; border-bottom: 1px solid var(--pv-line-soft); border-left: 4px solid transparent; }
      article.critical { border-left-color: var(--pv-crit); }
      article.warning { border-left-color: var(--pv-warn); }
      article.calm { border-left-color: var(--pv-line); }
      h3 { font-size: 14px; font-weight: 600; overflow-wrap: anywhere; }
      .calm h3 { font-weight: 500; }
      .mark { padding-top: 1px; }
      .what { display: grid; gap: 2px; min-width: 0; }
      .lines { white-space: pre-line; overflow-wrap: anywhere; }
      .facts { display: flex; flex-wrap: wrap; gap: 0 14px; color: var(--pv-dim); }
      .facts a { text-decoration: underline; }
      .told { display: flex; gap: 6px; align-items: baseline; }
      .told.lost { color: var(--pv-crit); }
      .remedy { display: flex; gap: 6px; align-items: baseline; }
      .acts { display: flex; flex-wrap: wrap; gap: 6px; align-items: center; align-content: start; justify-content: flex-end; max-width: 400px; }
      select { background: var(--pv-head); border: 1px solid var(--pv-line); border-radius: 3px; min-height: 26px; }
      .said, .note { grid-column: 1 / -1; }
      .note { display: flex; flex-wrap: wrap; gap: 6px; align-items: end; padding-top: 4px; }
      .note label { flex: 1 1 240px; display: grid; gap: 2px; }
      .note input { background: var(--pv-panel); border: 1px solid var(--pv-line); border-radius: 3px; padding: 3px 8px; min-height: 28px; }
      @media (max-width: 700px) { article { grid-template-columns: minmax(0, 1fr); padding: 9px 10px; } .acts { justify-content: flex-start; max-width: none; padding-top: 4px; } }
    `,
  ];
  declare alert: AlertView;
  declare result: Said;
  declare busy: boolean;
  /** A comment is being written. */
  declare noting: boolean;

  protected watched() {
    return [this.panel.now];
  }

  protected override render() {
    const { alert, panel } = this;
    const now = panel.now.value;
    const told = dispositionWords(alert, now, timeZone, t);
    const figure = figureWords(alert, t);
    const place = placeOf(alert);
    const about = { entity: alert.entity, cluster: alert.cluster };
    const [sentence, below] = headlineOf(alert.text);
    return html`<article class=${isOpen(alert) ? alert.severity : "calm"} aria-label=${t(sentence)}>
      <div class="mark">${alertMark(alert)}</div>
      <div class="what">
        <h3>${t(sentence)}</h3>
        ${below === "" ? nothing : html`<p class="dim lines">${below}</p>`}
        <p class="facts">
          <span>${hasPage(alert.entity) ? entityLink(panel, about, alert.title) : alert.title}${alert.instance === null ? nothing : html` · ${alert.instance}`}</span>
          ${place === "" ? nothing : html`<span>${t("on node")} ${entityLink(panel, { entity: `node/${place}`, cluster: alert.cluster }, place)}</span>`}
          <span>${t("for {age}", { age: formatAge(now - sinceOf(alert)) })}, ${t("since")} ${moment(sinceOf(alert), now)}</span>
          ${figure === "" ? nothing : html`<span class="num">${figure}</span>`}
          ${alert.flapping ? html`<span>${t("flapping")}</span>` : nothing}
        </p>
        ${alert.affected.length === 0 ? nothing : html`<p class="dim">${isPool(alert) ? t("fills with it:") : tn(alert.affected.length, "takes along {n} guest:", "takes along {n} guests:")} ${alert.affected.slice(0, affectedShown).join(", ")}${alert.affected.length > affectedShown ? " …" : ""}</p>`}
        <p class="told ${told.mark}">${icon(toldIcons[told.mark])}<span>${told.text}</span></p>
        ${alert.remedy === null || alert.state === "pending" ? nothing : html`<p class="remedy"><strong>${t("Do:")}</strong><span>${t(alert.remedy)}</span></p>`}
      </div>
      <div class="acts">${this.#acts()}</div>
      ${this.noting ? this.#note() : nothing}
      ${said(this.result)}
    </article>`;
  }

  #acts() {
    const { alert, panel } = this;
    const why = link(panel, sectionRoute("alerts", alert.id), t("Why?"));
    if (!panel.mayWrite || alert.state !== "firing") return why;
    const acknowledge =
      alert.acknowledged === null
        ? html`<button type="button" class=${isOpen(alert) ? "primary" : ""} ?disabled=${this.busy} @click=${() => this.#run(() => panel.api.alerting.acknowledge(alert.id, ""), t("You took it: no repeats, no escalation."))}>${t("Acknowledge")}</button>`
        : html`<button type="button" ?disabled=${this.busy} @click=${() => this.#run(() => panel.api.alerting.unacknowledge(alert.id), t("It is told again."))}>${t("Take back")}</button>`;
    return html`${acknowledge}
      <button type="button" aria-expanded=${this.noting ? "true" : "false"} @click=${this.#toggleNote}>${t("With a comment …")}</button>
      <select aria-label=${t("Snooze {what}", { what: alert.title })} ?disabled=${this.busy} @change=${this.#onSnooze}>
        <option value="">${t("Snooze …")}</option>
        ${snoozes.map(([sec, name]) => html`<option value=${sec}>${name}</option>`)}
      </select>
      ${link(panel, sectionRoute("silences", alert.id), t("Silence …"))} ${why}`;
  }

  /** What others read: who took it and why, or why it is kept quiet. */
  #note() {
    const { alerting } = this.panel.api;
    const text = () => this.renderRoot.querySelector<HTMLInputElement>(".note input")?.value.trim() ?? "";
    const take = (event: Event) => {
      event.preventDefault();
      const note = text();
      void this.#run(() => alerting.acknowledge(this.alert.id, note), t("You took it: no repeats, no escalation."));
      this.noting = false;
    };
    const snooze = () => {
      const comment = text();
      void this.#run(() => alerting.snooze(this.alert.id, 4 * 3600, comment), t("Snoozed: it stays quiet for that long."));
      this.noting = false;
    };
    return html`<form class="note" @submit=${take}>
      <label><span class="dim">${t("Comment (others read it)")}</span><input type="text" maxlength="500" autocomplete="off" /></label>
      <button type="submit" class="primary">${t("Acknowledge with it")}</button>
      <button type="button" @click=${snooze}>${t("Snooze 4 h with it")}</button>
    </form>`;
  }

  #toggleNote(): void {
    this.noting = !this.noting;
    void this.updateComplete.then(() => this.renderRoot.querySelector<HTMLInputElement>(".note input")?.focus());
  }

  #onSnooze(event: Event): void {
    if (!(event.target instanceof HTMLSelectElement)) return;
    const sec = Number(event.target.value);
    event.target.value = "";
    if (sec > 0)
      void this.#run(() => this.panel.api.alerting.snooze(this.alert.id, sec, ""), t("Snoozed: it stays quiet for that long."));
  }

  async #run(ask: () => Promise<Answer<unknown>>, done: string): Promise<void> {
    this.busy = true;
    const answer = await ask();
    this.busy = false;
    this.result = answer.ok ? { ok: true, text: done } : refusal(answer.problem);
  }
}
customElements.define("proven-alert-row", ProvenAlertRow);

/** Rows that stay with their alerts when others come and go: a comment that is being written must never end up at another one. */
export const alertRows = (panel: Panel, alerts: readonly AlertView[]) =>
  repeat(
    alerts,
    ({ id }) => id,
    (alert) => html`<proven-alert-row .panel=${panel} .alert=${alert}></proven-alert-row>`,
  );
