import { css, html, nothing, type PropertyValues } from "lit";
import type { TemplatePreview } from "#protocol/notifications.ts";
import { t } from "../i18n.ts";
import { formStyles } from "./form.ts";
import { PanelElement } from "./panel-element.ts";
import { shared } from "./styles.ts";

const previewAfterMs = 250;
/** As good as the built-in text, to begin with. */
const firstTemplate = "{#alerts}{title}: {text}\nsince {since} ({duration})\n{/alerts}";

/** A message's template, with what it makes of two example alerts while one types. Says `changed` with the text; empty: the built-in one. */
export class ProvenTemplate extends PanelElement {
  static override properties = {
    ...PanelElement.properties,
    template: { attribute: false },
    writing: { state: true },
    preview: { state: true },
  };
  static override styles = [
    shared,
    formStyles,
    css`
      :host { display: block; }
      .two { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); gap: 10px; }
      .two .field { grid-template-rows: auto minmax(0, 1fr); }
      .field textarea { min-height: 170px; resize: vertical; font: 12px / 1.5 ui-monospace, monospace; }
      pre { margin: 0; padding: 8px 10px; background: var(--pv-unknown-tint); white-space: pre-wrap; overflow-wrap: anywhere; font: 12px / 1.5 ui-monospace, monospace; min-height: 170px; }
      .names { display: flex; flex-wrap: wrap; gap: 4px; }
      .names button { font: 12px ui-monospace, monospace; padding: 1px 6px; }
    `,
  ];
  declare template: string;
  /** Somebody writes one, also when nothing stands there yet. */
  declare writing: boolean;
  declare preview: TemplatePreview | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asking: AbortController | undefined;

  constructor() {
    super();
    this.template = "";
    this.writing = false;
  }

  protected watched() {
    return [];
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.#timer);
    this.#asking?.abort();
  }

  protected override firstUpdated(_changed: PropertyValues<this>): void {
    if (this.template !== "") void this.#ask(this.template);
  }

  protected override render() {
    if (this.template === "" && !this.writing) {
      return html`<div class="buttons"><span class="dim">${t("Messages have the built-in text.")}</span>
        <button type="button" @click=${() => this.#write(true, firstTemplate)}>${t("Write another one")}</button></div>`;
    }
    const { preview } = this;
    return html`
      <div class="two">
        <label class="field"><span>${t("Text below the first line")}</span>
          <textarea spellcheck="false" .value=${this.template} aria-invalid=${preview?.problem == null ? nothing : "true"} aria-describedby="problem" @input=${this.#onInput}></textarea>
        </label>
        <div class="field"><span>${t("What two example alerts would look like")}</span>
          <pre tabindex="0" aria-label=${t("Preview")}>${preview?.text ?? ""}</pre>
        </div>
      </div>
      <p id="problem" class="problem" role="status">${preview?.problem == null ? "" : `${preview.problem}. ${preview.remedy ?? ""}`}</p>
      ${preview === undefined ? nothing : this.#placeholders(preview)}
      <div class="buttons"><button type="button" @click=${() => this.#write(false, "")}>${t("Back to the built-in text")}</button></div>
    `;
  }

  #placeholders({ placeholders: { message, alert } }: TemplatePreview) {
    const names = (all: readonly string[]) =>
      html`<span class="names">${all.map((name) => html`<button type="button" aria-label=${t("Put in {name}", { name })} @click=${() => this.#insert(`{${name}}`)}>{${name}}</button>`)}</span>`;
    return html`<div class="fields wide">
      <div class="field"><span>${t("Of the message")}</span>${names(message)}</div>
      <div class="field"><span>${t("Of each alert, between {#alerts} and {/alerts}")}</span>${names(alert)}</div>
    </div>`;
  }

  #write(writing: boolean, template: string): void {
    this.writing = writing;
    this.#use(template);
    if (writing) void this.updateComplete.then(() => this.renderRoot.querySelector("textarea")?.focus());
  }

  #insert(text: string): void {
    const area = this.renderRoot.querySelector("textarea");
    if (area === null) return;
    area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
    area.focus();
    this.#use(area.value);
  }

  #onInput(event: Event): void {
    if (event.target instanceof HTMLTextAreaElement) this.#use(event.target.value);
  }

  #use(template: string): void {
    this.template = template;
    this.dispatchEvent(new CustomEvent("changed", { detail: template }));
    clearTimeout(this.#timer);
    if (template === "") this.preview = this.preview && { ...this.preview, text: null, problem: null, remedy: null };
    else this.#timer = setTimeout(() => void this.#ask(template), previewAfterMs);
  }

  async #ask(template: string): Promise<void> {
    this.#asking?.abort();
    this.#asking = new AbortController();
    const answer = await this.panel.api.alerting.previewTemplate(template, this.#asking.signal);
    if (answer.ok && template === this.template) this.preview = answer.value;
  }
}
customElements.define("proven-template", ProvenTemplate);
