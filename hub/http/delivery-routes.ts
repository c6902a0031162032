import { createRoute } from "@hono/zod-openapi";
import * as z from "zod";
import { slugSchema } from "#protocol/alerting.ts";
import { page } from "#protocol/api.ts";
import {
  deliverySchema,
  deliveryStates,
  pushSubscriptionSchema,
  templatePreviewRequestSchema,
  templatePreviewSchema,
} from "#protocol/notifications.ts";
import type { ReceiverPorts } from "../alerting/delivery.ts";
import { exampleNotification } from "../core/example-notification.ts";
import { messageOf, plainText } from "../core/message.ts";
import { urlProblem } from "../core/outgoing-url.ts";
import { receiverRules } from "../core/receiver-check.ts";
import { Refusal } from "../core/refusal.ts";
import { alertPlaceholders, messagePlaceholders, parseTemplate } from "../core/template.ts";
import { actorOf, body, found, json } from "./documents.ts";
import type { HubApp } from "./env.ts";
import { commonErrors } from "./errors.ts";
import type { HttpPorts } from "./ports.ts";

const tags = ["deliveries"];
const params = z.object({ id: z.string().max(1000) });

const routes = {
  list: createRoute({
    method: "get",
    path: "/api/v1/deliveries",
    tags,
    summary: "What became of messages, the newest first; `state=dead`: the dead letters",
    request: {
      query: z.object({
        receiver: slugSchema.optional(),
        state: z.enum(deliveryStates).optional(),
        limit: z.coerce.number().int().min(1).max(500).default(50),
        cursor: z.coerce.number().int().nonnegative().optional().describe("`next` of the page before"),
      }),
    },
    responses: { 200: json(page(deliverySchema), "One page"), ...commonErrors },
  }),
  get: createRoute({
    method: "get",
    path: "/api/v1/deliveries/{id}",
    tags,
    summary: "One message's way, with all attempts that are kept",
    request: { params },
    responses: { 200: json(deliverySchema, "The delivery"), ...commonErrors },
  }),
  replay: createRoute({
    method: "post",
    path: "/api/v1/deliveries/{id}/replay",
    tags,
    summary: "Sends a dead letter again, for another day",
    request: { params },
    responses: { 200: json(deliverySchema, "The delivery, queued"), ...commonErrors },
  }),
  replayAll: createRoute({
    method: "post",
    path: "/api/v1/deliveries/replay",
    tags,
    summary: "Sends all dead letters of a receiver again",
    request: { body: body(z.strictObject({ receiver: slugSchema })) },
    responses: { 200: json(z.object({ replayed: z.int() }), "How many"), ...commonErrors },
  }),
  preview: createRoute({
    method: "post",
    path: "/api/v1/templates/preview",
    tags: ["receivers"],
    summary: "What a message made by this template looks like, with two example alerts",
    request: { body: body(templatePreviewRequestSchema) },
    responses: { 200: json(templatePreviewSchema, "The text, or what is wrong with the template"), ...commonErrors },
  }),
  pushKey: createRoute({
    method: "get",
    path: "/api/v1/push/key",
    tags: ["push"],
    summary: "The hub's public VAPID key, for `applicationServerKey`",
    responses: { 200: json(z.object({ publicKey: z.string() }), "Base64url"), ...commonErrors },
  }),
  subscribe: createRoute({
    method: "post",
    path: "/api/v1/push/subscriptions",
    tags: ["push"],
    summary: "This browser wants push messages",
    request: { body: body(pushSubscriptionSchema) },
    responses: { 201: json(z.object({ id: z.string() }), "Its id, to unsubscribe"), ...commonErrors },
  }),
  unsubscribe: createRoute({
    method: "delete",
    path: "/api/v1/push/subscriptions/{id}",
    tags: ["push"],
    summary: "It wants no more",
    request: { params },
    responses: { 204: { description: "Removed" }, ...commonErrors },
  }),
};

/** Log of deliveries, dead letters, preview of templates, browsers that want push messages. */
export function deliveryRoutes(app: HubApp, { state, clock }: HttpPorts, delivery: ReceiverPorts): void {
  const { dispatcher } = delivery;
  app.openapi(routes.list, (c) => {
    const { limit, cursor, ...filter } = c.req.valid("query");
    return c.json(dispatcher.log.page(filter, limit, cursor), 200);
  });
  app.openapi(routes.replayAll, (c) => {
    const { receiver } = c.req.valid("json");
    const { enabled } = found(state.get("receiver", receiver), `receiver ${receiver}`);
    if (!enabled) throw new Refusal("conflict", `the receiver ${receiver} is disabled: enable it first`);
    const dead = dispatcher.log.ids({ receiver, state: "dead" });
    const replayed = dead.filter((id) => dispatcher.replay(id));
    for (const id of replayed)
      state.note("update", "delivery", id, actorOf(c, `sent again, with all of the receiver ${receiver}`));
    return c.json({ replayed: replayed.length }, 200);
  });
  app.openapi(routes.get, (c) => {
    const { id } = c.req.valid("param");
    return c.json(found(state.get("delivery", id), `delivery ${id}`), 200);
  });
  app.openapi(routes.replay, (c) => {
    const { id } = c.req.valid("param");
    const present = found(state.get("delivery", id), `delivery ${id}`);
    if (!dispatcher.replay(id)) {
      const why = present.state === "dead" ? "its receiver is gone or disabled" : `it is ${present.state}, not dead`;
      throw new Refusal("conflict", `it can't be sent again: ${why}`);
    }
    state.note("update", "delivery", id, actorOf(c, "sent again"));
    return c.json(found(state.get("delivery", id), `delivery ${id}`), 200);
  });
  app.openapi(routes.preview, (c) => {
    const { template } = c.req.valid("json");
    const parsed = parseTemplate(template);
    const placeholders = { message: [...messagePlaceholders], alert: [...alertPlaceholders] };
    if (!parsed.ok) return c.json({ text: null, problem: parsed.problem, remedy: parsed.remedy, placeholders }, 200);
    const text = plainText(messageOf(exampleNotification(clock.now()), delivery.base, template));
    return c.json({ text, problem: null, remedy: null, placeholders }, 200);
  });
  pushRoutes(app, { state }, delivery);
}

function pushRoutes(app: HubApp, { state }: Pick<HttpPorts, "state">, delivery: ReceiverPorts): void {
  app.openapi(routes.pushKey, (c) => c.json({ publicKey: delivery.vapid.publicKey }, 200));
  app.openapi(routes.subscribe, (c) => {
    const subscription = c.req.valid("json");
    // Which private addresses are allowed is for the receiver to say; the others never are.
    const problem = urlProblem(new URL(subscription.endpoint), receiverRules(true));
    if (problem !== undefined)
      throw new Refusal("invalid", `${problem}. The address a browser's push service gave`, { field: "endpoint" });
    const { user, by, keyId } = c.get("caller");
    const id = delivery.subscribe(subscription, by === "key" || by === "cookie" ? { user, key: keyId } : { user });
    state.note("create", "pushSubscription", id, actorOf(c, "subscribed a browser"));
    return c.json({ id }, 201);
  });
  app.openapi(routes.unsubscribe, (c) => {
    const { id } = c.req.valid("param");
    if (!delivery.unsubscribe(id)) throw new Refusal("not-found", "there is no such subscription");
    state.note("delete", "pushSubscription", id, actorOf(c, "unsubscribed a browser"));
    return c.body(null, 204);
  });
}
