import { setImmediate } from "node:timers/promises";
import { createRoute } from "@hono/zod-openapi";
import * as z from "zod";
import { page } from "#protocol/api.ts";
import type { EntityKey, NodeName } from "#protocol/ids.ts";
import { byText } from "#protocol/order.ts";
import { type NodeRecovery, nodeRecoverySchema, type RecoveryDetail, recoveryDetailSchema } from "#protocol/recovery.ts";
import { askedNode } from "../core/asked.ts";
import { type ClusterPicture, nodesOf } from "../core/cluster.ts";
import { recoveriesIn, withoutEach } from "../core/node-recovery.ts";
import type { RestorePorts } from "../proof/restore.ts";
import { clusterQuery, picturesOf, pictureWith, sightOf } from "./clusters.ts";
import { json } from "./documents.ts";
import type { HubApp } from "./env.ts";
import { commonErrors } from "./errors.ts";
import type { HttpPorts } from "./ports.ts";
import { type SeenPorts, seenBy } from "./seen.ts";

const tags = ["recovery"];
const routes = {
  all: createRoute({
    method: "get",
    path: "/api/v1/recovery",
    tags,
    summary: "If a node burned now, what comes back? One answer for each node",
    request: { query: clusterQuery },
    responses: { 200: json(page(nodeRecoverySchema), "Nodes by name"), ...commonErrors },
  }),
  node: createRoute({
    method: "get",
    path: "/api/v1/nodes/{node}/recovery",
    tags,
    summary: "If this node burned now, what comes back, when, and how do you know? Guest by guest",
    description:
      "Counted are guests that are seen. A storage that other nodes reach is taken to outlive the node; where a guest of the node itself serves it, it does not, and nobody tells the hub.",
    request: { params: z.object({ node: z.string() }), query: clusterQuery },
    responses: { 200: json(recoveryDetailSchema, "The worst guests first"), ...commonErrors },
  }),
};

/** The loss of a node, thought through from what is known of backups, replicas, shared disks and restore tests. */
export function recoveryRoutes(app: HubApp, ports: HttpPorts, restore: RestorePorts): void {
  // Worked out from all that is known, as protection is: a storage that somebody may not see keeps his guest's disks all the same.
  const recoveriesOf = (seen: SeenPorts, cluster: string): ((node: NodeName) => RecoveryDetail) => {
    const sight = sightOf(ports);
    const picture = pictureWith(ports, cluster, "cluster", () => true);
    const sees = (entity: EntityKey) => seen.entity(cluster, entity);
    return recoveriesIn(sight, picture, restore.recoveryKnowledge(picture, sight.now), { sees, hostName: ports.hostName });
  };
  app.openapi(routes.all, async (c) => {
    const seen = seenBy(c, ports);
    const items: NodeRecovery[] = [];
    for (const picture of picturesOf(seen, c.req.valid("query").cluster)) {
      const recoveryOf = recoveriesOf(seen, picture.cluster);
      for (const node of [...nodesOf(picture, seen.clock.now()).keys()].sort(byText)) {
        items.push(withoutEach(recoveryOf(node)));
        // Thousands of guests are looked at: others get their turn in between.
        await setImmediate();
      }
    }
    return c.json({ items, next: null }, 200);
  });
  app.openapi(routes.node, (c) => {
    const seen = seenBy(c, ports);
    const node = askedNode(c.req.valid("param").node);
    const has = (picture: ClusterPicture) => nodesOf(picture, seen.clock.now()).has(node);
    const { cluster } = pictureWith(seen, c.req.valid("query").cluster, `node ${node}`, has);
    return c.json(recoveriesOf(seen, cluster)(node), 200);
  });
}
