import { css, html, nothing, type PropertyValues } from "lit";
import type { SeriesAnswer } from "#protocol/api.ts";
import type { ApiProblem } from "../api.ts";
import { type ChartLine, type ChartSpec, type Instances, instancesOf, knownLines, selectorsOf } from "../core/charts.ts";
import { gridOf } from "../core/columns.ts";
import { type RangeName, type RangeWindow, rangeNames, tailWindow, windowOf } from "../core/range.ts";
import { t } from "../i18n.ts";
import { PanelElement } from "./panel-element.ts";
import "./proven-chart.ts";
import { shared } from "./styles.ts";

/** How often history's right edge is asked for anew. */
const refreshEveryMs: Record<RangeName, number> = { "1h": 10_000, "24h": 60_000, "7d": 300_000, "30d": 300_000, "1y": 300_000 };
/** After so many pieces the whole range is asked again. */
const piecesMax = 40;

type History = { range: RangeName; about: string; window: RangeWindow; pieces: readonly SeriesAnswer[]; askedAt: number };

/** The charts of one thing over one range, their cursors in step. */
export class ProvenCharts extends PanelElement {
  static override properties = {
    ...PanelElement.properties,
    entity: { attribute: false },
    cluster: { attribute: false },
    charts: { attribute: false },
    theme: { attribute: false },
    history: { state: true },
    problem: { state: true },
  };
  static override styles = [
    shared,
    css`
      .ranges { display: flex; gap: 4px; flex-wrap: wrap; align-items: center; margin-bottom: 8px; }
      .ranges h2 { font-size: 14px; font-weight: 500; color: var(--pv-title); margin-right: auto; }
      .grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 430px), 1fr)); gap: 8px; }
      .grid:not(:has(> :nth-child(2))) { grid-template-columns: minmax(0, 1fr); }
      .note { padding: 14px; border: 1px solid var(--pv-line); background: var(--pv-panel); color: var(--pv-dim); }
      .problem { background: var(--pv-warn-tint); padding: 6px 10px; margin-bottom: 8px; border: 1px solid var(--pv-line); }
    `,
  ];
  declare entity: string;
  declare cluster: string;
  declare charts: readonly ChartSpec[];
  declare theme: string;
  declare history: History | undefined;
  declare problem: ApiProblem | undefined;
  #abort: AbortController | undefined;
  #asking: string | undefined;
  #instances: Instances = new Map();
  #at: readonly number[] = [];
  #drawn: readonly { chart: ChartSpec; lines: readonly ChartLine[] }[] = [];

  protected watched() {
    return [this.panel.now, this.panel.navigation.route];
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#abort?.abort();
    this.#abort = undefined;
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    const { range } = this.panel.navigation.route.value;
    const about = `${this.cluster} ${this.entity}`;
    const known = this.history;
    if (known === undefined || known.range !== range || known.about !== about) {
      if (known !== undefined && known.about !== about) this.history = undefined;
      if (this.#asking !== `${about} ${range}`) void this.#ask(range, about, undefined);
    } else if (this.#asking === undefined && this.panel.now.value - known.askedAt >= refreshEveryMs[range]) {
      void this.#ask(range, about, known.pieces.length < piecesMax ? known : undefined);
    }
    if (changed.has("history") || changed.has("charts")) this.#draw();
  }

  #draw(): void {
    if (this.history === undefined) return;
    const { from, to, stepMs } = this.history.window;
    const grid = gridOf(this.history.pieces, from, to, stepMs);
    this.#at = grid.at;
    this.#drawn = this.charts
      .map((chart) => ({ chart, lines: knownLines(chart.lines(grid)) }))
      .filter(({ lines }) => lines.length > 0);
  }

  async #ask(range: RangeName, about: string, known: History | undefined): Promise<void> {
    this.#abort?.abort();
    const abort = new AbortController();
    this.#abort = abort;
    this.#asking = `${about} ${range}`;
    const askedAt = this.panel.now.value;
    const window = windowOf(range, askedAt);
    const asked = known === undefined ? window : tailWindow(window, known.window.to - known.window.stepMs);
    if (known === undefined) this.#instances = await this.#readInstances();
    if (abort.signal.aborted) return;
    const series = selectorsOf(this.charts, this.entity, this.cluster, this.#instances);
    const answer = await this.panel.api.querySeries({ series, ...asked }, abort.signal);
    if (abort.signal.aborted) return;
    this.#asking = undefined;
    this.problem = answer.ok ? undefined : answer.problem;
    if (answer.ok) this.history = { range, about, window, pieces: [...(known?.pieces ?? []), answer.value], askedAt };
    // Asked again after the usual time, not at once: the hub may be overloaded.
    else if (this.history !== undefined) this.history = { ...this.history, askedAt };
    else this.history = { range, about, window, pieces: [], askedAt };
  }

  /** A history query names its NICs, disks and drives; which there are, the current values tell. Storages have none. */
  async #readInstances(): Promise<Instances> {
    if (this.entity.startsWith("storage/")) return new Map();
    const metrics = await this.panel.api.metrics(this.entity, this.cluster);
    return metrics.ok ? instancesOf(metrics.value) : new Map();
  }

  protected override render() {
    const { range } = this.panel.navigation.route.value;
    return html`
      <div class="ranges" role="group" aria-label=${t("Range of the charts")}>
        <h2>${t("History")}</h2>
        ${rangeNames.map((name) => html`<button type="button" aria-pressed=${name === range} @click=${() => this.#choose(name)}>${name}</button>`)}
      </div>
      ${this.problem === undefined ? nothing : html`<p class="problem" role="status">${t("History can't be read just now: {why}. It is tried again by itself.", { why: this.problem.message })}</p>`}
      ${this.#grid()}
    `;
  }

  #grid() {
    const { history } = this;
    if (history === undefined) return html`<p class="note" role="status">${t("Reading history …")}</p>`;
    if (this.#drawn.length === 0 && this.problem !== undefined) return nothing;
    if (this.#drawn.length === 0)
      return html`<p class="note">${t("No samples in this range yet. The first arrive within a minute of the agent's start.")}</p>`;
    return html`<div class="grid">${this.#drawn.map(
      ({ chart, lines }) => html`<proven-chart
        data-chart=${chart.id}
        .heading=${chart.title}
        .unit=${chart.unit}
        .top=${chart.top}
        .at=${this.#at}
        .to=${history.window.to}
        .lines=${lines}
        .group=${"proven"}
        .theme=${this.theme}
      ></proven-chart>`,
    )}</div>`;
  }

  #choose(range: RangeName): void {
    const { navigation } = this.panel;
    navigation.go({ ...navigation.route.value, range }, "replace");
  }
}
customElements.define("proven-charts", ProvenCharts);
