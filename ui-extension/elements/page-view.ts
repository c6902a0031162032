import { html, type TemplateResult } from "lit";
import { keyed } from "lit/directives/keyed.js";
import type { Page, Section } from "../core/route.ts";
import type { Panel } from "../panel.ts";
import { type Piece, withPiece } from "./pieces.ts";
import "./proven-overview.ts";

/** The element of a page. All but the overview are loaded when they are first looked at. */
export function pageView(panel: Panel, page: Page, theme: string): TemplateResult {
  if (page.kind === "overview") return html`<proven-overview .panel=${panel}></proven-overview>`;
  if (page.kind === "section") return sectionView(panel, page.section, page.item);
  return withPiece("entities", () => entityView(panel, page.entity, page.cluster, theme));
}

function entityView(panel: Panel, entity: string, cluster: string | undefined, theme: string): TemplateResult {
  if (entity.startsWith("node/"))
    return html`<proven-node .panel=${panel} .entity=${entity} .cluster=${cluster} .theme=${theme}></proven-node>`;
  if (entity.startsWith("guest/"))
    return html`<proven-guest .panel=${panel} .entity=${entity} .cluster=${cluster} .theme=${theme}></proven-guest>`;
  if (/^(zpool|thinpool|datastore)\//.test(entity))
    return html`<proven-pool .panel=${panel} .entity=${entity} .cluster=${cluster} .theme=${theme}></proven-pool>`;
  return html`<proven-storage .panel=${panel} .entity=${entity} .cluster=${cluster} .theme=${theme}></proven-storage>`;
}

type View = { piece: Piece; content: () => TemplateResult };

function sectionView(panel: Panel, section: Section, item: string): TemplateResult {
  const { piece, content } = views[section](panel, item);
  return withPiece(piece, content);
}

/** `item`: empty for the section itself. */
const views: Record<Section, (panel: Panel, item: string) => View> = {
  guests: (panel) => ({ piece: "tools", content: () => html`<proven-guest-list .panel=${panel}></proven-guest-list>` }),
  proofs: (panel, item) =>
    item === ""
      ? { piece: "proofs", content: () => html`<proven-proofs .panel=${panel}></proven-proofs>` }
      : { piece: "proofs", content: () => html`${keyed(item, html`<proven-run .panel=${panel} .run=${item}></proven-run>`)}` },
  policies: (panel, item) => ({
    piece: "proofs",
    content: () => html`<proven-policies .panel=${panel} .about=${item}></proven-policies>`,
  }),
  reports: (panel) => ({ piece: "proofs", content: () => html`<proven-reports .panel=${panel}></proven-reports>` }),
  alerts: (panel, item) =>
    item.includes("@")
      ? { piece: "alerting", content: () => html`<proven-why .panel=${panel} .alert=${item}></proven-why>` }
      : {
          piece: "alerting",
          content: () => html`<proven-alerts .panel=${panel} .tab=${item === "history" ? "history" : "active"}></proven-alerts>`,
        },
  rules: (panel, item) =>
    item === ""
      ? { piece: "alerting", content: () => html`<proven-rules .panel=${panel}></proven-rules>` }
      : {
          piece: "alerting",
          content: () => html`${keyed(item, html`<proven-rule .panel=${panel} .rule=${item}></proven-rule>`)}`,
        },
  silences: (panel, item) => ({
    piece: "alerting",
    content: () => html`${keyed(item, html`<proven-silences .panel=${panel} .about=${item}></proven-silences>`)}`,
  }),
  routes: (panel) => ({ piece: "alerting", content: () => html`<proven-routes .panel=${panel}></proven-routes>` }),
  events: (panel) => ({ piece: "alerting", content: () => html`<proven-event-log .panel=${panel}></proven-event-log>` }),
  agents: (panel) => ({ piece: "entities", content: () => html`<proven-agents .panel=${panel}></proven-agents>` }),
  browser: (panel) => ({
    piece: "tools",
    content: () => html`<proven-browser .panel=${panel} .app=${panel.app}></proven-browser>`,
  }),
  screen: (panel) => ({ piece: "tools", content: () => html`<proven-screen .panel=${panel}></proven-screen>` }),
};
