import { html, nothing, type TemplateResult } from "lit";
import type { Route } from "../core/route.ts";
import type { Panel } from "../panel.ts";

/** A link to a place in the panel. A modified click is left to the browser (new tab), where the place has an address. */
export function link(panel: Panel, route: Route, content: unknown, className = ""): TemplateResult {
  const href = panel.navigation.href(route);
  const follow = (event: MouseEvent) => {
    if (href !== undefined && (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0)) return;
    event.preventDefault();
    panel.navigation.go(route, "push");
  };
  return html`<a class=${className} href=${href ?? "#"} role=${href === undefined ? "button" : nothing} @click=${follow}>${content}</a>`;
}

/** A link to a node, guest or storage. */
export const entityLink = (panel: Panel, about: { entity: string; cluster: string }, content: unknown, className = "") =>
  link(panel, panel.routeTo(about.entity, about.cluster), content, className);
