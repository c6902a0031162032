import { createRoute } from "@hono/zod-openapi";
import * as z from "zod";
import { eventSchema, page, taskViewSchema } from "#protocol/api.ts";
import { eventsJsonSchema } from "../core/events.ts";
import type { HubApp } from "./env.ts";
import { commonErrors } from "./errors.ts";
import type { HttpPorts } from "./ports.ts";
import { seenBy } from "./seen.ts";

const paging = {
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  cursor: z.coerce.number().int().nonnegative().optional().describe("`next` of the page before"),
  since: z.coerce.number().int().nonnegative().optional().describe("Nothing older than this, ms since the Unix epoch"),
  cluster: z.string().optional(),
  node: z.string().optional(),
};

const tasksRoute = createRoute({
  method: "get",
  path: "/api/v1/tasks",
  tags: ["history"],
  summary: "Proxmox tasks of all nodes, newest first",
  request: {
    query: z.object({
      ...paging,
      guest: z.coerce.number().int().min(100).max(999_999_999).optional().describe("Tasks about this vmid"),
      type: z.string().optional().describe("Proxmox' own: vzdump, qmstart, vzmigrate …"),
      state: taskViewSchema.shape.state.optional(),
    }),
  },
  responses: {
    200: { description: "One page; `next` null: the last", content: { "application/json": { schema: page(taskViewSchema) } } },
    ...commonErrors,
  },
});

const eventsRoute = createRoute({
  method: "get",
  path: "/api/v1/events",
  tags: ["history"],
  summary: "What happened, newest first",
  request: {
    query: z.object({
      ...paging,
      type: z.string().optional().describe("One type, or a family with its dot: `guest.`"),
      severity: eventSchema.shape.severity.optional(),
      entity: z.string().optional(),
    }),
  },
  responses: {
    200: { description: "One page; `next` null: the last", content: { "application/json": { schema: page(eventSchema) } } },
    ...commonErrors,
  },
});

const eventsSchemaRoute = createRoute({
  method: "get",
  path: "/api/v1/events/schema",
  tags: ["history"],
  summary: "JSON Schema of every event and its data",
  responses: {
    200: {
      description: "JSON Schema, draft 2020-12: one of the events by `type`",
      content: { "application/json": { schema: z.record(z.string(), z.unknown()) } },
    },
    ...commonErrors,
  },
});

export function historyRoutes(app: HubApp, ports: HttpPorts): void {
  const { history } = ports.state;
  // Made when it is first asked for: the hub's start would be a thirtieth longer.
  let schema: Record<string, z.core.util.JSONType> | undefined;
  app.openapi(eventsSchemaRoute, (c) => {
    schema ??= z.record(z.string(), z.json()).parse(eventsJsonSchema());
    return c.json(schema, 200);
  });
  app.openapi(tasksRoute, (c) => {
    const { limit, cursor, ...filter } = c.req.valid("query");
    return c.json(history.tasks(filter, { limit, cursor }, seenBy(c, ports).task), 200);
  });
  app.openapi(eventsRoute, (c) => {
    const { limit, cursor, ...filter } = c.req.valid("query");
    return c.json(history.events(filter, { limit, cursor }, seenBy(c, ports).event), 200);
  });
}
