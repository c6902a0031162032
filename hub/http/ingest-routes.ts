import { createRoute } from "@hono/zod-openapi";
import * as z from "zod";
import { pveNotificationSchema } from "../core/pve-notification.ts";
import type { PveIngest } from "../pve-ingest.ts";
import type { HubApp } from "./env.ts";
import { commonErrors } from "./errors.ts";

const pveRoute = createRoute({
  method: "post",
  path: "/api/v1/ingest/pve",
  tags: ["history"],
  summary: "Takes in a notification of Proxmox VE, sent by a webhook target there",
  description: "Needs a key with the scope `ingest`. The target's body and headers are in docs/EVENTS.md.",
  request: { body: { required: true, content: { "application/json": { schema: pveNotificationSchema } } } },
  responses: {
    202: {
      description:
        "`held`: a backup's notification waits up to a minute for the task's own event. `duplicate`: known before, by itself or its task",
      content: { "application/json": { schema: z.object({ result: z.enum(["told", "held", "duplicate"]) }) } },
    },
    ...commonErrors,
  },
});

export function ingestRoutes(app: HubApp, ingest: PveIngest): void {
  app.openapi(pveRoute, (c) => c.json({ result: ingest.take(c.req.valid("json")) }, 202));
}
