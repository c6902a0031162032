import { createRoute } from "@hono/zod-openapi";
import * as z from "zod";
import {
  slugSchema,
  type Window,
  type WindowView,
  windowPreviewSchema,
  windowSchema,
  windowViewSchema,
} from "#protocol/alerting.ts";
import { page } from "#protocol/api.ts";
import type { EpochMs } from "#protocol/ids.ts";
import type { AlertingPorts, OpenAutomaticWindow } from "../alerting/alerting-ports.ts";
import { Refusal } from "../core/refusal.ts";
import { holdsEverywhere } from "../core/viewer.ts";
import { checkWindow, nextOccurrences, windowSpan } from "../core/window.ts";
import { actorOf, body, checkSameId, found, json, refuseProblems, schemaProblems } from "./documents.ts";
import type { HubApp } from "./env.ts";
import { commonErrors } from "./errors.ts";
import type { HttpPorts } from "./ports.ts";
import { seenBy } from "./seen.ts";

const tags = ["windows"];
const params = z.object({ id: slugSchema });
const one = { 200: json(windowViewSchema, "The window"), ...commonErrors };
const nextShown = 5;

const routes = {
  list: createRoute({
    method: "get",
    path: "/api/v1/windows",
    tags,
    summary: "Maintenance windows with their next five times, and those that facts opened just now",
    responses: { 200: json(page(windowViewSchema), "Open ones first"), ...commonErrors },
  }),
  preview: createRoute({
    method: "post",
    path: "/api/v1/windows/preview",
    tags,
    summary: "What is wrong with a window being edited, and its next five times; nothing is saved",
    request: { body: body(z.looseObject({})) },
    responses: { 200: json(windowPreviewSchema, "Problems and times"), ...commonErrors },
  }),
  create: createRoute({
    method: "post",
    path: "/api/v1/windows",
    tags,
    summary: "Creates a maintenance window",
    request: { body: body(windowSchema) },
    responses: { 201: json(windowViewSchema, "The window"), ...commonErrors },
  }),
  change: createRoute({
    method: "put",
    path: "/api/v1/windows/{id}",
    tags,
    summary: "Changes a maintenance window",
    request: { params, body: body(windowSchema) },
    responses: one,
  }),
  end: createRoute({
    method: "post",
    path: "/api/v1/windows/{id}/end",
    tags,
    summary: "Ends an open window early; later occurrences stay",
    request: { params },
    responses: one,
  }),
  extend: createRoute({
    method: "post",
    path: "/api/v1/windows/{id}/extend",
    tags,
    summary: "Lets an open window last longer, this time",
    request: { params, body: body(z.strictObject({ sec: z.int().min(60).max(604_800) })) },
    responses: one,
  }),
  remove: createRoute({
    method: "delete",
    path: "/api/v1/windows/{id}",
    tags,
    summary: "Removes a maintenance window",
    request: { params },
    responses: { 204: { description: "Removed" }, ...commonErrors },
  }),
};

function windowView(window: Window, now: EpochMs): WindowView {
  const { active, until } = windowSpan(window, now);
  const next = nextOccurrences(window, now, nextShown);
  return { id: window.id, name: window.name, automatic: null, window, active, endsAt: active ? until : null, next };
}

const automaticView = ({ id, kind, until, text }: OpenAutomaticWindow): WindowView => ({
  id,
  name: text,
  automatic: kind,
  window: null,
  active: true,
  endsAt: until,
  next: [],
});

/** Maintenance windows. */
export function windowRoutes(app: HubApp, ports: HttpPorts, alerting: AlertingPorts): void {
  const { state, clock } = ports;
  const known = (id: string) => found(state.get("window", id), `window ${id}`);
  const save = (window: Window, by: ReturnType<typeof actorOf>) => {
    state.put("window", window.id, window, by);
    alerting.reload();
    return windowView(window, clock.now());
  };
  /** The span that is open now. */
  const openSpan = (window: Window) => {
    const span = windowSpan(window, clock.now());
    if (!span.active) throw new Refusal("conflict", `window ${window.id} isn't open now`);
    return span;
  };

  app.openapi(routes.list, (c) => {
    const now = clock.now();
    const seen = seenBy(c, ports);
    // Windows are settings, and name what they are about.
    const isOverseer = holdsEverywhere(seen.viewer, seen.around, "Sys.Audit");
    const own = isOverseer ? state.list("window").map(({ document }) => windowView(document, now)) : [];
    const automatic = seen.alerting?.automaticWindows() ?? [];
    const items = [...automatic.map(automaticView), ...own].sort((a, b) => Number(b.active) - Number(a.active));
    return c.json({ items, next: null }, 200);
  });
  app.openapi(routes.preview, (c) => {
    const parsed = windowSchema.safeParse(c.req.valid("json"));
    if (!parsed.success) return c.json({ problems: schemaProblems(parsed.error), next: [] }, 200);
    const problems = checkWindow(parsed.data);
    return c.json({ problems, next: problems.length > 0 ? [] : nextOccurrences(parsed.data, clock.now(), nextShown) }, 200);
  });
  app.openapi(routes.create, (c) => {
    const window = c.req.valid("json");
    if (state.get("window", window.id) !== undefined) {
      throw new Refusal("conflict", `there is a window ${window.id} already: choose another id`, { field: "id" });
    }
    refuseProblems(checkWindow(window));
    return c.json(save(window, actorOf(c, window.comment || "created by the API")), 201);
  });
  app.openapi(routes.change, (c) => {
    const { id } = c.req.valid("param");
    const window = c.req.valid("json");
    known(id);
    checkSameId(id, window.id);
    refuseProblems(checkWindow(window));
    return c.json(save(window, actorOf(c, "changed by the API")), 200);
  });
  app.openapi(routes.end, (c) => {
    const window = known(c.req.valid("param").id);
    const { from } = openSpan(window);
    const adjusted = { startsAt: from, endsAt: clock.now() };
    return c.json(save({ ...window, adjusted }, actorOf(c, "ended early by the API")), 200);
  });
  app.openapi(routes.extend, (c) => {
    const window = known(c.req.valid("param").id);
    const { from, until } = openSpan(window);
    const adjusted = { startsAt: from, endsAt: until + c.req.valid("json").sec * 1000 };
    return c.json(save({ ...window, adjusted }, actorOf(c, "extended by the API")), 200);
  });
  app.openapi(routes.remove, (c) => {
    const { id } = c.req.valid("param");
    known(id);
    state.remove("window", id, actorOf(c, "removed by the API"));
    alerting.reload();
    return c.body(null, 204);
  });
}
