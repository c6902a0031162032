import { createRoute } from "@hono/zod-openapi";
import * as z from "zod";
import {
  acknowledgeRequestSchema,
  alertSchema,
  alertStates,
  severitySchema,
  silenceSchema,
  snoozeRequestSchema,
  whySchema,
} from "#protocol/alerting.ts";
import { page } from "#protocol/api.ts";
import type { AlertingPorts } from "../alerting/alerting-ports.ts";
import { alertHistoryPage, matchesAlert } from "../core/alert-history.ts";
import { parseAlertId } from "../core/alert-id.ts";
import { alertView } from "../core/alert-view.ts";
import { Refusal } from "../core/refusal.ts";
import { mayAct } from "./access.ts";
import { actorOf, body, found, json } from "./documents.ts";
import type { HubApp, HubContext } from "./env.ts";
import { commonErrors } from "./errors.ts";
import type { HttpPorts } from "./ports.ts";
import { seenBy } from "./seen.ts";
import { newSlug } from "./silence-routes.ts";

const tags = ["alerts"];
const params = z.object({
  id: z.string().max(600).describe("`<rule>@<cluster>/<entity>#<incarnation>[!<instance>]`, percent-encoded"),
});
const filter = {
  severity: severitySchema.optional(),
  rule: z.string().optional(),
  cluster: z.string().optional(),
  entity: z.string().optional(),
  node: z.string().optional(),
  tag: z.string().optional(),
};
const one = { 200: json(alertSchema, "The alert"), ...commonErrors };

const routes = {
  active: createRoute({
    method: "get",
    path: "/api/v1/alerts",
    tags,
    summary: "Alerts that are pending or firing, the worst first",
    request: { query: z.object({ ...filter, state: z.enum(alertStates).optional() }) },
    responses: { 200: json(page(alertSchema), "Alerts"), ...commonErrors },
  }),
  history: createRoute({
    method: "get",
    path: "/api/v1/alerts/history",
    tags,
    summary: "Alerts that are over, the newest first",
    request: {
      query: z.object({
        ...filter,
        since: z.coerce.number().int().nonnegative().optional().describe("None that ended before, ms since the Unix epoch"),
        limit: z.coerce.number().int().min(1).max(1000).default(100),
        cursor: z.coerce.number().int().nonnegative().optional().describe("`next` of the page before"),
      }),
    },
    responses: {
      200: json(page(alertSchema), "One page; those that ended in one millisecond stay together, so it may hold some more"),
      ...commonErrors,
    },
  }),
  why: createRoute({
    method: "get",
    path: "/api/v1/alerts/{id}/why",
    tags,
    summary: "Why this alert did, or did not, fire: last evaluations and decisions",
    description: "Also for an alert that never was: the id of a rule and an entity is enough.",
    request: { params },
    responses: { 200: json(whySchema, "The newest decision first"), ...commonErrors },
  }),
  ack: createRoute({
    method: "post",
    path: "/api/v1/alerts/{id}/ack",
    tags,
    summary: "Acknowledges a firing alert: no repeats, no escalation",
    request: { params, body: body(acknowledgeRequestSchema) },
    responses: one,
  }),
  unack: createRoute({
    method: "post",
    path: "/api/v1/alerts/{id}/unack",
    tags,
    summary: "Takes an acknowledgement back",
    request: { params },
    responses: one,
  }),
  snooze: createRoute({
    method: "post",
    path: "/api/v1/alerts/{id}/snooze",
    tags,
    summary: "Silences this one alert for some time",
    request: { params, body: body(snoozeRequestSchema) },
    responses: { 201: json(silenceSchema, "The silence made of it"), ...commonErrors },
  }),
};

/** Alerts: what fires, what fired, and why. */
export function alertRoutes(app: HubApp, ports: HttpPorts, _: AlertingPorts): void {
  const { state, clock } = ports;
  app.openapi(routes.active, (c) => {
    const wanted = c.req.valid("query");
    const isActive = (alertState: string) => alertState === "firing" || alertState === "pending";
    const items = seenAlerting(c, ports)
      .views()
      .filter(
        (alert) =>
          matchesAlert(alert, wanted) && (wanted.state === undefined ? isActive(alert.state) : alert.state === wanted.state),
      );
    return c.json({ items, next: null }, 200);
  });
  app.openapi(routes.history, (c) => {
    const { limit, cursor, ...wanted } = c.req.valid("query");
    const now = clock.now();
    const seen = seenBy(c, ports);
    const ended = state.list("alertHistory").flatMap(({ document }) => seen.alert(alertView(document, undefined, now)) ?? []);
    return c.json(alertHistoryPage(ended, wanted, { limit, cursor }), 200);
  });
  app.openapi(routes.why, (c) => {
    const { id } = c.req.valid("param");
    const question = parseAlertId(id);
    if (question === undefined)
      throw new Refusal("invalid", "no alert's id: <rule>@<cluster>/<entity>#<incarnation>", { field: "id" });
    return c.json(found(seenAlerting(c, ports).why(question), `rule or entity of ${id}`), 200);
  });
  changeRoutes(app, ports);
}

/** The alert engine as the caller has it. */
function seenAlerting(c: HubContext, ports: HttpPorts): AlertingPorts {
  return found(seenBy(c, ports).alerting, "alert engine");
}

/** One of the alerts that are seen and may be acted on. @throws Refusal */
async function acting(c: HubContext, ports: HttpPorts, id: string, what: string): Promise<AlertingPorts> {
  const alerting = seenAlerting(c, ports);
  const alert = found(
    alerting.views().find((one) => one.id === id),
    what,
  );
  await mayAct(c, [alert]);
  return alerting;
}

function changeRoutes(app: HubApp, ports: HttpPorts): void {
  const { state, clock } = ports;
  app.openapi(routes.ack, async (c) => {
    const { id } = c.req.valid("param");
    const { until, note } = c.req.valid("json");
    const at = clock.now();
    if (until !== null && until <= at)
      throw new Refusal("invalid", "it is past already: a later time, or null", { field: "until" });
    const acknowledged = { by: c.get("caller").user, at, until, note };
    const alerting = await acting(c, ports, id, `firing alert ${id}`);
    return c.json(
      found(alerting.acknowledge(id, acknowledged, actorOf(c, note ?? "acknowledged by the API")), `firing alert ${id}`),
      200,
    );
  });
  app.openapi(routes.unack, async (c) => {
    const { id } = c.req.valid("param");
    const alerting = await acting(c, ports, id, `firing alert ${id}`);
    return c.json(found(alerting.acknowledge(id, null, actorOf(c, "taken back by the API")), `firing alert ${id}`), 200);
  });
  app.openapi(routes.snooze, async (c) => {
    const { id } = c.req.valid("param");
    const { sec, comment } = c.req.valid("json");
    const alerting = await acting(c, ports, id, `alert ${id}`);
    const startsAt = clock.now();
    const silence = {
      id: newSlug("snooze"),
      kind: "snooze" as const,
      alerts: [id],
      scope: null,
      rules: [],
      startsAt,
      endsAt: startsAt + sec * 1000,
      createdBy: c.get("caller").user,
      comment,
    };
    state.put("silence", silence.id, silence, actorOf(c, "snoozed by the API"));
    alerting.reload();
    return c.json(silence, 201);
  });
}
