import { css, html, nothing, type PropertyValues, type TemplateResult } from "lit";
import type { RunDetail, RunStep } from "#protocol/proof.ts";
import type { Answer, ApiProblem } from "../api.ts";
import { formatExact } from "../core/age.ts";
import { countdown } from "../core/matrix.ts";
import { againOf, levelWords, lookOfRun, runWords, slowerWords, stepWords } from "../core/proofs.ts";
import { sectionRoute } from "../core/route.ts";
import { formatSpan, formatValue } from "../core/units.ts";
import { t, timeZone } from "../i18n.ts";
import type { RunRequest } from "../proof-api.ts";
import { bar } from "./figures.ts";
import { formStyles, refusal, type Said, said } from "./form.ts";
import { type IconName, icon } from "./icon.ts";
import { entityLink, link } from "./link.ts";
import { type Loaded, loadedOf, loading } from "./loaded.ts";
import { PanelElement } from "./panel-element.ts";
import { runMark } from "./proof-mark.ts";
import { isKept, longerBy, testConsole } from "./proven-open-runs.ts";
import { factList, pageStyles } from "./proven-page.ts";
import { shared } from "./styles.ts";

const stepLooks: Record<RunStep["state"], { shape: IconName; tone: string; name: () => string }> = {
  running: { shape: "running", tone: "", name: () => t("running") },
  passed: { shape: "ok", tone: "ok", name: () => t("passed") },
  failed: { shape: "critical", tone: "crit", name: () => t("failed") },
  skipped: { shape: "stopped", tone: "dim", name: () => t("skipped") },
  unknown: { shape: "unknown", tone: "dim", name: () => t("unknown") },
};
/** The stream says when something of it changed; without one it is looked at so often. */
const lookEveryMs = 5000;

/** One run: what was asked, each step with its log, what it proved and what not. */
export class ProvenRun extends PanelElement {
  static override properties = {
    ...PanelElement.properties,
    run: { attribute: false },
    detail: { state: true },
    result: { state: true },
    unshown: { state: true },
  };
  static override styles = [
    shared,
    pageStyles,
    formStyles,
    css`
      .verdict { display: flex; gap: 10px; align-items: baseline; padding: 10px 12px; font-size: 15px; }
      ol { margin: 0; padding: 0; list-style: none; }
      ol > li { padding: 6px 12px; border-bottom: 1px solid var(--pv-line-soft); }
      .step { display: grid; grid-template-columns: 20px minmax(0, 1fr) auto; gap: 2px 8px; align-items: baseline; }
      .step > .why { grid-column: 2 / -1; color: var(--pv-dim); overflow-wrap: anywhere; }
      pre { margin: 6px 0 2px 28px; padding: 8px; background: var(--pv-head); overflow: auto; max-height: 260px; font: 12px/1.4 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
      summary { margin-left: 28px; cursor: pointer; color: var(--pv-link); }
      .far { display: inline-block; width: min(160px, 30vw); margin-left: 8px; vertical-align: middle; }
      .far .bar { height: 4px; }
      .check { padding: 8px 12px; display: grid; gap: 6px; }
      .check code { font: 12px/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
      img { display: block; max-width: 100%; height: auto; }
    `,
  ];
  declare run: string;
  declare detail: Loaded<RunDetail>;
  declare result: Said;
  /** Run whose screenshot can't be shown. */
  declare unshown: string | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** What the newest question was about. */
  #asked = "";

  constructor() {
    super();
    this.detail = loading;
  }

  protected watched() {
    return [this.panel.now, this.panel.store.runs, this.panel.stream.state];
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.#timer);
  }

  /** Its steps are asked for when the stream tells of another one; how far a step is comes with the stream itself. */
  protected override willUpdate(_changed: PropertyValues<this>): void {
    const { connection, byId } = this.panel.store.runs.value;
    const live = byId.get(this.run);
    const about = [this.run, connection, live?.state, live?.step, live?.keepUntil, live?.cancelling, live?.testVmid].join();
    if (about === this.#asked) return;
    this.#asked = about;
    void this.#load();
  }

  protected override render() {
    const { panel, detail } = this;
    return html`
      <p>${link(panel, sectionRoute("proofs"), html`‹ ${t("All restore proofs")}`)}</p>
      ${detail.state === "loading" ? html`<p class="dim" role="status">${t("Loading …")}</p>` : nothing}
      ${detail.state === "failed" ? said(notFound(detail.problem)) : nothing}
      ${detail.state === "there" ? this.#page(this.#upToDate(detail.value)) : nothing}
    `;
  }

  /** With what the stream said since. */
  #upToDate(detail: RunDetail): RunDetail {
    const live = this.panel.store.runs.value.byId.get(detail.id);
    return live === undefined || detail.state === "finished" ? detail : { ...detail, ...live, steps: detail.steps };
  }

  #page(run: RunDetail) {
    const { panel } = this;
    const name = run.guest === null ? run.entity : `${run.guest.vmid} ${run.guest.name}`;
    return html`
      <div class="title">
        <h1>${t("Restore test of {guest}", { guest: name })}</h1>
        ${run.guest === null ? nothing : entityLink(panel, run, t("to the guest"))}
        <span class="end">${this.#buttons(run)}</span>
      </div>
      ${said(this.result)}
      <section class="panel" aria-label=${t("Verdict")}><p class="verdict" role="status">${runMark(run)} <span>${this.#words(run)}</span></p>${this.#facts(run)}</section>
      ${this.#proven(run)}
      ${run.screenshot ? this.#screenshot(run) : nothing}
      <section class="panel" aria-label=${t("Steps")}>
        <header><h2>${t("Steps")}</h2></header>
        ${run.steps.length === 0 ? html`<p class="empty">${t("It has not begun.")}</p>` : html`<ol>${run.steps.map((step) => this.#step(step, run))}</ol>`}
      </section>
      ${this.#checks(run)}
      ${run.state === "finished" ? this.#verify(run) : nothing}
    `;
  }

  #words(run: RunDetail) {
    const now = this.panel.now.value;
    if (run.keepUntil === null || run.cancelling !== null || run.state === "finished") return runWords(run, now, t);
    return html`${t("Kept for you; it is removed in")} <strong class="num" role="timer">${countdown(run.keepUntil - now)}</strong>`;
  }

  #facts(run: RunDetail): TemplateResult {
    const moment = (at: number | null) => (at === null ? null : formatExact(at, timeZone));
    const { measures } = run;
    const time = (ms: number | null | undefined) => (ms == null ? null : formatSpan(ms / 1000));
    const rate = (value: number | null | undefined, unit: "bytesPerSecond" | "perSecond") =>
      value == null ? null : formatValue(value, unit);
    const speed =
      measures?.restoreBytes && measures.restoreMs
        ? formatValue((measures.restoreBytes * 1000) / measures.restoreMs, "bytesPerSecond")
        : null;
    const ordered = [
      { name: t("Backup"), value: run.backup.volid ?? run.backup.storage },
      { name: t("Backup of"), value: moment(run.backup.at) },
      { name: t("Ordered by"), value: `${run.actor}: ${run.reason}` },
      { name: t("Node"), value: run.node },
      { name: t("Test guest"), value: run.testVmid === null ? null : String(run.testVmid) },
      { name: t("Started"), value: moment(run.startedAt) },
    ];
    if (run.state !== "finished") return factList(ordered);
    const inside = [
      { name: t("Sequential read"), value: rate(measures?.sequentialRead, "bytesPerSecond") },
      { name: t("Random read"), value: rate(measures?.randomRead, "perSecond") },
    ];
    return factList([
      ...ordered,
      { name: t("Ended"), value: moment(run.finishedAt) },
      { name: t("Took"), value: time(run.durationMs) },
      { name: t("Proven"), value: run.level === null ? null : levelWords(run.level, t) },
      { name: t("Restore speed"), value: speed },
      { name: t("First sign of life"), value: time(measures?.heartbeatMs) },
      { name: t("Services"), value: time(measures?.serviceMs) },
      // Measured only where somebody asked for it: its step says why it was not.
      ...inside.filter(({ value }) => value !== null),
      { name: t("Evidence digest"), value: run.evidenceDigest },
    ]);
  }

  #proven(run: RunDetail) {
    const lines = [
      ...(run.warning === undefined ? [] : [run.warning]),
      ...run.slower.map((one) => slowerWords(one, t)),
      ...run.leftovers.map((one) => t("Left behind: {what}", { what: one })),
      ...(run.state === "finished" ? run.notProven.map((one) => t("Not proven: {what}", { what: one })) : []),
    ];
    if (lines.length === 0) return nothing;
    return html`<section class="panel" aria-label=${t("To know")}><header><h2>${t("To know")}</h2></header><ul class="list">${lines.map((line) => html`<li><span>${icon("info")} ${line}</span></li>`)}</ul></section>`;
  }

  #step({ step, state, startedAt, endedAt, reason, log }: RunStep, run: RunDetail) {
    const { shape, tone, name } = stepLooks[state];
    const end = endedAt ?? this.panel.now.value;
    return html`<li>
      <div class="step">
        <span class=${tone}>${icon(shape, name())}</span>
        <span>${stepWords(step, t)}${state === "running" ? this.#far(step, run) : nothing}</span>
        <span class="dim num nowrap">${state === "skipped" ? t("skipped") : formatSpan((end - startedAt) / 1000)}</span>
        ${reason === null ? nothing : html`<span class="why">${reason}</span>`}
      </div>
      ${log.length === 0 ? nothing : html`<details ?open=${state === "failed"}><summary>${t("Log")}</summary><pre tabindex="0">${log.join("\n")}</pre></details>`}
    </li>`;
  }

  /** How far a step is that takes its time. What says nothing of its way gets no invented figure. */
  #far(step: RunStep["step"], { fraction, state }: RunDetail) {
    if (state === "finished" || (step !== "restore" && step !== "integrity")) return nothing;
    if (fraction === null) return html` <span class="dim">${t("no percent told")}</span>`;
    const percent = Math.floor(fraction * 100);
    return html` <span class="num">${percent} %</span><span class="far" role="progressbar" aria-label=${stepWords(step, t)} aria-valuenow=${percent} aria-valuemin="0" aria-valuemax="100">${bar(fraction)}</span>`;
  }

  #checks({ checks }: RunDetail) {
    if (checks.length === 0) return nothing;
    return html`<section class="panel" aria-label=${t("Checks")}>
      <header><h2>${t("Checks")}</h2></header>
      <ol>${checks.map(({ name, kind, state, reason, durationMs }) => {
        const look = stepLooks[state];
        return html`<li><div class="step"><span class=${look.tone}>${icon(look.shape, look.name())}</span><span><strong>${name}</strong> <span class="dim">${kind}</span></span><span class="dim num nowrap">${durationMs === null ? "" : formatSpan(durationMs / 1000)}</span><span class="why">${reason}</span></div></li>`;
      })}</ol>
    </section>`;
  }

  #screenshot({ id }: RunDetail) {
    const fails = () => {
      this.unshown = id;
    };
    const alt = t("The test guest's screen, as it was after the checks");
    return html`<section class="panel" aria-label=${t("Screenshot")}>
      <header><h2>${t("Screenshot")}</h2></header>
      ${this.unshown === id ? html`<p class="empty">${t("A screenshot was taken, but it can't be shown: it may be damaged, or you may not see this guest's console.")}</p>` : html`<img src=${this.panel.api.proof.fileUrl(id, "screenshot")} alt=${alt} crossorigin="use-credentials" @error=${fails} />`}
    </section>`;
  }

  /** How somebody who doesn't trust this page checks what it says. */
  #verify({ evidenceDigest }: RunDetail) {
    return html`<section class="panel" aria-label=${t("Check it yourself")}>
      <header><h2>${t("Check it yourself")}</h2></header>
      <div class="check">
        <p>${t("The digest of this evidence stands in a log whose entries are chained by their hashes. On the hub, this command follows the chain from its first entry and compares each stored evidence with it:")}</p>
        <p><code>proven-hub audit verify</code></p>
        ${evidenceDigest === null ? html`<p class="dim">${t("This run ended before an agent had anything to tell: there is no evidence to check.")}</p>` : nothing}
        <p>${link(this.panel, sectionRoute("reports"), t("How the chain stands now"))}</p>
      </div>
    </section>`;
  }

  #buttons(run: RunDetail) {
    const { panel } = this;
    const { proof } = panel.api;
    const look = lookOfRun(run);
    const file = (name: "evidence.json" | "evidence.pdf", text: string) =>
      html`<a class="button" href=${proof.fileUrl(run.id, name)} download>${text}</a>`;
    if (run.state === "finished") {
      const isEvident = look !== "unknown" || run.startedAt !== null;
      return [this.#againButton(run), isEvident ? [file("evidence.pdf", t("PDF")), file("evidence.json", t("JSON"))] : nothing];
    }
    if (run.cancelling !== null) return nothing;
    if (!panel.mayWrite) return testConsole(panel, run);
    const now = panel.now.value;
    const act = (words: string, ask: () => Promise<Answer<unknown>>, done: string) =>
      html`<button type="button" @click=${() => this.#act(ask, done)}>${words}</button>`;
    return [
      testConsole(panel, run),
      !isKept(run)
        ? nothing
        : [
            act(
              t("Keep 2 h longer"),
              () => proof.keep(run.id, longerBy(run, 7200, now)),
              t("Asked for {time} more.", { time: "2 h" }),
            ),
            act(t("Remove now"), () => proof.keep(run.id, 0), t("It is removed now.")),
          ],
      act(t("Cancel"), () => proof.cancel(run.id), t("It is stopped, and what it made is removed.")),
    ];
  }

  /** After a mend, and where a test did not come to its end: leads to the page of the new run. */
  #againButton(run: RunDetail) {
    const request = againOf(run);
    if (request === undefined || !this.panel.mayWrite) return nothing;
    return html`<button type="button" @click=${() => this.#start(request)}>${t("Test again")}</button>`;
  }

  async #start(request: RunRequest): Promise<void> {
    const { api, navigation, store } = this.panel;
    const answer = await api.proof.start(request);
    if (!answer.ok) {
      this.result = refusal(answer.problem);
      return;
    }
    store.noteRun(answer.value);
    navigation.go(sectionRoute("proofs", answer.value.id), "push");
  }

  async #act(ask: () => Promise<Answer<unknown>>, done: string): Promise<void> {
    const answer = await ask();
    this.result = answer.ok ? { ok: true, text: done } : refusal(answer.problem);
    await this.#load();
  }

  async #load(): Promise<void> {
    clearTimeout(this.#timer);
    const asked = this.run;
    const answer = await this.panel.api.proof.run(asked);
    if (asked !== this.run || !this.isConnected) return;
    this.detail = loadedOf(answer);
    const isLive = this.panel.stream.state.value.state === "live";
    if (answer.ok && answer.value.state !== "finished" && !(isLive && this.panel.store.runs.value.byId.has(asked)))
      this.#timer = setTimeout(() => void this.#load(), lookEveryMs);
  }
}
customElements.define("proven-run", ProvenRun);

/** A link may be cut off or old: the hub calls its number no number, or knows no run of it. */
const notFound = (problem: ApiProblem): Said =>
  problem.status === 400 || problem.status === 404
    ? { ok: false, text: t("There is no such restore test here: the link is old or cut off, or you may not see its guest.") }
    : refusal(problem);
