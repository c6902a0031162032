import { createRoute } from "@hono/zod-openapi";
import { page } from "#protocol/api.ts";
import { emptyLayout, layoutSchema, protectionSchema } from "#protocol/panel.ts";
import { type BackupKnowledge, protectionsOf } from "../core/protection.ts";
import { actorOf, body, json } from "./documents.ts";
import { type HubApp, ownerOf } from "./env.ts";
import { commonErrors } from "./errors.ts";
import type { HttpPorts } from "./ports.ts";
import { seenBy } from "./seen.ts";

const tags = ["panel"];
const routes = {
  protection: createRoute({
    method: "get",
    path: "/api/v1/protection",
    tags,
    summary: "How each guest stands by the calendars of its own backup jobs",
    responses: { 200: json(page(protectionSchema), "Guests by vmid"), ...commonErrors },
  }),
  layout: createRoute({
    method: "get",
    path: "/api/v1/layout",
    tags,
    summary: "What the caller arranged for himself in the panel",
    responses: { 200: json(layoutSchema, "His layout; empty lists: he arranged nothing"), ...commonErrors },
  }),
  saveLayout: createRoute({
    method: "put",
    path: "/api/v1/layout",
    tags,
    summary: "Keeps what the caller arranged for himself",
    request: { body: body(layoutSchema) },
    responses: { 200: json(layoutSchema, "As it was kept"), ...commonErrors },
  }),
};

/** What the panel's first page asks for beside lists and live figures. */
export function overviewRoutes(app: HubApp, ports: HttpPorts, backups: BackupKnowledge | undefined): void {
  const { state, clock } = ports;
  app.openapi(routes.layout, (c) => c.json(state.get("layout", ownerOf(c.get("caller"))) ?? emptyLayout, 200));
  app.openapi(routes.saveLayout, (c) => {
    const layout = c.req.valid("json");
    state.put("layout", ownerOf(c.get("caller")), layout, actorOf(c, "arranged the panel"));
    return c.json(layout, 200);
  });
  app.openapi(routes.protection, (c) => {
    const { entity } = seenBy(c, ports);
    // Worked out from all that is known, as alerts are: jobs are the datacenter's, what they mean for a guest is the guest's.
    const all = backups === undefined ? [] : ports.pictures().flatMap((picture) => protectionsOf(picture, backups, clock.now()));
    return c.json({ items: all.filter((view) => entity(view.cluster, view.entity)), next: null }, 200);
  });
}
