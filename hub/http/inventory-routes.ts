import { createRoute } from "@hono/zod-openapi";
import * as z from "zod";
import { entityMetricsSchema, guestSchema, nodeSchema, page, storageSchema } from "#protocol/api.ts";
import { nodeHardwareSchema } from "#protocol/hardware.ts";
import { guestKey, nodeKey, parseNodeName, parseVmid } from "#protocol/ids.ts";
import { askedNode, askedVmid } from "../core/asked.ts";
import { nodesOf } from "../core/cluster.ts";
import { Refusal } from "../core/refusal.ts";
import { entityMetrics, guestView, guestViews, nodeView, nodeViews, storageViews } from "../core/views.ts";
import { clusterQuery, picturesOf, pictureWith, sightOf } from "./clusters.ts";
import type { HubApp } from "./env.ts";
import { commonErrors } from "./errors.ts";
import type { HttpPorts } from "./ports.ts";
import { seenBy } from "./seen.ts";

const json = <T extends z.ZodType>(schema: T, description: string) => ({
  description,
  content: { "application/json": { schema } },
});

const nodeParam = z.object({ node: z.string().refine((value) => parseNodeName(value) !== undefined, "not a node's name") });
const vmidParam = z.object({ vmid: z.string().refine((value) => parseVmid(value) !== undefined, "not a vmid: 100 … 999999999") });

const tags = ["inventory"];
const routes = {
  nodes: createRoute({
    method: "get",
    path: "/api/v1/nodes",
    tags,
    summary: "All nodes of all clusters",
    request: { query: clusterQuery },
    responses: { 200: json(page(nodeSchema), "Nodes by name"), ...commonErrors },
  }),
  node: createRoute({
    method: "get",
    path: "/api/v1/nodes/{node}",
    tags,
    summary: "One node",
    request: { params: nodeParam, query: clusterQuery },
    responses: { 200: json(nodeSchema, "The node"), ...commonErrors },
  }),
  nodeMetrics: createRoute({
    method: "get",
    path: "/api/v1/nodes/{node}/metrics",
    tags,
    summary: "Newest value of everything a node is sampled for; counters as rates per second",
    request: { params: nodeParam, query: clusterQuery },
    responses: { 200: json(entityMetricsSchema, "Metrics by name"), ...commonErrors },
  }),
  hardware: createRoute({
    method: "get",
    path: "/api/v1/nodes/{node}/hardware",
    tags,
    summary: "What machine a node is: maker, serial numbers, firmware, processors, memory modules",
    request: { params: nodeParam, query: clusterQuery },
    responses: { 200: json(nodeHardwareSchema, "Whatever is absent is unknown"), ...commonErrors },
  }),
  guests: createRoute({
    method: "get",
    path: "/api/v1/guests",
    tags,
    summary: "All guests, virtual machines and containers",
    request: { query: clusterQuery.extend({ node: z.string().optional(), tag: z.string().optional() }) },
    responses: { 200: json(page(guestSchema), "Guests by vmid"), ...commonErrors },
  }),
  guest: createRoute({
    method: "get",
    path: "/api/v1/guests/{vmid}",
    tags,
    summary: "One guest",
    request: { params: vmidParam, query: clusterQuery },
    responses: { 200: json(guestSchema, "The guest"), ...commonErrors },
  }),
  guestMetrics: createRoute({
    method: "get",
    path: "/api/v1/guests/{vmid}/metrics",
    tags,
    summary: "Newest value of everything a guest is sampled for; counters as rates per second",
    request: { params: vmidParam, query: clusterQuery },
    responses: { 200: json(entityMetricsSchema, "Metrics by name"), ...commonErrors },
  }),
  storages: createRoute({
    method: "get",
    path: "/api/v1/storages",
    tags,
    summary: "All storages; a shared one stands here once",
    request: { query: clusterQuery },
    responses: { 200: json(page(storageSchema), "Storages by entity"), ...commonErrors },
  }),
};

/** Nodes, guests and storages. */
export function inventoryRoutes(app: HubApp, ports: HttpPorts): void {
  app.openapi(routes.nodes, (c) => {
    const seen = seenBy(c, ports);
    const sight = sightOf(seen);
    const items = picturesOf(seen, c.req.valid("query").cluster).flatMap((picture) => nodeViews(sight, picture));
    return c.json({ items, next: null }, 200);
  });
  app.openapi(routes.node, (c) =>
    c.json(findNode(seenBy(c, ports), c.req.valid("param").node, c.req.valid("query").cluster).view, 200),
  );
  app.openapi(routes.nodeMetrics, (c) => {
    const seen = seenBy(c, ports);
    const { picture, node } = findNode(seen, c.req.valid("param").node, c.req.valid("query").cluster);
    return c.json(entityMetrics(sightOf(seen), picture, nodeKey(node), node), 200);
  });
  app.openapi(routes.hardware, (c) => {
    const seen = seenBy(c, ports);
    const { picture, node } = findNode(seen, c.req.valid("param").node, c.req.valid("query").cluster);
    const { cluster, agents } = picture;
    const entity = nodeKey(node);
    if (!seen.entity(cluster, entity))
      throw new Refusal("forbidden", `the hardware of ${node} takes Sys.Audit on /nodes/${node}`);
    const hardware = agents.get(node)?.inventory?.inventory.node.hardware ?? null;
    return c.json({ cluster, node, entity, hardware }, 200);
  });
  app.openapi(routes.guests, (c) => {
    const { cluster, node, tag } = c.req.valid("query");
    const seen = seenBy(c, ports);
    const sight = sightOf(seen);
    const all = picturesOf(seen, cluster).flatMap((picture) => guestViews(sight, picture));
    const items = all.filter(
      (guest) => (node === undefined || guest.node === node) && (tag === undefined || guest.tags.includes(tag)),
    );
    return c.json({ items, next: null }, 200);
  });
  app.openapi(routes.guest, (c) => {
    const seen = seenBy(c, ports);
    const { picture, owned } = findGuest(seen, c.req.valid("param").vmid, c.req.valid("query").cluster);
    return c.json(guestView(sightOf(seen), picture, owned), 200);
  });
  app.openapi(routes.guestMetrics, (c) => {
    const seen = seenBy(c, ports);
    const { picture, owned } = findGuest(seen, c.req.valid("param").vmid, c.req.valid("query").cluster);
    const metrics = entityMetrics(sightOf(seen), picture, guestKey(owned.facts.vmid), owned.owner.agent.node);
    return c.json(metrics, 200);
  });
  app.openapi(routes.storages, (c) => {
    const seen = seenBy(c, ports);
    const sight = sightOf(seen);
    const items = picturesOf(seen, c.req.valid("query").cluster).flatMap((picture) => storageViews(sight, picture));
    return c.json({ items, next: null }, 200);
  });
}

function findNode(ports: HttpPorts, name: string, cluster: string | undefined) {
  const node = askedNode(name);
  const sight = sightOf(ports);
  const picture = pictureWith(ports, cluster, `node ${node}`, (one) => nodesOf(one, sight.now).has(node));
  const view = nodeView(sight, picture, node);
  if (view === undefined) throw new Refusal("not-found", `there is no node ${node}`);
  return { picture, node, view };
}

function findGuest(ports: HttpPorts, text: string, cluster: string | undefined) {
  const vmid = askedVmid(text);
  const picture = pictureWith(ports, cluster, `guest ${vmid}`, (one) => one.owners.has(vmid));
  const owned = picture.owners.get(vmid);
  if (owned === undefined) throw new Refusal("not-found", `there is no guest ${vmid}`);
  return { picture, owned };
}
