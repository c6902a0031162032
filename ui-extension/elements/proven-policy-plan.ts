import { css, html, nothing } from "lit";
import type { Policy, PolicyPlan } from "#protocol/policy.ts";
import type { Answer } from "../api.ts";
import { formatMoment } from "../core/age.ts";
import { decisionWords, nightCounts } from "../core/policies.ts";
import { t } from "../i18n.ts";
import type { PastNight } from "../proof-api.ts";
import { AskedElement } from "./asked-element.ts";
import { planStyles, policyPlan } from "./policy-plan.ts";
import { shared } from "./styles.ts";

const nightsShown = 7;

/** What a policy does next, and what became of its last nights. */
export class ProvenPolicyPlan extends AskedElement<{ plan: PolicyPlan; nights: readonly PastNight[] }> {
  static override properties = { ...AskedElement.properties, policy: { attribute: false } };
  static override styles = [
    shared,
    planStyles,
    css`
      .state { padding: 8px 12px; }
    `,
  ];
  declare policy: Policy;

  protected question() {
    return `${JSON.stringify(this.policy)} ${this.panel.store.runs.value.connection}`;
  }

  protected async ask(): Promise<Answer<{ plan: PolicyPlan; nights: readonly PastNight[] }>> {
    const { proof } = this.panel.api;
    const [plan, nights] = await Promise.all([proof.plan(this.policy.id), proof.nights(this.policy.id)]);
    if (!plan.ok) return plan;
    return nights.ok ? { ok: true, value: { plan: plan.value, nights: nights.value.items } } : nights;
  }

  protected override render() {
    const { value } = this.asked;
    return html`${this.state()}${value === undefined ? nothing : [policyPlan(this.panel, this.policy, value.plan), this.#past(value.nights)]}`;
  }

  #past(nights: readonly PastNight[]) {
    if (nights.length === 0) return nothing;
    const now = this.panel.now.value;
    const { timezone } = this.policy.window;
    return html`<div class="plan">
      <div>
        <h3>${t("What became of the last windows")} <span class="dim">(${timezone})</span></h3>
        <ol>${nights.slice(0, nightsShown).map(
          ({ from, decisions }) =>
            html`<li><span class="num nowrap">${formatMoment(from, now, timezone)}</span><span></span><span class="names">${nightCounts(
              decisions,
            )
              .map(({ decision, count }) => `${count} ${decisionWords(decision, t)}`)
              .join(" · ")}</span></li>`,
        )}</ol>
      </div>
    </div>`;
  }
}
customElements.define("proven-policy-plan", ProvenPolicyPlan);
