import { css, html, nothing, type PropertyValues } from "lit";
import { ChartHistory } from "../chart-history.ts";
import { type ChartLine, type ChartSpec, selectorsOf } from "../core/charts.ts";
import { gridOf } from "../core/columns.ts";
import { comparedLines } from "../core/comparison.ts";
import { groupBy } from "../core/group.ts";
import type { LiveView } from "../core/live.ts";
import { type Mark, type MarkPlace, marksOf, placesOf } from "../core/marks.ts";
import { isRangeName, type Range, rangeBetween, windowOf, zoomed } from "../core/range.ts";
import { home } from "../core/route.ts";
import { HappeningsOf } from "../happenings.ts";
import { t, tn } from "../i18n.ts";
import { moment } from "./figures.ts";
import { icon } from "./icon.ts";
import { PanelElement } from "./panel-element.ts";
import { type ProvenChart, ZoomEvent, type ZoomWish } from "./proven-chart.ts";
import "./proven-range.ts";
import { RangeEvent } from "./proven-range.ts";
import { shared } from "./styles.ts";

type Drawn = { chart: ChartSpec; lines: readonly ChartLine[] };

/** The charts of one thing over one range, their cursors in step, with marks of what happened meanwhile. */
export class ProvenCharts extends PanelElement {
  static override properties = {
    ...PanelElement.properties,
    entity: { attribute: false },
    cluster: { attribute: false },
    about: { attribute: false },
    charts: { attribute: false },
    theme: { attribute: false },
    compared: { state: true },
    isMarked: { state: true },
    version: { state: true },
  };
  static override styles = [
    shared,
    css`
      .ranges { display: flex; gap: 4px; flex-wrap: wrap; align-items: center; margin-bottom: 8px; }
      .ranges h2 { font-size: 14px; font-weight: 500; color: var(--pv-title); margin-right: auto; }
      h3 { font-size: 12.5px; font-weight: 600; color: var(--pv-dim); margin: 8px 0 4px; }
      .grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 430px), 1fr)); gap: 8px; }
      .grid:not(:has(> :nth-child(2))) { grid-template-columns: minmax(0, 1fr); }
      .note { padding: 14px; border: 1px solid var(--pv-line); background: var(--pv-panel); color: var(--pv-dim); }
      .problem { background: var(--pv-warn-tint); padding: 6px 10px; margin-bottom: 8px; border: 1px solid var(--pv-line); }
      .happened { margin-top: 8px; }
      .happened summary { padding: 6px 10px; cursor: pointer; background: var(--pv-head); }
      .happened ol { list-style: none; margin: 0; padding: 0; max-height: 260px; overflow-y: auto; }
      .happened li { display: grid; grid-template-columns: 104px auto minmax(0, 1fr); gap: 10px; padding: 3px 10px; border-top: 1px solid var(--pv-line-soft); overflow-wrap: anywhere; }
      .happened li button { border: 0; background: none; padding: 0; min-height: 20px; text-align: left; color: var(--pv-link); }
    `,
  ];
  declare entity: string;
  declare cluster: string;
  /** Its name, for names of files. */
  declare about: string;
  declare charts: readonly ChartSpec[];
  declare theme: string;
  declare compared: boolean;
  declare isMarked: boolean;
  declare version: number;
  #history: ChartHistory | undefined;
  #happenings: HappeningsOf | undefined;
  #at: readonly number[] = [];
  #drawn: readonly Drawn[] = [];
  #marks: readonly Mark[] = [];
  #places: readonly MarkPlace[] = [];
  /** Where zooming in began. */
  #before: Range = home.range;
  #stops: (() => void)[] = [];

  constructor() {
    super();
    this.compared = false;
    this.isMarked = true;
    this.version = 0;
    this.addEventListener("proven-zoom", (event) => {
      if (event instanceof ZoomEvent) this.#zoom(event.wish);
    });
    this.addEventListener("proven-range", (event) => {
      if (event instanceof RangeEvent) this.#show(event.range);
    });
  }

  protected watched() {
    return [this.panel.navigation.route];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    const { now, store } = this.panel;
    const changed = () => {
      this.version++;
    };
    this.#history ??= new ChartHistory(this.panel, changed);
    this.#happenings ??= new HappeningsOf(this.panel, changed);
    // Not watched: a second or a sample that brings nothing for these charts must not draw them anew.
    this.#stops = [now.subscribe(() => this.#want()), store.picture.subscribe(() => this.#take())];
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    for (const stop of this.#stops) stop();
    this.#history?.stop();
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    this.#want();
    if (["version", "charts", "compared", "isMarked"].some((name) => changed.has(name as keyof ProvenCharts))) this.#lay();
  }

  #want(): void {
    const { entity, cluster, compared } = this;
    const { range } = this.panel.navigation.route.value;
    const now = this.panel.now.value;
    const selectors = (instances: Parameters<typeof selectorsOf>[3]) => selectorsOf(this.charts, entity, cluster, instances);
    this.#history?.want({ entity, cluster, range, compared, selectors }, now);
    this.#happenings?.want({ entity, cluster }, windowOf(range, now).from, now);
  }

  #take(): void {
    const { nodes, guests, storages } = this.panel.store.picture.value;
    const isThis = (view: LiveView) => view.entity === this.entity && view.cluster === this.cluster;
    const view = nodes.find(isThis) ?? guests.find(isThis) ?? storages.find(isThis);
    if (view !== undefined && this.#history?.take(view, this.panel.now.value) === true) this.version++;
  }

  /** Lays what is known on the steps of the window. */
  #lay(): void {
    const answer = this.#history?.answer;
    if (answer === undefined || this.#history === undefined || this.#happenings === undefined) return;
    const { window, before: earlier } = answer;
    const { from, to, stepMs } = window;
    const grid = gridOf(this.#history.pieces(), from, to, stepMs);
    const before = earlier === undefined ? undefined : gridOf(earlier, from, to, stepMs);
    this.#at = grid.at;
    this.#drawn = this.charts
      .map((chart) => ({ chart, lines: comparedLines(chart, grid, before, t) }))
      .filter(({ lines }) => lines.length > 0);
    this.#marks = marksOf(this.#happenings.all(), this, window, t);
    this.#places = this.isMarked ? placesOf(this.#marks, window, stepMs) : [];
  }

  protected override render() {
    const { range } = this.panel.navigation.route.value;
    const problem = this.#history?.answer?.problem;
    return html`
      <div class="ranges" role="group" aria-label=${t("Range of the charts")}>
        <h2>${t("History")}</h2>
        <proven-range .panel=${this.panel} .range=${range}></proven-range>
        <button type="button" class="compare" aria-pressed=${this.compared} @click=${() => this.#compare()}>${t("vs last week")}</button>
        <button type="button" aria-pressed=${this.isMarked} @click=${() => this.#toggleMarks()}>${t("marks")}</button>
        ${isRangeName(range) ? nothing : html`<button type="button" @click=${() => this.#zoom({ kind: "reset" })}>${t("Reset zoom")}</button>`}
      </div>
      ${problem === undefined ? nothing : html`<p class="problem" role="status">${problemText(problem)}</p>`}
      ${this.#content()}
      ${this.#happened()}
    `;
  }

  #content() {
    const answer = this.#history?.answer;
    if (answer === undefined) return html`<p class="note" role="status">${t("Reading history …")}</p>`;
    if (this.#drawn.length === 0 && answer.problem !== undefined) return nothing;
    if (this.#drawn.length === 0) return html`<p class="note">${emptyText(answer.range)}</p>`;
    const groups = [...groupBy(this.#drawn, ({ chart }) => chart.group)];
    return groups.map(
      ([group, drawn]) =>
        html`${groups.length > 1 ? html`<h3>${group}</h3>` : nothing}<div class="grid">${drawn.map((one) => this.#chart(one, answer.window.to))}</div>`,
    );
  }

  #chart({ chart, lines }: Drawn, to: number) {
    return html`<proven-chart
      data-chart=${chart.id}
      .heading=${chart.title}
      .about=${this.about ?? this.entity}
      .unit=${chart.unit}
      .top=${chart.top}
      .at=${this.#at}
      .to=${to}
      .lines=${lines}
      .marks=${this.#places}
      .group=${"proven"}
      .theme=${this.theme}
    ></proven-chart>`;
  }

  /** The marks as a list: for who sees no charts, and to find one's place in them. */
  #happened() {
    if (this.#marks.length === 0 || this.#drawn.length === 0) return nothing;
    const now = this.panel.now.value;
    const newest = this.#marks.toReversed().slice(0, 100);
    return html`<details class="happened panel">
      <summary>${tn(this.#marks.length, "{n} thing happened in this time", "{n} things happened in this time")}${this.#happenings?.incomplete === true ? html` <span class="warn">${t("not all could be read")}</span>` : nothing}</summary>
      <ol>${newest.map(
        (
          mark,
        ) => html`<li>${moment(mark.at, now)}<span class=${markLevel[mark.severity]}>${icon(markIcon[mark.severity], t(mark.severity))}</span>
          <button type="button" title=${t("Show it in the charts")} @click=${() => this.#point(mark.at)}>${mark.text}</button></li>`,
      )}</ol>
    </details>`;
  }

  #point(at: number): void {
    const [first] = this.renderRoot.querySelectorAll<ProvenChart>("proven-chart");
    const index = this.#at.findLastIndex((time) => time <= at);
    first?.scrollIntoView({ block: "center" });
    first?.pointAt(Math.max(0, index));
  }

  #compare(): void {
    this.compared = !this.compared;
  }

  #toggleMarks(): void {
    this.isMarked = !this.isMarked;
  }

  #zoom(wish: ZoomWish): void {
    const { range } = this.panel.navigation.route.value;
    const now = this.panel.now.value;
    if (isRangeName(range)) this.#before = range;
    if (wish.kind === "reset") this.#show(this.#before);
    else if (wish.kind === "stretch") this.#show(rangeBetween(wish.from, Math.min(now, wish.to)));
    else this.#show(zoomed(windowOf(range, now), wish.at, wish.kind, now));
  }

  /** Charts in step are dragged in step: each of them asks for the same. */
  #show(range: Range | undefined): void {
    const { navigation } = this.panel;
    const route = navigation.route.value;
    // Not pushed: that would go to the page's top, away from the chart that is looked at.
    if (range !== undefined && range !== route.range) navigation.go({ ...route, range }, "replace");
  }
}
customElements.define("proven-charts", ProvenCharts);

const markLevel = { info: "dim", warning: "warn", critical: "crit" } as const;
const markIcon = { info: "live", warning: "warning", critical: "critical" } as const;

function problemText({ status, message }: { status: number; message: string }): string {
  if (status === 403 || status === 404) {
    return t("You may not see this history: ask for VM.Audit or Sys.Audit on it in Proxmox VE.");
  }
  return t("History can't be read just now: {why}. It is tried again by itself.", { why: message });
}

const emptyText = (range: Range) =>
  range.includes("-")
    ? t("Nothing was sampled in this time. Choose another one.")
    : t(
        "No samples in this range. The first arrive within a minute of the agent's start; to see them takes VM.Audit on a guest, Sys.Audit on a node.",
      );
