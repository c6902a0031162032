import { createRoute } from "@hono/zod-openapi";
import * as z from "zod";
import { page } from "#protocol/api.ts";
import { auditEntryViewSchema, auditStateSchema } from "#protocol/audit.ts";
import type { AuditWatch } from "../audit-watch.ts";
import { json } from "./documents.ts";
import type { HubApp } from "./env.ts";
import { commonErrors } from "./errors.ts";
import type { HttpPorts } from "./ports.ts";

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
  entries: createRoute({
    method: "get",
    path: "/api/v1/audit/entries",
    tags,
    summary: "Who changed what, when and why, newest first",
    request: {
      query: z.object({
        limit: z.coerce.number().int().min(1).max(1000).default(100),
        cursor: z.coerce.number().int().nonnegative().optional().describe("`next` of the page before"),
        actor: z.string().optional().describe("A user, a key's name, or `hub`"),
        kind: z.string().optional().describe("Of document: `rule`, `silence`, `apiKey`, `agent`, `session` …"),
      }),
    },
    responses: { 200: json(page(auditEntryViewSchema), "One page; `next` null: the last"), ...commonErrors },
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
export function auditRoutes(app: HubApp, { state }: Pick<HttpPorts, "state">, audit: Pick<AuditWatch, "state" | "check">): void {
  app.openapi(routes.entries, (c) => {
    const { limit, cursor, ...filter } = c.req.valid("query");
    const { items, next } = state.auditPage(filter, { limit, cursor });
    return c.json({ items: items.map(({ before, after, prev, ...entry }) => entry), next }, 200);
  });
  app.openapi(routes.state, (c) => c.json(audit.state, 200));
  app.openapi(routes.verify, async (c) => c.json(await audit.check(), 200));
}
