import { css, html, nothing } from "lit";
import type { Outlook } from "#protocol/entities.ts";
import type { Answer } from "../api.ts";
import { outlookText } from "../core/outlook.ts";
import type { DisplayUnit } from "../core/units.ts";
import { t } from "../i18n.ts";
import { AskedElement } from "./asked-element.ts";
import { icon } from "./icon.ts";
import { shared } from "./styles.ts";

const units: Readonly<Record<string, DisplayUnit>> = { data: "percent", metadata: "percent" };

/** When what fills of one thing will be full. */
export class ProvenOutlook extends AskedElement<readonly Outlook[]> {
  static override properties = { ...AskedElement.properties, entity: { attribute: false }, cluster: { attribute: false } };
  static override styles = [
    shared,
    css`
      .state { padding: 8px 12px; }
      li { display: flex; gap: 8px; padding: 5px 12px; border-bottom: 1px solid var(--pv-line-soft); }
      li span { overflow-wrap: anywhere; }
    `,
  ];
  declare entity: string;
  declare cluster: string;

  protected question() {
    return `${this.cluster} ${this.entity}`;
  }

  protected async ask(): Promise<Answer<readonly Outlook[]>> {
    const answer = await this.panel.api.entities.outlook(this.entity, this.cluster);
    return answer.ok ? { ok: true, value: answer.value.items } : answer;
  }

  protected override render() {
    const { value } = this.asked;
    if (value?.length === 0 && this.asked.problem === undefined) return nothing;
    return html`<section class="panel" aria-label=${t("Projection")}>
      <header><h2>${t("Projection")}</h2></header>
      ${this.state()}
      <ul>${distinct(value ?? []).map((outlook) => this.#row(outlook))}</ul>
    </section>`;
  }

  #row(outlook: Outlook) {
    const { level, text } = outlookText(outlook, units[outlook.metric] ?? "bytes", t);
    const name = nameOf(outlook);
    return html`<li class=${level}>${icon(level === "warn" ? "warning" : level === "dim" ? "unknown" : "clock")}<span>${name === "" ? "" : html`<strong>${name}</strong>: `}${text}</span></li>`;
  }
}
customElements.define("proven-outlook", ProvenOutlook);

/** Which of several things it is about; empty where there is one. */
function nameOf({ metric, instance }: Outlook): string {
  if (instance !== null) return instance;
  if (metric === "data") return t("data");
  if (metric === "metadata") return t("metadata");
  return metric === "root_used" ? t("Root file system") : "";
}

/** The root file system has two names on a node. */
function distinct(outlooks: readonly Outlook[]): readonly Outlook[] {
  const hasRoot = outlooks.some(({ metric }) => metric === "root_used");
  return hasRoot ? outlooks.filter(({ instance }) => instance !== "/") : outlooks;
}
