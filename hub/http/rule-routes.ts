import { createRoute } from "@hono/zod-openapi";
import * as z from "zod";
import { problemSchema, type Rule, ruleRequestSchema, ruleSchema, signalSchema, slugSchema } from "#protocol/alerting.ts";
import { page } from "#protocol/api.ts";
import { backtestAnswerSchema, backtestRequestSchema } from "#protocol/backtest.ts";
import type { AlertingPorts } from "../alerting/alerting-ports.ts";
import { checkRange } from "../core/asked.ts";
import { defaultRules } from "../core/default-rules.ts";
import { Refusal } from "../core/refusal.ts";
import { checkRule } from "../core/rule.ts";
import { signalList } from "../core/signal-list.ts";
import { actorOf, body, checkSameId, found, json, refuseProblems, schemaProblems } from "./documents.ts";
import type { HubApp } from "./env.ts";
import { commonErrors } from "./errors.ts";
import type { HttpPorts } from "./ports.ts";

const backtestMaxMs = 30 * 86_400_000;
const tags = ["rules"];
const params = z.object({ id: slugSchema });
const one = { 200: json(ruleSchema, "The rule"), ...commonErrors };

const routes = {
  list: createRoute({
    method: "get",
    path: "/api/v1/rules",
    tags,
    summary: "All rules, those that come with Proven and own ones",
    responses: { 200: json(page(ruleSchema), "Rules by id"), ...commonErrors },
  }),
  signals: createRoute({
    method: "get",
    path: "/api/v1/rules/signals",
    tags,
    summary: "What rules can be about: metrics and facts, by kind of entity",
    responses: { 200: json(page(signalSchema), "Signals"), ...commonErrors },
  }),
  validate: createRoute({
    method: "post",
    path: "/api/v1/rules/validate",
    tags,
    summary: "All that is wrong with a rule, each with its field and remedy; nothing is saved",
    request: { body: body(z.looseObject({})) },
    responses: {
      200: json(z.object({ problems: z.array(problemSchema) }), "Empty: the rule can be saved"),
      ...commonErrors,
    },
  }),
  backtest: createRoute({
    method: "post",
    path: "/api/v1/rules/backtest",
    tags,
    summary: "When a rule, saved or not, would have fired over stored history, and the messages that would have gone out",
    request: { body: body(backtestRequestSchema) },
    responses: { 200: json(backtestAnswerSchema, "Episodes, oldest first"), ...commonErrors },
  }),
  one: createRoute({
    method: "get",
    path: "/api/v1/rules/{id}",
    tags,
    summary: "One rule",
    request: { params },
    responses: one,
  }),
  create: createRoute({
    method: "post",
    path: "/api/v1/rules",
    tags,
    summary: "Creates a rule",
    request: { body: body(ruleRequestSchema) },
    responses: { 201: json(ruleSchema, "The rule"), ...commonErrors },
  }),
  change: createRoute({
    method: "put",
    path: "/api/v1/rules/{id}",
    tags,
    summary: "Changes a rule",
    request: { params, body: body(ruleRequestSchema) },
    responses: one,
  }),
  remove: createRoute({
    method: "delete",
    path: "/api/v1/rules/{id}",
    tags,
    summary: "Removes an own rule; one that comes with Proven is switched off instead",
    request: { params },
    responses: { 204: { description: "Removed" }, ...commonErrors },
  }),
  reset: createRoute({
    method: "post",
    path: "/api/v1/rules/{id}/reset",
    tags,
    summary: "Makes a rule that comes with Proven as it came",
    request: { params },
    responses: one,
  }),
};

/** Rules: what is watched. */
export function ruleRoutes(app: HubApp, { state, clock }: HttpPorts, alerting: AlertingPorts): void {
  readRoutes(app, { state }, alerting, () => clock.now());
  app.openapi(routes.create, (c) => {
    const rule = { ...c.req.valid("json"), shipped: false };
    if (state.get("rule", rule.id) !== undefined) {
      throw new Refusal("conflict", `there is a rule ${rule.id} already: choose another id`, { field: "id" });
    }
    refuseProblems(checkRule(rule));
    state.put("rule", rule.id, rule, actorOf(c, "created by the API"));
    alerting.reload();
    return c.json(rule, 201);
  });
  app.openapi(routes.change, (c) => {
    const { id } = c.req.valid("param");
    const present = found(state.get("rule", id), `rule ${id}`);
    const rule: Rule = { ...c.req.valid("json"), shipped: present.shipped };
    checkSameId(id, rule.id);
    refuseProblems(checkRule(rule));
    state.put("rule", id, rule, actorOf(c, "changed by the API"));
    alerting.reload();
    return c.json(rule, 200);
  });
  app.openapi(routes.remove, (c) => {
    const { id } = c.req.valid("param");
    if (found(state.get("rule", id), `rule ${id}`).shipped) {
      throw new Refusal("conflict", `${id} comes with Proven and can't be removed: switch it off`, { field: "enabled" });
    }
    state.remove("rule", id, actorOf(c, "removed by the API"));
    alerting.reload();
    return c.body(null, 204);
  });
  app.openapi(routes.reset, (c) => {
    const { id } = c.req.valid("param");
    const shipped = found(
      defaultRules.find((rule) => rule.id === id),
      `rule ${id} among those that come with Proven`,
    );
    state.put("rule", id, shipped, actorOf(c, "reset by the API"));
    alerting.reload();
    return c.json(shipped, 200);
  });
}

function readRoutes(app: HubApp, { state }: Pick<HttpPorts, "state">, alerting: AlertingPorts, now: () => number): void {
  app.openapi(routes.list, (c) => c.json({ items: state.list("rule").map(({ document }) => document), next: null }, 200));
  app.openapi(routes.signals, (c) => c.json({ items: signalList(), next: null }, 200));
  app.openapi(routes.validate, (c) => {
    const parsed = ruleRequestSchema.safeParse(c.req.valid("json"));
    return c.json({ problems: parsed.success ? checkRule(parsed.data) : schemaProblems(parsed.error) }, 200);
  });
  app.openapi(routes.backtest, async (c) => {
    const request = c.req.valid("json");
    checkRange(request, backtestMaxMs);
    if (request.from > now())
      throw new Refusal("invalid", "there is no history of the future: an earlier time", { field: "from" });
    refuseProblems(checkRule(request.rule).map((problem) => ({ ...problem, field: `rule.${problem.field}` })));
    return c.json(await alerting.backtest(request), 200);
  });
  app.openapi(routes.one, (c) => {
    const { id } = c.req.valid("param");
    return c.json(found(state.get("rule", id), `rule ${id}`), 200);
  });
}
