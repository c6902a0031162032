import { css, html, nothing } from "lit";
import type { TopAnswer } from "#protocol/class-queries.ts";
import type { ApiProblem } from "../api.ts";
import { guestRankings, type Place, placesIn, type Ranking } from "../core/busiest.ts";
import { isDue } from "../core/due.ts";
import { type DisplayUnit, formatValue } from "../core/units.ts";
import { t } from "../i18n.ts";
import { bar } from "./figures.ts";
import { entityLink } from "./link.ts";
import { PanelElement } from "./panel-element.ts";
import { shared } from "./styles.ts";

const refreshMs = 60_000;

type Asked = { id: Ranking["id"]; at: number };

/** The guests that used most of something over the last hour. */
export class ProvenBusiest extends PanelElement {
  static override properties = {
    ...PanelElement.properties,
    chosen: { state: true },
    answer: { state: true },
    problem: { state: true },
  };
  static override styles = [
    shared,
    css`
      .choice { display: flex; gap: 4px; flex-wrap: wrap; margin-left: auto; }
      ol { list-style: none; margin: 0; padding: 4px 0; }
      li { display: grid; grid-template-columns: minmax(0, 1fr) minmax(60px, 34%) 88px; gap: 10px; align-items: center; padding: 4px 10px; min-height: 28px; }
      li > .num { text-align: right; }
      p { padding: 10px; }
    `,
  ];
  declare chosen: Ranking["id"];
  declare answer: { id: Ranking["id"]; value: TopAnswer } | undefined;
  declare problem: ApiProblem | undefined;
  #asked: Asked | undefined;
  #abort: AbortController | undefined;

  constructor() {
    super();
    this.chosen = "cpu";
  }

  protected watched() {
    return [this.panel.now];
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#abort?.abort();
    this.#asked = undefined;
  }

  protected override willUpdate(): void {
    const now = this.panel.now.value;
    if (this.#asked?.id === this.chosen && !isDue(this.#asked.at, refreshMs, now)) return;
    const ranking = guestRankings(t).find(({ id }) => id === this.chosen);
    if (ranking !== undefined) void this.#ask(ranking, now);
  }

  async #ask({ id, query }: Ranking, at: number): Promise<void> {
    this.#abort?.abort();
    const abort = new AbortController();
    this.#abort = abort;
    this.#asked = { id, at };
    const answer = await this.panel.api.topSeries(query, abort.signal);
    if (abort.signal.aborted) return;
    this.problem = answer.ok ? undefined : answer.problem;
    if (answer.ok) this.answer = { id, value: answer.value };
  }

  protected override render() {
    const rankings = guestRankings(t);
    const unit = rankings.find(({ id }) => id === this.chosen)?.unit ?? "count";
    return html`<section class="panel" aria-label=${t("Busiest guests, last hour")}>
      <header>
        <h2>${t("Busiest guests, last hour")}</h2>
        <div class="choice" role="group" aria-label=${t("Ranked by")}>
          ${rankings.map(({ id, title }) => html`<button type="button" aria-pressed=${id === this.chosen} @click=${() => this.#choose(id)}>${title}</button>`)}
        </div>
      </header>
      ${this.#places(unit)}
    </section>`;
  }

  #places(unit: DisplayUnit) {
    const { answer, problem } = this;
    if (problem !== undefined)
      return html`<p class="dim" role="status">${t("This can't be ranked just now: {why}. It is tried again by itself.", { why: problem.message })}</p>`;
    if (answer?.id !== this.chosen) return html`<p class="dim" role="status">${t("Reading history …")}</p>`;
    const places = placesIn(answer.value);
    if (places.length === 0) return html`<p class="dim">${t("No guest had a sample in the last hour.")}</p>`;
    return html`<ol>${places.map((place) => this.#place(place, unit))}</ol>${this.#unranked(answer.value)}`;
  }

  #place(place: Place, unit: DisplayUnit) {
    return html`<li>${entityLink(this.panel, place, place.label, "cut")}${bar(place.ratio)}<span class="num nowrap">${formatValue(place.value, unit)}</span></li>`;
  }

  /** Guests without a sample are in no place: that must not look as if they were idle. */
  #unranked({ members, ranked }: TopAnswer) {
    if (ranked >= members) return nothing;
    return html`<p class="dim">${t("{n} of {all} guests had no sample and are not ranked.", { n: members - ranked, all: members })}</p>`;
  }

  #choose(id: Ranking["id"]): void {
    this.chosen = id;
  }
}
customElements.define("proven-busiest", ProvenBusiest);
