import { css, html, nothing } from "lit";
import type { EntityView } from "#protocol/entities.ts";
import type { Answer } from "../api.ts";
import { formatAge } from "../core/age.ts";
import { protectionKey } from "../core/protection.ts";
import { t, tn } from "../i18n.ts";
import { AskedElement } from "./asked-element.ts";
import { moment } from "./figures.ts";
import { protectionWord } from "./figures-guest.ts";
import { icon } from "./icon.ts";
import { entityLink } from "./link.ts";
import { factList, pageStyles } from "./proven-page.ts";
import { shared } from "./styles.ts";

/** A snapshot so old is mostly forgotten, and grows. */
const oldSnapshotMs = 14 * 86_400_000;

/** A guest's own agent, its storages, its backups and its snapshots. */
export class ProvenGuestCare extends AskedElement<EntityView | undefined> {
  static override properties = { ...AskedElement.properties, entity: { attribute: false }, cluster: { attribute: false } };
  static override styles = [
    shared,
    pageStyles,
    css`
      .state { padding: 8px 12px; }
      ol { list-style: none; margin: 0; padding: 0 12px 6px; max-height: 190px; overflow-y: auto; }
      li { display: flex; gap: 12px; padding: 3px 0; border-bottom: 1px solid var(--pv-line-soft); overflow-wrap: anywhere; }
      li :first-child { margin-right: auto; }
    `,
  ];
  declare entity: string;
  declare cluster: string;

  protected override watched() {
    return [this.panel.now, this.panel.overview.protections];
  }

  protected question() {
    return `${this.cluster} ${this.entity}`;
  }

  protected async ask(): Promise<Answer<EntityView | undefined>> {
    const answer = await this.panel.api.entities.list({ entity: this.entity, cluster: this.cluster });
    return answer.ok ? { ok: true, value: answer.value.items[0] } : answer;
  }

  protected override render() {
    const { value } = this.asked;
    if (value?.guest === null || (value === undefined && this.asked.at > 0)) return nothing;
    return html`<section class="panel" aria-label=${t("Agent, storages and snapshots")}>
      <header><h2>${t("Agent, storages and snapshots")}</h2></header>
      ${this.state()}
      ${value === undefined ? nothing : this.#content(value)}
    </section>`;
  }

  #content({ guest, type, storages, node, cluster }: EntityView) {
    if (guest === null) return nothing;
    const { snapshots, snapshotsLeftOut } = guest;
    const place = (storage: string) => {
      const known = this.panel.store.picture.value.storages.find(
        (one) => one.cluster === cluster && one.storage === storage && (one.node === null || one.node === node),
      );
      return known === undefined ? storage : entityLink(this.panel, known, storage);
    };
    const count = snapshots === null ? undefined : snapshots.length + snapshotsLeftOut;
    return html`
      ${factList([
        ...(type === "qemu" ? [{ name: t("Agent in the guest"), value: this.#agent(guest.agent) }] : []),
        {
          name: t("Its volumes are on"),
          value: storages.length === 0 ? null : storages.map((storage, index) => html`${index > 0 ? ", " : ""}${place(storage)}`),
        },
        ...this.#backups(),
        { name: t("High availability"), value: guest.ha ?? t("not managed") },
        {
          name: t("Snapshots"),
          value: count === undefined ? null : count === 0 ? t("none") : tn(count, "{n} snapshot", "{n} snapshots"),
        },
      ])}
      ${snapshots === null || snapshots.length === 0 ? nothing : html`<ol aria-label=${t("Snapshots")}>${snapshots.map((one) => this.#snapshot(one))}</ol>`}
    `;
  }

  /** Nothing is green of a guest that nobody sees now. */
  #agent(agent: NonNullable<EntityView["guest"]>["agent"]) {
    const seen = this.panel.store.picture.value.guests.find((one) => one.entity === this.entity && one.cluster === this.cluster);
    return agent === "answers" && seen?.state !== "running" ? t("answered when it was last asked") : agentText(agent);
  }

  /** By which jobs, since when, and what they leave out. */
  #backups() {
    const view = this.panel.overview.protections.value?.get(protectionKey(this));
    if (view === undefined) return [];
    const { jobs, backupStorage, unprotected } = view;
    const of = jobs.map(({ id, schedule }) => (schedule === null ? id : `${id} (${schedule})`)).join(", ");
    const on = backupStorage === null ? "" : ` ${t("on {storage}", { storage: backupStorage })}`;
    const whys = { off: t("switched off for it"), "no-volume": t("of the node, no volume") };
    const disks = unprotected?.map(({ disk, why }) => `${disk}: ${whys[why]}`).join(", ") ?? t("unknown");
    // Without a job nothing is left out of one, and all of it is in none.
    const left = view.state !== "none" ? disks : view.backedUpAt === null ? t("all of its disks") : t("unknown");
    return [
      { name: t("Backed up"), value: html`${protectionWord(view, this.panel.now.value)}${on}` },
      { name: t("Backup jobs"), value: of === "" ? t("none") : of },
      { name: t("In no backup"), value: left === "" ? t("none of its disks") : html`<span class="warn">${left}</span>` },
    ];
  }

  #snapshot({ name, at }: { name: string; at: number }) {
    const now = this.panel.now.value;
    const age = t("{age} old", { age: formatAge(now - at) });
    return html`<li><span>${name}</span>${moment(at, now)}${now - at > oldSnapshotMs ? html`<span class="warn nowrap">${icon("warning")} ${age}</span>` : html`<span class="dim nowrap">${age}</span>`}</li>`;
  }
}
customElements.define("proven-guest-care", ProvenGuestCare);

function agentText(agent: NonNullable<EntityView["guest"]>["agent"]) {
  switch (agent) {
    case "answers":
      return html`<span class="ok">${icon("ok")} ${t("answers")}</span>`;
    case "silent":
      return html`<span class="warn">${icon("warning")} ${t("enabled, but doesn't answer")}</span>`;
    case "off":
      return t("off: memory and file systems are known only from outside");
    case "unasked":
      return t("not asked so far");
    case null:
      return null;
  }
}
