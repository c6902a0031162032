import { html, nothing, type PropertyValues } from "lit";
import type { FieldProblem } from "#protocol/alerting.ts";
import type { Report } from "#protocol/report.ts";
import { reportId } from "../core/reports.ts";
import { languages, t } from "../i18n.ts";
import { check, choice, field, formStyles, problemsOf, refusal, type Said, said, textInput } from "./form.ts";
import { PanelElement } from "./panel-element.ts";
import { shared } from "./styles.ts";

/** A mailed report's editor. Says `saved` or `cancelled`. */
export class ProvenReportForm extends PanelElement {
  static override properties = {
    ...PanelElement.properties,
    initial: { attribute: false },
    isNew: { attribute: false },
    receivers: { attribute: false },
    taken: { attribute: false },
    report: { state: true },
    problems: { state: true },
    result: { state: true },
  };
  static override styles = [shared, formStyles];
  /** Looked at once. */
  declare initial: Report;
  declare isNew: boolean;
  /** Ids of those that mail. */
  declare receivers: readonly string[];
  /** Ids there are. */
  declare taken: readonly string[];
  declare report: Report;
  declare problems: readonly FieldProblem[];
  declare result: Said;

  constructor() {
    super();
    this.problems = [];
  }

  protected watched() {
    return [];
  }

  protected override willUpdate(_changed: PropertyValues<this>): void {
    this.report ??= this.initial;
  }

  protected override firstUpdated(_changed: PropertyValues<this>): void {
    this.renderRoot.querySelector("input")?.focus();
  }

  protected override render() {
    const { report } = this;
    const wrong = (name: string) => problemsOf(this.problems, name);
    const receivers = this.receivers.map((id) => [id, id] as const);
    const known = Object.entries(languages).map(([code, name]) => [code as Report["language"], name] as const);
    return html`<form @submit=${this.#onSubmit}>
      <div class="fields">
        ${field(
          t("Name"),
          textInput(report.name, (name) => this.#change({ name })),
          wrong("name"),
        )}
        ${field(
          t("Sent at (calendar event, as in Proxmox VE)"),
          textInput(report.calendar, (calendar) => this.#change({ calendar }), { wrong: wrong("calendar").length > 0 }),
          wrong("calendar"),
          "mon 07:00 · *-*-1 07:00",
        )}
        ${field(
          t("Timezone"),
          textInput(report.timezone, (timezone) => this.#change({ timezone }), { wrong: wrong("timezone").length > 0 }),
          wrong("timezone"),
        )}
        ${field(
          t("To"),
          choice(report.receiver ?? "", receivers, (receiver) => this.#change({ receiver })),
          wrong("receiver"),
        )}
        ${field(
          t("Language"),
          choice(report.language, known, (language) => this.#change({ language })),
        )}
      </div>
      <p class="hint">${t("It tells of the time since the one before; the first one comes after its first whole period.")}</p>
      ${this.result === undefined ? nothing : said(this.result)}
      <div class="buttons">
        <button class="primary" type="submit" ?disabled=${report.name.trim() === "" || (report.receiver ?? "") === ""}>${t("Save")}</button>
        <button type="button" @click=${() => this.dispatchEvent(new CustomEvent("cancelled"))}>${t("Cancel")}</button>
        ${check(t("on"), report.enabled, (enabled) => this.#change({ enabled }))}
      </div>
    </form>`;
  }

  #change(change: Partial<Report>): void {
    this.report = { ...this.report, ...change };
    this.problems = this.problems.filter(({ field }) => !Object.hasOwn(change, field));
  }

  #onSubmit(event: Event): void {
    event.preventDefault();
    void this.#save();
  }

  async #save(): Promise<void> {
    const { report, isNew } = this;
    const id = isNew ? reportId(report.name, this.taken) : report.id;
    const answer = await this.panel.api.proof.saveReport({ ...report, id });
    if (answer.ok) {
      this.dispatchEvent(new CustomEvent("saved"));
      return;
    }
    const { field, message } = answer.problem;
    this.problems = field === undefined ? [] : [{ field, problem: message, remedy: "" }];
    this.result = field === undefined ? refusal(answer.problem) : undefined;
  }
}
customElements.define("proven-report-form", ProvenReportForm);
