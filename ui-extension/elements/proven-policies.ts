import { css, html, nothing, type PropertyValues } from "lit";
import { keyed } from "lit/directives/keyed.js";
import { repeat } from "lit/directives/repeat.js";
import type { PolicyView } from "#protocol/policy.ts";
import type { GuestProofView } from "#protocol/proof.ts";
import type { Answer } from "../api.ts";
import { formatMoment } from "../core/age.ts";
import { blankPolicy, nextInTurn, policyOf, policyText, uncovered } from "../core/policies.ts";
import { sectionRoute } from "../core/route.ts";
import { t, timeZone, tn } from "../i18n.ts";
import { field, formStyles, numberInput, refusal, type Said, said } from "./form.ts";
import { icon } from "./icon.ts";
import { entityLink, link } from "./link.ts";
import { type Loaded, loadedOf, loading } from "./loaded.ts";
import { PanelElement } from "./panel-element.ts";
import { proofTabs, tabStyles } from "./proof-tabs.ts";
import "./proven-open-runs.ts";
import "./proven-policy-form.ts";
import "./proven-policy-plan.ts";
import { shared } from "./styles.ts";

/** Guests named at once. */
const namesShown = 12;
/** Policies whose plan is open at first: more of them are asked for one by one. */
const openUpTo = 3;
const orderedWithinSec = 6 * 3600;

/** Waits for a yes. */
type Asking = { what: "remove" | "run"; policy: string; tests: number } | undefined;

/** Which guests' backups are tested how often and when; what each policy does next; and whom none takes. */
export class ProvenPolicies extends PanelElement {
  static override properties = {
    ...PanelElement.properties,
    about: { attribute: false },
    policies: { state: true },
    guests: { state: true },
    asking: { state: true },
    result: { state: true },
    busy: { state: true },
    unfolded: { state: true },
  };
  static override styles = [
    shared,
    formStyles,
    tabStyles,
    css`
      .figures { display: flex; flex-wrap: wrap; gap: 2px 16px; padding: 8px 12px 4px; }
      .what { padding: 8px 12px 0; font-size: 14px; }
      details { border-top: 1px solid var(--pv-line-soft); }
      summary { cursor: pointer; color: var(--pv-link); padding: 7px 12px; }
      .ask { display: flex; flex-wrap: wrap; gap: 6px 10px; align-items: end; padding: 8px 12px; background: var(--pv-warn-tint); }
      .ask .field { max-width: 150px; }
      .notice { display: flex; gap: 8px; padding: 8px 12px; border: 1px solid var(--pv-line); background: var(--pv-warn-tint); }
    `,
  ];
  /** `new`, or a policy's id: which form is open; empty: none. */
  declare about: string;
  declare policies: Loaded<readonly PolicyView[]>;
  declare guests: Loaded<readonly GuestProofView[]>;
  declare asking: Asking;
  declare result: Said;
  declare busy: boolean;
  /** Policies whose plan was asked for. */
  declare unfolded: ReadonlySet<string>;

  constructor() {
    super();
    this.unfolded = new Set();
    this.policies = loading;
    this.guests = loading;
    this.busy = false;
  }

  protected watched() {
    return [this.panel.now];
  }

  protected override firstUpdated(_changed: PropertyValues<this>): void {
    void this.#load();
  }

  protected override render() {
    const { panel, policies } = this;
    return html`
      ${proofTabs(panel, "policies")}
      <div class="title">
        <h1>${t("Which backups are tested, how often and when")}</h1>
        ${panel.maySet ? html`<span class="end">${link(panel, sectionRoute("policies", "new"), t("New policy"), "button")}</span>` : nothing}
      </div>
      ${said(this.result)}
      ${policies.state === "loading" ? html`<p class="dim" role="status">${t("Loading …")}</p>` : nothing}
      ${policies.state === "failed" ? said(refusal(policies.problem)) : nothing}
      ${policies.state === "there" ? [this.#editor(policies.value), this.#uncovered(), this.#list(policies.value)] : nothing}
    `;
  }

  #editor(policies: readonly PolicyView[]) {
    const { about, panel } = this;
    const known = policies.find(({ id }) => id === about);
    const isNew = about === "new" && known === undefined;
    if (!panel.maySet || (!isNew && known === undefined)) return nothing;
    const order = Math.min(1000, ...policies.map((one) => one.order));
    const initial = known === undefined ? blankPolicy(Math.max(0, order - 10), timeZone) : policyOf(known);
    const close = () => panel.navigation.go(sectionRoute("policies"), "replace");
    const saved = () => {
      this.result = { ok: true, text: t("Saved: it counts from now on.") };
      close();
      void this.#load();
    };
    return keyed(
      about,
      html`<proven-policy-form .panel=${panel} .initial=${initial} .isNew=${isNew} @saved=${saved} @cancelled=${close}></proven-policy-form>`,
    );
  }

  /** Guests that nobody tests. */
  #uncovered() {
    const { guests, panel } = this;
    if (guests.state === "failed") return said(refusal(guests.problem));
    const none = guests.state === "there" ? uncovered(guests.value) : [];
    if (none.length === 0) return nothing;
    const all = guests.state === "there" ? guests.value.length : 0;
    const named = none.slice(0, namesShown);
    const more = none.length - named.length;
    return html`<div class="notice" role="status"><span class="warn">${icon("warning")}</span><div>
      <p><strong>${none.length === all ? t("No policy is on: no backup is tested by itself.") : tn(none.length, "{n} guest is taken by no policy: nobody tests its backups.", "{n} guests are taken by no policy: nobody tests their backups.")}</strong></p>
      <p>${named.map((guest, index) => html`${index > 0 ? ", " : ""}${entityLink(panel, guest, `${guest.vmid} ${guest.name}`)}`)}${more > 0 ? ` ${tn(more, "and {n} more", "and {n} more")}` : ""}</p>
    </div></div>`;
  }

  #list(policies: readonly PolicyView[]) {
    if (policies.length === 0)
      return html`<section class="panel"><p class="empty">${t("There is no policy: no backup is tested by itself.")}</p></section>`;
    const isOpen = policies.length <= openUpTo;
    return repeat(
      policies,
      ({ id }) => id,
      (policy) => this.#policy(policy, isOpen && policy.enabled),
    );
  }

  #policy(policy: PolicyView, isOpen: boolean) {
    const { panel } = this;
    const state = !policy.enabled ? t("off") : policy.open ? t("its window is open now") : t("on");
    return html`<section class="panel" aria-label=${policy.name}>
      <header>
        <h2>${policy.name}</h2> <span class="tag">${state}</span>
        ${panel.mayWrite ? html`<span class="end buttons">${this.#buttons(policy)}</span>` : nothing}
      </header>
      ${this.asking?.policy === policy.id ? this.#question(policy, this.asking) : nothing}
      <p class="what">${policyText(policy, t)}</p>
      <p class="figures num">${this.#figures(policy)}</p>
      <details ?open=${isOpen} @toggle=${(event: Event) => this.#unfold(event, policy.id)}>
        <summary>${t("What it does next, and what is overdue")}</summary>
        ${isOpen || this.unfolded.has(policy.id) ? html`<proven-policy-plan .panel=${panel} .policy=${policyOf(policy)}></proven-policy-plan>` : nothing}
      </details>
    </section>`;
  }

  #unfold({ currentTarget }: Event, id: string): void {
    if (currentTarget instanceof HTMLDetailsElement && currentTarget.open) this.unfolded = new Set([...this.unfolded, id]);
  }

  #figures({ guests, proven, overdue, nextAt, enabled, window }: PolicyView) {
    const next =
      nextAt === null
        ? t("not within a week")
        : `${formatMoment(nextAt, this.panel.now.value, window.timezone)} (${window.timezone})`;
    return html`
      <span>${tn(guests, "{n} guest", "{n} guests")}</span>
      <span class=${proven === guests && guests > 0 ? "ok" : ""}>${tn(proven, "{n} proven in time", "{n} proven in time")}</span>
      <span class=${overdue > 0 && enabled ? "warn" : ""}>${tn(overdue, "{n} without a proof in time", "{n} without a proof in time")}</span>
      <span>${enabled ? t("opens next: {time}", { time: next }) : t("would open next: {time}", { time: next })}</span>
    `;
  }

  #buttons(policy: PolicyView) {
    const { panel } = this;
    const { proof } = panel.api;
    const named = html`<span class="sr"> ${policy.name}</span>`;
    const ask = (what: "remove" | "run") => this.#ask({ what, policy: policy.id, tests: policy.parallel.total });
    const enable = () =>
      this.#act(
        () => proof.enablePolicy(policy.id, !policy.enabled),
        policy.enabled ? t("Paused: tests that it began go on.") : t("On: it begins with its next window."),
      );
    const run = html`<button type="button" @click=${() => ask("run")}>${t("Run now …")}${named}</button>`;
    if (!panel.maySet) return run;
    return html`
      ${run}
      <button type="button" @click=${enable}>${policy.enabled ? t("Pause") : t("Switch on")}${named}</button>
      ${link(panel, sectionRoute("policies", policy.id), html`${t("Edit")}${named}`, "button")}
      <button type="button" @click=${() => ask("remove")}>${t("Remove")}${named}</button>
    `;
  }

  #question(policy: PolicyView, asking: NonNullable<Asking>) {
    const no = html`<button type="button" @click=${() => this.#ask(undefined)}>${t("No")}</button>`;
    if (asking.what === "remove") {
      const yes = () => this.#act(() => this.panel.api.proof.removePolicy(policy.id), t("Removed."));
      return html`<div class="ask" role="alertdialog" aria-label=${t("Remove {name}?", { name: policy.name })}><span>${t("Remove {name}? Tests that it began go on; its guests fall to the next policy that takes them, or to none.", { name: policy.name })}</span><button type="button" class="primary" data-yes ?disabled=${this.busy} @click=${yes}>${t("Yes, remove it")}</button>${no}</div>`;
    }
    const change = (tests: number) => {
      this.asking = { ...asking, tests: Math.max(1, Math.round(tests)) };
    };
    return html`<form class="ask" aria-label=${t("Run {name} now", { name: policy.name })} @submit=${(event: Event) => this.#run(event, policy, asking.tests)}>
      ${field(t("Guests, the oldest proof first"), numberInput(asking.tests, change, { label: t("Guests, the oldest proof first") }))}
      <button type="submit" class="primary" data-yes ?disabled=${this.busy}>${t("Test them now")}</button>${no}
      <span class="dim">${t("Outside its window: they begin as soon as a node can.")}</span>
    </form>`;
  }

  #ask(asking: Asking): void {
    this.asking = asking;
    this.result = undefined;
    void this.updateComplete.then(() => this.renderRoot.querySelector<HTMLElement>("[data-yes]")?.focus());
  }

  /** Orders a test of each guest whose turn it is, with what the policy asks of its tests. */
  async #run(event: Event, policy: PolicyView, tests: number): Promise<void> {
    event.preventDefault();
    const { proof } = this.panel.api;
    this.busy = true;
    const plan = await proof.plan(policy.id);
    let done = 0;
    let problem: Said = plan.ok ? undefined : refusal(plan.problem);
    const guests = plan.ok ? nextInTurn(plan.value).slice(0, tests) : [];
    const { integrity, screenshot, benchmark, timeoutSec, bootSec, keepSec, target } = policy;
    for (const { cluster, vmid } of guests) {
      const answer = await proof.start({
        ...{ cluster, vmid, integrity, screenshot, benchmark, timeoutSec, bootSec, keepSec },
        ...(target === undefined ? {} : { storage: target }),
        ...{ reason: `policy ${policy.id}, run by hand`, expiresInSec: orderedWithinSec },
      });
      if (answer.ok) {
        done++;
        this.panel.store.noteRun(answer.value);
      } else problem = refusal(answer.problem);
    }
    this.busy = false;
    this.asking = undefined;
    const words = tn(
      done,
      "{n} test ordered: it is shown on the page of restore proof.",
      "{n} tests ordered: they are shown on the page of restore proof.",
    );
    this.result =
      problem === undefined
        ? { ok: done > 0, text: done > 0 ? words : t("There is no guest of it that could be tested now.") }
        : { ok: false, text: done === 0 ? problem.text : `${words} ${problem.text}` };
  }

  async #act(ask: () => Promise<Answer<unknown>>, done: string): Promise<void> {
    this.busy = true;
    const answer = await ask();
    this.busy = false;
    this.asking = undefined;
    this.result = answer.ok ? { ok: true, text: done } : refusal(answer.problem);
    await this.#load();
  }

  async #load(): Promise<void> {
    const { proof } = this.panel.api;
    const [policies, guests] = await Promise.all([proof.policies(), proof.guests()]);
    this.policies = loadedOf(policies.ok ? { ok: true, value: policies.value.items } : policies);
    this.guests = loadedOf(guests.ok ? { ok: true, value: guests.value.items } : guests);
  }
}
customElements.define("proven-policies", ProvenPolicies);
