import { html, nothing, type PropertyValues } from "lit";
import { keyed } from "lit/directives/keyed.js";
import type { ReceiverView, Route } from "#protocol/notifications.ts";
import { blankReceiver, blankRoute, type ReceiverForm, receiverForm, routeMatchText, routeTellingText } from "../core/routes.ts";
import { t, tn } from "../i18n.ts";
import { moment } from "./figures.ts";
import { formStyles, refusal, type Said, said } from "./form.ts";
import { icon } from "./icon.ts";
import { type Loaded, loadedOf, loading } from "./loaded.ts";
import { PanelElement } from "./panel-element.ts";
import "./proven-deliveries.ts";
import "./proven-receiver-form.ts";
import "./proven-route-form.ts";
import { shared } from "./styles.ts";

type Lists = { routes: readonly Route[]; receivers: readonly ReceiverView[] };
type Editing =
  | { what: "route"; route: Route; isNew: boolean }
  | { what: "receiver"; view: ReceiverView | undefined; form: ReceiverForm }
  | undefined;

/** Who is told, how, and whether it arrives. */
export class ProvenRoutes extends PanelElement {
  static override properties = {
    ...PanelElement.properties,
    lists: { state: true },
    editing: { state: true },
    result: { state: true },
    testing: { state: true },
    tested: { state: true },
  };
  static override styles = [shared, formStyles];
  declare lists: Loaded<Lists>;
  declare editing: Editing;
  declare result: Said;
  /** Id of the receiver whose test is on its way. */
  declare testing: string;
  /** The delivery of the newest test. */
  declare tested: string;

  constructor() {
    super();
    this.lists = loading;
    this.testing = "";
    this.tested = "";
  }

  protected watched() {
    return [this.panel.now];
  }

  protected override firstUpdated(_changed: PropertyValues<this>): void {
    void this.#load();
  }

  protected override render() {
    const { lists } = this;
    return html`
      <div class="title"><h1>${t("Who is told of which alerts")}</h1></div>
      ${said(this.result)}
      ${lists.state === "loading" ? html`<p class="dim" role="status">${t("Loading …")}</p>` : nothing}
      ${lists.state === "failed" ? said(refusal(lists.problem)) : nothing}
      ${lists.state === "there" ? [this.#routes(lists.value), this.#receivers(lists.value), this.#deliveries(lists.value)] : nothing}
    `;
  }

  #routes({ routes, receivers }: Lists) {
    const add = () =>
      this.#edit({ what: "route", route: blankRoute(Math.max(0, ...routes.map(({ order }) => order)) + 10), isNew: true });
    const { editing } = this;
    return html`<section class="panel" aria-label=${t("Routes")}>
      <header><h2>${t("Routes")}</h2><span class="dim">${t("asked in this order; the first that fits takes the alert")}</span>
        ${this.panel.maySet ? html`<span class="end"><button type="button" @click=${add}>${t("New route")}</button></span>` : nothing}</header>
      ${editing?.what === "route" ? keyed(editing.route, html`<proven-route-form .panel=${this.panel} .initial=${editing.route} .isNew=${editing.isNew} .receivers=${receivers.map(({ receiver }) => receiver)} @saved=${this.#onSaved} @cancelled=${() => this.#edit(undefined)}></proven-route-form>`) : nothing}
      ${routes.length === 0 ? html`<p class="empty">${t("There is no route: nobody is told of anything.")}</p>` : html`<ul class="list">${routes.map((route) => this.#route(route))}</ul>`}
    </section>`;
  }

  #route(route: Route) {
    return html`<li class=${route.enabled ? "" : "off"}>
      <span>
        <span class="name">${route.name}</span>${route.enabled ? nothing : html` <span class="tag">${t("off")}</span>`}
        <br />${routeMatchText(route, t)} <strong>→ ${route.receivers.join(", ") || t("nobody")}</strong>
        <br /><span class="more">${routeTellingText(route, t)}${route.continue ? ` · ${t("later routes are asked too")}` : ""}</span>
      </span>
      ${
        this.panel.maySet
          ? html`<span class="buttons">
              <button type="button" @click=${() => this.#edit({ what: "route", route, isNew: false })}>${t("Edit")}</button>
              <button type="button" @click=${() => void this.#remove("routes", route.id)}>${t("Remove")}</button>
            </span>`
          : nothing
      }
    </li>`;
  }

  #receivers({ receivers }: Lists) {
    const { editing } = this;
    return html`<section class="panel" aria-label=${t("Receivers")}>
      <header><h2>${t("Receivers")}</h2>
        ${this.panel.maySet ? html`<span class="end"><button type="button" @click=${() => this.#edit({ what: "receiver", view: undefined, form: blankReceiver("email") })}>${t("New receiver")}</button></span>` : nothing}</header>
      ${editing?.what === "receiver" ? keyed(editing.form, html`<proven-receiver-form .panel=${this.panel} .initial=${editing.form} .present=${editing.view} @saved=${this.#onSaved} @cancelled=${() => this.#edit(undefined)}></proven-receiver-form>`) : nothing}
      ${receivers.length === 0 ? html`<p class="empty">${t("There is no receiver yet.")}</p>` : html`<ul class="list">${receivers.map((view) => this.#receiver(view))}</ul>`}
    </section>`;
  }

  #receiver(view: ReceiverView) {
    const { receiver, problem, queued, dead, lastDeliveredAt } = view;
    const counts = [
      queued > 0 ? tn(queued, "{n} waits", "{n} wait") : "",
      dead > 0 ? tn(dead, "{n} undelivered", "{n} undelivered") : "",
    ].filter(Boolean);
    const busy = this.testing === receiver.id;
    return html`<li class=${receiver.enabled ? "" : "off"}>
      <span>
        ${healthOf(view)}
        <span class="name">${receiver.name}</span> <span class="tag">${receiver.type}</span>
        <br /><span class="more">${receiver.id} · ${lastDeliveredAt === null ? t("nothing was delivered yet") : html`${t("last delivered")} ${moment(lastDeliveredAt, this.panel.now.value)}`}${counts.length === 0 ? "" : ` · ${counts.join(" · ")}`}</span>
        ${problem === null ? nothing : html`<br /><span class="problem">${problem}</span>`}
      </span>
      ${
        this.panel.maySet
          ? html`<span class="buttons">
              <button type="button" ?disabled=${this.testing !== ""} @click=${() => void this.#test(view)}>${busy ? t("Sending …") : t("Send test")}</button>
              <button type="button" @click=${() => this.#edit({ what: "receiver", view, form: receiverForm(view.receiver) })}>${t("Edit")}</button>
              <button type="button" @click=${() => void this.#remove("receivers", receiver.id)}>${t("Remove")}</button>
            </span>`
          : nothing
      }
    </li>`;
  }

  #deliveries({ receivers }: Lists) {
    return html`<proven-deliveries .panel=${this.panel} .receivers=${receivers} .newest=${this.tested} @changed=${() => void this.#load()}></proven-deliveries>`;
  }

  #edit(editing: Editing): void {
    this.editing = editing;
    this.result = undefined;
  }

  #onSaved(): void {
    this.editing = undefined;
    this.result = { ok: true, text: t("Saved: it counts from now on.") };
    void this.#load();
  }

  async #test({ receiver }: ReceiverView): Promise<void> {
    this.testing = receiver.id;
    const answer = await this.panel.api.alerting.testReceiver(receiver.id);
    this.testing = "";
    if (!answer.ok) this.result = refusal(answer.problem);
    else {
      const { ok, answer: said, tookMs, delivery } = answer.value;
      this.tested = delivery;
      const values = { name: receiver.name, answer: said, ms: tookMs };
      this.result = {
        ok,
        text: ok
          ? t("{name} took the test message after {ms} ms: {answer}", values)
          : t("{name} did not take it: {answer}", values),
      };
    }
    await this.#load();
  }

  async #remove(collection: "routes" | "receivers", id: string): Promise<void> {
    const answer = await this.panel.api.alerting.remove(collection, id);
    this.result = answer.ok ? { ok: true, text: t("Removed.") } : refusal(answer.problem);
    await this.#load();
  }

  async #load(): Promise<void> {
    const { alerting } = this.panel.api;
    const [routes, receivers] = await Promise.all([alerting.routes(), alerting.receivers()]);
    const loaded = loadedOf(routes);
    if (loaded.state !== "there") this.lists = loaded;
    else {
      this.lists = {
        state: "there",
        value: { routes: loaded.value.items, receivers: receivers.ok ? receivers.value.items : [] },
      };
      if (!receivers.ok) this.result = refusal(receivers.problem);
    }
  }
}
customElements.define("proven-routes", ProvenRoutes);

/** How it stands with a receiver, by what became of its last delivery. */
function healthOf({ problem, lastDeliveredAt }: ReceiverView) {
  if (problem !== null) return html`<span class="crit">${icon("critical", t("fails"))}</span>`;
  if (lastDeliveredAt === null) return html`<span class="ok">${icon("unknown", t("never used"))}</span>`;
  return html`<span class="ok">${icon("ok", t("works"))}</span>`;
}
