import { css, html, type TemplateResult } from "lit";
import { formatAge, formatMoment } from "../core/age.ts";
import { withoutCopies } from "../core/live-runs.ts";
import { findProblems } from "../core/problems.ts";
import { gapLabel, gapWords, proofWords, protectionVerdict, summarizeProtection } from "../core/protection.ts";
import { ratioReading } from "../core/reading.ts";
import { home } from "../core/route.ts";
import { pastVerdict, totalsOf, verdictOf } from "../core/verdict.ts";
import { t, timeZone, tn } from "../i18n.ts";
import { meter, moment, nodeState } from "./figures.ts";
import { type IconName, icon } from "./icon.ts";
import { PanelElement } from "./panel-element.ts";
import { shared } from "./styles.ts";

const slideMs = 15_000;
const rowsShown = 9;
const verdictIcons: Record<string, IconName> = {
  critical: "critical",
  warning: "warning",
  unknown: "unknown",
  fine: "ok",
  calm: "clock",
};

/** For a screen on the wall: big, nobody touches it. It turns its pages, keeps the screen awake, and says how old what it shows is. */
export class ProvenScreen extends PanelElement {
  static override properties = { ...PanelElement.properties, slide: { state: true }, awake: { state: true } };
  static override styles = [
    shared,
    css`
      :host { position: fixed; inset: 0; z-index: 10; background: var(--pv-page); font-size: clamp(16px, 1.7vw, 34px); line-height: 1.35; display: grid; grid-template-rows: auto minmax(0, 1fr) auto; overflow: hidden; }
      .verdict { display: flex; gap: 0.6em; align-items: center; padding: 0.5em 1em; border-left: 0.35em solid var(--pv-line); background: var(--pv-panel); }
      .verdict h1 { font-size: 1.7em; font-weight: 500; line-height: 1.15; }
      .critical { background: var(--pv-crit-tint); border-left-color: var(--pv-crit); }
      .warning { background: var(--pv-warn-tint); border-left-color: var(--pv-warn); }
      .unknown { background: var(--pv-unknown-tint); border-left-color: var(--pv-dim); }
      .fine { border-left-color: var(--pv-ok); }
      .verdict .sign { font-size: 2em; }
      .lost { background: var(--pv-crit); color: var(--pv-panel); font-weight: 600; padding: 0.4em 1em; font-size: 1.3em; display: flex; gap: 0.5em; }
      main { padding: 0.6em 1em; overflow: hidden; }
      h2 { font-size: 1.15em; font-weight: 600; padding-bottom: 0.4em; }
      li { display: grid; grid-template-columns: auto minmax(0, 1fr) auto; gap: 0.7em; padding: 0.35em 0; border-bottom: 1px solid var(--pv-line); align-items: baseline; }
      .nodes li { grid-template-columns: minmax(0, 1.4fr) minmax(0, 1fr) minmax(0, 1.2fr) minmax(0, 1.2fr); }
      .big { display: grid; grid-template-columns: repeat(auto-fit, minmax(8em, 1fr)); gap: 0.7em; }
      .big div { background: var(--pv-panel); border: 1px solid var(--pv-line); padding: 0.5em 0.8em; }
      .big dt { color: var(--pv-dim); font-size: 0.75em; }
      .big dd { font-size: 1.9em; line-height: 1.2; font-variant-numeric: tabular-nums; }
      .meter { grid-template-columns: 3.2em minmax(0, 1fr); }
      .meter > .bar { height: 0.5em; }
      footer { display: flex; flex-wrap: wrap; gap: 0.3em 1.2em; padding: 0.4em 1em; background: var(--pv-top); font-size: 0.75em; align-items: center; }
      footer .end { margin-left: auto; display: flex; gap: 0.5em; }
      footer i { display: inline-block; width: 0.7em; height: 0.7em; border-radius: 50%; border: 1px solid var(--pv-text); }
      footer i.here { background: var(--pv-text); }
      button { font-size: 1em; }
    `,
  ];
  declare slide: number;
  declare awake: boolean;
  #turning: ReturnType<typeof setInterval> | undefined;
  #lock: WakeLockSentinel | undefined;
  readonly #onKey = (event: KeyboardEvent) => {
    if (event.key === "Escape") this.#leave();
  };
  /** The browser takes the lock when the page is hidden. */
  readonly #onVisible = () => {
    if (document.visibilityState === "visible") void this.#stayAwake();
  };

  constructor() {
    super();
    this.slide = 0;
    this.awake = false;
  }

  protected watched() {
    const { now, store, stream, overview } = this.panel;
    return [now, store.picture, stream.state, overview.protections];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    window.addEventListener("keydown", this.#onKey);
    document.addEventListener("visibilitychange", this.#onVisible);
    this.#turning = setInterval(() => this.#turn(), slideMs);
    void this.#stayAwake();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    window.removeEventListener("keydown", this.#onKey);
    document.removeEventListener("visibilitychange", this.#onVisible);
    clearInterval(this.#turning);
    void this.#lock?.release();
    this.#lock = undefined;
  }

  async #stayAwake(): Promise<void> {
    try {
      const lock = await navigator.wakeLock.request("screen");
      if (!this.isConnected) return await lock.release();
      this.#lock = lock;
      this.awake = true;
      lock.addEventListener("release", () => {
        this.awake = false;
      });
    } catch {
      this.awake = false; // said in the footer
    }
  }

  #turn(): void {
    this.slide = (this.slide + 1) % slides.length;
  }

  #leave(): void {
    this.panel.navigation.go({ ...home, range: this.panel.navigation.route.value.range }, "push");
  }

  protected override render() {
    const { panel } = this;
    const picture = panel.store.picture.value;
    const now = panel.now.value;
    const stream = panel.stream.state.value;
    const lost = stream.state === "lost" ? formatAge(Date.now() - stream.since) : undefined;
    const known = verdictOf(picture, findProblems(picture, now, t), t);
    const verdict = lost === undefined ? known : pastVerdict(known, lost, t);
    const slide = slides[this.slide] ?? problemSlide;
    const age = panel.store.newestSampleAgeMs.value;
    return html`
      <div>
        ${lost === undefined ? "" : html`<div class="lost" role="alert">${icon("critical")}<span>${t("No connection for {age}: this is not live.", { age: lost })}</span></div>`}
        <div class="verdict ${verdict.level}"><span class="sign">${icon(verdictIcons[verdict.level] ?? "unknown")}</span><h1>${verdict.text}</h1></div>
      </div>
      <main>${slide(this)}</main>
      <footer>
        <strong class="num">${formatMoment(now, now, timeZone)}</strong>
        <span>${lost === undefined ? ageText(age) : t("last heard {age} ago", { age: lost })}</span>
        ${this.awake ? "" : html`<span>${t("This browser lets the screen sleep.")}</span>`}
        <span class="end" aria-hidden="true">${slides.map((_, index) => html`<i class=${index === this.slide ? "here" : ""}></i>`)}</span>
        <button type="button" @click=${() => this.#leave()}>${t("Leave (Esc)")}</button>
      </footer>`;
  }
}
customElements.define("proven-screen", ProvenScreen);

const ageText = (ageMs: number | null) =>
  ageMs === null ? t("no samples yet") : t("newest sample {age} old", { age: formatAge(ageMs) });

type Slide = (screen: ProvenScreen) => TemplateResult;
const more = (n: number) =>
  n > 0 ? html`<li><span></span><span class="dim">${tn(n, "and {n} more", "and {n} more")}</span></li>` : "";

const problemSlide: Slide = ({ panel }) => {
  const now = panel.now.value;
  const problems = findProblems(panel.store.picture.value, now, t);
  const levels = { critical: "crit", warning: "warn", unknown: "dim" };
  return html`<h2>${t("Is anything wrong?")}</h2>
    ${problems.length === 0 ? html`<p class="dim">${t("Nothing in what reports.")}</p>` : ""}
    <ul>${problems.slice(0, rowsShown).map(({ severity, text, at }) => html`<li><span class=${levels[severity]}>${icon(severity, t(severity))}</span><span class="cut">${text}</span>${at === undefined ? "" : moment(at, now)}</li>`)}${more(problems.length - rowsShown)}</ul>`;
};

const protectionSlide: Slide = ({ panel }) => {
  const { picture, runs } = panel.store;
  const summary = summarizeProtection(withoutCopies(picture.value.guests, runs.value), panel.overview.protections.value);
  const { level, text } = protectionVerdict(summary, t);
  const age = (at: number) => formatAge(panel.now.value - at);
  return html`<h2>${t("Is everything protected?")}</h2>
    <div class="verdict ${level}"><span class="sign">${icon(verdictIcons[level] ?? "unknown")}</span><div><strong>${text}</strong><p class="dim">${proofWords(summary, t)}</p></div></div>
    <ul>${summary.gaps.slice(0, rowsShown - 3).map((gap) => html`<li><span class="dim">${icon(gap.state === "unknown" ? "unknown" : "warning")}</span><span class="cut">${gapLabel(gap)}</span><span>${gapWords(gap, age, t)}</span></li>`)}${more(summary.gaps.length - rowsShown + 3)}</ul>`;
};

const nodeSlide: Slide = ({ panel }) => {
  const now = panel.now.value;
  const picture = panel.store.picture.value;
  const { nodes, guests, storages } = totalsOf(picture, now);
  const figures: [string, string][] = [
    [t("Nodes online"), `${nodes.online} / ${nodes.total}`],
    [t("Guests running"), `${guests.running} / ${guests.total}`],
    [t("Storages available"), `${storages.available} / ${storages.total}`],
  ];
  return html`<dl class="big">${figures.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
    <ul class="nodes">${picture.nodes.slice(0, rowsShown - 2).map((node) => html`<li><strong class="cut">${node.node}</strong><span>${nodeState(node)}</span>${meter(node.cpu, now)}${meter(ratioReading(node.memUsed, node.memTotal), now)}</li>`)}${more(picture.nodes.length - rowsShown + 2)}</ul>`;
};

const changeSlide: Slide = ({ panel }) => html`<h2>${t("What changed?")}</h2>
  <ul>${panel.store.picture.value.events.slice(0, rowsShown).map(({ at, text, severity }) => html`<li><span class=${severity === "critical" ? "crit" : severity === "warning" ? "warn" : "dim"}>${icon(severity === "info" ? "live" : severity, t(severity === "info" ? "information" : severity))}</span><span class="cut">${text}</span>${moment(at, panel.now.value)}</li>`)}</ul>`;

const slides: readonly Slide[] = [problemSlide, protectionSlide, nodeSlide, changeSlide];
