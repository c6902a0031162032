import { html, nothing } from "lit";
import type { FieldProblem, Scope } from "#protocol/alerting.ts";
import { formatMoment } from "../core/age.ts";
import { parseList } from "../core/rules.ts";
import { readableAlertId } from "../core/windows.ts";
import { t, timeZone } from "../i18n.ts";
import { choice, field, formStyles, problemsOf, refusal, type Said, said, textInput } from "./form.ts";
import { PanelElement } from "./panel-element.ts";
import { scopeFields } from "./scope-fields.ts";
import { shared } from "./styles.ts";

const lengths = [
  ["1", "1 h"],
  ["4", "4 h"],
  ["24", "24 h"],
  ["168", "7 d"],
  ["720", "30 d"],
] as const;

/** Makes a silence: of one alert, or of rules and a scope. */
export class ProvenSilenceForm extends PanelElement {
  static override properties = {
    ...PanelElement.properties,
    alert: { attribute: false },
    scope: { state: true },
    rules: { state: true },
    hours: { state: true },
    comment: { state: true },
    problems: { state: true },
    result: { state: true },
  };
  static override styles = [shared, formStyles];
  /** Its id; empty: rules and a scope instead. */
  declare alert: string;
  declare scope: Scope;
  declare rules: string;
  declare hours: (typeof lengths)[number][0];
  declare comment: string;
  declare problems: readonly FieldProblem[];
  declare result: Said;

  constructor() {
    super();
    this.alert = "";
    this.scope = {};
    this.rules = "";
    this.hours = "4";
    this.comment = "";
    this.problems = [];
  }

  protected watched() {
    return [this.panel.now];
  }

  protected override render() {
    const known = this.panel.store.picture.value.alerts?.find(({ id }) => id === this.alert);
    const end = this.panel.now.value + Number(this.hours) * 3_600_000;
    return html`<section class="panel" aria-label=${t("New silence")}>
      <header><h2>${t("New silence")}</h2></header>
      <form @submit=${this.#onSubmit}>
        ${this.alert === "" ? nothing : html`<p>${t("Keeps quiet:")} <strong>${known?.text ?? readableAlertId(this.alert)}</strong></p>`}
        <div class="fields">
          ${this.alert === "" ? this.#what() : nothing}
          ${field(
            t("For"),
            choice(this.hours, lengths, (hours) => {
              this.hours = hours;
            }),
            problemsOf(this.problems, "endsAt"),
            t("until {time}", { time: formatMoment(end, this.panel.now.value, timeZone) }),
          )}
          ${field(
            t("Why (others read it)"),
            textInput(this.comment, (comment) => {
              this.comment = comment;
            }),
            problemsOf(this.problems, "comment"),
          )}
        </div>
        ${said(this.result)}
        <div class="buttons"><button class="primary" type="submit">${t("Silence")}</button></div>
      </form>
    </section>`;
  }

  #what() {
    const rules = field(
      t("Rules (empty: every rule)"),
      textInput(
        this.rules,
        (rules) => {
          this.rules = rules;
        },
        { placeholder: "guest-cpu, storage-full" },
      ),
      problemsOf(this.problems, "rules"),
    );
    const scope = scopeFields(this.scope, "scope", this.problems, (next) => {
      this.scope = next;
    });
    return [rules, ...scope];
  }

  #onSubmit(event: Event): void {
    event.preventDefault();
    void this.#save();
  }

  async #save(): Promise<void> {
    const now = Math.floor(this.panel.now.value);
    const scope = this.alert !== "" || Object.keys(this.scope).length === 0 ? null : this.scope;
    const answer = await this.panel.api.alerting.createSilence({
      alerts: this.alert === "" ? [] : [this.alert],
      rules: this.alert === "" ? (parseList(this.rules) ?? []) : [],
      scope,
      startsAt: now,
      endsAt: now + Number(this.hours) * 3_600_000,
      comment: this.comment,
    });
    this.result = answer.ok ? { ok: true, text: t("Silenced.") } : refusal(answer.problem);
    const wrong = answer.ok ? undefined : answer.problem;
    this.problems = wrong?.field === undefined ? [] : [{ field: wrong.field, problem: wrong.message, remedy: "" }];
    if (answer.ok) this.dispatchEvent(new CustomEvent("saved", { detail: t("Silenced.") }));
  }
}
customElements.define("proven-silence-form", ProvenSilenceForm);
