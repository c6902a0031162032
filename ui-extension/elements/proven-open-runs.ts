import { css, html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import type { RunView } from "#protocol/proof.ts";
import type { Answer } from "../api.ts";
import { consoleLink } from "../core/console-link.ts";
import { countdown } from "../core/matrix.ts";
import { runWords } from "../core/proofs.ts";
import { sectionRoute } from "../core/route.ts";
import { formatDuration } from "../core/units.ts";
import { t } from "../i18n.ts";
import type { Panel } from "../panel.ts";
import { bar } from "./figures.ts";
import { formStyles, refusal, type Said, said } from "./form.ts";
import { icon } from "./icon.ts";
import { link } from "./link.ts";
import { PanelElement } from "./panel-element.ts";
import { runMark } from "./proof-mark.ts";
import { shared } from "./styles.ts";

/** A node keeps a test guest no longer than its own limit; the API no longer than a day. */
const keepMaxSec = 86_400;

/** From now on, so that what is left grows by `moreSec`. */
export const longerBy = ({ keepUntil }: Pick<RunView, "keepUntil">, moreSec: number, now: number): number =>
  Math.min(keepMaxSec, Math.ceil(Math.max(0, (keepUntil ?? now) - now) / 1000) + moreSec);

/** Its test guest stays for people; until when, somebody may not have said yet. */
export const isKept = ({ step, keepUntil, cancelling }: Pick<RunView, "step" | "keepUntil" | "cancelling">): boolean =>
  cancelling === null && (keepUntil !== null || step === "keep");

/** The console of a kept test guest, in Proxmox VE. */
export function testConsole(panel: Panel, run: RunView): TemplateResult | typeof nothing {
  const { guest, testVmid, node, cluster, keepUntil } = run;
  if (guest === null || testVmid === null || node === null || keepUntil === null) return nothing;
  const about = { cluster, node, type: guest.type, vmid: testVmid, name: guest.name, template: false };
  const href = consoleLink(about, panel.store.picture.value.nodes, panel.pveOrigin);
  return href === undefined
    ? nothing
    : html`<a class="button" href=${href} target="_blank" rel="noopener">${icon("screen")} ${t("Console of {vmid}", { vmid: testVmid })}</a>`;
}

/** Restore tests that go on now, with what can be done about them. Nothing where there is none. */
export class ProvenOpenRuns extends PanelElement {
  static override properties = { ...PanelElement.properties, about: { attribute: false }, result: { state: true } };
  static override styles = [
    shared,
    formStyles,
    css`
      li > span:first-child { display: grid; gap: 2px; }
      .bar { max-width: 420px; height: 6px; }
      .left { font-weight: 600; }
      select { background: var(--pv-head); border: 1px solid var(--pv-line); border-radius: 3px; min-height: 26px; }
    `,
  ];
  /** Only those of this guest; undefined: all. */
  declare about: { cluster: string; entity: string } | undefined;
  declare result: Said;

  protected watched() {
    return [this.panel.now, this.panel.store.runs, this.panel.store.anyNode];
  }

  protected override render() {
    const { about, panel } = this;
    const runs = [...panel.store.runs.value.byId.values()]
      .filter(({ state }) => state !== "finished")
      .filter(({ cluster, entity }) => about === undefined || (cluster === about.cluster && entity === about.entity))
      .sort((a, b) => a.createdAt - b.createdAt);
    if (runs.length === 0) return this.result === undefined ? nothing : said(this.result);
    return html`<section class="panel" aria-label=${t("Going on now")}>
      <header><h2>${t("Going on now")} <span class="dim num">${runs.length}</span></h2></header>
      ${said(this.result)}
      <ul class="list">${repeat(
        runs,
        ({ id }) => id,
        (run) => this.#run(run),
      )}</ul>
    </section>`;
  }

  #run(run: RunView) {
    const { panel } = this;
    const now = panel.now.value;
    const name = run.guest === null ? run.entity : `${run.guest.vmid} ${run.guest.name}`;
    const since = run.startedAt ?? run.createdAt;
    return html`<li>
      <span>
        <span>${runMark(run)} ${link(panel, sectionRoute("proofs", run.id), name, "name")} ${this.#words(run, now)}</span>
        ${run.fraction === null ? nothing : bar(run.fraction)}
        <span class="more">${t("for {time}", { time: formatDuration(Math.max(0, now - since) / 1000) })} · ${run.backup.storage}${run.node === null ? "" : ` · ${run.node}`}${run.testVmid === null ? "" : ` · ${t("test guest {vmid}", { vmid: run.testVmid })}`} · ${t("by {who}", { who: run.actor })}</span>
      </span>
      <span class="buttons">${panel.mayWrite ? this.#buttons(run, name, now) : testConsole(panel, run)}</span>
    </li>`;
  }

  #words(run: RunView, now: number) {
    if (run.keepUntil === null || run.cancelling !== null) return runWords(run, now, t);
    const left = countdown(run.keepUntil - now);
    return html`${t("Kept for you; it is removed in")} <span class="left num" role="timer">${left}</span>`;
  }

  #buttons(run: RunView, name: string, now: number) {
    if (run.cancelling !== null) return nothing;
    const { proof } = this.panel.api;
    const forGuest = html`<span class="sr"> ${name}</span>`;
    const cancel = () => this.#act(() => proof.cancel(run.id), t("It is stopped, and what it made is removed."));
    if (!isKept(run)) return html`<button type="button" @click=${cancel}>${t("Cancel")}${forGuest}</button>`;
    const extend = (event: Event) => {
      if (!(event.target instanceof HTMLSelectElement) || event.target.value === "") return;
      const sec = Number(event.target.value);
      event.target.value = "";
      void this.#act(
        () => proof.keep(run.id, longerBy(run, sec, now)),
        t("Asked for {time} more.", { time: formatDuration(sec) }),
      );
    };
    return html`${testConsole(this.panel, run)}
      <select aria-label=${t("Keep {name} longer", { name })} @change=${extend}>
        <option value="">${t("Longer by …")}</option>
        ${[1800, 3600, 2 * 3600, 8 * 3600].map((sec) => html`<option value=${sec}>${formatDuration(sec)}</option>`)}
      </select>
      <button type="button" @click=${() => this.#act(() => proof.keep(run.id, 0), t("It is removed now."))}>${t("Remove now")}${forGuest}</button>`;
  }

  async #act(ask: () => Promise<Answer<unknown>>, done: string): Promise<void> {
    const answer = await ask();
    this.result = answer.ok ? { ok: true, text: done } : refusal(answer.problem);
  }
}
customElements.define("proven-open-runs", ProvenOpenRuns);
