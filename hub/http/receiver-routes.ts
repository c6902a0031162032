import { createRoute } from "@hono/zod-openapi";
import * as z from "zod";
import { slugSchema } from "#protocol/alerting.ts";
import { page } from "#protocol/api.ts";
import {
  type Receiver,
  type ReceiverView,
  receiverRequestSchema,
  receiverTestSchema,
  receiverViewSchema,
} from "#protocol/notifications.ts";
import { type ReceiverPorts, secretsSet } from "../alerting/delivery.ts";
import { withoutCapabilities } from "../alerting/shown-receiver.ts";
import { allows } from "../core/keys.ts";
import { neededSecrets, receiverProblems, secretFields, secretName, withOwnRefs } from "../core/receiver-check.ts";
import { Refusal } from "../core/refusal.ts";
import { holdsEverywhere } from "../core/viewer.ts";
import { parseWebhookSecret } from "../secret-text.ts";
import { actorOf, body, checkSameId, found, json, refuseProblems } from "./documents.ts";
import type { HubApp, HubContext } from "./env.ts";
import { commonErrors } from "./errors.ts";
import type { HttpPorts } from "./ports.ts";
import { seenPorts } from "./seen.ts";

const tags = ["receivers"];
const params = z.object({ id: slugSchema });
const request = body(receiverRequestSchema);
const one = { 200: json(receiverViewSchema, "The receiver, without its secrets"), ...commonErrors };

const routes = {
  list: createRoute({
    method: "get",
    path: "/api/v1/receivers",
    tags,
    summary: "Who can be told of alerts, and how each does",
    responses: { 200: json(page(receiverViewSchema), "Receivers by id, without their secrets"), ...commonErrors },
  }),
  get: createRoute({
    method: "get",
    path: "/api/v1/receivers/{id}",
    tags,
    summary: "One receiver",
    request: { params },
    responses: one,
  }),
  create: createRoute({
    method: "post",
    path: "/api/v1/receivers",
    tags,
    summary: "Creates a receiver",
    description:
      "Values of secrets go into `secrets`, by field; in `receiver` such a field is `{ref}`, whose name the hub chooses.",
    request: { body: request },
    responses: { 201: json(receiverViewSchema, "The receiver"), ...commonErrors },
  }),
  change: createRoute({
    method: "put",
    path: "/api/v1/receivers/{id}",
    tags,
    summary: "Changes a receiver; secrets that are not given stay as they are",
    request: { params, body: request },
    responses: one,
  }),
  remove: createRoute({
    method: "delete",
    path: "/api/v1/receivers/{id}",
    tags,
    summary: "Removes a receiver that no route and no report names, with its secrets; what waits for it is dropped",
    request: { params },
    responses: { 204: { description: "Removed" }, ...commonErrors },
  }),
  test: createRoute({
    method: "post",
    path: "/api/v1/receivers/{id}/test",
    tags,
    summary: "Sends a test message the way of all others, once, and answers with its result",
    request: { params },
    responses: { 200: json(receiverTestSchema, "What came of it"), ...commonErrors },
  }),
};

/** Receivers: write-only secrets, test messages. `changed`: the alert engine reads them, too. */
export function receiverRoutes(app: HubApp, ports: HttpPorts, delivery: ReceiverPorts): void {
  const { state } = ports;
  const view = (receiver: Receiver) => viewOf(receiver, delivery);
  const shown = (c: HubContext) => (mayChange(c, ports) ? view : (receiver: Receiver) => view(withoutCapabilities(receiver)));
  app.openapi(routes.list, (c) => {
    const items = state.list("receiver").map(({ document }) => document);
    return c.json({ items: items.map(shown(c)), next: null }, 200);
  });
  app.openapi(routes.get, (c) => {
    const { id } = c.req.valid("param");
    return c.json(shown(c)(found(state.get("receiver", id), `receiver ${id}`)), 200);
  });
  app.openapi(routes.test, async (c) => {
    const { id } = c.req.valid("param");
    found(state.get("receiver", id), `receiver ${id}`);
    const sent = await delivery.test(id);
    state.note("create", "delivery", sent.id, actorOf(c, `sent a test message to the receiver ${id}`));
    const attempt = sent.attempts.at(-1);
    const answer = attempt?.answer ?? sent.problem ?? "it was not sent";
    return c.json({ ok: attempt?.ok === true, answer, tookMs: attempt?.tookMs ?? 0, delivery: sent.id }, 200);
  });
  changeRoutes(app, ports, delivery, view);
}

function changeRoutes(app: HubApp, ports: HttpPorts, delivery: ReceiverPorts, view: (receiver: Receiver) => ReceiverView): void {
  const { state, alerting } = ports;
  const { dispatcher, secrets } = delivery;
  app.openapi(routes.create, (c) => {
    const wanted = c.req.valid("json");
    const { id } = wanted.receiver;
    if (state.get("receiver", id) !== undefined) {
      throw new Refusal("conflict", `there is a receiver ${id} already: choose another id`, { field: "receiver.id" });
    }
    const receiver = checked(wanted.receiver, wanted.secrets ?? {}, undefined, delivery);
    state.put("receiver", id, receiver, actorOf(c, "created by the API"));
    alerting?.reload();
    return c.json(view(receiver), 201);
  });
  app.openapi(routes.change, (c) => {
    const { id } = c.req.valid("param");
    const wanted = c.req.valid("json");
    const present = found(state.get("receiver", id), `receiver ${id}`);
    checkSameId(id, wanted.receiver.id);
    if (wanted.receiver.type !== "email") refuseMailed(state, id, "stay of type email");
    const receiver = checked(wanted.receiver, wanted.secrets ?? {}, present, delivery);
    state.put("receiver", id, receiver, actorOf(c, "changed by the API"));
    alerting?.reload();
    dispatcher.receiverChanged(id);
    return c.json(view(receiver), 200);
  });
  app.openapi(routes.remove, (c) => {
    const { id } = c.req.valid("param");
    const { type } = found(state.get("receiver", id), `receiver ${id}`);
    const user = state.list("route").find(({ document }) => namesReceiver(document, id));
    if (user !== undefined) throw new Refusal("conflict", `the route ${user.id} names it: take it out there first`);
    refuseMailed(state, id, "stay");
    state.remove("receiver", id, actorOf(c, "removed by the API"));
    secrets.change(Object.fromEntries(secretFields[type].map(({ name }) => [secretName(id, name), undefined])));
    alerting?.reload();
    dispatcher.receiverChanged(id);
    return c.body(null, 204);
  });
}

/** @throws Refusal where a report is mailed to it, which would go nowhere without a word. */
function refuseMailed(state: HttpPorts["state"], id: string, must: string): void {
  const report = state.list("report").find(({ document }) => document.receiver === id);
  if (report === undefined) return;
  throw new Refusal(
    "conflict",
    `the report ${report.id} is mailed to it, so it has to ${must}: choose another receiver there first`,
  );
}

function namesReceiver(
  route: { receivers: readonly string[]; escalation: readonly { receivers: readonly string[] }[] },
  id: string,
): boolean {
  return route.receivers.includes(id) || route.escalation.some(({ receivers }) => receivers.includes(id));
}

/** Checks, and writes the secrets: before the document, so that no receiver is ever without. */
function checked(
  wanted: Receiver,
  given: Readonly<Record<string, string>>,
  present: Receiver | undefined,
  { secrets }: ReceiverPorts,
): Receiver {
  const receiver = withOwnRefs(wanted);
  const names = secretFields[receiver.type].map(({ name }) => name);
  refuseProblems(
    receiverProblems({
      receiver,
      secrets: given,
      present: present === undefined ? undefined : { receiver: present, secrets: secretsSet(secrets, receiver.id, names) },
      parseUrl: (text) => (URL.canParse(text) ? new URL(text) : undefined),
      isWebhookSecret: (text) => parseWebhookSecret(text) !== undefined,
    }),
  );
  const needed = neededSecrets(receiver);
  const changes = names.filter((name) => given[name] !== undefined || !needed.includes(name));
  if (changes.length > 0) {
    secrets.change(Object.fromEntries(changes.map((name) => [secretName(receiver.id, name), given[name]])));
  }
  return receiver;
}

/** Whether the caller could write what he reads. */
function mayChange(c: HubContext, ports: HttpPorts): boolean {
  const viewer = c.get("viewer");
  if (viewer.kind === "everything") return allows(c.get("caller").scopes, "write");
  return holdsEverywhere(viewer, seenPorts(ports, viewer).around, "Sys.Modify");
}

function viewOf(receiver: Receiver, { dispatcher, secrets }: ReceiverPorts): ReceiverView {
  const names = secretFields[receiver.type].map(({ name }) => name);
  return {
    receiver,
    secrets: secretsSet(secrets, receiver.id, names),
    ...dispatcher.log.countsOf(receiver.id),
    problem: dispatcher.problemOf(receiver.id),
  };
}
