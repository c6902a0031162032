import { css, html, nothing, type PropertyValues } from "lit";
import type { SeriesAnswer } from "#protocol/api.ts";
import type { ApiProblem } from "../api.ts";
import { type ChartLine, type ChartSpec, type Instances, instancesOf, selectorsOf } from "../core/charts.ts";
import { gridOf } from "../core/columns.ts";
import { comparedLines, comparedMs } from "../core/comparison.ts";
import { type RangeName, type RangeWindow, rangeNames, tailWindow, windowOf } from "../core/range.ts";
import { t } from "../i18n.ts";
import { PanelElement } from "./panel-element.ts";
import "./proven-chart.ts";
import { shared } from "./styles.ts";

/** How often history's right edge is asked for anew. */
const refreshEveryMs: Record<RangeName, number> = { "1h": 10_000, "24h": 60_000, "7d": 300_000, "30d": 300_000, "1y": 300_000 };
/** After so many pieces the whole range is asked again. */
const piecesMax = 40;

/** `before`: pieces of the week before, on the same window; undefined: not compared. */
type History = {
  range: RangeName;
  about: string;
  window: RangeWindow;
  pieces: readonly SeriesAnswer[];
  before: readonly SeriesAnswer[] | undefined;
  askedAt: number;
};

/** Whether only what came since has to be asked for: all of it was answered before, and in not too many pieces. */
const canGrow = ({ pieces, before }: History) =>
  pieces.length > 0 && pieces.length < piecesMax && (before === undefined || before.length === pieces.length);

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
    compared: { state: true },
  };
  static override styles = [
    shared,
    css`
      .ranges { display: flex; gap: 4px; flex-wrap: wrap; align-items: center; margin-bottom: 8px; }
      .ranges h2 { font-size: 14px; font-weight: 500; color: var(--pv-title); margin-right: auto; }
      .grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 430px), 1fr)); gap: 8px; }
      .grid:not(:has(> :nth-child(2))) { grid-template-columns: minmax(0, 1fr); }
      .ranges .compare { margin-left: 8px; }
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
  declare compared: boolean;
  #abort: AbortController | undefined;
  #asking: string | undefined;
  #instances: Instances = new Map();
  #at: readonly number[] = [];
  #drawn: readonly { chart: ChartSpec; lines: readonly ChartLine[] }[] = [];

  constructor() {
    super();
    this.compared = false;
  }

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
    const comparison = (known?.before !== undefined) !== this.compared;
    if (known === undefined || known.range !== range || known.about !== about || comparison) {
      if (known !== undefined && known.about !== about) this.history = undefined;
      if (this.#asking !== this.#question(range, about)) void this.#ask(range, about, undefined);
    } else if (this.#asking === undefined && this.panel.now.value - known.askedAt >= refreshEveryMs[range]) {
      void this.#ask(range, about, canGrow(known) ? known : undefined);
    }
    if (changed.has("history") || changed.has("charts")) this.#draw();
  }

  #question(range: RangeName, about: string): string {
    return `${about} ${range} ${this.compared}`;
  }

  #draw(): void {
    if (this.history === undefined) return;
    const { from, to, stepMs } = this.history.window;
    const { pieces, before: earlier } = this.history;
    const grid = gridOf(pieces, from, to, stepMs);
    const before = earlier === undefined ? undefined : gridOf(earlier, from, to, stepMs);
    this.#at = grid.at;
    this.#drawn = this.charts
      .map((chart) => ({ chart, lines: comparedLines(chart, grid, before, t) }))
      .filter(({ lines }) => lines.length > 0);
  }

  async #ask(range: RangeName, about: string, known: History | undefined): Promise<void> {
    this.#abort?.abort();
    const abort = new AbortController();
    this.#abort = abort;
    this.#asking = this.#question(range, about);
    const askedAt = this.panel.now.value;
    const window = windowOf(range, askedAt);
    const asked = known === undefined ? window : tailWindow(window, known.window.to - known.window.stepMs);
    if (known === undefined) this.#instances = await this.#readInstances();
    if (abort.signal.aborted) return;
    const series = selectorsOf(this.charts, this.entity, this.cluster, this.#instances);
    const query = { series, ...asked };
    const { compared } = this;
    const [answer, before] = await Promise.all([
      this.panel.api.querySeries(query, abort.signal),
      compared ? this.panel.api.querySeries({ ...query, offsetMs: comparedMs }, abort.signal) : undefined,
    ]);
    if (abort.signal.aborted) return;
    this.#asking = undefined;
    const failed = [answer, before].find((one) => one?.ok === false);
    this.problem = failed?.ok === false ? failed.problem : undefined;
    const asking = { range, about, askedAt };
    if (answer.ok && before?.ok !== false) {
      const kept = known ?? { pieces: [], before: [] };
      const earlier = before === undefined ? undefined : [...(kept.before ?? []), before.value];
      this.history = { ...asking, window, pieces: [...kept.pieces, answer.value], before: earlier };
      return;
    }
    // Asked again after the usual time, not at once: the hub may be overloaded. What is drawn stays, unless it is of something else.
    const drawn = this.history?.range === range && this.history.about === about ? this.history : undefined;
    const pieces = drawn?.pieces ?? (answer.ok ? [answer.value] : []);
    this.history = { ...asking, window: drawn?.window ?? window, pieces, before: compared ? (drawn?.before ?? []) : undefined };
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
        <button type="button" class="compare" aria-pressed=${this.compared} @click=${() => this.#compare()}>${t("vs last week")}</button>
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

  #compare(): void {
    this.compared = !this.compared;
  }

  #choose(range: RangeName): void {
    const { navigation } = this.panel;
    navigation.go({ ...navigation.route.value, range }, "replace");
  }
}
customElements.define("proven-charts", ProvenCharts);
