import { type CSSResultGroup, html, type PropertyValues, type TemplateResult } from "lit";
import type { FieldProblem } from "#protocol/alerting.ts";
import type { Answer } from "../api.ts";
import { t } from "../i18n.ts";
import { check, formStyles, problemsOf, refusal, type Said } from "./form.ts";
import { PanelElement } from "./panel-element.ts";
import { shared } from "./styles.ts";

/** Edits one document: what is typed is a draft until the hub has taken it. Says `saved` or `cancelled`. */
export abstract class EditForm<Draft extends { enabled: boolean }> extends PanelElement {
  static override properties: Record<string, object> = {
    ...PanelElement.properties,
    initial: { attribute: false },
    draft: { state: true },
    problems: { state: true },
    result: { state: true },
  };
  static override styles: CSSResultGroup = [shared, formStyles];
  /** What the fields begin with. Only looked at once: whoever made this element is drawn anew each second, and what is typed stays. */
  declare initial: Draft;
  declare draft: Draft;
  /** What the hub found wrong, until that is changed. */
  declare problems: readonly FieldProblem[];
  declare result: Said;

  constructor() {
    super();
    this.problems = [];
  }

  /** Asks the hub to keep the draft. */
  protected abstract send(): Promise<Answer<unknown>>;

  protected watched() {
    return [];
  }

  protected override willUpdate(_changed: PropertyValues<this>): void {
    this.draft ??= this.initial;
  }

  protected override firstUpdated(_changed: PropertyValues<this>): void {
    this.renderRoot.querySelector("input")?.focus();
  }

  protected change(change: Partial<Draft>): void {
    this.use({ ...this.draft, ...change });
  }

  /** In place of the draft; for what a change can't say, as a field that goes away. */
  protected use(draft: Draft): void {
    this.draft = draft;
    this.problems = [];
    this.result = undefined;
  }

  protected wrong(name: string): FieldProblem[] {
    return problemsOf(this.problems, name);
  }

  /** @param complete Whether there is enough to be sent. */
  protected buttons(complete = true): TemplateResult {
    return html`<div class="buttons">
      <button class="primary" type="submit" ?disabled=${!complete}>${t("Save")}</button>
      <button type="button" @click=${() => this.dispatchEvent(new CustomEvent("cancelled"))}>${t("Cancel")}</button>
    </div>`;
  }

  protected isOn(): TemplateResult {
    return check(t("on"), this.draft.enabled, (enabled) => this.use({ ...this.draft, enabled }));
  }

  protected readonly onSubmit = (event: Event): void => {
    event.preventDefault();
    void this.#save();
  };

  async #save(): Promise<void> {
    const answer = await this.send();
    if (answer.ok) {
      this.dispatchEvent(new CustomEvent("saved"));
      return;
    }
    const { field, message } = answer.problem;
    this.problems = field === undefined ? [] : [{ field, problem: message, remedy: "" }];
    this.result = refusal(answer.problem);
  }
}
