import { createRoute } from "@hono/zod-openapi";
import { auditStateSchema } from "#protocol/audit.ts";
import type { AuditWatch } from "../audit-watch.ts";
import { json } from "./documents.ts";
import type { HubApp } from "./env.ts";
import { commonErrors } from "./errors.ts";

const tags = ["audit"];
const responses = { 200: json(auditStateSchema, "How it stands"), ...commonErrors };
const routes = {
  state: createRoute({
    method: "get",
    path: "/api/v1/audit",
    tags,
    summary: "Whether the hash-chained audit log and the evidence of restore tests were intact when they were last checked",
    responses,
  }),
  verify: createRoute({
    method: "post",
    path: "/api/v1/audit/verify",
    tags,
    summary: "Follows the audit log from its first entry and compares every evidence with it, as `proven-hub audit verify` does",
    responses,
  }),
};

/** The audit log that restore proofs rest on. */
export function auditRoutes(app: HubApp, audit: Pick<AuditWatch, "state" | "check">): void {
  app.openapi(routes.state, (c) => c.json(audit.state, 200));
  app.openapi(routes.verify, async (c) => c.json(await audit.check(), 200));
}
