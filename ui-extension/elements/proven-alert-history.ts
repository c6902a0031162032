import { html, nothing, type PropertyValues } from "lit";
import type { AlertView } from "#protocol/alerting.ts";
import { dispositionWords, filterAlerts, headlineOf, lastedMs, placeOf, sinceOf } from "../core/alerts.ts";
import { sectionRoute } from "../core/route.ts";
import { formatDuration } from "../core/units.ts";
import { t, timeZone } from "../i18n.ts";
import { moment } from "./figures.ts";
import { formStyles, refusal, said } from "./form.ts";
import { link } from "./link.ts";
import { type Loaded, loadedOf, loading } from "./loaded.ts";
import { PanelElement } from "./panel-element.ts";
import "./proven-table.ts";
import type { TableColumn } from "./proven-table.ts";
import { severityMark } from "./severity.ts";
import { shared } from "./styles.ts";

const pageSize = 100;

/** Alerts that are over, the newest first, page by page. `entity`, `cluster`: only those about it. */
export class ProvenAlertHistory extends PanelElement {
  static override properties = {
    ...PanelElement.properties,
    filter: { attribute: false },
    alerts: { state: true },
    next: { state: true },
  };
  static override styles = [shared, formStyles];
  declare filter: string;
  declare alerts: Loaded<readonly AlertView[]>;
  declare next: number | null;

  constructor() {
    super();
    this.alerts = loading;
    this.next = null;
  }

  protected watched() {
    return [this.panel.now];
  }

  protected override firstUpdated(_changed: PropertyValues<this>): void {
    void this.#load();
  }

  protected override render() {
    const { alerts } = this;
    if (alerts.state === "loading") return html`<p class="dim" role="status">${t("Loading …")}</p>`;
    if (alerts.state === "failed") return said(refusal(alerts.problem));
    return html`<section class="panel" aria-label=${t("History")}>
      <proven-table
        .caption=${t("Alerts that are over")}
        .columns=${this.#columns()}
        .rows=${filterAlerts(alerts.value, this.filter)}
        .keyOf=${(alert: AlertView) => `${alert.id} ${alert.firedAt}`}
        .empty=${this.filter === "" ? t("No alert has ended yet.") : t("No alert fits the filter.")}
      ></proven-table>
      ${this.next === null ? nothing : html`<p class="body"><span><button type="button" @click=${() => this.#load(this.next ?? undefined)}>${t("Older ones")}</button></span></p>`}
    </section>`;
  }

  async #load(cursor?: number): Promise<void> {
    const answer = await this.panel.api.alerting.history({ limit: pageSize, cursor });
    const before = cursor !== undefined && this.alerts.state === "there" ? this.alerts.value : [];
    const loaded = loadedOf(answer);
    if (loaded.state === "there") this.next = loaded.value.next;
    this.alerts = loaded.state === "there" ? { state: "there", value: [...before, ...loaded.value.items] } : loaded;
  }

  #columns(): TableColumn<AlertView>[] {
    const now = this.panel.now.value;
    return [
      { id: "severity", title: t("Severity"), priority: 2, width: "96px", cell: ({ severity }) => severityMark(severity) },
      { id: "fired", title: t("Fired"), priority: 1, width: "104px", cell: (alert) => moment(sinceOf(alert), now) },
      {
        id: "lasted",
        title: t("Lasted"),
        priority: 1,
        width: "96px",
        right: true,
        sort: (alert) => lastedMs(alert, now),
        cell: (alert) => html`<span class="num">${formatDuration(lastedMs(alert, now) / 1000)}</span>`,
      },
      {
        id: "what",
        title: t("What"),
        priority: 1,
        cell: ({ id, text }) => {
          const [sentence, below] = headlineOf(text);
          const words = t(sentence);
          return link(
            this.panel,
            sectionRoute("alerts", id),
            html`<span title=${below === "" ? words : `${words}\n${below}`}>${words}</span>`,
          );
        },
      },
      { id: "node", title: t("Node"), priority: 3, width: "84px", cell: (alert) => placeOf(alert) || alert.title },
      {
        id: "told",
        title: t("Who was told"),
        priority: 2,
        width: "26%",
        cell: (alert) => {
          const { text } = dispositionWords(alert, now, timeZone, t);
          return html`<span title=${text}>${text}</span>`;
        },
      },
    ];
  }
}
customElements.define("proven-alert-history", ProvenAlertHistory);
