import { randomBytes } from "node:crypto";
import { createRoute } from "@hono/zod-openapi";
import * as z from "zod";
import { type Silence, type SilenceView, silenceRequestSchema, silenceViewSchema, slugSchema } from "#protocol/alerting.ts";
import { page } from "#protocol/api.ts";
import type { AlertingPorts } from "../alerting-ports.ts";
import { Refusal } from "../core/refusal.ts";
import { checkSilence, silenceState } from "../core/silence.ts";
import { actorOf, body, checkSameId, found, json, refuseProblems } from "./documents.ts";
import type { HubApp } from "./env.ts";
import { commonErrors } from "./errors.ts";
import type { HttpPorts } from "./ports.ts";

/** An id nobody chose: `silence-3f9c0a1b`. */
export const newSlug = (kind: string) => `${kind}-${randomBytes(4).toString("hex")}`;

const tags = ["silences"];
const params = z.object({ id: slugSchema });
const one = { 200: json(silenceViewSchema, "The silence"), ...commonErrors };

const routes = {
  list: createRoute({
    method: "get",
    path: "/api/v1/silences",
    tags,
    summary: "Silences and snoozes; alerts they hold back are recorded all the same",
    request: { query: z.object({ state: silenceViewSchema.shape.state.optional() }) },
    responses: { 200: json(page(silenceViewSchema), "The one that ends last first"), ...commonErrors },
  }),
  create: createRoute({
    method: "post",
    path: "/api/v1/silences",
    tags,
    summary: "Creates a silence of alerts, rules or a scope",
    request: { body: body(silenceRequestSchema) },
    responses: { 201: json(silenceViewSchema, "The silence"), ...commonErrors },
  }),
  change: createRoute({
    method: "put",
    path: "/api/v1/silences/{id}",
    tags,
    summary: "Changes a silence",
    request: { params, body: body(silenceRequestSchema) },
    responses: one,
  }),
  expire: createRoute({
    method: "post",
    path: "/api/v1/silences/{id}/expire",
    tags,
    summary: "Ends a silence now; what it held back is told",
    request: { params },
    responses: one,
  }),
  remove: createRoute({
    method: "delete",
    path: "/api/v1/silences/{id}",
    tags,
    summary: "Removes a silence",
    request: { params },
    responses: { 204: { description: "Removed" }, ...commonErrors },
  }),
};

/** Silences and snoozes. */
export function silenceRoutes(app: HubApp, { state, clock }: HttpPorts, alerting: AlertingPorts): void {
  const view = (silence: Silence): SilenceView => ({
    ...silence,
    state: silenceState(silence, clock.now()),
    alertsHeld: alerting.views().filter(({ suppressedBy }) => suppressedBy?.id === silence.id).length,
  });
  const known = (id: string) => found(state.get("silence", id), `silence ${id}`);

  app.openapi(routes.list, (c) => {
    const wanted = c.req.valid("query").state;
    const items = state
      .list("silence")
      .map(({ document }) => view(document))
      .filter((silence) => wanted === undefined || silence.state === wanted)
      .sort((a, b) => b.endsAt - a.endsAt);
    return c.json({ items, next: null }, 200);
  });
  app.openapi(routes.create, (c) => {
    const request = c.req.valid("json");
    const silence: Silence = {
      ...request,
      id: request.id ?? newSlug("silence"),
      kind: "silence",
      createdBy: c.get("caller").user,
    };
    if (state.get("silence", silence.id) !== undefined) {
      throw new Refusal("conflict", `there is a silence ${silence.id} already: choose another id`, { field: "id" });
    }
    refuseProblems(checkSilence(silence));
    if (silence.endsAt <= clock.now()) throw new Refusal("invalid", "it is past already: a later time", { field: "endsAt" });
    state.put("silence", silence.id, silence, actorOf(c, silence.comment || "created by the API"));
    alerting.reload();
    return c.json(view(silence), 201);
  });
  app.openapi(routes.change, (c) => {
    const { id } = c.req.valid("param");
    const request = c.req.valid("json");
    const { kind, createdBy } = known(id);
    checkSameId(id, request.id ?? id);
    const silence: Silence = { ...request, id, kind, createdBy };
    refuseProblems(checkSilence(silence));
    state.put("silence", id, silence, actorOf(c, "changed by the API"));
    alerting.reload();
    return c.json(view(silence), 200);
  });
  app.openapi(routes.expire, (c) => {
    const { id } = c.req.valid("param");
    const now = clock.now();
    const present = known(id);
    if (silenceState(present, now) === "expired") throw new Refusal("conflict", `silence ${id} is over already`);
    // One that has not begun yet never will.
    const silence = { ...present, startsAt: Math.min(present.startsAt, now - 1), endsAt: now };
    state.put("silence", id, silence, actorOf(c, "ended by the API"));
    alerting.reload();
    return c.json(view(silence), 200);
  });
  app.openapi(routes.remove, (c) => {
    const { id } = c.req.valid("param");
    known(id);
    state.remove("silence", id, actorOf(c, "removed by the API"));
    alerting.reload();
    return c.body(null, 204);
  });
}
