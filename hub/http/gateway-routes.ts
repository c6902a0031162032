import { createRoute } from "@hono/zod-openapi";
import * as z from "zod";
import { askingOf } from "./asking.ts";
import type { HubApp } from "./env.ts";
import { commonErrors } from "./errors.ts";
import type { Gateways } from "./gateway.ts";

const viewRoute = createRoute({
  method: "put",
  path: "/api/v1/gateway/views/{digest}",
  tags: ["gateway"],
  summary: "What a Proxmox VE user sees, left by an agent's gateway",
  description: "Signed by the agent (`proven-assertion`): docs/VIEWER.md. Nobody else can use it.",
  security: [],
  request: { params: z.object({ digest: z.string().regex(/^[0-9a-f]{64}$/, "SHA-256 in hex") }) },
  responses: { 204: { description: "Taken" }, ...commonErrors },
});

/** Before the authenticator: the assertion is all there is to check. */
export function gatewayRoutes(app: HubApp, gateways: Gateways): void {
  app.openapi(viewRoute, async (c) => {
    await gateways.takeView(askingOf(c), c.req.valid("param").digest);
    return c.body(null, 204);
  });
}
