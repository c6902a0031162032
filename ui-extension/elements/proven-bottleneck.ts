import { css, html, nothing } from "lit";
import type { Reading } from "#protocol/api.ts";
import type { Answer } from "../api.ts";
import { type BottleneckFacts, findBottleneck } from "../core/bottleneck.ts";
import { instancesOf } from "../core/charts.ts";
import { shownReading } from "../core/reading.ts";
import { neighboursOf, recentMs, waitSelectors, waitsOf } from "../core/recent.ts";
import { t } from "../i18n.ts";
import { AskedElement } from "./asked-element.ts";
import { icon } from "./icon.ts";
import { shared } from "./styles.ts";

/** Guests of a node that may be loud. */
const neighboursMax = 20;

/** `newest`: its use of CPU as last said, which tells whether the five minutes reach until now. */
type Recent = BottleneckFacts & { newest: Reading | undefined };

/** What holds a guest or a node up just now, in words. */
export class ProvenBottleneck extends AskedElement<Recent> {
  static override properties = {
    ...AskedElement.properties,
    entity: { attribute: false },
    cluster: { attribute: false },
    node: { attribute: false },
    subject: { attribute: false },
  };
  static override styles = [
    shared,
    css`
      .line { display: flex; gap: 8px; padding: 7px 12px; border: 1px solid var(--pv-line); border-left-width: 5px; background: var(--pv-panel); }
      .found { border-left-color: var(--pv-warn); background: var(--pv-warn-tint); }
      .found .icon { color: var(--pv-warn); }
      .none { border-left-color: var(--pv-ok); }
      .none .icon { color: var(--pv-ok); }
      .too-little { border-left-color: var(--pv-dim); }
      p + p { margin-top: 2px; }
      strong { font-weight: 600; }
    `,
  ];
  declare entity: string;
  declare cluster: string;
  /** Where a guest is; a node's own name. */
  declare node: string;
  /** As it is called in the sentence. */
  declare subject: string;

  protected question() {
    return `${this.cluster} ${this.entity} ${this.node}`;
  }

  protected async ask(): Promise<Answer<Recent>> {
    const { entity, cluster, node, subject } = this;
    const { api } = this.panel;
    const isNode = entity.startsWith("node/");
    const metrics = await api.metrics(entity, cluster);
    if (!metrics.ok) return metrics;
    const to = Math.floor(this.panel.now.value / 60_000) * 60_000 + 60_000;
    const own = waitSelectors(entity, cluster, instancesOf(metrics.value));
    const host = isNode ? [] : waitSelectors(`node/${node}`, cluster, new Map());
    const filter = { class: "guests" as const, cluster, node, n: neighboursMax, windowMs: recentMs };
    const [series, top, guests] = await Promise.all([
      api.querySeries({ series: [...own, ...host], from: to - recentMs, to, stepMs: 60_000 }),
      api.topSeries({ ...filter, metric: "disk_read", plus: ["disk_written"] }),
      api.entities.list({ kind: "guest", cluster, node }),
    ]);
    if (!series.ok) return series;
    const list = guests.ok ? guests.value.items : [];
    const facts: Recent = {
      kind: isNode ? "node" : "guest",
      subject,
      own: waitsOf(series.value, entity),
      host: isNode ? undefined : { name: node, waits: waitsOf(series.value, `node/${node}`) },
      storages: list.find((guest) => guest.entity === entity)?.storages ?? [],
      neighbours: top.ok ? neighboursOf(top.value, list, entity) : [],
      newest: metrics.value.metrics.find(({ metric, instance }) => metric === "cpu" && instance === null),
    };
    return { ok: true, value: facts };
  }

  protected override render() {
    const facts = this.asked.value;
    if (facts === undefined)
      return this.asked.problem === undefined ? nothing : html`<div class="line too-little">${this.state()}</div>`;
    const found = findBottleneck(facts, t);
    switch (found.state) {
      case "found":
        return html`<div class="line found" role="status">${icon("warning", t("bottleneck"))}<div>${found.findings.map(({ text }, index) => html`<p>${index === 0 ? html`<strong>${text}</strong>` : text}</p>`)}<p class="dim">${t("Over the last five minutes.")}</p></div></div>`;
      case "none":
        if (!this.#speaks(facts))
          return html`<div class="line too-little" role="status">${icon("unknown")}<p>${t("Whether something holds it up can't be said: nothing is measured of it now.")}</p></div>`;
        return html`<div class="line none" role="status">${icon("ok")}<p>${t("No bottleneck seen in the last five minutes: CPU, memory and disks keep up.")}</p></div>`;
      case "too-little":
        return html`<div class="line too-little" role="status">${icon("unknown")}<p>${t("Whether something holds it up can't be said: nothing was measured of {what} in the last five minutes.", { what: found.missing.join(", ") })}</p></div>`;
    }
  }

  #speaks({ newest }: Recent): boolean {
    return newest !== undefined && shownReading(newest, this.panel.now.value).state === "fresh";
  }
}
customElements.define("proven-bottleneck", ProvenBottleneck);
