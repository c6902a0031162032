import { html, nothing } from "lit";
import type { Report } from "#protocol/report.ts";
import { reportId } from "../core/reports.ts";
import { languages, t } from "../i18n.ts";
import { EditForm } from "./edit-form.ts";
import { choice, field, said, textInput } from "./form.ts";

/** A mailed report's editor. */
export class ProvenReportForm extends EditForm<Report> {
  static override properties = {
    ...EditForm.properties,
    isNew: { attribute: false },
    receivers: { attribute: false },
    taken: { attribute: false },
  };
  declare isNew: boolean;
  /** Ids of those that mail. */
  declare receivers: readonly string[];
  /** Ids there are. */
  declare taken: readonly string[];

  protected override render() {
    const { draft } = this;
    const receivers = this.receivers.map((id) => [id, id] as const);
    const known = Object.entries(languages).map(([code, name]) => [code as Report["language"], name] as const);
    return html`<form @submit=${this.onSubmit}>
      <div class="fields">
        ${field(
          t("Name"),
          textInput(draft.name, (name) => this.change({ name })),
          this.wrong("name"),
        )}
        ${field(
          t("Sent at (calendar event, as in Proxmox VE)"),
          textInput(draft.calendar, (calendar) => this.change({ calendar }), { wrong: this.wrong("calendar").length > 0 }),
          this.wrong("calendar"),
          "mon 07:00 · *-*-1 07:00",
        )}
        ${field(
          t("Timezone"),
          textInput(draft.timezone, (timezone) => this.change({ timezone }), { wrong: this.wrong("timezone").length > 0 }),
          this.wrong("timezone"),
        )}
        ${field(
          t("To"),
          choice(draft.receiver ?? "", receivers, (receiver) => this.change({ receiver })),
          this.wrong("receiver"),
        )}
        ${field(
          t("Language"),
          choice(draft.language, known, (language) => this.change({ language })),
        )}
      </div>
      <p class="hint">${t("It tells of the time since the one before; the first one comes after its first whole period.")}</p>
      ${this.problems.length === 0 ? said(this.result) : nothing}
      <div class="buttons">${this.isOn()}</div>
      ${this.buttons(draft.name.trim() !== "" && (draft.receiver ?? "") !== "")}
    </form>`;
  }

  protected send() {
    const { draft, isNew } = this;
    const id = isNew ? reportId(draft.name, this.taken) : draft.id;
    return this.panel.api.proof.saveReport({ ...draft, id });
  }
}
customElements.define("proven-report-form", ProvenReportForm);
