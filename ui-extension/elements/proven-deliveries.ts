import { css, html, nothing, type PropertyValues } from "lit";
import { repeat } from "lit/directives/repeat.js";
import type { Delivery, ReceiverView } from "#protocol/notifications.ts";
import { formatExact } from "../core/age.ts";
import { t, timeZone, tn } from "../i18n.ts";
import { moment } from "./figures.ts";
import { choice, field, formStyles, refusal, type Said, said } from "./form.ts";
import { type IconName, icon } from "./icon.ts";
import { type Loaded, loadedOf, loading } from "./loaded.ts";
import { PanelElement } from "./panel-element.ts";
import { shared } from "./styles.ts";

const pageSize = 50;

type State = Delivery["state"];
const looks: Record<State, { icon: IconName; level: string; word: () => string }> = {
  queued: { icon: "clock", level: "dim", word: () => t("waits") },
  retrying: { icon: "warning", level: "warn", word: () => t("trying again") },
  delivered: { icon: "ok", level: "ok", word: () => t("delivered") },
  dead: { icon: "critical", level: "crit", word: () => t("undelivered") },
  dropped: { icon: "unknown", level: "dim", word: () => t("dropped") },
};

/** What became of each message: every attempt with its answer, and what is dead can be sent again. `newest`: id of one to open at once. */
export class ProvenDeliveries extends PanelElement {
  static override properties = {
    ...PanelElement.properties,
    receivers: { attribute: false },
    newest: { attribute: false },
    receiver: { state: true },
    state: { state: true },
    deliveries: { state: true },
    open: { state: true },
    result: { state: true },
  };
  static override styles = [
    shared,
    formStyles,
    css`
      .fields { padding: 8px 12px 0; }
      li { border-bottom: 1px solid var(--pv-line-soft); }
      .row { display: grid; grid-template-columns: 96px 108px minmax(0, 1fr) auto; gap: 2px 12px; padding: 6px 12px; align-items: baseline; }
      .row > button { text-align: left; overflow-wrap: anywhere; }
      ol { margin: 0 12px 8px; padding: 6px 10px; list-style: none; background: var(--pv-unknown-tint); display: grid; gap: 3px; }
      ol li { border: 0; display: grid; grid-template-columns: 150px 70px minmax(0, 1fr); gap: 2px 12px; overflow-wrap: anywhere; }
      @media (max-width: 700px) { .row { grid-template-columns: auto minmax(0, 1fr); } .row > .what { grid-column: 1 / -1; } ol li { grid-template-columns: minmax(0, 1fr) auto; } ol li > :last-child { grid-column: 1 / -1; } }
    `,
  ];
  declare receivers: readonly ReceiverView[];
  declare newest: string;
  /** Filters; empty: all. */
  declare receiver: string;
  declare state: State | "";
  declare deliveries: Loaded<readonly Delivery[]>;
  /** Id of the one whose attempts are shown. */
  declare open: string;
  declare result: Said;
  #next: number | null = null;

  constructor() {
    super();
    this.receivers = [];
    this.newest = "";
    this.receiver = "";
    this.state = "";
    this.deliveries = loading;
    this.open = "";
  }

  protected watched() {
    return [this.panel.now];
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("newest") && this.newest !== "") {
      this.open = this.newest;
      if (this.hasUpdated) void this.#load();
    }
  }

  protected override firstUpdated(_changed: PropertyValues<this>): void {
    void this.#load();
  }

  protected override render() {
    const { deliveries } = this;
    const dead = this.receiver === "" ? 0 : (this.receivers.find(({ receiver }) => receiver.id === this.receiver)?.dead ?? 0);
    const names = this.receivers.map(({ receiver }) => [receiver.id, receiver.name] as const);
    const states = (Object.keys(looks) as State[]).map((one) => [one, looks[one].word()] as const);
    return html`<section class="panel" aria-label=${t("Log of deliveries")}>
      <header><h2>${t("Log of deliveries")}</h2><span class="dim">${t("what became of each message")}</span>
        <span class="end"><button type="button" @click=${() => void this.#load()}>${t("Look again")}</button></span></header>
      <div class="fields">
        ${field(
          t("Receiver"),
          choice(this.receiver, [["", t("all")] as const, ...names], (receiver) => this.#filter({ receiver })),
        )}
        ${field(
          t("State"),
          choice(this.state, [["", t("all")] as const, ...states], (state) => this.#filter({ state })),
        )}
      </div>
      ${dead > 0 && this.panel.maySet ? html`<p class="body"><span><button type="button" @click=${() => void this.#replayAll()}>${tn(dead, "Send {n} undelivered message again", "Send all {n} undelivered messages again")}</button></span></p>` : nothing}
      ${said(this.result)}
      ${deliveries.state === "loading" ? html`<p class="empty" role="status">${t("Loading …")}</p>` : nothing}
      ${deliveries.state === "failed" ? said(refusal(deliveries.problem)) : nothing}
      ${deliveries.state === "there" ? this.#list(deliveries.value) : nothing}
    </section>`;
  }

  #list(deliveries: readonly Delivery[]) {
    if (deliveries.length === 0) return html`<p class="empty">${t("No message fits the filter.")}</p>`;
    return html`<ul>${repeat(
      deliveries,
      ({ id }) => id,
      (one) => this.#row(one),
    )}</ul>
      ${this.#next === null ? nothing : html`<p class="body"><span><button type="button" @click=${() => void this.#load(this.#next ?? undefined)}>${t("Older ones")}</button></span></p>`}`;
  }

  #row(one: Delivery) {
    const look = looks[one.state];
    const isOpen = this.open === one.id;
    const toggle = () => {
      this.open = isOpen ? "" : one.id;
    };
    return html`<li>
      <div class="row">
        ${moment(one.createdAt, this.panel.now.value)}
        <span class=${look.level}>${icon(look.icon)} ${look.word()}</span>
        <button type="button" class="quiet what" aria-expanded=${isOpen ? "true" : "false"} @click=${toggle}>
          ${icon(isOpen ? "up" : "down")} <strong>${this.#nameOf(one.receiver)}</strong> · ${one.notification.verdict} <span class="dim">(${tn(one.attempts.length, "{n} attempt", "{n} attempts")})</span>
        </button>
        ${one.state === "dead" && this.panel.maySet ? html`<button type="button" @click=${() => void this.#replay(one.id)}>${t("Send again")}</button>` : html`<span></span>`}
      </div>
      ${isOpen ? this.#attempts(one) : nothing}
    </li>`;
  }

  #attempts({ attempts, nextAttemptAt, problem }: Delivery) {
    return html`<ol aria-label=${t("Attempts")}>
      ${attempts.length === 0 ? html`<li><span class="dim">${t("It was not tried yet.")}</span></li>` : nothing}
      ${attempts.map(
        ({ at, tookMs, ok, answer }) =>
          html`<li><span class="num">${formatExact(at, timeZone).slice(5)}</span><span class="num dim">${tookMs} ms</span><span class=${ok ? "" : "crit"}>${icon(ok ? "ok" : "critical", ok ? t("took it") : t("refused"))} ${answer}</span></li>`,
      )}
      ${nextAttemptAt === null ? nothing : html`<li><span class="num">${formatExact(nextAttemptAt, timeZone).slice(5)}</span><span></span><span class="dim">${t("the next attempt")}</span></li>`}
      ${problem === null || attempts.at(-1)?.answer === problem ? nothing : html`<li><span></span><span></span><span class="crit">${problem}</span></li>`}
    </ol>`;
  }

  #nameOf(id: string): string {
    return this.receivers.find(({ receiver }) => receiver.id === id)?.receiver.name ?? id;
  }

  #filter(change: { receiver?: string; state?: State | "" }): void {
    if (change.receiver !== undefined) this.receiver = change.receiver;
    if (change.state !== undefined) this.state = change.state;
    this.result = undefined;
    void this.#load();
  }

  async #replay(id: string): Promise<void> {
    const answer = await this.panel.api.alerting.replay(id);
    this.result = answer.ok ? { ok: true, text: t("It is on its way again.") } : refusal(answer.problem);
    await this.#load();
  }

  async #replayAll(): Promise<void> {
    const answer = await this.panel.api.alerting.replayAll(this.receiver);
    this.result = answer.ok
      ? { ok: true, text: tn(answer.value.replayed, "{n} message is on its way again.", "{n} messages are on their way again.") }
      : refusal(answer.problem);
    this.dispatchEvent(new CustomEvent("changed"));
    await this.#load();
  }

  async #load(cursor?: number): Promise<void> {
    const { receiver, state } = this;
    const answer = await this.panel.api.alerting.deliveries({ receiver, state, limit: pageSize, cursor });
    if (receiver !== this.receiver || state !== this.state) return;
    const before = cursor !== undefined && this.deliveries.state === "there" ? this.deliveries.value : [];
    const loaded = loadedOf(answer);
    if (loaded.state === "there") this.#next = loaded.value.next;
    this.deliveries = loaded.state === "there" ? { state: "there", value: [...before, ...loaded.value.items] } : loaded;
  }
}
customElements.define("proven-deliveries", ProvenDeliveries);
