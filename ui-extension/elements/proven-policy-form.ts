import { css, html, nothing, type PropertyValues } from "lit";
import type { Policy, PolicyPreview } from "#protocol/policy.ts";
import type { ApiProblem } from "../api.ts";
import { policyOf, windowText } from "../core/policies.ts";
import { parseList } from "../core/rules.ts";
import { formatDuration } from "../core/units.ts";
import { t, tn } from "../i18n.ts";
import { checkFields } from "./check-fields.ts";
import { check, field, formStyles, numberInput, problemsOf, refusal, type Said, said, textInput } from "./form.ts";
import { PanelElement } from "./panel-element.ts";
import { planStyles, policyPlan } from "./policy-plan.ts";
import { scopeFields } from "./scope-fields.ts";
import { shared } from "./styles.ts";

const checkAfterMs = 400;

/** Makes or changes a policy; what it would do is shown while one types, and nothing is saved before. Says `saved` or `cancelled`. */
export class ProvenPolicyForm extends PanelElement {
  static override properties = {
    ...PanelElement.properties,
    initial: { attribute: false },
    isNew: { attribute: false },
    policy: { state: true },
    preview: { state: true },
    problem: { state: true },
    result: { state: true },
  };
  static override styles = [
    shared,
    formStyles,
    planStyles,
    css`
      fieldset { border: 1px solid var(--pv-line); margin: 0; padding: 6px 10px 10px; display: grid; gap: 8px; justify-items: start; min-width: 0; }
      legend { color: var(--pv-dim); font-size: 12px; padding: 0 4px; }
      fieldset > *, .group > * { width: 100%; }
      fieldset > button, .group > button { width: auto; }
      .one > button { justify-self: start; }
      .group { display: grid; gap: 8px; border-left: 3px solid var(--pv-line); padding-left: 10px; justify-items: start; }
      .one { border-bottom: 1px solid var(--pv-line-soft); padding-bottom: 8px; align-items: end; }
      .tried { background: var(--pv-unknown-tint); }
      .tried > h3 { padding: 8px 12px 0; font-size: 14px; font-weight: 600; }
      details > summary { cursor: pointer; color: var(--pv-link); padding: 2px 0; }
      details > div { padding-top: 8px; }
    `,
  ];
  /** What the fields begin with; looked at once. */
  declare initial: Policy;
  declare isNew: boolean;
  declare policy: Policy;
  declare preview: PolicyPreview | undefined;
  /** Why it can't be tried out. */
  declare problem: ApiProblem | undefined;
  declare result: Said;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #checking: AbortController | undefined;

  protected watched() {
    return [];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.policy ??= policyOf(this.initial);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.#timer);
    this.#checking?.abort();
  }

  protected override firstUpdated(_changed: PropertyValues<this>): void {
    this.renderRoot.querySelector("input")?.focus();
    void this.#check();
  }

  protected override render() {
    const heading = this.isNew ? t("New policy") : t("Change the policy {name}", { name: this.initial.name });
    const problems = this.preview?.problems ?? [];
    return html`<section class="panel" aria-label=${heading}>
      <header><h2>${heading}</h2></header>
      <form @submit=${this.#onSubmit}>
        <div class="fields">${this.#name()}</div>
        <fieldset><legend>${t("Which guests: every field that is given must hold; none: all guests")}</legend><div class="fields">${this.#who()}</div></fieldset>
        <fieldset><legend>${t("How often and when")}</legend><div class="fields">${this.#when()}</div></fieldset>
        ${checkFields(this.policy.checks, problems, (checks) => this.#change({ checks }))}
        <div class="buttons">
          ${check(t("Read every byte first"), this.policy.integrity, (integrity) => this.#change({ integrity }))}
          ${check(t("Take a picture of its screen"), this.policy.screenshot, (screenshot) => this.#change({ screenshot }))}
          ${check(t("Measure its disk"), this.policy.benchmark, (benchmark) => this.#change({ benchmark }))}
        </div>
        <details><summary>${t("Where, how long, and other limits")}</summary><div class="fields">${this.#limits()}</div></details>
        ${this.#tried()}
        ${said(this.result)}
        <div class="buttons">
          <button class="primary" type="submit" ?disabled=${this.policy.name === "" || problems.length > 0}>${t("Save")}</button>
          <button type="button" @click=${() => this.dispatchEvent(new CustomEvent("cancelled"))}>${t("Cancel")}</button>
          ${check(t("on"), this.policy.enabled, (enabled) => this.#change({ enabled }))}
        </div>
      </form>
    </section>`;
  }

  #wrong(name: string) {
    const problems = problemsOf(this.preview?.problems ?? [], name);
    return { wrong: problems.length > 0, problems };
  }

  #number(
    label: string,
    name: string,
    value: number,
    change: (value: number) => void,
    more: { factor?: number; suffix?: string; hint?: string } = {},
  ) {
    const { wrong, problems } = this.#wrong(name);
    const input = numberInput(value, change, { factor: more.factor ?? 1, suffix: more.suffix ?? "", wrong, label });
    return field(label, input, problems, more.hint ?? "");
  }

  #text(label: string, name: string, value: string, change: (text: string) => void, placeholder = "", hint = "") {
    const { wrong, problems } = this.#wrong(name);
    return field(label, textInput(value, change, { wrong, placeholder }), problems, hint);
  }

  #name() {
    const { policy } = this;
    const named = policy.name === "" ? [] : [...this.#wrong("name").problems, ...this.#wrong("id").problems];
    const input = textInput(policy.name, (name) => this.#change({ name }), {
      wrong: named.length > 0,
      placeholder: t("Production weekly"),
    });
    return field(t("Name"), input, named);
  }

  #who() {
    const problems = this.preview?.problems ?? [];
    const shown = ["tags", "pools", "guests", "nodes", "types", "expression"] as const;
    return scopeFields(this.policy.scope, "scope", problems, (scope) => this.#change({ scope }), shown);
  }

  #when() {
    const { policy } = this;
    const { window, parallel } = policy;
    const inWindow = (change: Partial<Policy["window"]>) => this.#change({ window: { ...window, ...change } });
    return [
      this.#number(t("At least every"), "everyDays", policy.everyDays, (days) => this.#change({ everyDays: Math.round(days) }), {
        suffix: t("days"),
      }),
      this.#text(
        t("Begins (calendar event)"),
        "window.calendar",
        window.calendar,
        (calendar) => inWindow({ calendar }),
        "sat 01:00",
        windowText(window, t),
      ),
      this.#number(
        t("Lasts"),
        "window.durationSec",
        window.durationSec,
        (durationSec) => inWindow({ durationSec: Math.round(durationSec) }),
        { factor: 1 / 3600, suffix: "h" },
      ),
      this.#text(t("Timezone"), "window.timezone", window.timezone, (timezone) => inWindow({ timezone }), "Europe/Rome"),
      this.#number(t("Tests at once"), "parallel.total", parallel.total, (total) =>
        this.#change({ parallel: { ...parallel, total: Math.round(total) } }),
      ),
      this.#number(t("… of these on one node"), "parallel.perNode", parallel.perNode, (perNode) =>
        this.#change({ parallel: { ...parallel, perNode: Math.round(perNode) } }),
      ),
    ];
  }

  #limits() {
    const { policy } = this;
    const list = (typed: string) => parseList(typed) ?? [];
    const target = (typed: string) => {
      const { target: _, ...rest } = policy;
      this.#use(typed.trim() === "" ? rest : { ...rest, target: typed.trim() });
    };
    return [
      this.#number(t("Place in the order"), "order", policy.order, (order) => this.#change({ order: Math.round(order) }), {
        hint: t("A guest belongs to the first policy that takes it."),
      }),
      this.#text(
        t("Only on these nodes"),
        "nodes",
        policy.nodes.join(", "),
        (typed) => this.#change({ nodes: list(typed) }),
        "pve2",
      ),
      this.#text(
        t("Only backups on these storages"),
        "storages",
        policy.storages.join(", "),
        (typed) => this.#change({ storages: list(typed) }),
        "pbs1",
      ),
      this.#text(t("Disks of the copy go to"), "target", policy.target ?? "", target, t("the node's choice")),
      this.#number(
        t("Leave it running afterwards"),
        "keepSec",
        policy.keepSec,
        (keepSec) => this.#change({ keepSec: Math.round(keepSec) }),
        {
          factor: 1 / 60,
          suffix: t("min"),
          hint: t("0: it is removed at once"),
        },
      ),
      this.#number(
        t("A test ends after"),
        "timeoutSec",
        policy.timeoutSec,
        (timeoutSec) => this.#change({ timeoutSec: Math.round(timeoutSec) }),
        {
          factor: 1 / 60,
          suffix: t("min"),
          hint: formatDuration(policy.timeoutSec),
        },
      ),
      this.#number(
        t("It has to boot within"),
        "bootSec",
        policy.bootSec,
        (bootSec) => this.#change({ bootSec: Math.round(bootSec) }),
        { suffix: "s" },
      ),
    ];
  }

  #tried() {
    const { preview, problem } = this;
    const title = html`<h3>${t("What it would do")}</h3>`;
    if (problem !== undefined) return html`<div class="tried">${title}${said(refusal(problem))}</div>`;
    if (preview === undefined)
      return html`<div class="tried">${title}<p class="plan dim" role="status">${t("Loading …")}</p></div>`;
    if (preview.plan === null)
      return html`<div class="tried" role="status">${title}<p class="plan dim">${tn(preview.problems.length, "One field is wrong: see there.", "{n} fields are wrong: see there.")}</p></div>`;
    const { decisions } = preview.plan;
    const without = decisions.filter(({ decision }) => decision === "no-backup").length;
    return html`<div class="tried">
      ${title}
      <p class="plan" role="status"><span>${tn(decisions.length, "It takes {n} guest.", "It takes {n} guests.")} ${without === 0 ? nothing : html`<span class="warn">${tn(without, "{n} of them has no backup that could be tested.", "{n} of them have no backup that could be tested.")}</span>`} <span class="dim">${t("Nothing is begun by looking.")}</span></span></p>
      ${policyPlan(this.panel, this.policy, preview.plan)}
    </div>`;
  }

  #change(change: Partial<Policy>): void {
    this.#use({ ...this.policy, ...change });
  }

  #use(policy: Policy): void {
    this.policy = policy;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#check(), checkAfterMs);
  }

  /** What is typed so far; a name can wait. */
  async #check(): Promise<void> {
    this.#checking?.abort();
    this.#checking = new AbortController();
    const named = this.policy.name === "" ? { ...this.policy, name: "unnamed" } : this.policy;
    const answer = await this.panel.api.proof.previewPolicy(policyOf(named), this.#checking.signal);
    if (!answer.ok && answer.problem.code === "aborted") return;
    this.problem = answer.ok ? undefined : answer.problem;
    this.preview = answer.ok ? answer.value : undefined;
  }

  #onSubmit(event: Event): void {
    event.preventDefault();
    void this.#save();
  }

  async #save(): Promise<void> {
    const answer = await this.panel.api.proof.savePolicy(policyOf(this.policy), this.isNew);
    this.result = answer.ok ? undefined : refusal(answer.problem);
    if (answer.ok) this.dispatchEvent(new CustomEvent("saved"));
  }
}
customElements.define("proven-policy-form", ProvenPolicyForm);
