import { css, html, nothing } from "lit";
import type { Reading } from "#protocol/api.ts";
import { formatAge } from "../core/age.ts";
import { ratioReading, shownReading } from "../core/reading.ts";
import { type DisplayUnit, formatPercent, formatShare, formatValue } from "../core/units.ts";
import { t } from "../i18n.ts";
import { bar, type Levels } from "./figures.ts";
import { PanelElement } from "./panel-element.ts";
import "./proven-age.ts";
import { shared } from "./styles.ts";

/** Keeps a number and its unit on one line. */
const unbroken = (text: string) => text.replaceAll(" ", "\u00a0");

/** One live figure with its age. With `total` it is a share and gets a bar. */
export class ProvenTile extends PanelElement {
  static override properties = {
    ...PanelElement.properties,
    label: { attribute: false },
    reading: { attribute: false },
    total: { attribute: false },
    unit: { attribute: false },
    note: { attribute: false },
    levels: { attribute: false },
  };
  static override styles = [
    shared,
    css`
      :host { background: var(--pv-panel); border: 1px solid var(--pv-line); padding: 7px 11px 9px; min-width: 0; }
      .top { display: flex; justify-content: space-between; gap: 8px; color: var(--pv-dim); font-size: 12px; }
      .value { font-size: 20px; line-height: 1.35; font-variant-numeric: tabular-nums; white-space: nowrap; }
      .past { font-size: 12px; color: var(--pv-dim); white-space: normal; display: inline-block; line-height: 1.3; max-width: calc(100% - 22px); vertical-align: middle; }
      .note { color: var(--pv-dim); font-size: 12px; min-height: 1.45em; }
      .bar { margin-top: 4px; }
    `,
  ];
  declare label: string;
  declare reading: Reading;
  declare total: Reading | undefined;
  declare unit: DisplayUnit;
  declare note: string | undefined;
  declare levels: Levels | undefined;

  protected watched() {
    return [this.panel.now];
  }

  protected override render() {
    const { total, panel } = this;
    const main = total === undefined ? this.reading : ratioReading(this.reading, total);
    const shown = shownReading(main, panel.now.value);
    const ratio = total !== undefined || this.unit === "percent";
    return html`
      <div class="top"><span>${this.label}</span><proven-age .panel=${panel} .at=${this.reading.at}></proven-age></div>
      <div class="value">${this.#value(main)}</div>
      <div class="note">${this.#note()}</div>
      ${ratio ? bar(shown.state === "fresh" ? shown.value : 0, this.levels) : nothing}
    `;
  }

  #value(main: Reading) {
    const now = this.panel.now.value;
    const shown = shownReading(main, now);
    if (shown.state === "absent") return html`<span class="dim" title=${t("no value: its source says nothing")}>–</span>`;
    const value = this.total === undefined ? formatValue(shown.value, this.unit) : formatPercent(shown.value);
    if (shown.state === "fresh") return value;
    return html`<span class="dim">– <span class="past">${t("last {age} ago: {value}", { age: unbroken(formatAge(now - shown.at)), value: unbroken(value) })}</span></span>`;
  }

  #note() {
    const now = this.panel.now.value;
    const share = this.total === undefined ? undefined : [shownReading(this.reading, now), shownReading(this.total, now)];
    const [used, total] = share ?? [];
    if (used?.state !== "fresh" || total?.state !== "fresh") return this.note ?? nothing;
    const words = t("{used} of {total}", formatShare(used.value, total.value));
    return this.note === undefined ? words : `${words} · ${this.note}`;
  }
}
customElements.define("proven-tile", ProvenTile);
