import { html, nothing, type PropertyValues } from "lit";
import type { AgentView, NodeView } from "#protocol/api.ts";
import type { limits } from "#protocol/limits.ts";
import { formatAge, formatMoment } from "../core/age.ts";
import type { ChartSpec } from "../core/charts.ts";
import { nodeCharts } from "../core/node-charts.ts";
import { t, timeZone } from "../i18n.ts";
import { nodeState } from "./figures.ts";
import { icon } from "./icon.ts";
import "./proven-bottleneck.ts";
import "./proven-charts.ts";
import "./proven-entity-alerts.ts";
import "./proven-guests.ts";
import "./proven-hardware.ts";
import "./proven-machine.ts";
import "./proven-node-care.ts";
import "./proven-node-recovery.ts";
import "./proven-outlook.ts";
import { EntityPage, factList, notice, pageStyles } from "./proven-page.ts";
import "./proven-storages.ts";
import "./proven-tasks.ts";
import "./proven-tile.ts";
import "./proven-zpools.ts";
import { shared } from "./styles.ts";

/** The compiler holds this to the limit of protocol/limits.ts. */
const clockSkewMs: (typeof limits)["clockSkewMs"] = 5_000;

/** A node's page. */
export class ProvenNode extends EntityPage {
  static override styles = [shared, pageStyles];
  #charts: readonly ChartSpec[] = [];

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("entity")) this.#charts = nodeCharts(this.entity, t);
  }

  protected override render() {
    const { panel } = this;
    const node = this.find(panel.store.picture.value.nodes);
    if (node === undefined) return this.missing();
    return html`
      <div class="title"><h1>${icon("node")} ${node.node}</h1>${nodeState(node)}<span class="dim">${shortVersion(node.pveVersion)}</span></div>
      ${this.#notices(node)}
      <proven-entity-alerts .panel=${panel} .entity=${node.entity} .cluster=${node.cluster}></proven-entity-alerts>
      ${this.#tiles(node)}
      <proven-node-recovery .panel=${panel} .node=${node.node} .cluster=${node.cluster} .gone=${node.state === "offline"}></proven-node-recovery>
      ${node.state === "online" ? html`<proven-bottleneck .panel=${panel} .entity=${node.entity} .cluster=${node.cluster} .node=${node.node} .subject=${node.node}></proven-bottleneck>` : nothing}
      <proven-charts .panel=${panel} .entity=${node.entity} .cluster=${node.cluster} .about=${node.node} .charts=${this.#charts} .theme=${this.theme}></proven-charts>
      <proven-guests .panel=${panel} .node=${node.node} .cluster=${node.cluster}></proven-guests>
      <div class="two">
        <proven-storages .panel=${panel} .node=${node.node} .cluster=${node.cluster}></proven-storages>
        <proven-tasks .panel=${panel} .node=${node.node} .cluster=${node.cluster}></proven-tasks>
      </div>
      ${node.zpools.length === 0 ? nothing : html`<proven-zpools .panel=${panel} .node=${node.node} .cluster=${node.cluster} .pools=${node.zpools}></proven-zpools>`}
      <proven-hardware .panel=${panel} .node=${node.node} .cluster=${node.cluster}></proven-hardware>
      <div class="two">
        <proven-node-care .panel=${panel} .entity=${node.entity} .cluster=${node.cluster}></proven-node-care>
        <proven-outlook .panel=${panel} .entity=${node.entity} .cluster=${node.cluster}></proven-outlook>
      </div>
      <proven-machine .panel=${panel} .node=${node.node} .cluster=${node.cluster}></proven-machine>
      ${this.#facts(node)}
    `;
  }

  #notices(node: NodeView) {
    const now = this.panel.now.value;
    const { agent } = node;
    // An agent that is away said so long ago.
    const problems = (agent.state === "connected" ? agent.sources : [])
      .filter((source) => source.problem !== null)
      .map(({ source, problem }) => `${source}: ${problem}`);
    return html`
      ${node.state === "offline" ? notice("warn", [t("The other members of the cluster say that this node is offline."), t("Its figures below are the last known ones; its guests run only where HA started them again.")]) : nothing}
      ${node.state === "unknown" ? notice("grey", [t("Nobody can tell how this node is: neither its agent nor another member has spoken of it lately."), t("Check its network and whether proven-agent runs on it.")]) : nothing}
      ${node.state === "online" && agent.state !== "connected" ? notice("grey", [agentWords(agent, now)]) : nothing}
      ${agent.clockSkewMs !== null && Math.abs(agent.clockSkewMs) > clockSkewMs ? notice("warn", [t("This node's clock is {skew} away from the hub's. Check its time synchronisation.", { skew: formatAge(Math.abs(agent.clockSkewMs)) })]) : nothing}
      ${problems.length > 0 ? notice("warn", [t("Sources that can't be read:"), ...problems]) : nothing}
    `;
  }

  #tiles(node: NodeView) {
    const { panel } = this;
    const threads = node.cpus.value === null ? undefined : t("of {n} threads", { n: node.cpus.value });
    return html`<div class="tiles">
      <proven-tile .panel=${panel} .label=${t("CPU")} .reading=${node.cpu} .unit=${"percent"} .note=${threads} .levels=${{ warn: 0.8, crit: 0.95 }}></proven-tile>
      <proven-tile .panel=${panel} .label=${t("Memory")} .reading=${node.memUsed} .total=${node.memTotal} .unit=${"bytes"} .levels=${{ warn: 0.85, crit: 0.95 }}></proven-tile>
      <proven-tile .panel=${panel} .label=${t("Root disk")} .reading=${node.rootUsed} .total=${node.rootTotal} .unit=${"bytes"} .levels=${{ warn: 0.85, crit: 0.95 }}></proven-tile>
      <proven-tile .panel=${panel} .label=${t("Uptime")} .reading=${node.uptime} .unit=${"seconds"} .note=${t(node.guests.unknown > 0 ? "{running} run, {unknown} unknown, {total} in all" : "{running} of {total} guests run", node.guests)}></proven-tile>
    </div>`;
  }

  /** With the time that it is there, where that isn't the one of this browser. */
  #zone({ timezone }: NodeView): string | null {
    if (timezone === null || timezone === timeZone) return timezone;
    const now = this.panel.now.value;
    return t("{zone}, where it is {time}", { zone: timezone, time: formatMoment(now, now, timezone) });
  }

  #facts(node: NodeView) {
    const { agent } = node;
    const now = this.panel.now.value;
    return html`<section class="panel" aria-label=${t("Facts")}>
      <header><h2>${t("Facts")}</h2></header>
      ${factList([
        { name: t("Agent"), value: agentWords(agent, now) },
        { name: t("Agent's version"), value: agent.software },
        { name: t("Connected since"), value: agent.connectedAt === null ? null : formatMoment(agent.connectedAt, now, timeZone) },
        { name: t("Cluster duties"), value: agent.duties.join(", ") },
        { name: t("Proxmox VE"), value: node.pveVersion },
        { name: t("Kernel"), value: node.kernel },
        { name: t("Processor"), value: node.cpuModel },
        { name: t("Address"), value: node.ip },
        { name: t("Timezone of its calendars"), value: this.#zone(node) },
        {
          name: t("Sources read"),
          value: agent.sources
            .filter((source) => source.problem === null)
            .map((source) => source.source)
            .join(", "),
        },
      ])}
    </section>`;
  }
}
customElements.define("proven-node", ProvenNode);

function agentWords(agent: AgentView, now: number): string {
  const heard =
    agent.lastSeenAt === null ? t("never heard") : t("last heard {age} ago", { age: formatAge(now - agent.lastSeenAt) });
  switch (agent.state) {
    case "connected":
      return t("connected");
    case "away":
      return t("The agent is away, {heard}. While it runs it keeps its samples; they come when it is back.", { heard });
    case "never":
      return t("No agent was ever here: install proven-agent on this node.");
    case "revoked":
      return t("The agent is revoked, {heard}.", { heard });
  }
}

/** `pve-manager/9.2.11/14a22df35955d97d` → `Proxmox VE 9.2.11`. */
function shortVersion(version: string | null): string {
  const number = /^pve-manager\/([^/]+)/.exec(version ?? "")?.[1];
  return number === undefined ? (version ?? "") : `Proxmox VE ${number}`;
}
