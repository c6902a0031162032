import { css, html, nothing } from "lit";
import type { Rule } from "#protocol/alerting.ts";
import { sectionRoute } from "../core/route.ts";
import { t } from "../i18n.ts";
import { refusal, said } from "./form.ts";
import { link } from "./link.ts";
import { type Loaded, loadedOf, loading } from "./loaded.ts";
import { PanelElement } from "./panel-element.ts";
import { shared } from "./styles.ts";

/** As alerts are named: `<rule>@<cluster>/<entity>#<incarnation>`. */
const alertId = (rule: string, { entity, cluster, incarnation }: Place) => `${rule}@${cluster}/${entity}#${incarnation}`;

type Place = { entity: string; cluster: string; incarnation: number };

/**
 * Ways to "why did, or didn't, this fire" where no alert stands: of one entity with every rule about its kind, or of one `rule` with every
 * entity of its kind. Rules are asked for when it is unfolded.
 */
export class ProvenWhyLinks extends PanelElement {
  static override properties = {
    ...PanelElement.properties,
    rule: { attribute: false },
    entity: { attribute: false },
    cluster: { attribute: false },
    rules: { state: true },
  };
  static override styles = [
    shared,
    css`
      summary { padding: 7px 12px; cursor: pointer; color: var(--pv-link); }
      ul { columns: auto 230px; padding: 0 12px 10px; max-height: 300px; overflow-y: auto; }
      li { break-inside: avoid; padding: 2px 0; overflow-wrap: anywhere; }
    `,
  ];
  /** Undefined: every rule, of one entity. */
  declare rule: Rule | undefined;
  declare entity: string;
  declare cluster: string;
  declare rules: Loaded<readonly Rule[]>;

  constructor() {
    super();
    this.entity = "";
    this.cluster = "";
    this.rules = loading;
  }

  protected watched() {
    return [];
  }

  protected override render() {
    return html`<details class="panel" @toggle=${this.#onToggle}>
      <summary>${this.rule === undefined ? t("Why did, or didn't, a rule fire here?") : t("Why did, or didn't, it fire for …?")}</summary>
      ${this.rule === undefined ? this.#ofEntity() : this.#ofRule(this.rule)}
    </details>`;
  }

  #ofEntity() {
    const { rules } = this;
    if (rules.state === "loading") return html`<p class="dim" role="status">${t("Loading …")}</p>`;
    if (rules.state === "failed") return said(refusal(rules.problem));
    const kind = this.entity.split("/")[0];
    const place = this.#places(kind ?? "").find((one) => one.entity === this.entity && one.cluster === this.cluster) ?? {
      entity: this.entity,
      cluster: this.cluster,
      incarnation: 1,
    };
    const own = rules.value.filter(({ entity }) => entity === kind);
    return html`<ul>${own.map(
      ({ id, name, enabled }) =>
        html`<li>${link(this.panel, sectionRoute("alerts", alertId(id, place)), name)}${enabled ? nothing : html` <span class="tag">${t("off")}</span>`}</li>`,
    )}</ul>`;
  }

  #ofRule(rule: Rule) {
    const places = this.#places(rule.entity);
    if (places.length === 0) return html`<p class="dim">${t("There is nothing of this kind now.")}</p>`;
    return html`<ul>${places.map((place) => html`<li>${link(this.panel, sectionRoute("alerts", alertId(rule.id, place)), place.title)}</li>`)}</ul>`;
  }

  #places(kind: string): (Place & { title: string })[] {
    const { nodes, guests, storages } = this.panel.store.picture.value;
    const once = { incarnation: 1 };
    if (kind === "guest") {
      return guests.map(({ entity, cluster, incarnation, vmid, name }) => ({
        entity,
        cluster,
        incarnation,
        title: `${vmid} ${name}`,
      }));
    }
    if (kind === "node") return nodes.map(({ entity, cluster, node }) => ({ entity, cluster, ...once, title: node }));
    if (kind !== "storage") return [];
    return storages.map(({ entity, cluster }) => ({ entity, cluster, ...once, title: entity.replace("storage/", "") }));
  }

  #onToggle(event: Event): void {
    const opened = event.target instanceof HTMLDetailsElement && event.target.open;
    if (opened && this.rule === undefined && this.rules.state !== "there") void this.#load();
    else if (opened) this.requestUpdate();
  }

  async #load(): Promise<void> {
    const answer = loadedOf(await this.panel.api.alerting.rules());
    this.rules = answer.state === "there" ? { state: "there", value: answer.value.items } : answer;
  }
}
customElements.define("proven-why-links", ProvenWhyLinks);
