import { createRoute } from "@hono/zod-openapi";
import * as z from "zod";
import { slugSchema } from "#protocol/alerting.ts";
import { page } from "#protocol/api.ts";
import { type Route, routeSchema } from "#protocol/notifications.ts";
import { byText } from "#protocol/order.ts";
import type { AlertingPorts } from "../alerting/alerting-ports.ts";
import { Refusal } from "../core/refusal.ts";
import { checkRoute } from "../core/route.ts";
import { actorOf, body, checkSameId, found, json, refuseProblems } from "./documents.ts";
import type { HubApp } from "./env.ts";
import { commonErrors } from "./errors.ts";
import type { HttpPorts } from "./ports.ts";

const tags = ["routes"];
const params = z.object({ id: slugSchema });
const one = { 200: json(routeSchema, "The route"), ...commonErrors };

const routes = {
  list: createRoute({
    method: "get",
    path: "/api/v1/routes",
    tags,
    summary: "Who is told of which alerts: routes in the order they are asked",
    responses: { 200: json(page(routeSchema), "Routes in their order"), ...commonErrors },
  }),
  create: createRoute({
    method: "post",
    path: "/api/v1/routes",
    tags,
    summary: "Creates a route",
    request: { body: body(routeSchema) },
    responses: { 201: json(routeSchema, "The route"), ...commonErrors },
  }),
  change: createRoute({
    method: "put",
    path: "/api/v1/routes/{id}",
    tags,
    summary: "Changes a route",
    request: { params, body: body(routeSchema) },
    responses: one,
  }),
  remove: createRoute({
    method: "delete",
    path: "/api/v1/routes/{id}",
    tags,
    summary: "Removes a route that no other one names",
    request: { params },
    responses: { 204: { description: "Removed" }, ...commonErrors },
  }),
};

/** Notification routes. */
export function routeRoutes(app: HubApp, { state }: HttpPorts, alerting: AlertingPorts): void {
  const all = () => state.list("route").map(({ document }) => document);
  const check = (route: Route) => {
    const others = all().filter(({ id }) => id !== route.id);
    const receivers = state.list("receiver").map(({ document }) => document);
    refuseProblems(checkRoute(route, others, receivers));
  };
  app.openapi(routes.list, (c) =>
    c.json({ items: all().sort((a, b) => a.order - b.order || byText(a.id, b.id)), next: null }, 200),
  );
  app.openapi(routes.create, (c) => {
    const route = c.req.valid("json");
    if (state.get("route", route.id) !== undefined) {
      throw new Refusal("conflict", `there is a route ${route.id} already: choose another id`, { field: "id" });
    }
    check(route);
    state.put("route", route.id, route, actorOf(c, "created by the API"));
    alerting.reload();
    return c.json(route, 201);
  });
  app.openapi(routes.change, (c) => {
    const { id } = c.req.valid("param");
    const route = c.req.valid("json");
    found(state.get("route", id), `route ${id}`);
    checkSameId(id, route.id);
    check(route);
    state.put("route", id, route, actorOf(c, "changed by the API"));
    alerting.reload();
    return c.json(route, 200);
  });
  app.openapi(routes.remove, (c) => {
    const { id } = c.req.valid("param");
    found(state.get("route", id), `route ${id}`);
    const user = all().find(({ otherwise }) => otherwise === id);
    if (user !== undefined) throw new Refusal("conflict", `the route ${user.id} names it as its stand-in: change that first`);
    state.remove("route", id, actorOf(c, "removed by the API"));
    alerting.reload();
    return c.body(null, 204);
  });
}
