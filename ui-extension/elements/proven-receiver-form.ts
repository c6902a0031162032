import { html, nothing } from "lit";
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
import { EditForm } from "./edit-form.ts";
import { check, choice, field, said, textInput } from "./form.ts";
import "./proven-template.ts";

type Field = (typeof receiverFields)[keyof typeof receiverFields][number];

/** A receiver's editor. Secrets are only ever sent, never shown. */
export class ProvenReceiverForm extends EditForm<ReceiverForm> {
  static override properties = {
    ...EditForm.properties,
    present: { attribute: false },
  };
  /** Undefined: a new one. */
  declare present: ReceiverView | undefined;

  protected override render() {
    const { draft, present } = this;
    const named = (name: string) => this.change({ name, ...(present === undefined ? { id: slugOf(name) } : {}) });
    return html`<form @submit=${this.onSubmit}>
      <div class="fields">
        ${
          present === undefined
            ? field(
                t("Kind"),
                choice(
                  draft.type,
                  receiverTypes.map((type) => [type, type] as const),
                  (type) => this.use({ ...blankReceiver(type), name: draft.name, id: draft.id }),
                ),
              )
            : nothing
        }
        ${field(t("Name"), textInput(draft.name, named), [], draft.id)}
        ${receiverFields[draft.type].map((one) => this.#field(one))}
      </div>
      <div class="buttons">
        ${this.isOn()}
        ${check(t("tell recoveries"), draft.resolved, (resolved) => this.change({ resolved }))}
        ${check(t("its address may be a private one"), draft.privateAddress, (privateAddress) => this.change({ privateAddress }))}
        ${takesActions(draft.type) ? check(t("messages carry links to acknowledge and silence without signing in"), draft.actions, (actions) => this.change({ actions })) : nothing}
      </div>
      ${takesTemplate(draft.type) ? html`<proven-template .panel=${this.panel} .template=${draft.template} @changed=${(event: CustomEvent<string>) => this.change({ template: event.detail })}></proven-template>` : nothing}
      ${said(this.result)}
      ${this.buttons()}
    </form>`;
  }

  #field({ name, label, kind }: Field) {
    const value = this.draft.values[name];
    const set = (typed: string | boolean) => this.change({ values: { ...this.draft.values, [name]: typed } });
    if (kind === "flag") return html`<div class="field"><span>${t(label)}</span>${check(t("on"), value === true, set)}</div>`;
    const isSet = kind === "secret" && (this.present?.secrets.includes(name.split(".").at(-1) ?? name) ?? false);
    const input = textInput(typeof value === "string" ? value : "", set, {
      type: kind === "secret" ? "password" : "text",
      wrong: this.problems.some((problem) => problem.field.endsWith(name)),
      ...(isSet ? { placeholder: t("set; empty: stays as it is") } : {}),
    });
    return field(t(label), input);
  }

  protected send() {
    const { receiver, secrets } = receiverRequest(this.draft, this.present?.receiver);
    return this.panel.api.alerting.saveReceiver(receiver, secrets, this.present === undefined);
  }
}
customElements.define("proven-receiver-form", ProvenReceiverForm);
