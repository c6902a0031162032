import type { MiddlewareHandler } from "hono";
import type { EntityKey } from "#protocol/ids.ts";
import { Refusal } from "../core/refusal.ts";
import { actPermission, holdsEverywhere, type Viewer } from "../core/viewer.ts";
import type { HubContext, HubEnv } from "./env.ts";
import type { HttpPorts } from "./ports.ts";
import { type SeenPorts, seenPorts } from "./seen.ts";

/**
 * What a Proxmox VE user needs for an operation; API keys go by their scopes (auth.ts).
 * `open`: nobody has to be signed in. `seen`: anybody; the answer is made of what seenBy() gives and holds nothing else. `acting`: as `seen`,
 * and the handler asks for the privilege on what is acted on (mayAct). `everywhere`: these privileges on `/` of every cluster: settings of
 * the hub. `whole`: the answer is text about everything, so nothing may be hidden from him. `keys`: not for Proxmox VE users.
 */
export type AccessRule =
  | { rule: "open" | "seen" | "acting" | "keys" }
  | { rule: "everywhere" | "whole"; privileges: readonly string[] };

const open: AccessRule = { rule: "open" };
const seen: AccessRule = { rule: "seen" };
const acting: AccessRule = { rule: "acting" };
const keys: AccessRule = { rule: "keys" };
const audit: AccessRule = { rule: "everywhere", privileges: ["Sys.Audit"] };
const modify: AccessRule = { rule: "everywhere", privileges: ["Sys.Modify"] };
/** A key sees everything: who makes one must be able to give himself everything in Proxmox VE, too. */
const appoint: AccessRule = { rule: "everywhere", privileges: ["Sys.Modify", "Permissions.Modify"] };
const whole: AccessRule = { rule: "whole", privileges: ["Sys.Audit"] };
const wholeModify: AccessRule = { rule: "whole", privileges: ["Sys.Modify"] };

/** Every operation of the API, as in its OpenAPI document. One that has no row is refused to Proxmox VE users, and fails a test. */
export const accessRules: Readonly<Record<string, AccessRule>> = {
  "GET /api/v1/health": seen,
  "GET /api/v1/nodes": seen,
  "GET /api/v1/nodes/{node}": seen,
  "GET /api/v1/nodes/{node}/metrics": seen,
  "GET /api/v1/nodes/{node}/hardware": seen,
  "GET /api/v1/nodes/{node}/recovery": seen,
  "GET /api/v1/recovery": seen,
  "GET /api/v1/guests": seen,
  "GET /api/v1/guests/{vmid}": seen,
  "GET /api/v1/guests/{vmid}/metrics": seen,
  "GET /api/v1/storages": seen,
  "GET /api/v1/entities": seen,
  "GET /api/v1/entities/outlook": seen,
  "POST /api/v1/series/query": seen,
  "POST /api/v1/series/top": seen,
  "POST /api/v1/series/group": seen,
  "GET /api/v1/tasks": seen,
  "GET /api/v1/events": seen,
  "GET /api/v1/events/schema": seen,
  "GET /api/v1/stream": seen,
  "POST /api/v1/ingest/pve": keys,

  "GET /api/v1/alerts": seen,
  "GET /api/v1/alerts/history": seen,
  "GET /api/v1/alerts/{id}/why": seen,
  "POST /api/v1/alerts/{id}/ack": acting,
  "POST /api/v1/alerts/{id}/unack": acting,
  "POST /api/v1/alerts/{id}/snooze": acting,
  "GET /api/v1/silences": seen,
  "POST /api/v1/silences": acting,
  "PUT /api/v1/silences/{id}": acting,
  "POST /api/v1/silences/{id}/expire": acting,
  "DELETE /api/v1/silences/{id}": acting,

  "GET /api/v1/rules": audit,
  "GET /api/v1/rules/signals": seen,
  "POST /api/v1/rules/validate": seen,
  "POST /api/v1/rules/backtest": whole,
  "GET /api/v1/rules/{id}": audit,
  "POST /api/v1/rules": modify,
  "PUT /api/v1/rules/{id}": modify,
  "DELETE /api/v1/rules/{id}": modify,
  "POST /api/v1/rules/{id}/reset": modify,
  "GET /api/v1/windows": seen,
  "POST /api/v1/windows/preview": seen,
  "POST /api/v1/windows": modify,
  "PUT /api/v1/windows/{id}": modify,
  "POST /api/v1/windows/{id}/end": modify,
  "POST /api/v1/windows/{id}/extend": modify,
  "DELETE /api/v1/windows/{id}": modify,
  "GET /api/v1/routes": audit,
  "POST /api/v1/routes": modify,
  "PUT /api/v1/routes/{id}": modify,
  "DELETE /api/v1/routes/{id}": modify,
  "GET /api/v1/receivers": audit,
  "GET /api/v1/receivers/{id}": audit,
  "POST /api/v1/receivers": modify,
  "PUT /api/v1/receivers/{id}": modify,
  "DELETE /api/v1/receivers/{id}": modify,
  "POST /api/v1/receivers/{id}/test": modify,
  "GET /api/v1/deliveries": whole,
  "GET /api/v1/deliveries/{id}": whole,
  "POST /api/v1/deliveries/{id}/replay": wholeModify,
  "POST /api/v1/deliveries/replay": wholeModify,
  "POST /api/v1/templates/preview": seen,
  // Messages are pushed whatever their reader may see: nobody subscribes whom something is hidden from.
  "GET /api/v1/push/key": seen,
  "POST /api/v1/push/subscriptions": whole,
  "DELETE /api/v1/push/subscriptions/{id}": whole,

  "GET /api/v1/protection": seen,
  // His own, and nothing of anybody else's.
  "GET /api/v1/layout": seen,
  "PUT /api/v1/layout": seen,

  "GET /api/v1/restore-tests": seen,
  "POST /api/v1/restore-tests": acting,
  "POST /api/v1/verifications": acting,
  "GET /api/v1/restore-tests/{id}": seen,
  "DELETE /api/v1/restore-tests/{id}": acting,
  "POST /api/v1/restore-tests/{id}/keep": acting,
  "GET /api/v1/restore-tests/{id}/evidence.json": seen,
  "GET /api/v1/restore-tests/{id}/evidence.pdf": acting,
  "GET /api/v1/restore-tests/{id}/screenshot": acting,
  "GET /api/v1/backups": seen,
  "GET /api/v1/proof": seen,
  "GET /api/v1/reports": audit,
  "GET /api/v1/reports/restore": seen,
  "GET /api/v1/reports/restore.pdf": seen,
  "PUT /api/v1/reports/{id}": modify,
  "DELETE /api/v1/reports/{id}": modify,
  // A policy names every guest it holds.
  "GET /api/v1/policies": audit,
  "GET /api/v1/policies/{id}/plan": whole,
  "GET /api/v1/policies/{id}/nights": whole,
  "POST /api/v1/policies/preview": whole,
  "POST /api/v1/policies": modify,
  "PUT /api/v1/policies/{id}": modify,
  "POST /api/v1/policies/{id}/enable": modify,
  "DELETE /api/v1/policies/{id}": modify,

  "GET /api/v1/audit": audit,
  // It names everything that somebody decided about.
  "GET /api/v1/audit/entries": whole,
  "POST /api/v1/audit/verify": modify,
  "GET /api/v1/keys": audit,
  "POST /api/v1/keys": appoint,
  "DELETE /api/v1/keys/{id}": modify,
  "DELETE /api/v1/agents/{cluster}/{node}": acting,
  "POST /api/v1/agents/{cluster}/{node}/renew-key": acting,
  "GET /api/v1/session": seen,
  "DELETE /api/v1/session": seen,
  "POST /api/v1/session": open,
  "GET /api/v1/session/realms": open,
  "POST /api/v1/session/login": open,
  "POST /api/v1/session/login/answer": open,
  "PUT /api/v1/gateway/views/{digest}": open,

  // Outside the document: metrics name everything there is, the document nothing.
  "GET /metrics": whole,
  "GET /api/v1/openapi.json": seen,
};

const compiled = Object.entries(accessRules).map(([operation, rule]) => {
  const [method = "", template = ""] = operation.split(" ");
  const pattern = new RegExp(`^${template.replaceAll(".", "\\.").replace(/\{[a-z]+\}/g, "[^/]+")}$`);
  return { method, pattern, rule, isExact: !template.includes("{") };
});

/** Exact paths first: `rules/signals` is no rule's id. Undefined: no such operation. */
export function accessRuleOf(method: string, path: string): AccessRule | undefined {
  const asked = method === "HEAD" ? "GET" : method;
  const fitting = compiled.filter((row) => row.method === asked && row.pattern.test(path));
  return (fitting.find(({ isExact }) => isExact) ?? fitting[0])?.rule;
}

/** Holds Proxmox VE users to the rules, after the authenticator. */
export function accessControl(ports: HttpPorts): MiddlewareHandler<HubEnv> {
  return async (c, next) => {
    refuseAccess(ports, c.get("viewer"), c.req.method, c.req.path);
    await next();
  };
}

/** @throws Refusal where the rules say that this viewer may not. */
export function refuseAccess(ports: HttpPorts, viewer: Viewer, method: string, path: string): void {
  if (viewer.kind !== "pve") return;
  const rule = accessRuleOf(method, path);
  // No operation: the router says so, to everybody alike.
  if (rule === undefined || rule.rule === "keys") throw new Refusal("forbidden", "this takes an API key");
  if (rule.rule !== "everywhere" && rule.rule !== "whole") return;
  const view = seenPorts(ports, viewer);
  const missing = rule.privileges.find((privilege) => !holdsEverywhere(view.viewer, view.around, privilege));
  if (missing !== undefined)
    throw new Refusal("forbidden", `this takes ${missing} on / in Proxmox VE, of every cluster of this hub`);
  if (rule.rule === "whole" && !view.whole())
    throw new Refusal("forbidden", "this tells of everything there is: it is only for users from whom Proxmox VE hides nothing");
}

/** @throws Refusal when the caller may not act on this entity's alerts; to be asked after it was found among what he sees. */
export async function mayAct(c: HubContext, about: readonly { cluster: string; entity: string }[]): Promise<void> {
  const needs = new Map<string, ReturnType<typeof actPermission>[]>();
  for (const { cluster, entity } of about) {
    needs.set(cluster, [...(needs.get(cluster) ?? []), actPermission(entity as EntityKey)]);
  }
  for (const [cluster, permissions] of needs) await c.get("caller").ask(cluster, permissions);
}

/** @throws Refusal when the caller may not change what is the hub's own. */
export function mayModify(seenPorts: SeenPorts): void {
  if (holdsEverywhere(seenPorts.viewer, seenPorts.around, "Sys.Modify")) return;
  throw new Refusal("forbidden", "this takes Sys.Modify on / in Proxmox VE, of every cluster of this hub");
}
