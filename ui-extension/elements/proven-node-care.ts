import { css, html, nothing } from "lit";
import type { EntityMetrics } from "#protocol/api.ts";
import type { Answer } from "../api.ts";
import { instancesWith, newestOf } from "../core/entity-values.ts";
import { formatDuration } from "../core/units.ts";
import { t, tn } from "../i18n.ts";
import { AskedElement } from "./asked-element.ts";
import { dash } from "./figures.ts";
import { icon } from "./icon.ts";
import { factList, pageStyles } from "./proven-page.ts";
import { shared } from "./styles.ts";

const daySec = 86_400;
/** A certificate that ends so soon wants somebody's look. */
const certificateWarnSec = 21 * daySec;

/** What of a node wants care now and then: updates, certificates, and what its agent measures beside the charts. */
export class ProvenNodeCare extends AskedElement<EntityMetrics> {
  static override properties = { ...AskedElement.properties, entity: { attribute: false }, cluster: { attribute: false } };
  static override styles = [
    shared,
    pageStyles,
    css`
      .state { padding: 8px 12px; }
    `,
  ];
  declare entity: string;
  declare cluster: string;

  protected question() {
    return `${this.cluster} ${this.entity}`;
  }

  protected ask(): Promise<Answer<EntityMetrics>> {
    return this.panel.api.metrics(this.entity, this.cluster);
  }

  protected override render() {
    const { value } = this.asked;
    return html`<section class="panel" aria-label=${t("Care")}>
      <header><h2>${t("Care")}</h2></header>
      ${this.state()}
      ${value === undefined ? nothing : factList(this.#facts(value))}
    </section>`;
  }

  #facts(metrics: EntityMetrics) {
    const now = this.panel.now.value;
    const updates = newestOf(metrics, "updates", now);
    const certificates = instancesWith(metrics, "certificate_left");
    return [
      {
        name: t("Updates"),
        value:
          updates === undefined
            ? dash(newestOf(metrics, "cpu", now) === undefined ? t("no value now") : t("The package lists could not be read"))
            : updates === 0
              ? html`<span class="ok">${icon("ok")} ${t("none waiting")}</span>`
              : tn(updates, "{n} package waits", "{n} packages wait"),
      },
      ...certificates.map((file) => ({
        name: t("Certificate {file}", { file }),
        value: certificateText(newestOf(metrics, "certificate_left", now, file)),
      })),
    ];
  }
}
customElements.define("proven-node-care", ProvenNodeCare);

/** `left`: seconds until it ends; undefined: unknown. */
export function certificateText(left: number | undefined) {
  if (left === undefined) return dash(t("no value now"));
  if (left <= 0) return html`<span class="crit">${icon("critical")} ${t("has ended")}</span>`;
  const words = t("ends in {time}", { time: formatDuration(left) });
  return left < certificateWarnSec ? html`<span class="warn">${icon("warning")} ${words}</span>` : words;
}
