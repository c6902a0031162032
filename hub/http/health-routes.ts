import { createRoute } from "@hono/zod-openapi";
import { healthSchema } from "#protocol/api.ts";
import { softwareVersion } from "#protocol/version.ts";
import { holdsEverywhere } from "../core/viewer.ts";
import type { HubApp } from "./env.ts";
import { commonErrors } from "./errors.ts";
import type { HttpPorts } from "./ports.ts";
import { seenBy } from "./seen.ts";

const healthRoute = createRoute({
  method: "get",
  path: "/api/v1/health",
  tags: ["hub"],
  summary: "Whether the hub works and hears its agents",
  responses: {
    200: {
      description: "`degraded` with its reasons; always 200 while the hub answers",
      content: { "application/json": { schema: healthSchema } },
    },
    ...commonErrors,
  },
});

export function healthRoutes(app: HubApp, ports: HttpPorts): void {
  app.openapi(healthRoute, (c) => {
    const problems = ports.problems();
    const seen = seenBy(c, ports);
    const isOverseer = holdsEverywhere(seen.viewer, seen.around, "Sys.Audit");
    const newest = ports.live.newestFrameOfAll();
    const answer = {
      status: problems.length === 0 ? ("ok" as const) : ("degraded" as const),
      version: softwareVersion,
      startedAt: ports.startedAt,
      agents: ports.agents(),
      newestSampleAgeMs: newest === undefined ? null : ports.clock.now() - newest,
      // They name nodes and receivers; that something is wrong is told to everybody.
      problems: isOverseer ? problems : [],
      counters: { ...ports.counters(), refused: isOverseer ? ports.refused() : {} },
    };
    return c.json(answer, 200);
  });
}
