import { css, html, nothing } from "lit";
import { formatMoment } from "../core/age.ts";
import { isRangeName, type Range, rangeBetween, rangeNames, typedRange, windowOf } from "../core/range.ts";
import { t, timeZone } from "../i18n.ts";
import { PanelElement } from "./panel-element.ts";
import { shared } from "./styles.ts";

/** Asks the page for another range. */
export class RangeEvent extends Event {
  constructor(readonly range: Range) {
    super("proven-range", { bubbles: true, composed: true });
  }
}

/** Chooses the time that charts show: presets, a typed length, from–to, earlier and later. */
export class ProvenRange extends PanelElement {
  static override properties = { ...PanelElement.properties, range: { attribute: false }, wrong: { state: true } };
  static override styles = [
    shared,
    css`
      :host { display: flex; gap: 4px; flex-wrap: wrap; align-items: center; }
      input.length { width: 92px; background: var(--pv-panel); border: 1px solid var(--pv-line); border-radius: 3px; padding: 3px 7px; min-height: 26px; }
      input[type="datetime-local"] { background: var(--pv-panel); border: 1px solid var(--pv-line); border-radius: 3px; padding: 2px 6px; min-height: 26px; max-width: 100%; }
      details { position: relative; }
      summary { list-style: none; cursor: pointer; background: var(--pv-head); border: 1px solid var(--pv-line); border-radius: 3px; padding: 0 10px; min-height: 26px; display: inline-flex; align-items: center; }
      summary::-webkit-details-marker { display: none; }
      summary:hover { background: var(--pv-hover); }
      summary.here { background: var(--pv-select); border-color: var(--pv-primary); }
      form.between { position: absolute; z-index: 5; right: 0; top: 30px; width: 236px; max-width: 84vw; display: grid; gap: 6px; padding: 10px; background: var(--pv-panel); border: 1px solid var(--pv-line); box-shadow: 0 4px 14px #0003; }
      label { display: grid; gap: 2px; font-size: 12px; color: var(--pv-dim); }
      .wrong { color: var(--pv-crit); font-size: 12px; }
      @media (max-width: 560px) { form.between { right: auto; left: 0; } }
    `,
  ];
  declare range: Range;
  declare wrong: "" | "length" | "between";

  constructor() {
    super();
    this.wrong = "";
  }

  protected watched() {
    return [];
  }

  protected override render() {
    const { range } = this;
    const named = isRangeName(range);
    return html`
      ${rangeNames.map((name) => html`<button type="button" aria-pressed=${name === range} @click=${() => this.#choose(name)}>${name}</button>`)}
      <form @submit=${this.#onTyped}>
        <input class="length" name="length" .value=${named || range.includes("-") ? "" : range} placeholder=${t("e.g. 6h, 3d")} aria-label=${t("Other length, such as 6h, 90min, 3d")} aria-invalid=${this.wrong === "length"} autocomplete="off" />
      </form>
      <details @toggle=${this.#onToggle}>
        <summary class=${range.includes("-") ? "here" : ""}>${this.#between()}</summary>
        <form class="between" @submit=${this.#onBetween}>
          <label>${t("From")} <input type="datetime-local" name="from" required /></label>
          <label>${t("To")} <input type="datetime-local" name="to" required /></label>
          ${this.wrong === "between" ? html`<p class="wrong" role="alert">${t("At least five minutes, at most two years.")}</p>` : nothing}
          <button type="submit" class="primary">${t("Show")}</button>
        </form>
      </details>
      <button type="button" aria-label=${t("Earlier")} title=${t("Earlier")} @click=${() => this.#shift(-1)}>‹</button>
      <button type="button" aria-label=${t("Later")} title=${t("Later")} ?disabled=${!range.includes("-")} @click=${() => this.#shift(1)}>›</button>
      ${this.wrong === "length" ? html`<span class="wrong" role="alert">${t("Not understood: write 6h, 90min or 3d.")}</span>` : nothing}
    `;
  }

  #between(): string {
    if (!this.range.includes("-")) return t("From … to …");
    const now = this.panel.now.value;
    const { from, to } = windowOf(this.range, now);
    return `${formatMoment(from, now, timeZone)} – ${formatMoment(to, now, timeZone)}`;
  }

  #choose(range: Range): void {
    this.wrong = "";
    this.dispatchEvent(new RangeEvent(range));
  }

  /** Half of what is shown; at the right end it goes on with the time again. */
  #shift(direction: 1 | -1): void {
    const now = this.panel.now.value;
    const { from, to, stepMs } = windowOf(this.range, now);
    const by = (direction * (to - from)) / 2;
    const end = Math.min(now, to - stepMs + by);
    const range = rangeBetween(end - (to - from), end);
    if (range !== undefined) this.#choose(range);
  }

  #onTyped(event: SubmitEvent): void {
    event.preventDefault();
    const text = this.renderRoot.querySelector<HTMLInputElement>("input.length")?.value ?? "";
    const range = typedRange(text);
    if (range === undefined) this.wrong = "length";
    else this.#choose(range);
  }

  /** Opens with what is shown now. */
  #onToggle(event: Event): void {
    if (!(event.target instanceof HTMLDetailsElement) || !event.target.open) return;
    const { from, to } = windowOf(this.range, this.panel.now.value);
    for (const [name, at] of [
      ["from", from],
      ["to", Math.min(to, this.panel.now.value)],
    ] as const) {
      const input = this.renderRoot.querySelector<HTMLInputElement>(`input[name=${name}]`);
      if (input !== null) input.value = localText(at);
    }
  }

  #onBetween(event: SubmitEvent): void {
    event.preventDefault();
    const at = (name: string) =>
      new Date(this.renderRoot.querySelector<HTMLInputElement>(`input[name=${name}]`)?.value ?? "").getTime();
    const [from, to] = [at("from"), at("to")];
    const range = Number.isFinite(from) && Number.isFinite(to) ? rangeBetween(from, to) : undefined;
    if (range === undefined) {
      this.wrong = "between";
      return;
    }
    this.renderRoot.querySelector("details")?.removeAttribute("open");
    this.#choose(range);
  }
}
customElements.define("proven-range", ProvenRange);

/** As a datetime-local field has it, in the browser's time zone. */
function localText(at: number): string {
  const time = new Date(at);
  return new Date(at - time.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
