import { css, html, LitElement, type PropertyValues, unsafeCSS } from "lit";

import uPlot from "uplot";
import uPlotStyles from "uplot/dist/uPlot.min.css";
import { formatExact } from "../core/age.ts";
import type { ChartLine } from "../core/charts.ts";
import { currentValue } from "../core/columns.ts";
import { type DisplayUnit, formatValue } from "../core/units.ts";
import { t, timeZone } from "../i18n.ts";
import { chartData, chartOptions, lineColour } from "./chart-options.ts";
import { styled } from "./styled.ts";
import { shared } from "./styles.ts";

/** One chart. The cursor is shared by all charts of a `group`; with the keyboard the arrow keys move it. */
export class ProvenChart extends LitElement {
  static override properties = {
    heading: { attribute: false },
    unit: { attribute: false },
    top: { attribute: false },
    at: { attribute: false },
    to: { attribute: false },
    lines: { attribute: false },
    group: { attribute: false },
    theme: { attribute: false },
    cursor: { state: true },
  };
  static override styles = [
    unsafeCSS(uPlotStyles),
    shared,
    css`
      :host { background: var(--pv-panel); border: 1px solid var(--pv-line); min-width: 0; }
      header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 14px; background: var(--pv-head); border-bottom: 1px solid var(--pv-line); padding: 5px 10px; }
      h3 { font-size: 13.5px; font-weight: 500; color: var(--pv-title); margin-right: auto; }
      .when { color: var(--pv-dim); font-size: 11.5px; }
      ul { display: flex; flex-wrap: wrap; gap: 0 16px; padding: 5px 10px 0; font-size: 12px; min-height: 23px; }
      li { display: flex; align-items: center; gap: 5px; white-space: nowrap; }
      .swatch { width: 12px; height: 3px; flex: none; }
      .swatch.dashed { height: 0; border-top: 2px dashed; background: none; }
      .swatch.before { height: 0; border-top: 2px dotted; background: none; }
      .swatch.area { height: 9px; }
      .plot { height: 158px; margin: 2px 4px 4px; }
      .plot:focus-visible { outline-offset: -2px; }
    `,
  ];
  declare heading: string;
  declare unit: DisplayUnit;
  declare top: number | undefined;
  declare at: readonly number[];
  /** End of the time axis, ms. */
  declare to: number;
  declare lines: readonly ChartLine[];
  declare group: string;
  declare theme: string;
  declare cursor: number | undefined;
  #plot: uPlot | undefined;
  #shape = "";
  readonly #resize = new ResizeObserver(() => this.#fit());

  protected override render() {
    const when = this.cursor === undefined ? "" : formatExact(this.at[this.cursor] ?? 0, timeZone);
    return html`
      <header><h3>${this.heading}</h3><span class="when num">${when}</span></header>
      <ul>${this.lines.map((line) => this.#legend(line))}</ul>
      <div
        class="plot"
        tabindex="0"
        role="slider"
        aria-label=${t("{chart}: move along the time axis with the arrow keys", { chart: this.heading })}
        aria-valuemin="0"
        aria-valuemax=${Math.max(0, this.at.length - 1)}
        aria-valuenow=${this.cursor ?? Math.max(0, this.at.length - 1)}
        aria-valuetext=${`${when === "" ? t("now") : when}: ${this.lines.map((line) => `${line.label} ${this.#valueOf(line)}`).join(", ")}`}
        @keydown=${this.#onKey}
        @blur=${() => this.#moveTo(undefined)}
      ></div>
    `;
  }

  #legend(line: ChartLine) {
    const colour = lineColour(this, line.colour);
    const style = line.style === "dashed" || line.style === "before" ? { "border-color": colour } : { background: colour };
    return html`<li>
      <span class="swatch ${line.style}" ${styled(style)}></span>${line.label} <strong class="num">${this.#valueOf(line)}</strong>${this.#bandOf(line)}
    </li>`;
  }

  #valueOf(line: ChartLine): string {
    const value =
      this.cursor === undefined ? currentValue(line.values, (this.at[1] ?? 0) - (this.at[0] ?? 0)) : line.values[this.cursor];
    return value === null || value === undefined ? "–" : formatValue(value, this.unit);
  }

  #bandOf({ band }: ChartLine) {
    const [min, max] = this.cursor === undefined ? [] : [band?.min[this.cursor], band?.max[this.cursor]];
    if (min === undefined || max === undefined || min === null || max === null || min === max) return "";
    return html`<span class="dim num">(${formatValue(min, this.unit)} … ${formatValue(max, this.unit)})</span>`;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#resize.observe(this);
    if (this.hasUpdated) this.requestUpdate("lines");
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#resize.disconnect();
    this.#destroy();
  }

  protected override updated(changed: PropertyValues<this>): void {
    if (!["lines", "at", "to", "theme", "unit", "group"].some((name) => changed.has(name as keyof ProvenChart))) return;
    const shape = JSON.stringify([
      this.unit,
      this.top,
      this.theme,
      this.group,
      this.lines.map((l) => [l.label, l.colour, l.style, !!l.band]),
    ]);
    if (this.#plot === undefined || shape !== this.#shape) this.#create(shape);
    else this.#plot.setData(chartData(this.at, this.lines));
  }

  #create(shape: string): void {
    this.#destroy();
    const target = this.renderRoot.querySelector<HTMLElement>(".plot");
    if (target === null || target.clientWidth === 0) return;
    this.#shape = shape;
    const options = chartOptions({
      host: this,
      width: target.clientWidth,
      height: target.clientHeight,
      unit: this.unit,
      top: this.top,
      group: this.group,
      lines: this.lines,
      window: () => [(this.at[0] ?? 0) / 1000, this.to / 1000],
      onCursor: (index) => {
        this.cursor = index;
      },
    });
    this.#plot = new uPlot(options, chartData(this.at, this.lines), target);
  }

  #destroy(): void {
    this.#plot?.destroy();
    this.#plot = undefined;
  }

  #fit(): void {
    const target = this.renderRoot.querySelector<HTMLElement>(".plot");
    if (target === null || target.clientWidth === 0) return;
    if (this.#plot === undefined) this.requestUpdate("lines");
    else this.#plot.setSize({ width: target.clientWidth, height: target.clientHeight });
  }

  #onKey(event: KeyboardEvent): void {
    const last = this.at.length - 1;
    const from = this.cursor ?? last;
    const page = Math.max(1, Math.round(last / 10));
    const targets: Record<string, number | undefined> = {
      ArrowLeft: from - 1,
      ArrowRight: from + 1,
      PageDown: from - page,
      PageUp: from + page,
      Home: 0,
      End: last,
    };
    if (event.key === "Escape") this.#moveTo(undefined);
    else if (targets[event.key] !== undefined) this.#moveTo(Math.min(last, Math.max(0, targets[event.key] ?? 0)));
    else return;
    event.preventDefault();
  }

  #moveTo(index: number | undefined): void {
    const plot = this.#plot;
    if (plot === undefined) return;
    // As the mouse would do it: only that moves the cursors of the other charts too.
    const { left, top } = plot.over.getBoundingClientRect();
    const clientX = left + (index === undefined ? 0 : plot.valToPos((this.at[index] ?? 0) / 1000, "x"));
    const type = index === undefined ? "mouseleave" : "mousemove";
    plot.over.dispatchEvent(new MouseEvent(type, { clientX, clientY: top + 20 }));
  }
}
customElements.define("proven-chart", ProvenChart);
