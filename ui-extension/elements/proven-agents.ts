import { css, html, nothing, type TemplateResult } from "lit";
import type { AgentView, NodeView } from "#protocol/api.ts";
import type { EntityView } from "#protocol/entities.ts";
import type { Answer } from "../api.ts";
import { formatAge } from "../core/age.ts";
import { instancesWith, newestOf } from "../core/entity-values.ts";
import { isWithheld } from "../core/withheld.ts";
import { t } from "../i18n.ts";
import { AskedElement } from "./asked-element.ts";
import { dash } from "./figures.ts";
import { formStyles, refusal, type Said, said } from "./form.ts";
import { type IconName, icon } from "./icon.ts";
import { entityLink } from "./link.ts";
import { certificateText } from "./proven-node-care.ts";
import "./proven-table.ts";
import type { TableColumn } from "./proven-table.ts";
import { shared } from "./styles.ts";

type Act = "revoke" | "renew-key";

const unheard = (node: NodeView) =>
  dash(isWithheld(node) ? t("You may not see this: ask for Sys.Audit in Proxmox VE.") : t("never heard"));

/** Every node's agent: whether it is heard, what it runs, when its node's certificate ends, and who shuts it out or changes its key. */
export class ProvenAgents extends AskedElement<readonly EntityView[]> {
  static override properties = { ...AskedElement.properties, asking: { state: true }, result: { state: true } };
  static override styles = [
    shared,
    formStyles,
    css`
      .state { padding: 8px 12px; }
      .asks { display: flex; flex-wrap: wrap; gap: 6px 10px; align-items: center; padding: 8px 12px; border-bottom: 1px solid var(--pv-line); background: var(--pv-warn-tint); }
      .asks p { flex: 1 1 320px; }
    `,
  ];
  /** Waits for a yes. */
  declare asking: { act: Act; node: NodeView } | undefined;
  declare result: Said;

  protected question() {
    return "agents";
  }

  /** The nodes with their newest values: their certificates are among them. */
  protected async ask(): Promise<Answer<readonly EntityView[]>> {
    const answer = await this.panel.api.entities.list({ kind: "node", values: 1 });
    return answer.ok ? { ok: true, value: answer.value.items } : answer;
  }

  protected override render() {
    const { nodes } = this.panel.store.picture.value;
    return html`
      <div class="title"><h1>${t("Agents")}</h1></div>
      ${said(this.result)}
      <section class="panel" aria-label=${t("Agents")}>
        <header><h2>${t("Agents")} <span class="dim num">${nodes.length}</span></h2></header>
        ${this.#confirmation()}
        ${this.state()}
        <proven-table
          .caption=${t("Agents")}
          .columns=${this.#columns()}
          .rows=${nodes}
          .keyOf=${(node: NodeView) => `${node.cluster} ${node.entity}`}
          .sorting=${{ column: "node", descending: false }}
          .empty=${t("No nodes yet.")}
        ></proven-table>
      </section>
    `;
  }

  #columns(): TableColumn<NodeView>[] {
    const now = this.panel.now.value;
    const columns: TableColumn<NodeView>[] = [
      {
        ...{ id: "node", title: t("Node"), priority: 1 },
        sort: (node) => node.node,
        cell: (node) => entityLink(this.panel, node, html`${icon("node")} ${node.node}`),
      },
      {
        ...{ id: "state", title: t("Agent"), priority: 1, width: "112px" },
        sort: ({ agent }) => agent.state,
        cell: ({ agent }) => stateCell(agent),
      },
      {
        ...{ id: "seen", title: t("Last heard"), priority: 2, width: "104px", right: true },
        sort: (node) => heardAt(node),
        cell: (node) => {
          const at = heardAt(node);
          return at === undefined ? unheard(node) : html`<span class="num">${formatAge(now - at)}</span>`;
        },
      },
      {
        ...{ id: "version", title: t("Version"), priority: 3, width: "92px" },
        sort: ({ agent }) => agent.software ?? undefined,
        cell: (node) => node.agent.software ?? unheard(node),
      },
      {
        ...{ id: "certificate", title: t("Certificate"), priority: 2, width: "142px" },
        sort: (node) => this.#certificate(node)?.left,
        cell: (node) => {
          const first = this.#certificate(node);
          return first === undefined
            ? dash(t("no value now"))
            : html`<span title=${first.file}>${certificateText(first.left)}</span>`;
        },
      },
    ];
    const { panel } = this;
    if (!panel.store.picture.value.nodes.some(({ cluster }) => panel.mayKeep(cluster))) return columns;
    const acts: TableColumn<NodeView> = {
      ...{ id: "acts", title: t("Its key"), priority: 1, width: "158px", whole: true },
      cell: (node) => this.#buttons(node),
    };
    return [...columns, acts];
  }

  /** Of the node's certificates, one of which its agent shows to browsers, the one that ends first; undefined: unknown. */
  #certificate(node: NodeView): { file: string; left: number } | undefined {
    const now = this.panel.now.value;
    const entity = this.asked.value?.find((one) => one.entity === node.entity && one.cluster === node.cluster);
    if (entity === undefined) return undefined;
    const known = instancesWith(entity, "certificate_left").flatMap((file) => {
      const left = newestOf(entity, "certificate_left", now, file);
      return left === undefined ? [] : [{ file, left }];
    });
    return known.sort((a, b) => a.left - b.left)[0];
  }

  #buttons(node: NodeView) {
    const { state } = node.agent;
    if (!this.panel.mayKeep(node.cluster)) return nothing;
    if (state === "never" || state === "revoked") return nothing;
    const button = (act: Act, words: string) =>
      html`<button type="button" @click=${() => this.#confirm(act, node)}>${words}<span class="sr"> ${node.node}</span></button>`;
    return html`${state === "connected" ? button("renew-key", t("Rotate")) : nothing} ${button("revoke", t("Revoke"))}`;
  }

  #confirm(act: Act, node: NodeView): void {
    this.asking = { act, node };
    this.result = undefined;
    void this.updateComplete.then(() => this.renderRoot.querySelector<HTMLElement>("[data-no]")?.focus());
  }

  #confirmation(): TemplateResult | typeof nothing {
    if (this.asking === undefined) return nothing;
    const { act, node } = this.asking;
    const named = { node: node.node };
    const words = {
      revoke: t(
        "Revoke the agent of {node}? Its connection ends, and so does the panel on that node. It is let in again only with a new key: there, remove /var/lib/proven-agent/agent.key and start proven-agent anew.",
        named,
      ),
      "renew-key": t(
        "Rotate the key of {node}'s agent? It makes a new one and connects with it; the old one lets nobody in any more.",
        named,
      ),
    };
    const label = { revoke: t("Revoke {node}", named), "renew-key": t("Rotate the key of {node}", named) };
    const no = () => {
      this.asking = undefined;
    };
    return html`<div class="asks" role="alertdialog" aria-label=${label[act]}>
      <p>${words[act]}</p>
      <span class="buttons"><button type="button" class="primary" @click=${() => void this.#act(act, node)}>${label[act]}</button>
      <button type="button" data-no @click=${no}>${t("No")}</button></span>
    </div>`;
  }

  async #act(act: Act, node: NodeView): Promise<void> {
    this.asking = undefined;
    const { agents } = this.panel.api;
    const answer = act === "revoke" ? await agents.revoke(node) : await agents.renewKey(node);
    const named = { node: node.node };
    const done = {
      revoke: t("The agent of {node} is revoked.", named),
      "renew-key": t("The agent of {node} was asked for a new key: the audit log says when it is used.", named),
    };
    this.result = answer.ok ? { ok: true, text: done[act] } : refusal(answer.problem);
  }
}
customElements.define("proven-agents", ProvenAgents);

/** Of its newest word or sample; undefined: never. */
function heardAt({ agent, cpu }: NodeView): number | undefined {
  const at = Math.max(agent.lastSeenAt ?? 0, cpu.at ?? 0);
  return at === 0 ? undefined : at;
}

function stateCell({ state }: AgentView) {
  const looks: Record<AgentView["state"], [icon: IconName, level: string, words: string]> = {
    connected: ["ok", "ok", t("connected")],
    away: ["warning", "warn", t("away")],
    never: ["unknown", "dim", t("none")],
    revoked: ["lock", "crit", t("revoked")],
  };
  const [name, level, words] = looks[state];
  return html`<span class="nowrap ${level}">${icon(name)} ${words}</span>`;
}
