import { html, nothing, type PropertyValues } from "lit";
import { keyed } from "lit/directives/keyed.js";
import type { GuestView } from "#protocol/api.ts";
import { formatMoment } from "../core/age.ts";
import type { ChartSpec } from "../core/charts.ts";
import { guestCharts } from "../core/guest-charts.ts";
import { lastHeardAt, memorySourceText } from "../core/guests.ts";
import { statusProblems } from "../core/problems.ts";
import { t, timeZone, tn } from "../i18n.ts";
import { guestState } from "./figures.ts";
import { icon } from "./icon.ts";
import { entityLink } from "./link.ts";
import "./proven-bottleneck.ts";
import "./proven-charts.ts";
import "./proven-drives.ts";
import "./proven-entity-alerts.ts";
import "./proven-guest-actions.ts";
import "./proven-guest-care.ts";
import "./proven-guest-proof.ts";
import { EntityPage, factList, lockNotice, notice, pageStyles } from "./proven-page.ts";
import "./proven-tasks.ts";
import "./proven-tile.ts";
import { shared } from "./styles.ts";

/** A guest's page. */
export class ProvenGuest extends EntityPage {
  static override styles = [shared, pageStyles];
  #charts: readonly ChartSpec[] = [];
  #chartsFor = "";

  protected override willUpdate(_changed: PropertyValues<this>): void {
    const guest = this.find(this.panel.store.picture.value.guests);
    const wanted = guest === undefined ? "" : `${guest.entity} ${guest.type} ${guest.memSource}`;
    if (guest === undefined || wanted === this.#chartsFor) return;
    this.#chartsFor = wanted;
    this.#charts = guestCharts(guest, t);
  }

  protected override render() {
    const { panel } = this;
    const guest = this.find(panel.store.picture.value.guests);
    if (guest === undefined) return this.missing();
    const now = panel.now.value;
    const kind = guest.type === "qemu" ? t("virtual machine") : t("container");
    return html`
      <div class="title">
        <h1>${icon(guest.type, kind)} ${guest.vmid} ${guest.name}</h1>
        ${guestState(guest, now)}
        <span class="dim">${t("on node")} ${entityLink(panel, { entity: `node/${guest.node}`, cluster: guest.cluster }, guest.node)}</span>
        <span>${guest.tags.map((tag) => html`<span class="tag">${tag}</span>`)}</span>
        <proven-guest-actions .panel=${panel} .guest=${guest}></proven-guest-actions>
      </div>
      ${this.#notices(guest, now)}
      <proven-entity-alerts .panel=${panel} .entity=${guest.entity} .cluster=${guest.cluster}></proven-entity-alerts>
      ${guest.state === "stopped" ? nothing : this.#tiles(guest)}
      ${guest.state === "running" ? html`<proven-bottleneck .panel=${panel} .entity=${guest.entity} .cluster=${guest.cluster} .node=${guest.node} .subject=${`${guest.type === "qemu" ? "VM" : "CT"} ${guest.vmid}`}></proven-bottleneck>` : nothing}
      ${keyed(`${guest.cluster} ${guest.entity}`, html`<proven-guest-proof .panel=${panel} .guest=${guest}></proven-guest-proof>`)}
      <proven-charts .panel=${panel} .entity=${guest.entity} .cluster=${guest.cluster} .about=${`${guest.vmid} ${guest.name}`} .charts=${this.#charts} .theme=${this.theme}></proven-charts>
      <proven-drives .panel=${panel} .entity=${guest.entity} .cluster=${guest.cluster}></proven-drives>
      <div class="two">
        <proven-guest-care .panel=${panel} .entity=${guest.entity} .cluster=${guest.cluster}></proven-guest-care>
        ${this.#facts(guest, kind)}
      </div>
      <proven-tasks .panel=${panel} .guest=${guest.vmid} .cluster=${guest.cluster}></proven-tasks>
    `;
  }

  #whyUnknown({ cluster, node }: GuestView): string {
    const home = this.panel.store.picture.value.nodes.find((one) => one.cluster === cluster && one.node === node);
    if (home?.state === "offline") return t("Nothing is known of this guest now: node {node} is offline.", { node });
    if (home?.state !== "online") return t("Nothing is known of this guest now: node {node} is silent.", { node });
    return home.agent.state === "connected"
      ? t("Nothing is known of this guest now: Proxmox VE on {node} says nothing of it.", { node })
      : t("Nothing is known of this guest now: no agent tells of {node}.", { node });
  }

  #notices(guest: GuestView, now: number) {
    const heard = lastHeardAt(guest);
    const { nodes } = this.panel.store.picture.value;
    const since =
      heard === undefined
        ? t("It was never heard of.")
        : t("Last heard of at {time}.", { time: formatMoment(heard, now, timeZone) });
    return html`
      ${guest.state === "unknown" ? notice("grey", [this.#whyUnknown(guest), ...statusProblems(nodes, guest.cluster, guest.node, t), since]) : nothing}
      ${lockNotice(guest.lock)}
      ${guest.state === "stopped" && !guest.template ? notice("grey", [t("This guest is stopped; the charts show what was.")]) : nothing}
    `;
  }

  #tiles(guest: GuestView) {
    const { panel } = this;
    const cores = guest.cpus.value === null ? undefined : tn(guest.cpus.value, "of its {n} core", "of its {n} cores");
    return html`<div class="tiles">
      <proven-tile .panel=${panel} .label=${t("CPU")} .reading=${guest.cpu} .unit=${"percent"} .note=${cores} .levels=${{ warn: 0.8, crit: 0.95 }}></proven-tile>
      <proven-tile
        .panel=${panel} .label=${t("Memory")} .reading=${guest.memUsed} .total=${guest.memMax} .unit=${"bytes"}
        .note=${guest.memSource === null ? undefined : t(memorySourceText(guest.memSource))} .levels=${{ warn: 0.9, crit: 0.97 }}
      ></proven-tile>
      ${guest.type === "qemu" && guest.diskUsed.state === "absent" ? nothing : html`<proven-tile .panel=${panel} .label=${t("Disk used")} .reading=${guest.diskUsed} .total=${guest.diskMax} .unit=${"bytes"} .levels=${{ warn: 0.85, crit: 0.95 }}></proven-tile>`}
      <proven-tile .panel=${panel} .label=${t("Network in")} .reading=${guest.netIn} .unit=${"bytesPerSecond"}></proven-tile>
      <proven-tile .panel=${panel} .label=${t("Network out")} .reading=${guest.netOut} .unit=${"bytesPerSecond"}></proven-tile>
      <proven-tile .panel=${panel} .label=${t("Disk read")} .reading=${guest.diskRead} .unit=${"bytesPerSecond"}></proven-tile>
      <proven-tile .panel=${panel} .label=${t("Disk written")} .reading=${guest.diskWrite} .unit=${"bytesPerSecond"}></proven-tile>
      <proven-tile .panel=${panel} .label=${t("Uptime")} .reading=${guest.uptime} .unit=${"seconds"}></proven-tile>
    </div>`;
  }

  #facts(guest: GuestView, kind: string) {
    return html`<section class="panel" aria-label=${t("Facts")}>
      <header><h2>${t("Facts")}</h2></header>
      ${factList([
        { name: t("Kind"), value: guest.template ? `${kind}, ${t("template")}` : kind },
        { name: t("Node"), value: guest.node },
        { name: t("Pool"), value: guest.pool },
        { name: t("Tags"), value: guest.tags.join(", ") },
        { name: t("Lock"), value: guest.lock ?? t("none") },
        { name: t("Starts with the node"), value: guest.onboot ? t("yes") : t("no") },
        {
          name: t("Incarnation"),
          value:
            guest.incarnation === 1
              ? t("first guest with this number")
              : t("number {n} with this VMID", { n: guest.incarnation }),
        },
      ])}
    </section>`;
  }
}
customElements.define("proven-guest", ProvenGuest);
