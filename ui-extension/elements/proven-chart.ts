import { html, LitElement, nothing, type PropertyValues, unsafeCSS } from "lit";

import uPlot from "uplot";
import uPlotStyles from "uplot/dist/uPlot.min.css";
import { formatExact } from "../core/age.ts";
import type { ChartLine } from "../core/charts.ts";
import { currentValue } from "../core/columns.ts";
import { changeText, lineBefore } from "../core/comparison.ts";
import { type MarkPlace, placeBeyond, placeNear } from "../core/marks.ts";
import { type DisplayUnit, formatValue } from "../core/units.ts";
import { t, timeZone, tn } from "../i18n.ts";
import { saveCsv, savePng } from "./chart-export.ts";
import { drawMarks } from "./chart-marks.ts";
import { chartData, chartOptions, lineColour } from "./chart-options.ts";
import { chartStyles } from "./chart-styles.ts";
import { fileName } from "./download.ts";
import { drawSoon, dropDraw } from "./draw-queue.ts";
import { styled } from "./styled.ts";
import { shared } from "./styles.ts";

/** What a chart asks of the page: another stretch of time, nearer, farther, or the usual one. */
export type ZoomWish = { kind: "stretch"; from: number; to: number } | { kind: "in" | "out"; at: number } | { kind: "reset" };
export class ZoomEvent extends Event {
  constructor(readonly wish: ZoomWish) {
    super("proven-zoom", { bubbles: true, composed: true });
  }
}

/** A mark is told when the cursor is so near. */
const markReachPx = 7;
/** Drawn before it is scrolled into sight. */
const aheadPx = 200;

/** One chart. The cursor is shared by all charts of a `group`; with the keyboard the arrow keys move it. It is drawn only while it is in sight. */
export class ProvenChart extends LitElement {
  static override properties = {
    ...Object.fromEntries(
      ["heading", "about", "unit", "top", "at", "to", "lines", "marks", "group", "theme"].map((name) => [
        name,
        { attribute: false },
      ]),
    ),
    cursor: { state: true },
    isActive: { state: true },
  };
  static override styles = [unsafeCSS(uPlotStyles), shared, chartStyles];
  declare heading: string;
  /** What it is of, for names of files. */
  declare about: string;
  declare unit: DisplayUnit;
  declare top: number | undefined;
  declare at: readonly number[];
  /** End of the time axis, ms. */
  declare to: number;
  declare lines: readonly ChartLine[];
  declare marks: readonly MarkPlace[];
  declare group: string;
  declare theme: string;
  declare cursor: number | undefined;
  /** The mouse or the focus is on this one of the charts in step. */
  declare isActive: boolean;
  #plot: uPlot | undefined;
  #shape = "";
  #inSight = false;
  #isDirty = false;
  readonly #draw = () => {
    if (this.#inSight) this.#drawNow();
  };
  /** On paper also what nobody has scrolled to. */
  readonly #print = () => {
    if (this.#isDirty) this.#drawNow();
  };
  readonly #resize = new ResizeObserver(() => this.#fit());
  readonly #sight = new IntersectionObserver((entries) => this.#onSight(entries.at(-1)?.isIntersecting === true), {
    rootMargin: `${aheadPx}px`,
  });

  constructor() {
    super();
    this.marks = [];
    this.isActive = false;
    this.about = "";
  }

  protected override render() {
    const when = this.#when();
    const mark = this.isActive ? this.#markHere() : undefined;
    const told = mark === undefined ? "" : mark.marks.map(({ text }) => text).join("; ");
    const now = this.lines.map((line) => `${line.label} ${this.#valueOf(line)}`).join(", ");
    return html`
      <header>
        <h3 class="cut" title=${this.heading}>${this.heading}</h3><span class="when num">${when}</span>
        <span class="save">
          <button type="button" class="quiet" aria-label=${t("{chart}: save the values as CSV", { chart: this.heading })} @click=${() => this.#save("csv")}>CSV</button>
          <button type="button" class="quiet" aria-label=${t("{chart}: save the picture as PNG", { chart: this.heading })} @click=${() => this.#save("png")}>PNG</button>
        </span>
      </header>
      <ul>${this.lines.filter(({ style }) => style !== "before").map((line) => this.#legend(line))}</ul>
      <div
        class="plot"
        tabindex="0"
        role="slider"
        aria-label=${t("{chart}: arrow keys move along the time, n and p from mark to mark, + and − zoom, 0 resets", { chart: this.heading })}
        aria-valuemin="0"
        aria-valuemax=${Math.max(0, this.at.length - 1)}
        aria-valuenow=${this.cursor ?? Math.max(0, this.at.length - 1)}
        aria-valuetext=${`${when === "" ? t("now") : when}: ${now}${told === "" ? "" : `. ${told}`}`}
        @keydown=${this.#onKey}
        @dblclick=${() => this.dispatchEvent(new ZoomEvent({ kind: "reset" }))}
        @focus=${() => this.#activate(true)}
        @mouseenter=${() => this.#activate(true)}
        @mouseleave=${() => this.#activate(false)}
        @blur=${() => {
          this.#activate(false);
          this.#moveTo(undefined);
        }}
      ></div>
      ${mark === undefined ? nothing : html`<p class="mark ${mark.severity}"><span class="num">${formatExact(mark.marks[0]?.at ?? mark.at, timeZone)}</span> ${mark.marks.slice(0, 3).map(({ text }) => html`<span>${text}</span>`)}${mark.marks.length > 3 ? html`<span>${tn(mark.marks.length - 3, "and {n} more", "and {n} more")}</span>` : nothing}</p>`}
    `;
  }

  #legend(line: ChartLine) {
    const colour = lineColour(this, line.colour);
    const style = line.style === "dashed" ? { "border-color": colour } : { background: colour };
    return html`<li>
      <span class="swatch ${line.style}" ${styled(style)}></span>${line.label} <strong class="num">${this.#valueOf(line)}</strong>${this.#bandOf(line)}${this.#comparisonOf(line)}
    </li>`;
  }

  /** Seconds only where the steps are that short. */
  #when(): string {
    if (this.cursor === undefined) return "";
    const exact = formatExact(this.at[this.cursor] ?? 0, timeZone);
    return (this.at[1] ?? 0) - (this.at[0] ?? 0) >= 60_000 ? exact.slice(0, 16) : exact;
  }

  #comparisonOf(line: ChartLine) {
    const before = lineBefore(line, this.lines, t);
    if (before === undefined) return nothing;
    const change = changeText(line.values, before.values, this.unit, t);
    const then = t("a week before {value}", { value: this.#valueOf(before) });
    return html`<span class="dim num">${change === undefined ? then : `${then}, ${change}`}</span>`;
  }

  #valueOf(line: ChartLine): string {
    const value =
      this.cursor === undefined ? currentValue(line.values, (this.at[1] ?? 0) - (this.at[0] ?? 0)) : line.values[this.cursor];
    return value === null || value === undefined ? "–" : formatValue(value, this.unit);
  }

  /** Also there, unseen, while no cursor is: legends that grow and shrink would move the charts under the mouse. */
  #bandOf({ band, values }: ChartLine) {
    const index = this.cursor ?? values.findLastIndex((value) => value !== null);
    const [min, max] = [band?.min[index], band?.max[index]];
    if (min === undefined || max === undefined || min === null || max === null || min === max) return "";
    const words = `(${formatValue(min, this.unit)} … ${formatValue(max, this.unit)})`;
    return html`<span class="dim num ${this.cursor === undefined ? "unseen" : ""}">${words}</span>`;
  }

  #markHere(): MarkPlace | undefined {
    const { cursor } = this;
    if (cursor === undefined || this.marks.length === 0) return undefined;
    const perSlot = (this.#plot?.over.clientWidth ?? 400) / Math.max(1, this.at.length);
    return placeNear(this.marks, cursor, Math.max(0.5, markReachPx / perSlot));
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#resize.observe(this);
    this.#sight.observe(this);
    window.addEventListener("beforeprint", this.#print);
    if (this.hasUpdated) this.requestUpdate("lines");
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#resize.disconnect();
    this.#sight.disconnect();
    window.removeEventListener("beforeprint", this.#print);
    dropDraw(this.#draw);
    this.#inSight = false;
    this.#destroy();
  }

  protected override updated(changed: PropertyValues<this>): void {
    const drawn = ["lines", "at", "to", "theme", "unit", "group", "marks"] as const;
    if (!drawn.some((name) => changed.has(name))) return;
    this.#isDirty = true;
    if (this.#inSight) drawSoon(this.#draw);
  }

  #onSight(inSight: boolean): void {
    this.#inSight = inSight;
    if (inSight && this.#isDirty) drawSoon(this.#draw);
  }

  #drawNow(): void {
    if (!this.hasUpdated) return;
    const { unit, top, theme, group, lines } = this;
    const shape = JSON.stringify([
      unit,
      top,
      theme,
      group,
      lines.map((line) => [line.label, line.colour, line.style, !!line.band]),
    ]);
    if (this.#plot === undefined || shape !== this.#shape) this.#create(shape);
    else this.#plot.setData(chartData(this.at, lines));
    this.#isDirty = this.#plot === undefined;
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
      onZoom: (from, to) => this.dispatchEvent(new ZoomEvent({ kind: "stretch", from: from * 1000, to: to * 1000 })),
      drawOver: (plot) => drawMarks(plot, this, this.marks),
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

  #activate(isActive: boolean): void {
    this.isActive = isActive;
  }

  #save(kind: "csv" | "png"): void {
    const name = fileName(this.about, this.heading, this.at[0] ?? 0, kind);
    const canvas = this.renderRoot.querySelector("canvas");
    if (kind === "csv") saveCsv(name, this.at, this.lines);
    else if (canvas !== null) savePng(name, this, canvas, `${this.about} ${this.heading}`.trim(), this.lines);
  }

  #onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const last = this.at.length - 1;
    const from = this.cursor ?? last;
    const at = this.at[from] ?? this.to;
    const wishes: Record<string, ZoomWish> = { "+": { kind: "in", at }, "-": { kind: "out", at }, "0": { kind: "reset" } };
    const wish = wishes[event.key];
    const target = this.#targetOf(event.key, from, last);
    if (event.key === "Escape") this.#moveTo(undefined);
    else if (wish !== undefined) this.dispatchEvent(new ZoomEvent(wish));
    else if (target !== undefined) this.#moveTo(Math.min(last, Math.max(0, target)));
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Puts the cursor of all charts on a step, as the mouse would. */
  pointAt(index: number): void {
    this.renderRoot.querySelector<HTMLElement>(".plot")?.focus({ preventScroll: true });
    this.#moveTo(index);
  }

  #targetOf(key: string, from: number, last: number): number | undefined {
    const page = Math.max(1, Math.round(last / 10));
    const steps: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, PageDown: -page, PageUp: page };
    if (key === "Home") return 0;
    if (key === "End") return last;
    if (key === "n") return placeBeyond(this.marks, from, "next")?.slot;
    if (key === "p") return placeBeyond(this.marks, from, "before")?.slot;
    const step = steps[key];
    return step === undefined ? undefined : from + step;
  }

  /** Puts the cursor of this and all other charts on a step; undefined: takes it away. */
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
