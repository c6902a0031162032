import { createRoute } from "@hono/zod-openapi";
import * as z from "zod";
import { parseClusterId, parseNodeName } from "#protocol/ids.ts";
import { seesCluster } from "../core/viewer.ts";
import { agentKey, revokeAgent } from "../link/gate.ts";
import { actorOf, found } from "./documents.ts";
import type { HubApp } from "./env.ts";
import { commonErrors } from "./errors.ts";
import type { HttpPorts } from "./ports.ts";

const revokeRoute = createRoute({
  method: "delete",
  path: "/api/v1/agents/{cluster}/{node}",
  tags: ["agents"],
  summary: "Revokes an agent's key: its connection ends, and only a new key with a new join gets in",
  request: { params: z.object({ cluster: z.string().max(16), node: z.string().max(63) }) },
  responses: { 204: { description: "Revoked" }, ...commonErrors },
});

export function agentRoutes(app: HubApp, { state, clock }: HttpPorts): void {
  app.openapi(revokeRoute, async (c) => {
    const params = c.req.valid("param");
    const [cluster, node] = [parseClusterId(params.cluster), parseNodeName(params.node)];
    const what = `agent of ${params.node} in the cluster ${params.cluster}`;
    const id = cluster === undefined || node === undefined ? undefined : agentKey({ cluster, node });
    const agent = id === undefined || !seesCluster(c.get("viewer"), params.cluster) ? undefined : state.get("agent", id);
    const { publicKey } = found(agent, what);
    await c.get("caller").ask(params.cluster, [{ path: "/", privilege: "Sys.Modify" }]);
    found(publicKey ?? undefined, what);
    revokeAgent(state, id ?? "", actorOf(c, "revoked by the API"), clock.now());
    return c.body(null, 204);
  });
}
