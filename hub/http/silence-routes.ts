import { randomBytes } from "node:crypto";
import { createRoute } from "@hono/zod-openapi";
import * as z from "zod";
import { type Silence, type SilenceView, silenceRequestSchema, silenceViewSchema, slugSchema } from "#protocol/alerting.ts";
import { page } from "#protocol/api.ts";
import type { AlertingPorts } from "../alerting/alerting-ports.ts";
import { parseAlertId } from "../core/alert-id.ts";
import { Refusal } from "../core/refusal.ts";
import { checkSilence, silenceState } from "../core/silence.ts";
import { holdsEverywhere } from "../core/viewer.ts";
import { mayAct, mayModify } from "./access.ts";
import { actorOf, body, checkSameId, found, json, refuseProblems } from "./documents.ts";
import type { HubApp, HubContext } from "./env.ts";
import { commonErrors } from "./errors.ts";
import type { HttpPorts } from "./ports.ts";
import { type SeenPorts, seenBy } from "./seen.ts";

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

const subjectsOf = ({ alerts }: Pick<Silence, "alerts">) => alerts.map((id) => parseAlertId(id));
/** What it silences is not one list of alerts: it belongs to the hub's settings. */
const isBroad = ({ scope, rules, alerts }: Pick<Silence, "scope" | "rules" | "alerts">) =>
  scope !== null || rules.length > 0 || alerts.length === 0;

/** Seen with everything it names; one by scope or rule with the hub's other settings. */
function seesSilence(seen: SeenPorts, silence: Silence): boolean {
  if (seen.viewer.kind === "everything") return true;
  if (isBroad(silence) && !holdsEverywhere(seen.viewer, seen.around, "Sys.Audit")) return false;
  return subjectsOf(silence).every((subject) => subject !== undefined && seen.entity(subject.cluster, subject.entity));
}

/** @throws Refusal when it names what the caller doesn't see, or may not act on. */
async function mayChange(c: HubContext, ports: HttpPorts, silence: Silence): Promise<void> {
  const seen = seenBy(c, ports);
  if (seen.viewer.kind === "everything") return;
  if (isBroad(silence)) mayModify(seen);
  const subjects = subjectsOf(silence).flatMap((subject, index) => {
    if (subject !== undefined && seen.entity(subject.cluster, subject.entity)) return [subject];
    throw new Refusal("not-found", `there is no alert ${silence.alerts[index]}`, { field: "alerts" });
  });
  await mayAct(c, subjects);
}

/** Silences and snoozes. */
export function silenceRoutes(app: HubApp, ports: HttpPorts, alerting: AlertingPorts): void {
  const { state, clock } = ports;
  const view = (seen: SeenPorts, silence: Silence): SilenceView => ({
    ...silence,
    state: silenceState(silence, clock.now()),
    alertsHeld: (seen.alerting?.views() ?? []).filter(({ suppressedBy }) => suppressedBy?.id === silence.id).length,
  });
  /** One that is seen and may be changed. @throws Refusal */
  const acting = async (c: HubContext, id: string): Promise<Silence> => {
    const silence = state.get("silence", id);
    const present = found(silence !== undefined && seesSilence(seenBy(c, ports), silence) ? silence : undefined, `silence ${id}`);
    await mayChange(c, ports, present);
    return present;
  };

  app.openapi(routes.list, (c) => {
    const wanted = c.req.valid("query").state;
    const seen = seenBy(c, ports);
    const items = state
      .list("silence")
      .filter(({ document }) => seesSilence(seen, document))
      .map(({ document }) => view(seen, document))
      .filter((silence) => wanted === undefined || silence.state === wanted)
      .sort((a, b) => b.endsAt - a.endsAt);
    return c.json({ items, next: null }, 200);
  });
  app.openapi(routes.create, async (c) => {
    const request = c.req.valid("json");
    const silence: Silence = {
      ...request,
      id: request.id ?? newSlug("silence"),
      kind: "silence",
      createdBy: c.get("caller").user,
    };
    await mayChange(c, ports, silence);
    if (state.get("silence", silence.id) !== undefined) {
      throw new Refusal("conflict", `there is a silence ${silence.id} already: choose another id`, { field: "id" });
    }
    refuseProblems(checkSilence(silence));
    if (silence.endsAt <= clock.now()) throw new Refusal("invalid", "it is past already: a later time", { field: "endsAt" });
    state.put("silence", silence.id, silence, actorOf(c, silence.comment || "created by the API"));
    alerting.reload();
    return c.json(view(seenBy(c, ports), silence), 201);
  });
  app.openapi(routes.change, async (c) => {
    const { id } = c.req.valid("param");
    const request = c.req.valid("json");
    const { kind, createdBy } = await acting(c, id);
    checkSameId(id, request.id ?? id);
    const silence: Silence = { ...request, id, kind, createdBy };
    await mayChange(c, ports, silence);
    refuseProblems(checkSilence(silence));
    state.put("silence", id, silence, actorOf(c, "changed by the API"));
    alerting.reload();
    return c.json(view(seenBy(c, ports), silence), 200);
  });
  app.openapi(routes.expire, async (c) => {
    const { id } = c.req.valid("param");
    const now = clock.now();
    const present = await acting(c, id);
    if (silenceState(present, now) === "expired") throw new Refusal("conflict", `silence ${id} is over already`);
    // One that has not begun yet never will.
    const silence = { ...present, startsAt: Math.min(present.startsAt, now - 1), endsAt: now };
    state.put("silence", id, silence, actorOf(c, "ended by the API"));
    alerting.reload();
    return c.json(view(seenBy(c, ports), silence), 200);
  });
  app.openapi(routes.remove, async (c) => {
    const { id } = c.req.valid("param");
    await acting(c, id);
    state.remove("silence", id, actorOf(c, "removed by the API"));
    alerting.reload();
    return c.body(null, 204);
  });
}
