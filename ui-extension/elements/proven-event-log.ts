import { css, html, nothing } from "lit";
import type { EventView } from "#protocol/api.ts";
import { eventFamilies } from "../core/event-families.ts";
import { hasPage, sectionRoute } from "../core/route.ts";
import { t } from "../i18n.ts";
import { moment } from "./figures.ts";
import { choice, field, formStyles, textInput } from "./form.ts";
import { entityLink, link } from "./link.ts";
import { PagedLog } from "./paged-log.ts";
import { severityMark } from "./severity.ts";
import { shared } from "./styles.ts";

const pageSize = 100;
type Filter = { type: string; severity: EventView["severity"] | ""; entity: string; node: string };

/** Everything that happened, by type, severity, entity and node. */
export class ProvenEventLog extends PagedLog<EventView, Filter> {
  static override styles = [
    shared,
    formStyles,
    css`
      .fields { padding: 10px 12px; }
      ol { margin: 0; padding: 0; list-style: none; }
      li { display: grid; grid-template-columns: 112px 104px 150px minmax(0, 1fr) auto; gap: 2px 12px; padding: 5px 12px; border-bottom: 1px solid var(--pv-line-soft); }
      li code { color: var(--pv-dim); font-size: 12px; overflow: hidden; text-overflow: ellipsis; }
      li span { overflow-wrap: anywhere; }
      @media (max-width: 800px) { li { grid-template-columns: auto auto minmax(0, 1fr); } li .text { grid-column: 1 / -1; } }
    `,
  ];

  constructor() {
    super({ type: "", severity: "", entity: "", node: "" });
  }

  protected ask(filter: Filter, cursor: number | undefined) {
    return this.panel.api.alerting.events({ ...filter, limit: pageSize, cursor });
  }

  protected override render() {
    const { filter } = this;
    const severities = [
      ["", t("all")],
      ["info", t("info")],
      ["warning", t("warning")],
      ["critical", t("critical")],
    ] as const;
    return html`
      <div class="title"><h1>${t("Events")}</h1><span class="end">${link(this.panel, sectionRoute("reports"), t("Who changed what"), "button")}<button type="button" @click=${() => void this.load()}>${t("Look again")}</button></span></div>
      <section class="panel" aria-label=${t("Events")}>
        <div class="fields">
          ${field(
            t("Kind"),
            choice(filter.type, [["", t("all")], ...eventFamilies.map((family) => [family, `${family}*`] as const)], (type) =>
              this.change({ type }),
            ),
          )}
          ${field(
            t("Severity"),
            choice(filter.severity, severities, (severity) => this.change({ severity })),
          )}
          ${field(
            t("Node"),
            textInput(filter.node, (node) => this.change({ node }), { placeholder: "pve1" }),
          )}
          ${field(
            t("Entity"),
            textInput(filter.entity, (entity) => this.change({ entity }), { placeholder: "guest/100" }),
          )}
        </div>
        ${this.list((event) => this.#row(event), t("No event fits the filter."))}
      </section>
    `;
  }

  #row(event: EventView) {
    const { entity, cluster } = event;
    const isLinked = entity !== null && cluster !== null && hasPage(entity);
    return html`<li>
      ${moment(event.at, this.panel.now.value)} ${severityMark(event.severity)} <code>${event.type}</code>
      <span class="text">${t(event.text)}</span>
      <span>${isLinked ? entityLink(this.panel, { entity, cluster }, entity) : nothing}</span>
    </li>`;
  }
}
customElements.define("proven-event-log", ProvenEventLog);
