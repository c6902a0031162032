import { css, html, nothing, type PropertyValues } from "lit";
import type { Window, WindowPreview } from "#protocol/alerting.ts";
import { formatExact } from "../core/age.ts";
import { formatDuration } from "../core/units.ts";
import { blankWindow, localField, type WindowForm, windowForm, windowOf } from "../core/windows.ts";
import { t, timeZone } from "../i18n.ts";
import { check, choice, field, formStyles, numberInput, problemsOf, refusal, type Said, said, textInput } from "./form.ts";
import { PanelElement } from "./panel-element.ts";
import { scopeFields } from "./scope-fields.ts";
import { shared } from "./styles.ts";

const checkAfterMs = 250;

/** Makes or changes a maintenance window; its next five times are shown while one types. Says `saved` or `cancelled`. */
export class ProvenWindowForm extends PanelElement {
  static override properties = {
    ...PanelElement.properties,
    window: { attribute: false },
    form: { state: true },
    preview: { state: true },
    result: { state: true },
  };
  static override styles = [
    shared,
    formStyles,
    css`
      .next { background: var(--pv-unknown-tint); padding: 8px 12px; }
      .next ol { margin: 4px 0 0; padding-left: 22px; }
    `,
  ];
  /** Undefined: a new one. */
  declare window: Window | undefined;
  declare form: WindowForm;
  declare preview: WindowPreview;
  declare result: Said;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #checking: AbortController | undefined;

  constructor() {
    super();
    this.preview = { problems: [], next: [] };
  }

  protected watched() {
    return [];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    const blank = blankWindow(this.panel.now.value, timeZone);
    this.form ??= this.window === undefined ? blank : windowForm(this.window, blank);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.#timer);
    this.#checking?.abort();
  }

  protected override firstUpdated(_changed: PropertyValues<this>): void {
    void this.#check();
  }

  protected override render() {
    const { form, preview } = this;
    const wrong = (name: string) => problemsOf(preview.problems, name);
    const named = form.name === "" ? [] : [...wrong("name"), ...wrong("id")];
    const heading =
      this.window === undefined ? t("New maintenance window") : t("Change the window {name}", { name: this.window.name });
    return html`<section class="panel" aria-label=${heading}>
      <header><h2>${heading}</h2></header>
      <form @submit=${this.#onSubmit}>
        <div class="fields">
          ${field(
            t("Name"),
            textInput(form.name, (name) => this.#change({ name }), { wrong: named.length > 0 }),
            named,
          )}
          ${field(
            t("How often"),
            choice(form.kind, [["recurrence", t("again and again")] as const, ["once", t("once")] as const], (kind) =>
              this.#change({ kind }),
            ),
          )}
          ${form.kind === "recurrence" ? this.#repeated() : this.#once()}
          ${field(
            t("Lasts"),
            numberInput(form.hours, (hours) => this.#change({ hours }), { suffix: "h" }),
            [...wrong("recurrence.durationSec"), ...wrong("once.endsAt")],
            formatDuration(form.hours * 3600),
          )}
          ${scopeFields(form.scope, "scope", preview.problems, (scope) => this.#change({ scope }), ["nodes", "guests", "tags", "storages"])}
          ${field(
            t("Comment"),
            textInput(form.comment, (comment) => this.#change({ comment })),
            wrong("comment"),
          )}
        </div>
        ${form.kind === "once" ? nothing : this.#next()}
        ${said(this.result)}
        <div class="buttons">
          <button class="primary" type="submit" ?disabled=${form.name === "" || preview.problems.length > 0}>${t("Save")}</button>
          ${this.window === undefined ? nothing : html`<button type="button" @click=${() => this.dispatchEvent(new CustomEvent("cancelled"))}>${t("Cancel")}</button>`}
          ${check(t("on"), form.enabled, (enabled) => this.#change({ enabled }))}
        </div>
      </form>
    </section>`;
  }

  #repeated() {
    const { form, preview } = this;
    const [calendar, zone] = [
      problemsOf(preview.problems, "recurrence.calendar"),
      problemsOf(preview.problems, "recurrence.timezone"),
    ];
    return [
      field(
        t("Calendar event, as in Proxmox VE"),
        textInput(form.calendar, (text) => this.#change({ calendar: text }), { wrong: calendar.length > 0 }),
        calendar,
        "sat 02:00 · mon..fri 22:00 · *-*-1 3:00",
      ),
      field(
        t("Timezone"),
        textInput(form.timezone, (text) => this.#change({ timezone: text }), { wrong: zone.length > 0 }),
        zone,
      ),
    ];
  }

  #once() {
    const { startsAt } = this.form;
    const value = localField(startsAt, new Date(startsAt).getTimezoneOffset());
    const change = (text: string) => {
      const at = new Date(text).getTime();
      if (Number.isFinite(at)) this.#change({ startsAt: at });
    };
    return field(
      t("Begins"),
      textInput(value, change, { type: "datetime-local" }),
      problemsOf(this.preview.problems, "once"),
      timeZone,
    );
  }

  #next() {
    const { next } = this.preview;
    if (next.length === 0) return html`<div class="next dim">${t("As it is typed, it never opens.")}</div>`;
    return html`<div class="next" role="status">
      <strong>${t("It opens next")}</strong> <span class="dim">(${timeZone})</span>
      <ol class="num">${next.map(({ startsAt, endsAt }) => html`<li>${formatExact(startsAt, timeZone).slice(0, 16)} – ${formatExact(endsAt, timeZone).slice(11, 16)}</li>`)}</ol>
    </div>`;
  }

  #change(change: Partial<WindowForm>): void {
    this.form = { ...this.form, ...change };
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#check(), checkAfterMs);
  }

  /** What is typed so far; a name can wait, the times are shown without one. */
  async #check(): Promise<void> {
    this.#checking?.abort();
    this.#checking = new AbortController();
    const named = this.form.name === "" ? { ...this.form, name: "unnamed" } : this.form;
    const answer = await this.panel.api.alerting.previewWindow(windowOf(named), this.#checking.signal);
    if (answer.ok) this.preview = answer.value;
  }

  #onSubmit(event: Event): void {
    event.preventDefault();
    void this.#save();
  }

  async #save(): Promise<void> {
    const answer = await this.panel.api.alerting.saveWindow(windowOf(this.form), this.window === undefined);
    this.result = answer.ok ? { ok: true, text: t("Saved: it counts from now on.") } : refusal(answer.problem);
    if (answer.ok) this.dispatchEvent(new CustomEvent("saved", { detail: t("Saved: it counts from now on.") }));
  }
}
customElements.define("proven-window-form", ProvenWindowForm);
