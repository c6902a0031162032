import { html, nothing, type PropertyValues, type TemplateResult } from "lit";
import type { Page } from "#protocol/api.ts";
import type { Answer } from "../api.ts";
import { t } from "../i18n.ts";
import { refusal, said } from "./form.ts";
import { type Loaded, loadedOf, loading } from "./loaded.ts";
import { PanelElement } from "./panel-element.ts";

const askAfterMs = 300;
/** Pages that are looked through before one is asked whether to go on. */
const looksMax = 20;

/** A long list by a filter, the newest first, that goes on where its reader asks for older ones. */
export abstract class PagedLog<Item, Filter extends object> extends PanelElement {
  static override properties: Record<string, object> = {
    ...PanelElement.properties,
    filter: { state: true },
    items: { state: true },
    next: { state: true },
  };
  declare filter: Filter;
  declare items: Loaded<readonly Item[]>;
  /** Where older ones begin; null: there are none. */
  declare next: number | null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(filter: Filter) {
    super();
    this.filter = filter;
    this.items = loading;
    this.next = null;
  }

  protected abstract ask(filter: Filter, cursor: number | undefined): Promise<Answer<Page<Item>>>;

  protected watched() {
    return [this.panel.now];
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.#timer);
  }

  protected override firstUpdated(_changed: PropertyValues<this>): void {
    void this.load();
  }

  protected change(change: Partial<Filter>): void {
    this.filter = { ...this.filter, ...change };
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.load(), askAfterMs);
  }

  /** `none`: said where nothing fits. */
  protected list(row: (item: Item) => TemplateResult, none: string) {
    const { items, next } = this;
    if (items.state === "loading") return html`<p class="empty" role="status">${t("Loading …")}</p>`;
    if (items.state === "failed") return said(refusal(items.problem));
    const words = next === null ? none : t("None so far: older ones were not looked at yet.");
    return html`${items.value.length === 0 ? html`<p class="empty">${words}</p>` : html`<ol>${items.value.map(row)}</ol>`}
      ${next === null ? nothing : html`<p class="body"><span><button type="button" @click=${() => void this.load(next)}>${t("Older ones")}</button></span></p>`}`;
  }

  /** A page may be empty and say where to go on: the hub looks at a bounded part at a time. */
  protected async load(cursor?: number): Promise<void> {
    const { filter } = this;
    const before = cursor !== undefined && this.items.state === "there" ? this.items.value : [];
    let answer = await this.ask(filter, cursor);
    for (let looks = 1; looks < looksMax && answer.ok && answer.value.items.length === 0 && answer.value.next !== null; looks++) {
      if (filter !== this.filter) return;
      answer = await this.ask(filter, answer.value.next);
    }
    if (filter !== this.filter) return;
    const loaded = loadedOf(answer);
    if (loaded.state === "there") this.next = loaded.value.next;
    this.items = loaded.state === "there" ? { state: "there", value: [...before, ...loaded.value.items] } : loaded;
  }
}
