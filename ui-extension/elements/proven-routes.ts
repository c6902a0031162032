import { html, nothing, type PropertyValues } from "lit";
import type { Delivery, ReceiverView, Route } from "#protocol/notifications.ts";
import { blankReceiver, blankRoute, receiverForm, routeMatchText, routeTellingText } from "../core/routes.ts";
import { t, tn } from "../i18n.ts";
import { moment } from "./figures.ts";
import { formStyles, refusal, type Said, said } from "./form.ts";
import { icon } from "./icon.ts";
import { type Loaded, loadedOf, loading } from "./loaded.ts";
import { PanelElement } from "./panel-element.ts";
import "./proven-receiver-form.ts";
import "./proven-route-form.ts";
import { shared } from "./styles.ts";

type Lists = { routes: readonly Route[]; receivers: readonly ReceiverView[]; dead: readonly Delivery[] };
type Editing = { what: "route"; route: Route; isNew: boolean } | { what: "receiver"; view: ReceiverView | undefined } | undefined;

/** Who is told, how, and whether it arrives. */
export class ProvenRoutes extends PanelElement {
  static override properties = {
    ...PanelElement.properties,
    lists: { state: true },
    editing: { state: true },
    result: { state: true },
    testing: { state: true },
  };
  static override styles = [shared, formStyles];
  declare lists: Loaded<Lists>;
  declare editing: Editing;
  declare result: Said;
  /** Id of the receiver whose test is on its way. */
  declare testing: string;

  constructor() {
    super();
    this.lists = loading;
    this.testing = "";
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
      ${lists.state === "there" ? [this.#routes(lists.value), this.#receivers(lists.value), this.#dead(lists.value.dead)] : nothing}
    `;
  }

  #routes({ routes, receivers }: Lists) {
    const add = () =>
      this.#edit({ what: "route", route: blankRoute(Math.max(0, ...routes.map(({ order }) => order)) + 10), isNew: true });
    const { editing } = this;
    return html`<section class="panel" aria-label=${t("Routes")}>
      <header><h2>${t("Routes")}</h2><span class="dim">${t("asked in this order; the first that fits takes the alert")}</span>
        ${this.panel.mayWrite ? html`<span class="end"><button type="button" @click=${add}>${t("New route")}</button></span>` : nothing}</header>
      ${editing?.what === "route" ? html`<proven-route-form .panel=${this.panel} .route=${editing.route} .isNew=${editing.isNew} .receivers=${receivers.map(({ receiver }) => receiver)} @saved=${this.#onSaved} @cancelled=${() => this.#edit(undefined)}></proven-route-form>` : nothing}
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
        this.panel.mayWrite
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
    const form =
      editing?.what === "receiver"
        ? editing.view === undefined
          ? blankReceiver("email")
          : receiverForm(editing.view.receiver)
        : undefined;
    return html`<section class="panel" aria-label=${t("Receivers")}>
      <header><h2>${t("Receivers")}</h2>
        ${this.panel.mayWrite ? html`<span class="end"><button type="button" @click=${() => this.#edit({ what: "receiver", view: undefined })}>${t("New receiver")}</button></span>` : nothing}</header>
      ${editing?.what === "receiver" ? html`<proven-receiver-form .panel=${this.panel} .form=${form} .present=${editing.view} @saved=${this.#onSaved} @cancelled=${() => this.#edit(undefined)}></proven-receiver-form>` : nothing}
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
        <span class=${problem === null ? "ok" : "crit"}>${icon(problem === null ? (lastDeliveredAt === null ? "unknown" : "ok") : "critical", problem === null ? (lastDeliveredAt === null ? t("never used") : t("works")) : t("fails"))}</span>
        <span class="name">${receiver.name}</span> <span class="tag">${receiver.type}</span>
        <br /><span class="more">${receiver.id} · ${lastDeliveredAt === null ? t("nothing was delivered yet") : html`${t("last delivered")} ${moment(lastDeliveredAt, this.panel.now.value)}`}${counts.length === 0 ? "" : ` · ${counts.join(" · ")}`}</span>
        ${problem === null ? nothing : html`<br /><span class="problem">${problem}</span>`}
      </span>
      ${
        this.panel.mayWrite
          ? html`<span class="buttons">
              <button type="button" ?disabled=${this.testing !== ""} @click=${() => void this.#test(view)}>${busy ? t("Sending …") : t("Send test")}</button>
              <button type="button" @click=${() => this.#edit({ what: "receiver", view })}>${t("Edit")}</button>
              <button type="button" @click=${() => void this.#remove("receivers", receiver.id)}>${t("Remove")}</button>
            </span>`
          : nothing
      }
    </li>`;
  }

  #dead(dead: readonly Delivery[]) {
    if (dead.length === 0) return nothing;
    return html`<section class="panel" aria-label=${t("Undelivered messages")}>
      <header><h2>${t("Undelivered messages")} <span class="dim num">${dead.length}</span></h2></header>
      <ul class="list">${dead.map(
        (one) => html`<li>
          <span><span class="name">${one.notification.verdict}</span><br /><span class="more">${one.receiver} · ${moment(one.createdAt, this.panel.now.value)} · ${one.problem ?? ""}</span></span>
          ${this.panel.mayWrite ? html`<button type="button" @click=${() => void this.#replay(one.id)}>${t("Send again")}</button>` : nothing}
        </li>`,
      )}</ul>
    </section>`;
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
      const { ok, answer: said, tookMs } = answer.value;
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

  async #replay(id: string): Promise<void> {
    const answer = await this.panel.api.alerting.replay(id);
    this.result = answer.ok ? { ok: true, text: t("It is on its way again.") } : refusal(answer.problem);
    await this.#load();
  }

  async #remove(collection: "routes" | "receivers", id: string): Promise<void> {
    const answer = await this.panel.api.alerting.remove(collection, id);
    this.result = answer.ok ? { ok: true, text: t("Removed.") } : refusal(answer.problem);
    await this.#load();
  }

  async #load(): Promise<void> {
    const { alerting } = this.panel.api;
    const [routes, receivers, dead] = await Promise.all([
      alerting.routes(),
      alerting.receivers(),
      alerting.deliveries({ state: "dead", limit: 50 }),
    ]);
    const loaded = loadedOf(routes);
    if (loaded.state !== "there") this.lists = loaded;
    else {
      const [known, undelivered] = [receivers.ok ? receivers.value.items : [], dead.ok ? dead.value.items : []];
      this.lists = { state: "there", value: { routes: loaded.value.items, receivers: known, dead: undelivered } };
      if (!receivers.ok) this.result = refusal(receivers.problem);
    }
  }
}
customElements.define("proven-routes", ProvenRoutes);
