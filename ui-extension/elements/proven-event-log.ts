import { css, html, nothing, type PropertyValues } from "lit";
import type { EventView } from "#protocol/api.ts";
import { eventFamilies } from "../core/event-families.ts";
import { hasPage, sectionRoute } from "../core/route.ts";
import { t } from "../i18n.ts";
import { moment } from "./figures.ts";
import { choice, field, formStyles, refusal, said, textInput } from "./form.ts";
import { entityLink, link } from "./link.ts";
import { type Loaded, loadedOf, loading } from "./loaded.ts";
import { PanelElement } from "./panel-element.ts";
import { severityMark } from "./severity.ts";
import { shared } from "./styles.ts";

/** Pages that are looked through before one is asked whether to go on. */
const looksMax = 20;
const pageSize = 100;
const askAfterMs = 300;
type Filter = { type: string; severity: EventView["severity"] | ""; entity: string; node: string };

/** Everything that happened, by type, severity, entity and node. */
export class ProvenEventLog extends PanelElement {
  static override properties = {
    ...PanelElement.properties,
    filter: { state: true },
    events: { state: true },
    next: { state: true },
  };
  static override styles = [
    shared,
    formStyles,
    css`
      .fields { padding: 10px 12px; }
      ol { margin: 0; padding: 0; list-style: none; }
      li { display: grid; grid-template-columns: 112px 104px 150px minmax(0, 1fr) auto; gap: 2px 12px; padding: 5px 12px; border-bottom: 1px solid var(--pv-line-soft); }
      li code { color: var(--pv-dim); font-size: 12px; overflow: hidden; text-overflow: ellipsis; }
      li span { overflow-wrap: anywhere; }
      @media (max-width: 800px) { li { grid-template-columns: auto auto minmax(0, 1fr); } li .text { grid-column: 1 / -1; } }
    `,
  ];
  declare filter: Filter;
  declare events: Loaded<readonly EventView[]>;
  declare next: number | null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    super();
    this.filter = { type: "", severity: "", entity: "", node: "" };
    this.events = loading;
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
    const { filter, events } = this;
    const severities = [
      ["", t("all")],
      ["info", t("info")],
      ["warning", t("warning")],
      ["critical", t("critical")],
    ] as const;
    return html`
      <div class="title"><h1>${t("Events")}</h1><span class="end">${link(this.panel, sectionRoute("reports"), t("Who changed what"), "button")}<button type="button" @click=${() => void this.#load()}>${t("Look again")}</button></span></div>
      <section class="panel" aria-label=${t("Events")}>
        <div class="fields">
          ${field(
            t("Kind"),
            choice(filter.type, [["", t("all")], ...eventFamilies.map((family) => [family, `${family}*`] as const)], (type) =>
              this.#change({ type }),
            ),
          )}
          ${field(
            t("Severity"),
            choice(filter.severity, severities, (severity) => this.#change({ severity })),
          )}
          ${field(
            t("Node"),
            textInput(filter.node, (node) => this.#change({ node }), { placeholder: "pve1" }),
          )}
          ${field(
            t("Entity"),
            textInput(filter.entity, (entity) => this.#change({ entity }), { placeholder: "guest/100" }),
          )}
        </div>
        ${events.state === "loading" ? html`<p class="empty" role="status">${t("Loading …")}</p>` : nothing}
        ${events.state === "failed" ? said(refusal(events.problem)) : nothing}
        ${events.state === "there" ? this.#list(events.value) : nothing}
      </section>
    `;
  }

  #list(events: readonly EventView[]) {
    if (events.length === 0 && this.next === null) return html`<p class="empty">${t("No event fits the filter.")}</p>`;
    return html`${events.length === 0 ? html`<p class="empty">${t("None so far: older ones were not looked at yet.")}</p>` : nothing}<ol>${events.map((event) => this.#row(event))}</ol>
      ${this.next === null ? nothing : html`<p class="body"><span><button type="button" @click=${() => void this.#load(this.next ?? undefined)}>${t("Older ones")}</button></span></p>`}`;
  }

  #row(event: EventView) {
    const { entity, cluster } = event;
    const isLinked = entity !== null && cluster !== null && hasPage(entity);
    return html`<li>
      ${moment(event.at, this.panel.now.value)} ${severityMark(event.severity)} <code>${event.type}</code>
      <span class="text">${t(event.text)}</span>
      <span>${isLinked ? entityLink(this.panel, { entity, cluster }, entity) : nothing}</span>
    </li>`;
  }

  #change(change: Partial<Filter>): void {
    this.filter = { ...this.filter, ...change };
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#load(), askAfterMs);
  }

  /** A page may be empty and say where to go on: the hub looks at a bounded part of the history at a time. */
  async #load(cursor?: number): Promise<void> {
    const { filter } = this;
    const before = cursor !== undefined && this.events.state === "there" ? this.events.value : [];
    let answer = await this.panel.api.alerting.events({ ...filter, limit: pageSize, cursor });
    for (let looks = 1; looks < looksMax && answer.ok && answer.value.items.length === 0 && answer.value.next !== null; looks++) {
      answer = await this.panel.api.alerting.events({ ...filter, limit: pageSize, cursor: answer.value.next });
      if (filter !== this.filter) return;
    }
    if (filter !== this.filter) return;
    const loaded = loadedOf(answer);
    if (loaded.state === "there") this.next = loaded.value.next;
    this.events = loaded.state === "there" ? { state: "there", value: [...before, ...loaded.value.items] } : loaded;
  }
}
customElements.define("proven-event-log", ProvenEventLog);
