import { css, html, nothing, svg } from "lit";
import type { BacktestAnswer } from "#protocol/backtest.ts";
import { formatExact, formatMoment } from "../core/age.ts";
import { backtestLanes, backtestVerdict, dayMarks, type Lane } from "../core/backtest.ts";
import { formatDuration } from "../core/units.ts";
import { t, timeZone, tn } from "../i18n.ts";
import { PanelElement } from "./panel-element.ts";
import { shared } from "./styles.ts";

const [width, laneHeight, top] = [1000, 22, 6];

/** When a rule would have fired: one line per entity, messages as ticks below. */
export class ProvenBacktest extends PanelElement {
  static override properties = { ...PanelElement.properties, answer: { attribute: false } };
  static override styles = [
    shared,
    css`
      :host { display: grid; gap: 8px; }
      h3 { font-size: 15px; font-weight: 600; }
      .chart { display: grid; grid-template-columns: minmax(90px, 190px) minmax(0, 1fr); gap: 0 10px; }
      .names { display: grid; padding-top: 6px; align-content: start; }
      .names span { height: 22px; line-height: 22px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-size: 12px; }
      svg.lanes { width: 100%; display: block; }
      .lane { stroke: var(--pv-line-soft); stroke-width: 1; vector-effect: non-scaling-stroke; }
      .day { stroke: var(--pv-grid); stroke-width: 1; vector-effect: non-scaling-stroke; }
      .fires { fill: var(--pv-crit); }
      .tick { stroke: var(--pv-title); stroke-width: 2; vector-effect: non-scaling-stroke; }
      .days { display: flex; justify-content: space-between; color: var(--pv-dim); font-size: 11.5px; grid-column: 2; }
      ul { display: grid; gap: 2px; max-height: 190px; overflow-y: auto; }
      li { display: flex; flex-wrap: wrap; gap: 0 12px; }
    `,
  ];
  declare answer: BacktestAnswer;

  protected watched() {
    return [];
  }

  protected override render() {
    const { answer } = this;
    const { lanes, more } = backtestLanes(answer);
    const left = answer.skipped.length;
    return html`
      <div role="status"><h3>${backtestVerdict(answer, t)}</h3></div>
      ${lanes.length === 0 ? nothing : this.#chart(lanes)}
      ${more === 0 ? nothing : html`<p class="dim">${t("and {n} more", { n: more })}</p>`}
      ${lanes.length === 0 ? nothing : this.#episodes()}
      <p class="dim">
        ${t("Replayed on history of one value per {step}, by the same code that judges live.", { step: formatDuration(answer.stepMs / 1000) })}
        ${
          left === 0
            ? nothing
            : t("Left out: {list}.", {
                list:
                  answer.skipped
                    .slice(0, 5)
                    .map(({ entity, why }) => `${entity} (${why === "too-many" ? t("too many") : t("no history")})`)
                    .join(", ") + (left > 5 ? ` ${tn(left - 5, "and {n} more", "and {n} more")}` : ""),
              })
        }
      </p>
    `;
  }

  #chart(lanes: readonly Lane[]) {
    const { from, to, notifications } = this.answer;
    const x = (at: number) => ((at - from) / (to - from)) * width;
    const bottom = top + lanes.length * laneHeight;
    return html`<div class="chart">
      <div class="names" aria-hidden="true">${lanes.map(({ title }) => html`<span title=${title}>${title}</span>`)}<span class="dim">${t("messages")}</span></div>
      <div>
        <svg class="lanes" viewBox="0 0 ${width} ${bottom + laneHeight}" preserveAspectRatio="none" height=${bottom + laneHeight} role="img" aria-label=${t("Times in which it would have fired, by entity")}>
          ${dayMarks(from, to).map((at) => svg`<line class="day" x1=${x(at)} x2=${x(at)} y1="0" y2=${bottom}></line>`)}
          ${lanes.map(({ bars }, index) => this.#lane(bars, top + index * laneHeight, x))}
          ${notifications.map(({ at }) => svg`<line class="tick" x1=${x(at)} x2=${x(at)} y1=${bottom + 4} y2=${bottom + 16}></line>`)}
        </svg>
      </div>
      <div class="days num"><span>${day(from)}</span><span>${day((from + to) / 2)}</span><span>${day(to)}</span></div>
    </div>`;
  }

  #lane(bars: Lane["bars"], y: number, x: (at: number) => number) {
    return svg`<g>
      <line class="lane" x1="0" x2=${width} y1=${y + laneHeight / 2} y2=${y + laneHeight / 2}></line>
      ${bars.map(({ from, to }) => svg`<rect class="fires" x=${x(from)} width=${Math.max(3, x(to) - x(from))} y=${y + 4} height=${laneHeight - 8}></rect>`)}
    </g>`;
  }

  #episodes() {
    const { episodes, to } = this.answer;
    const newest = [...episodes].sort((a, b) => b.firedAt - a.firedAt).slice(0, 50);
    return html`<ul tabindex="0" aria-label=${t("Episodes")}>
      ${newest.map(
        ({ title, firedAt, resolvedAt }) =>
          html`<li><span class="num">${formatExact(firedAt, timeZone).slice(0, 16)}</span><span>${title}</span><span class="dim num">${formatDuration(((resolvedAt ?? to) - firedAt) / 1000)}${resolvedAt === null ? ` · ${t("still firing")}` : ""}</span></li>`,
      )}
    </ul>`;
  }
}
customElements.define("proven-backtest", ProvenBacktest);

const day = (at: number) => formatMoment(at, 0, timeZone).slice(5, 10);
