import { css, html, nothing } from "lit";
import type { AuditState } from "#protocol/audit.ts";
import type { Answer } from "../api.ts";
import { formatAge } from "../core/age.ts";
import { t } from "../i18n.ts";
import { AskedElement } from "./asked-element.ts";
import { formStyles, refusal, type Said, said } from "./form.ts";
import { type IconName, icon } from "./icon.ts";
import { shared } from "./styles.ts";

const looks: Record<AuditState["state"], { shape: IconName; tone: string }> = {
  unchecked: { shape: "unknown", tone: "dim" },
  checking: { shape: "running", tone: "" },
  intact: { shape: "ok", tone: "ok" },
  broken: { shape: "critical", tone: "crit" },
};

/** Whether the log that proofs rest on is unbroken, since when that is known, and how to see it oneself. */
export class ProvenChain extends AskedElement<AuditState> {
  static override properties = { ...AskedElement.properties, busy: { state: true }, result: { state: true } };
  static override styles = [
    shared,
    formStyles,
    css`
      .state { padding: 8px 12px; }
      .line { font-size: 15px; }
      code { font: 12px/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
    `,
  ];
  declare busy: boolean;
  declare result: Said;

  constructor() {
    super();
    this.busy = false;
  }

  protected question() {
    return "audit";
  }

  protected ask(): Promise<Answer<AuditState>> {
    return this.panel.api.proof.audit();
  }

  protected override render() {
    const { value } = this.asked;
    return html`<section class="panel" aria-label=${t("The log behind the proofs")}>
      <header><h2>${t("The log behind the proofs")}</h2>
        ${this.panel.maySet && value !== undefined ? html`<button class="end" type="button" ?disabled=${this.busy} @click=${() => void this.#verify()}>${this.busy ? t("Checking …") : t("Check now")}</button>` : nothing}</header>
      ${this.state()}${said(this.result)}${value === undefined ? nothing : this.#content(value)}
    </section>`;
  }

  #content(audit: AuditState) {
    const { shape, tone } = looks[audit.state];
    return html`<div class="body">
      <p class="line" role="status"><span class=${tone}>${icon(shape)}</span> ${this.#words(audit)}</p>
      <p class="dim">${t("Each decision and each proof is an entry that holds the hash of the one before; the evidence of a test is compared with the digest in its entry. This command does it on the hub, without the page you look at:")}</p>
      <p><code>proven-hub audit verify</code></p>
      ${audit.head === null ? nothing : html`<p class="dim">${t("Newest entry when it was last intact; kept elsewhere, it shows when entries were cut off:")} <code>${audit.head}</code></p>`}
    </div>`;
  }

  #words({ state, checkedAt, entries, problem }: AuditState): string {
    const age = checkedAt === null ? "" : formatAge(this.panel.now.value - checkedAt);
    switch (state) {
      case "unchecked":
        return t("Not checked since the hub started");
      case "checking":
        return t("It is being checked");
      case "intact":
        return t("Intact: {n} entries and every evidence, checked {age} ago", { n: entries ?? 0, age });
      case "broken":
        return t("BROKEN, checked {age} ago: {problem}", { age, problem: problem ?? "" });
    }
  }

  async #verify(): Promise<void> {
    this.busy = true;
    const answer = await this.panel.api.proof.verifyAudit();
    this.busy = false;
    this.result = answer.ok ? undefined : refusal(answer.problem);
    if (answer.ok) this.asked = { value: answer.value, problem: undefined, at: this.panel.now.value };
  }
}
customElements.define("proven-chain", ProvenChain);
