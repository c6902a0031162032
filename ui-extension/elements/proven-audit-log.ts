import { css, html } from "lit";
import type { AuditEntryView } from "#protocol/audit.ts";
import { t } from "../i18n.ts";
import { moment } from "./figures.ts";
import { field, formStyles, textInput } from "./form.ts";
import { PagedLog } from "./paged-log.ts";
import { shared } from "./styles.ts";

type Filter = { actor: string; kind: string };

/** Who changed what, when and why, the newest first. */
export class ProvenAuditLog extends PagedLog<AuditEntryView, Filter> {
  static override styles = [
    shared,
    formStyles,
    css`
      .fields { padding: 10px 12px; }
      ol { margin: 0; padding: 0; list-style: none; }
      li { display: grid; grid-template-columns: 112px 150px 190px minmax(0, 1fr); gap: 2px 12px; padding: 5px 12px; border-bottom: 1px solid var(--pv-line-soft); }
      li > * { overflow-wrap: anywhere; min-width: 0; }
      li code { color: var(--pv-dim); font-size: 12px; }
      @media (max-width: 800px) { li { grid-template-columns: auto minmax(0, 1fr); } li .what { grid-column: 1 / -1; } }
    `,
  ];

  constructor() {
    super({ actor: "", kind: "" });
  }

  protected ask(filter: Filter, cursor: number | undefined) {
    return this.panel.api.proof.auditEntries({ ...filter, cursor });
  }

  protected override render() {
    const { filter } = this;
    return html`<section class="panel" aria-label=${t("Who changed what")}>
      <header><h2>${t("Who changed what")}</h2><button class="end" type="button" @click=${() => void this.load()}>${t("Look again")}</button></header>
      <div class="fields">
        ${field(
          t("Who"),
          textInput(filter.actor, (actor) => this.change({ actor }), { placeholder: "root@pam" }),
        )}
        ${field(
          t("Kind of document"),
          textInput(filter.kind, (kind) => this.change({ kind }), { placeholder: "rule" }),
        )}
      </div>
      ${this.list((entry) => this.#row(entry), t("No entry fits the filter."))}
    </section>`;
  }

  #row({ at, actor, action, kind, id, reason, hash }: AuditEntryView) {
    const words = { create: t("made"), update: t("changed"), delete: t("removed") };
    return html`<li title=${hash}>
      ${moment(at, this.panel.now.value)} <span>${actor}</span> <span>${words[action]} <code>${kind}</code></span>
      <span class="what">${id} <span class="dim">${reason}</span></span>
    </li>`;
  }
}
customElements.define("proven-audit-log", ProvenAuditLog);
