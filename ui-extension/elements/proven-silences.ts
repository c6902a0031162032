import { css, html, nothing, type PropertyValues } from "lit";
import { repeat } from "lit/directives/repeat.js";
import type { SilenceView, WindowView } from "#protocol/alerting.ts";
import type { Answer } from "../api.ts";
import { formatMoment } from "../core/age.ts";
import { sectionRoute } from "../core/route.ts";
import { scopeText } from "../core/rules.ts";
import { formatDuration } from "../core/units.ts";
import { readableAlertId, silenceText, windowTimesText } from "../core/windows.ts";
import { t, timeZone, tn } from "../i18n.ts";
import { formStyles, refusal, type Said, said } from "./form.ts";
import { icon } from "./icon.ts";
import { link } from "./link.ts";
import { type Loaded, loadedOf, loading } from "./loaded.ts";
import { PanelElement } from "./panel-element.ts";
import "./proven-silence-form.ts";
import "./proven-window-form.ts";
import { shared } from "./styles.ts";

type Lists = { silences: readonly SilenceView[]; windows: readonly WindowView[] };

/** What keeps alerts quiet: silences, snoozes and maintenance windows. */
export class ProvenSilences extends PanelElement {
  static override properties = {
    ...PanelElement.properties,
    about: { attribute: false },
    lists: { state: true },
    result: { state: true },
  };
  static override styles = [
    shared,
    formStyles,
    css`
      .state { display: inline-flex; gap: 5px; align-items: center; }
      .times { color: var(--pv-dim); font-size: 12px; }
      .old { padding: 8px 12px; }
      .buttons select { background: var(--pv-head); border: 1px solid var(--pv-line); border-radius: 3px; min-height: 26px; }
    `,
  ];
  /** `new`, `window`, `edit=<window>` or an alert's id: which form is open. */
  declare about: string;
  declare lists: Loaded<Lists>;
  declare result: Said;

  constructor() {
    super();
    this.lists = loading;
  }

  protected watched() {
    return [this.panel.now, this.panel.store.picture];
  }

  protected override firstUpdated(_changed: PropertyValues<this>): void {
    void this.#load();
  }

  protected override render() {
    const { panel, lists } = this;
    const saved = (event: CustomEvent<string>) => void this.#saved(event.detail);
    const isAlert = this.about.includes("@");
    return html`
      <div class="title">
        <h1>${t("Silences and maintenance windows")}</h1>
        ${
          panel.mayWrite
            ? html`<span class="end">${link(panel, sectionRoute("silences", "new"), t("New silence"), "button")} ${panel.maySet ? link(panel, sectionRoute("silences", "window"), t("New maintenance window"), "button") : nothing}</span>`
            : nothing
        }
      </div>
      <p class="dim">${t("What they cover is recorded all the same, only not told. What still fires at their end is told then.")}</p>
      ${said(this.result)}
      ${isAlert || this.about === "new" ? html`<proven-silence-form .panel=${panel} .alert=${isAlert ? this.about : ""} @saved=${saved}></proven-silence-form>` : nothing}
      ${this.about === "window" ? html`<proven-window-form .panel=${panel} @saved=${saved}></proven-window-form>` : nothing}
      ${lists.state === "there" ? this.#editor(lists.value.windows) : nothing}
      ${lists.state === "loading" ? html`<p class="dim" role="status">${t("Loading …")}</p>` : nothing}
      ${lists.state === "failed" ? said(refusal(lists.problem)) : nothing}
      ${lists.state === "there" ? [this.#silences(lists.value.silences), this.#windows(lists.value.windows)] : nothing}
    `;
  }

  /** The form of the window that the address names. */
  #editor(windows: readonly WindowView[]) {
    const view = this.about.startsWith("edit=") ? windows.find(({ id }) => id === this.about.slice(5)) : undefined;
    if (view?.window == null) return nothing;
    const close = () => this.panel.navigation.go(sectionRoute("silences"), "replace");
    const saved = (event: CustomEvent<string>) => {
      close();
      void this.#saved(event.detail);
    };
    return html`<proven-window-form .panel=${this.panel} .window=${view.window} @saved=${saved} @cancelled=${close}></proven-window-form>`;
  }

  #silences(silences: readonly SilenceView[]) {
    const current = silences.filter(({ state }) => state !== "expired");
    const old = silences.length - current.length;
    return html`<section class="panel" aria-label=${t("Silences")}>
      <header><h2>${t("Silences")} <span class="dim num">${current.length}</span></h2></header>
      ${
        current.length === 0
          ? html`<p class="empty">${t("Nothing is silenced.")}</p>`
          : html`<ul class="list">${repeat(
              current,
              ({ id }) => id,
              (silence) => this.#silence(silence),
            )}</ul>`
      }
      ${old === 0 ? nothing : html`<p class="old dim">${tn(old, "{n} is over", "{n} are over")}</p>`}
    </section>`;
  }

  #silence(silence: SilenceView) {
    const now = this.panel.now.value;
    const alerts = this.panel.store.picture.value.alerts ?? [];
    const titleOf = (id: string) => alerts.find((alert) => alert.id === id)?.text ?? readableAlertId(id);
    const moment = (at: number) => formatMoment(at, now, timeZone);
    const when =
      silence.state === "pending"
        ? t("from {start} to {end}", { start: moment(silence.startsAt), end: moment(silence.endsAt) })
        : t("until {time}", { time: moment(silence.endsAt) });
    const name = silenceText(silence, titleOf, t);
    return html`<li>
      <span>
        <span class="state">${icon(silence.state === "pending" ? "clock" : "quiet", silence.state === "pending" ? t("not yet") : t("quiet now"))}<span class="name">${name}</span></span>
        <br /><span class="more">${when} · ${t("by {who}", { who: silence.createdBy })}${silence.comment === "" ? "" : `: ${silence.comment}`} · ${tn(silence.alertsHeld, "keeps {n} alert quiet now", "keeps {n} alerts quiet now")}</span>
      </span>
      ${this.panel.mayWrite ? html`<button type="button" @click=${() => this.#run(() => this.panel.api.alerting.expireSilence(silence.id), t("It is over. What still fires is told."))}>${t("End now")}<span class="sr"> ${name}</span></button>` : nothing}
    </li>`;
  }

  #windows(windows: readonly WindowView[]) {
    return html`<section class="panel" aria-label=${t("Maintenance windows")}>
      <header><h2>${t("Maintenance windows")} <span class="dim num">${windows.length}</span></h2></header>
      ${
        windows.length === 0
          ? html`<p class="empty">${t("There is none. Proven opens one by itself for HA maintenance, upgrades and backups that stop a guest.")}</p>`
          : html`<ul class="list">${repeat(
              windows,
              ({ id }) => id,
              (one) => this.#window(one),
            )}</ul>`
      }
    </section>`;
  }

  #window(view: WindowView) {
    const now = this.panel.now.value;
    const { window } = view;
    const later = view.next.slice(0, 5).map(({ startsAt }) => formatMoment(startsAt, now, timeZone));
    const times = window?.recurrence ? `${window.recurrence.calendar} (${window.recurrence.timezone}) · ` : "";
    return html`<li>
      <span>
        <span class="state">${icon(view.active ? "quiet" : "clock", view.active ? t("quiet now") : t("not yet"))}<span class="name">${view.automatic === null ? view.name : t(view.name)}</span>${view.automatic === null ? nothing : html`<span class="tag">${t("by itself")}</span>`}</span>
        <br /><span class="more">${times}${windowTimesText(view, now, timeZone, t)}${window === null ? "" : ` · ${scopeText(window.scope, t)}`}</span>
        ${later.length < 2 ? nothing : html`<br /><span class="times num">${t("next five: {list}", { list: later.join(" · ") })}</span>`}
      </span>
      ${window === null || !this.panel.maySet ? nothing : html`<span class="buttons">${this.#windowButtons(view)}</span>`}
    </li>`;
  }

  #windowButtons({ id, active, name }: WindowView) {
    const { alerting } = this.panel.api;
    const edit = link(
      this.panel,
      sectionRoute("silences", `edit=${id}`),
      html`${t("Edit")}<span class="sr"> ${name}</span>`,
      "button",
    );
    const remove = html`<button type="button" @click=${() => this.#run(() => alerting.remove("windows", id), t("Removed."))}>${t("Remove")}<span class="sr"> ${name}</span></button>`;
    if (!active) return html`${edit} ${remove}`;
    const extend = (event: Event) => {
      if (!(event.target instanceof HTMLSelectElement) || event.target.value === "") return;
      const sec = Number(event.target.value);
      event.target.value = "";
      void this.#run(() => alerting.extendWindow(id, sec), t("It lasts {time} longer.", { time: formatDuration(sec) }));
    };
    return html`
      <select aria-label=${t("Let {name} last longer", { name })} @change=${extend}>
        <option value="">${t("Longer by …")}</option>
        ${[1800, 3600, 4 * 3600, 24 * 3600].map((sec) => html`<option value=${sec}>${formatDuration(sec)}</option>`)}
      </select>
      <button type="button" @click=${() => this.#run(() => alerting.endWindow(id), t("It is over. What still fires is told."))}>${t("End now")}<span class="sr"> ${name}</span></button>
      ${edit}
    `;
  }

  async #run(ask: () => Promise<Answer<unknown>>, done: string): Promise<void> {
    const answer = await ask();
    this.result = answer.ok ? { ok: true, text: done } : refusal(answer.problem);
    await this.#load();
  }

  async #saved(text: string): Promise<void> {
    this.result = { ok: true, text };
    await this.#load();
  }

  async #load(): Promise<void> {
    const { alerting } = this.panel.api;
    const [silences, windows] = await Promise.all([alerting.silences(), alerting.windows()]);
    if (!windows.ok) this.lists = { state: "failed", problem: windows.problem };
    else {
      const loaded = loadedOf(silences);
      this.lists =
        loaded.state === "there"
          ? { state: "there", value: { silences: loaded.value.items, windows: windows.value.items } }
          : loaded;
    }
  }
}
customElements.define("proven-silences", ProvenSilences);
