import { css, html, nothing, type PropertyValues } from "lit";
import type { AuditEntryView } from "#protocol/audit.ts";
import { t } from "../i18n.ts";
import { moment } from "./figures.ts";
import { field, formStyles, refusal, said, textInput } from "./form.ts";
import { type Loaded, loadedOf, loading } from "./loaded.ts";
import { PanelElement } from "./panel-element.ts";
import { shared } from "./styles.ts";

const askAfterMs = 300;
/** Pages that are looked through before one is asked whether to go on. */
const looksMax = 20;
type Filter = { actor: string; kind: string };

/** Who changed what, when and why, the newest first. */
export class ProvenAuditLog extends PanelElement {
  static override properties = {
    ...PanelElement.properties,
    filter: { state: true },
    entries: { state: true },
    next: { state: true },
  };
  static override styles = [
    shared,
    formStyles,
    css`
      .fields { padding: 10px 12px; }
      ol { margin: 0; padding: 0; list-style: none; }
      li { display: grid; grid-template-columns: 112px 150px 190px minmax(0, 1fr); gap: 2px 12px; padding: 5px 12px; border-bottom: 1px solid var(--pv-line-soft); }
      li > * { overflow-wrap: anywhere; min-width: 0; }
      li code { color: var(--pv-dim); font-size: 12px; }
      @media (max-width: 800px) { li { grid-template-columns: auto minmax(0, 1fr); } li .what { grid-column: 1 / -1; } }
    `,
  ];
  declare filter: Filter;
  declare entries: Loaded<readonly AuditEntryView[]>;
  declare next: number | null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    super();
    this.filter = { actor: "", kind: "" };
    this.entries = loading;
    this.next = null;
  }

  protected watched() {
    return [this.panel.now];
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.#timer);
  }

  protected override firstUpdated(_changed: PropertyValues<this>): void {
    void this.#load();
  }

  protected override render() {
    const { filter, entries } = this;
    return html`<section class="panel" aria-label=${t("Who changed what")}>
      <header><h2>${t("Who changed what")}</h2><button class="end" type="button" @click=${() => void this.#load()}>${t("Look again")}</button></header>
      <div class="fields">
        ${field(
          t("Who"),
          textInput(filter.actor, (actor) => this.#change({ actor }), { placeholder: "root@pam" }),
        )}
        ${field(
          t("Kind of document"),
          textInput(filter.kind, (kind) => this.#change({ kind }), { placeholder: "rule" }),
        )}
      </div>
      ${entries.state === "loading" ? html`<p class="empty" role="status">${t("Loading …")}</p>` : nothing}
      ${entries.state === "failed" ? said(refusal(entries.problem)) : nothing}
      ${entries.state === "there" ? this.#list(entries.value) : nothing}
    </section>`;
  }

  #list(entries: readonly AuditEntryView[]) {
    const older = this.next ?? undefined;
    const none = older === undefined ? t("No entry fits the filter.") : t("None so far: older ones were not looked at yet.");
    return html`${entries.length === 0 ? html`<p class="empty">${none}</p>` : html`<ol>${entries.map((entry) => this.#row(entry))}</ol>`}
      ${older === undefined ? nothing : html`<p class="body"><span><button type="button" @click=${() => void this.#load(older)}>${t("Older ones")}</button></span></p>`}`;
  }

  #row({ at, actor, action, kind, id, reason, hash }: AuditEntryView) {
    const words = { create: t("made"), update: t("changed"), delete: t("removed") };
    return html`<li title=${hash}>
      ${moment(at, this.panel.now.value)} <span>${actor}</span> <span>${words[action]} <code>${kind}</code></span>
      <span class="what">${id} <span class="dim">${reason}</span></span>
    </li>`;
  }

  #change(change: Partial<Filter>): void {
    this.filter = { ...this.filter, ...change };
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#load(), askAfterMs);
  }

  /** A page may be empty and say where to go on: the hub looks at a bounded part of the log at a time. */
  async #load(cursor?: number): Promise<void> {
    const { filter } = this;
    const before = cursor !== undefined && this.entries.state === "there" ? this.entries.value : [];
    let answer = await this.panel.api.proof.auditEntries({ ...filter, cursor });
    for (let looks = 1; looks < looksMax && answer.ok && answer.value.items.length === 0 && answer.value.next !== null; looks++) {
      answer = await this.panel.api.proof.auditEntries({ ...filter, cursor: answer.value.next });
    }
    if (filter !== this.filter) return;
    const loaded = loadedOf(answer);
    if (loaded.state === "there") this.next = loaded.value.next;
    this.entries = loaded.state === "there" ? { state: "there", value: [...before, ...loaded.value.items] } : loaded;
  }
}
customElements.define("proven-audit-log", ProvenAuditLog);
