import { html, nothing, type PropertyValues } from "lit";
import type { ReceiverView } from "#protocol/notifications.ts";
import {
  blankReceiver,
  type ReceiverForm,
  receiverFields,
  receiverRequest,
  receiverTypes,
  takesActions,
  takesTemplate,
} from "../core/routes.ts";
import { slugOf } from "../core/rules.ts";
import { t } from "../i18n.ts";
import { check, choice, field, formStyles, refusal, type Said, said, textInput } from "./form.ts";
import { PanelElement } from "./panel-element.ts";
import "./proven-template.ts";
import { shared } from "./styles.ts";

type Field = (typeof receiverFields)[keyof typeof receiverFields][number];

/** A receiver's editor. Secrets are only ever sent, never shown. Says `saved` or `cancelled`. */
export class ProvenReceiverForm extends PanelElement {
  static override properties = {
    ...PanelElement.properties,
    initial: { attribute: false },
    form: { state: true },
    present: { attribute: false },
    result: { state: true },
    wrong: { state: true },
  };
  static override styles = [shared, formStyles];
  /** What the fields begin with. Only looked at once: whoever made this element is drawn anew each second, and what is typed stays. */
  declare initial: ReceiverForm;
  declare form: ReceiverForm;
  /** Undefined: a new one. */
  declare present: ReceiverView | undefined;
  declare result: Said;
  /** The field the hub named. */
  declare wrong: string;

  constructor() {
    super();
    this.wrong = "";
  }

  protected watched() {
    return [];
  }

  protected override willUpdate(_changed: PropertyValues<this>): void {
    this.form ??= this.initial;
  }

  protected override render() {
    const { form, present } = this;
    const named = (name: string) => this.#change({ name, ...(present === undefined ? { id: slugOf(name) } : {}) });
    return html`<form @submit=${this.#onSubmit}>
      <div class="fields">
        ${
          present === undefined
            ? field(
                t("Kind"),
                choice(
                  form.type,
                  receiverTypes.map((type) => [type, type] as const),
                  (type) => {
                    this.form = { ...blankReceiver(type), name: form.name, id: form.id };
                  },
                ),
              )
            : nothing
        }
        ${field(t("Name"), textInput(form.name, named), [], form.id)}
        ${receiverFields[form.type].map((one) => this.#field(one))}
      </div>
      <div class="buttons">
        ${check(t("on"), form.enabled, (enabled) => this.#change({ enabled }))}
        ${check(t("tell recoveries"), form.resolved, (resolved) => this.#change({ resolved }))}
        ${check(t("its address may be a private one"), form.privateAddress, (privateAddress) => this.#change({ privateAddress }))}
        ${takesActions(form.type) ? check(t("messages carry links to acknowledge and silence without signing in"), form.actions, (actions) => this.#change({ actions })) : nothing}
      </div>
      ${takesTemplate(form.type) ? html`<proven-template .panel=${this.panel} .template=${form.template} @changed=${(event: CustomEvent<string>) => this.#change({ template: event.detail })}></proven-template>` : nothing}
      ${said(this.result)}
      <div class="buttons">
        <button class="primary" type="submit">${t("Save")}</button>
        <button type="button" @click=${() => this.dispatchEvent(new CustomEvent("cancelled"))}>${t("Cancel")}</button>
      </div>
    </form>`;
  }

  #field({ name, label, kind }: Field) {
    const value = this.form.values[name];
    const set = (typed: string | boolean) => this.#change({ values: { ...this.form.values, [name]: typed } });
    if (kind === "flag") return html`<div class="field"><span>${t(label)}</span>${check(t("on"), value === true, set)}</div>`;
    const isSet = kind === "secret" && (this.present?.secrets.includes(name.split(".").at(-1) ?? name) ?? false);
    const input = textInput(typeof value === "string" ? value : "", set, {
      type: kind === "secret" ? "password" : "text",
      wrong: this.wrong !== "" && this.wrong.endsWith(name),
      ...(isSet ? { placeholder: t("set; empty: stays as it is") } : {}),
    });
    return field(t(label), input);
  }

  #change(change: Partial<ReceiverForm>): void {
    this.form = { ...this.form, ...change };
    this.result = undefined;
    this.wrong = "";
  }

  #onSubmit(event: Event): void {
    event.preventDefault();
    void this.#save();
  }

  async #save(): Promise<void> {
    const { receiver, secrets } = receiverRequest(this.form, this.present?.receiver);
    const answer = await this.panel.api.alerting.saveReceiver(receiver, secrets, this.present === undefined);
    if (answer.ok) this.dispatchEvent(new CustomEvent("saved"));
    else {
      this.result = refusal(answer.problem);
      this.wrong = answer.problem.field ?? "";
    }
  }
}
customElements.define("proven-receiver-form", ProvenReceiverForm);
