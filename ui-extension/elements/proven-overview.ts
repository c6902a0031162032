import { css, html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { arranged, changeWidget, moveWidget, placeWidget, type Widget, type WidgetId } from "../core/layout.ts";
import { t } from "../i18n.ts";
import { refusal, said } from "./form.ts";
import { PanelElement } from "./panel-element.ts";
import { piecesChanged, withPiece } from "./pieces.ts";
import "./proven-answers.ts";
import "./proven-busiest.ts";
import "./proven-events.ts";
import "./proven-figures.ts";
import "./proven-guests.ts";
import "./proven-nodes.ts";
import "./proven-recovery.ts";
import "./proven-storages.ts";
import "./proven-tasks.ts";
import "./proven-verdict.ts";
import { shared } from "./styles.ts";

/** The first page: is anything wrong, is everything protected, what changed; below it what its user arranged. */
export class ProvenOverview extends PanelElement {
  static override properties = { ...PanelElement.properties, arranging: { state: true }, spoken: { state: true } };
  static override styles = [
    shared,
    css`
      :host { display: grid; gap: 8px; grid-template-columns: minmax(0, 1fr); }
      .widgets { display: grid; gap: 8px; grid-template-columns: repeat(2, minmax(0, 1fr)); align-items: start; }
      .widget { min-width: 0; grid-column: span 2; }
      .widget.half { grid-column: span 1; }
      .bar-line { display: flex; flex-wrap: wrap; gap: 6px; align-items: center; min-height: 26px; }
      .bar-line .end { margin-left: auto; }
      .tools { display: flex; flex-wrap: wrap; gap: 4px; align-items: center; background: var(--pv-select); border: 1px solid var(--pv-line); border-bottom: 0; padding: 3px 8px; cursor: grab; }
      .tools strong { margin-right: auto; font-weight: 500; }
      .tools button { min-height: 24px; padding: 1px 8px; }
      .said { display: flex; gap: 8px; padding: 6px 10px; background: var(--pv-crit-tint); }
      @media (max-width: 900px) { .widget, .widget.half { grid-column: span 2; } }
    `,
  ];
  /** Widgets show handles instead of being merely looked at. */
  declare arranging: boolean;
  /** For screen readers: what the last move came to. */
  declare spoken: string;
  #dragged: WidgetId | undefined;

  constructor() {
    super();
    this.arranging = false;
    this.spoken = "";
  }

  protected watched() {
    return [this.panel.overview.layout, this.panel.overview.problem, piecesChanged];
  }

  protected override render() {
    const { panel } = this;
    const widgets = arranged(panel.overview.layout.value.widgets);
    const problem = panel.overview.problem.value;
    return html`
      <proven-verdict .panel=${panel}></proven-verdict>
      <proven-answers .panel=${panel}></proven-answers>
      ${problem === undefined ? nothing : said({ ok: false, text: t("Your arrangement was not kept: {why}", { why: refusal(problem)?.text ?? "" }) })}
      ${this.arranging ? this.#arrangeLine(widgets) : nothing}
      <div class="widgets">
        ${repeat(
          widgets.filter(({ hidden }) => !hidden),
          ({ id }) => id,
          (
            widget,
          ) => html`<div class="widget ${widget.width}" data-widget=${widget.id} @dragover=${this.#onDragOver} @drop=${(event: DragEvent) => this.#onDrop(event, widget.id)}>
            ${this.arranging ? this.#tools(widget) : nothing}${this.#content(widget.id)}
          </div>`,
        )}
      </div>
      ${this.arranging ? nothing : html`<div class="bar-line"><button type="button" class="end" @click=${() => this.#arrange(true)}>${t("Arrange this page")}</button></div>`}
      <span class="sr" role="status">${this.spoken}</span>
    `;
  }

  #content(id: WidgetId): TemplateResult {
    const { panel } = this;
    switch (id) {
      case "figures":
        return html`<proven-figures .panel=${panel}></proven-figures>`;
      case "recovery":
        return html`<proven-recovery .panel=${panel}></proven-recovery>`;
      case "nodes":
        return html`<proven-nodes .panel=${panel}></proven-nodes>`;
      case "guests":
        return html`<proven-guests .panel=${panel}></proven-guests>`;
      case "storages":
        return html`<proven-storages .panel=${panel}></proven-storages>`;
      case "alerts":
        return withPiece("alerting", () => html`<proven-open-alerts .panel=${panel}></proven-open-alerts>`);
      case "events":
        return html`<proven-events .panel=${panel}></proven-events>`;
      case "busiest":
        return html`<proven-busiest .panel=${panel}></proven-busiest>`;
      case "tasks":
        return html`<proven-tasks .panel=${panel}></proven-tasks>`;
    }
  }

  #arrangeLine(widgets: readonly Widget[]) {
    const names = widgetNames();
    const hidden = widgets.filter((widget) => widget.hidden);
    return html`<div class="bar-line" role="group" aria-label=${t("Arrange this page")}>
      ${hidden.length === 0 ? nothing : html`<span class="dim">${t("Add:")}</span>`}
      ${hidden.map(({ id }) => html`<button type="button" @click=${() => this.#keep(changeWidget(widgets, id, { hidden: false }), t("{what} added", { what: names[id] }))}>+ ${names[id]}</button>`)}
      <button type="button" class="end" @click=${() => this.#keep([], t("Back as it was at first"))}>${t("As at first")}</button>
      <button type="button" class="primary" @click=${() => this.#arrange(false)}>${t("Done")}</button>
    </div>`;
  }

  #tools({ id, width }: Widget) {
    const name = widgetNames()[id];
    const change = (change: Partial<Omit<Widget, "id">>, words: string) =>
      this.#keep(changeWidget(this.#widgets(), id, change), words);
    const start = (event: DragEvent) => {
      this.#dragged = id;
      event.dataTransfer?.setData("text/plain", id);
    };
    return html`<div class="tools" role="group" aria-label=${t("Arrange {what}", { what: name })} draggable="true" @dragstart=${start} @keydown=${(event: KeyboardEvent) => this.#onKey(event, id)}>
      <strong>${name}</strong>
      <button type="button" data-act="up" aria-label=${t("Move {what} up", { what: name })} @click=${() => this.#move(id, -1)}>↑</button>
      <button type="button" data-act="down" aria-label=${t("Move {what} down", { what: name })} @click=${() => this.#move(id, 1)}>↓</button>
      <button type="button" data-act="width" @click=${() => change({ width: width === "half" ? "full" : "half" }, name)}>${width === "half" ? t("Whole width") : t("Half width")}</button>
      <button type="button" data-act="hide" @click=${() => change({ hidden: true }, t("{what} hidden", { what: name }))}>${t("Hide")}</button>
    </div>`;
  }

  #widgets = (): Widget[] => arranged(this.panel.overview.layout.value.widgets);

  #move(id: WidgetId, by: -1 | 1): void {
    const next = moveWidget(this.#widgets(), id, by);
    const seen = next.filter(({ hidden }) => !hidden);
    const place = seen.findIndex((widget) => widget.id === id) + 1;
    this.#keep(next, t("{what}: place {n} of {all}", { what: widgetNames()[id], n: place, all: seen.length }));
    const act = by < 0 ? "up" : "down";
    void this.updateComplete.then(() =>
      this.renderRoot.querySelector<HTMLElement>(`[data-widget=${id}] [data-act=${act}]`)?.focus(),
    );
  }

  #onKey(event: KeyboardEvent, id: WidgetId): void {
    const by = stepByKey.get(event.key);
    if (by === undefined) return;
    event.preventDefault();
    this.#move(id, by);
  }

  #onDragOver(event: DragEvent): void {
    if (this.#dragged !== undefined) event.preventDefault();
  }

  #onDrop(event: DragEvent, on: WidgetId): void {
    const dragged = this.#dragged;
    this.#dragged = undefined;
    if (dragged === undefined || dragged === on) return;
    event.preventDefault();
    const index = this.#widgets().findIndex(({ id }) => id === on);
    this.#keep(placeWidget(this.#widgets(), dragged, index), widgetNames()[dragged]);
  }

  #arrange(on: boolean): void {
    this.arranging = on;
    void this.updateComplete.then(() => this.renderRoot.querySelector<HTMLElement>(".bar-line button")?.focus());
  }

  #keep(widgets: Widget[], words: string): void {
    this.spoken = words;
    void this.panel.overview.change({ widgets });
  }
}
customElements.define("proven-overview", ProvenOverview);

/** Places that a widget moves by. */
const stepByKey = new Map<string, -1 | 1>([
  ["ArrowUp", -1],
  ["ArrowLeft", -1],
  ["ArrowDown", 1],
  ["ArrowRight", 1],
]);

const widgetNames = (): Record<WidgetId, string> => ({
  figures: t("Figures"),
  recovery: t("If a node burned now"),
  nodes: t("Nodes"),
  guests: t("Guests"),
  storages: t("Storages"),
  alerts: t("Open alerts"),
  events: t("What changed"),
  busiest: t("Busiest guests, last hour"),
  tasks: t("Recent tasks"),
});
