import { createRoute } from "@hono/zod-openapi";
import * as z from "zod";
import { slugSchema } from "#protocol/alerting.ts";
import { page } from "#protocol/api.ts";
import {
  changedPolicySchema,
  newPolicySchema,
  type Policy,
  policyDecisionSchema,
  policyNightSchema,
  policyPlanSchema,
  policyPreviewSchema,
  policySchema,
  policyViewSchema,
} from "#protocol/policy.ts";
import { checkPolicy } from "../core/policy-check.ts";
import { Refusal } from "../core/refusal.ts";
import type { RestorePorts } from "../proof/restore.ts";
import { actorOf, body, checkSameId, found, json, refuseProblems, schemaProblems } from "./documents.ts";
import type { HubApp } from "./env.ts";
import { commonErrors } from "./errors.ts";
import type { HttpPorts } from "./ports.ts";

const tags = ["policies"];
const params = z.object({ id: slugSchema });
const one = { 200: json(policyViewSchema, "The policy"), ...commonErrors };
const pastSchema = policyNightSchema.omit({ guests: true }).extend({ decisions: z.array(policyDecisionSchema) });

const routes = {
  list: createRoute({
    method: "get",
    path: "/api/v1/policies",
    tags,
    summary: "Which guests' backups are tested how often, in the order in which policies are asked",
    responses: { 200: json(page(policyViewSchema), "Policies"), ...commonErrors },
  }),
  plan: createRoute({
    method: "get",
    path: "/api/v1/policies/{id}/plan",
    tags,
    summary: "Dry run: why each guest is, or isn't, tested now, and the plan of the next 7 nights",
    request: { params },
    responses: { 200: json(policyPlanSchema, "Nothing is begun"), ...commonErrors },
  }),
  nights: createRoute({
    method: "get",
    path: "/api/v1/policies/{id}/nights",
    tags,
    summary: "What became of the last nights: why was a guest not tested?",
    request: { params },
    responses: { 200: json(page(pastSchema), "The newest first, of two months"), ...commonErrors },
  }),
  preview: createRoute({
    method: "post",
    path: "/api/v1/policies/preview",
    tags,
    summary: "What is wrong with a policy being edited, and what it would do; nothing is saved",
    request: { body: body(z.looseObject({})) },
    responses: { 200: json(policyPreviewSchema, "Problems, and the plan where there are none"), ...commonErrors },
  }),
  create: createRoute({
    method: "post",
    path: "/api/v1/policies",
    tags,
    summary: "Creates a policy",
    request: { body: body(newPolicySchema) },
    responses: { 201: json(policyViewSchema, "The policy"), ...commonErrors },
  }),
  change: createRoute({
    method: "put",
    path: "/api/v1/policies/{id}",
    tags,
    summary: "Changes a policy",
    request: { params, body: body(changedPolicySchema) },
    responses: one,
  }),
  enable: createRoute({
    method: "post",
    path: "/api/v1/policies/{id}/enable",
    tags,
    summary: "Switches a policy on, or off",
    request: { params, body: body(z.strictObject({ enabled: z.boolean() })) },
    responses: one,
  }),
  remove: createRoute({
    method: "delete",
    path: "/api/v1/policies/{id}",
    tags,
    summary: "Removes a policy; tests that it began go on",
    request: { params },
    responses: { 204: { description: "Removed" }, ...commonErrors },
  }),
};

/** Policies of restore tests. */
export function policyRoutes(app: HubApp, { state }: HttpPorts, { verify }: RestorePorts): void {
  const known = (id: string) => found(state.get("policy", id), `policy ${id}`);
  const save = (policy: Policy, by: ReturnType<typeof actorOf>) => {
    state.put("policy", policy.id, policy, by);
    verify.reload();
    return verify.view(policy);
  };
  app.openapi(routes.list, (c) => c.json({ items: verify.policies().map((policy) => verify.view(policy)), next: null }, 200));
  app.openapi(routes.plan, (c) => c.json(verify.plan(known(c.req.valid("param").id)), 200));
  app.openapi(routes.nights, (c) => {
    const { id } = known(c.req.valid("param").id);
    return c.json({ items: verify.pastNights(id), next: null }, 200);
  });
  app.openapi(routes.preview, (c) => {
    const parsed = policySchema.safeParse({ shipped: false, ...c.req.valid("json") });
    if (!parsed.success) return c.json({ problems: schemaProblems(parsed.error), plan: null }, 200);
    const problems = checkPolicy(parsed.data);
    return c.json({ problems, plan: problems.length > 0 ? null : verify.plan(parsed.data) }, 200);
  });
  app.openapi(routes.create, (c) => {
    const policy: Policy = { ...c.req.valid("json"), shipped: false };
    if (state.get("policy", policy.id) !== undefined) {
      throw new Refusal("conflict", `there is a policy ${policy.id} already: choose another id`, { field: "id" });
    }
    refuseProblems(checkPolicy(policy));
    return c.json(save(policy, actorOf(c, "created by the API")), 201);
  });
  app.openapi(routes.change, (c) => {
    const { id } = c.req.valid("param");
    const asked = c.req.valid("json");
    const { shipped } = known(id);
    const policy: Policy = { ...asked, id: asked.id ?? id, shipped };
    checkSameId(id, policy.id);
    refuseProblems(checkPolicy(policy));
    return c.json(save(policy, actorOf(c, "changed by the API")), 200);
  });
  app.openapi(routes.enable, (c) => {
    const { enabled } = c.req.valid("json");
    const policy = known(c.req.valid("param").id);
    return c.json(save({ ...policy, enabled }, actorOf(c, enabled ? "switched on" : "switched off")), 200);
  });
  app.openapi(routes.remove, (c) => {
    const { id } = known(c.req.valid("param").id);
    const by = actorOf(c, "removed by the API");
    state.remove("policy", id, by);
    // Another one by this name begins its own first period.
    state.remove("policySince", id, by);
    verify.reload();
    return c.body(null, 204);
  });
}
