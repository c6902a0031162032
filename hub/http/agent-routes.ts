import { createRoute } from "@hono/zod-openapi";
import * as z from "zod";
import { parseClusterId, parseNodeName } from "#protocol/ids.ts";
import { revokeAgent } from "../agent-keys.ts";
import { Refusal } from "../core/refusal.ts";
import { type AgentId, agentKey } from "../core/series.ts";
import { seesCluster } from "../core/viewer.ts";
import { actorOf, found } from "./documents.ts";
import type { HubApp, HubContext } from "./env.ts";
import { commonErrors } from "./errors.ts";
import type { HttpPorts } from "./ports.ts";

const params = z.object({ cluster: z.string().max(16), node: z.string().max(63) });

const revokeRoute = createRoute({
  method: "delete",
  path: "/api/v1/agents/{cluster}/{node}",
  tags: ["agents"],
  summary: "Revokes an agent's key: its connection ends, and only a new key with a new join gets in",
  request: { params },
  responses: { 204: { description: "Revoked" }, ...commonErrors },
});

const renewKeyRoute = createRoute({
  method: "post",
  path: "/api/v1/agents/{cluster}/{node}/renew-key",
  tags: ["agents"],
  summary:
    "Asks a connected agent for a new key: it connects with that one within seconds, and the old one lets nobody in any more",
  request: { params },
  responses: { 202: { description: "Asked; the audit log says when the new key is used" }, ...commonErrors },
});

export function agentRoutes(app: HubApp, ports: HttpPorts): void {
  const { state, clock } = ports;

  app.openapi(revokeRoute, async (c) => {
    const agent = await agentInUse(c, ports, c.req.valid("param"));
    revokeAgent(state, agentKey(agent), actorOf(c, "revoked by the API"), clock.now());
    return c.body(null, 204);
  });

  app.openapi(renewKeyRoute, async (c) => {
    const agent = await agentInUse(c, ports, c.req.valid("param"));
    if (ports.renewKey?.(agent) !== true) {
      const remedy = "on that node, proven-agent key rotate makes a new key that is handed over when it is connected";
      throw new Refusal("agent-offline", `the agent of ${agent.node} can't be asked now: ${remedy}`);
    }
    state.note("update", "agent", agentKey(agent), actorOf(c, "asked for a new key"));
    return c.body(null, 202);
  });
}

/** The agent that an address names, for somebody who may decide about it. @throws Refusal: there is none that has a key, or he may not. */
async function agentInUse(c: HubContext, { state }: HttpPorts, address: z.infer<typeof params>): Promise<AgentId> {
  const [cluster, node] = [parseClusterId(address.cluster), parseNodeName(address.node)];
  const what = `agent of ${address.node} in the cluster ${address.cluster}`;
  const id = cluster === undefined || node === undefined ? undefined : { cluster, node };
  const document =
    id === undefined || !seesCluster(c.get("viewer"), address.cluster) ? undefined : state.get("agent", agentKey(id));
  const { publicKey, ...agent } = found(document, what);
  await c.get("caller").ask(address.cluster, [{ path: "/", privilege: "Sys.Modify" }]);
  found(publicKey ?? undefined, what);
  return { cluster: agent.cluster, node: agent.node };
}
