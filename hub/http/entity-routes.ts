import { createRoute } from "@hono/zod-openapi";
import * as z from "zod";
import { page } from "#protocol/api.ts";
import { type EntityView, entityKinds, entityViewSchema, outlookSchema } from "#protocol/entities.ts";
import { parseEntityKey } from "#protocol/ids.ts";
import type { DiskFacts } from "#protocol/inventory.ts";
import { byText } from "#protocol/order.ts";
import { askedEntity } from "../core/asked.ts";
import type { ClusterPicture } from "../core/cluster.ts";
import { entitiesOf } from "../core/entity-facts.ts";
import type { OwnedGuest } from "../core/inventory.ts";
import { outlooksOf } from "../core/outlook.ts";
import { Refusal } from "../core/refusal.ts";
import type { EntityFacts } from "../core/scope.ts";
import { entityMetrics } from "../core/views.ts";
import { clusterQuery, nodeOfEntity, picturesOf, pictureWith, sightOf } from "./clusters.ts";
import { json } from "./documents.ts";
import type { HubApp } from "./env.ts";
import { commonErrors } from "./errors.ts";
import type { HttpPorts } from "./ports.ts";
import { type SeenPorts, seenBy } from "./seen.ts";

/** Values of so many at once: a node with a hundred disks, not a cluster's thousand guests. */
const withValuesMax = 300;

const entityQuery = z.string().refine((value) => parseEntityKey(value) !== undefined, "not an entity: `zpool/pve1/tank`");

const tags = ["inventory"];
const routes = {
  list: createRoute({
    method: "get",
    path: "/api/v1/entities",
    tags,
    summary: "Everything that has samples: disks, pools and datastores too",
    request: {
      query: clusterQuery.extend({
        kind: z.enum(entityKinds).optional(),
        node: z.string().optional(),
        entity: entityQuery.optional(),
        values: z.enum(["0", "1"]).default("0").describe(`1: with newest values, of at most ${withValuesMax} entities`),
      }),
    },
    responses: { 200: json(page(entityViewSchema), "Entities by key"), ...commonErrors },
  }),
  outlook: createRoute({
    method: "get",
    path: "/api/v1/entities/outlook",
    tags,
    summary: "When what fills of one entity will be full, from its last 90 days",
    request: { query: clusterQuery.extend({ entity: entityQuery }) },
    responses: { 200: json(page(outlookSchema), "One for each thing that fills; empty: nothing does"), ...commonErrors },
  }),
};

/** Everything there is, in one form. */
export function entityRoutes(app: HubApp, ports: HttpPorts): void {
  app.openapi(routes.list, (c) => {
    const { cluster, kind, node, entity, values } = c.req.valid("query");
    const seen = seenBy(c, ports);
    const isWanted = (facts: EntityFacts) =>
      (kind === undefined || facts.kind === kind) &&
      (node === undefined || facts.node === node) &&
      (entity === undefined || facts.entity === entity) &&
      seen.entity(facts.cluster, facts.entity);
    const found = picturesOf(seen, cluster).flatMap((picture) =>
      entitiesOf(picture, (key) => seen.reader.incarnationOf(picture.cluster, key), seen.clock.now())
        .filter(isWanted)
        .map((facts) => ({ picture, facts })),
    );
    if (values === "1" && found.length > withValuesMax) {
      throw new Refusal("too-large", `${found.length} entities: ask for values by kind and node`, { field: "values" });
    }
    const items = found.map(({ picture, facts }) => entityView(seen, picture, facts, values === "1"));
    items.sort((a, b) => byText(a.entity, b.entity));
    return c.json({ items, next: null }, 200);
  });
  app.openapi(routes.outlook, (c) => {
    const { cluster, entity: asked } = c.req.valid("query");
    const seen = seenBy(c, ports);
    const entity = askedEntity(asked, "entity");
    const picture = pictureWith(seen, cluster, asked, (one) => seen.reader.incarnationOf(one.cluster, entity) !== undefined);
    return c.json({ items: outlooksOf(seen, picture.cluster, entity, seen.clock.now()), next: null }, 200);
  });
}

function entityView(seen: SeenPorts, picture: ClusterPicture, facts: EntityFacts, withValues: boolean): EntityView {
  const { cluster, entity, kind, name, title, type } = facts;
  const owned = kind === "guest" ? ownedGuest(picture, entity) : undefined;
  const values = withValues ? entityMetrics(sightOf(seen), picture, entity, nodeOfEntity(picture, entity)).metrics : [];
  return {
    ...{ cluster, entity, kind, name, title, type },
    node: facts.node ?? null,
    storages: facts.storages.filter((storage) => seesStorage(seen, cluster, storage, facts.node)),
    disk: kind === "disk" ? diskOf(picture, entity) : null,
    guest: owned === undefined ? null : guestOf(owned.facts),
    metrics: values,
  };
}

const seesStorage = ({ entity }: SeenPorts, cluster: string, storage: string, node: string | undefined) =>
  entity(cluster, `storage/${storage}`) || (node !== undefined && entity(cluster, `storage/${node}/${storage}`));

function ownedGuest(picture: ClusterPicture, entity: string): OwnedGuest | undefined {
  for (const owned of picture.owners.values()) if (`guest/${owned.facts.vmid}` === entity) return owned;
  return undefined;
}

function guestOf(facts: OwnedGuest["facts"]): NonNullable<EntityView["guest"]> {
  const { agent, ha, snapshots, snapshotsLeftOut } = facts;
  const sorted = snapshots?.toSorted((a, b) => a.at - b.at) ?? null;
  return { agent: agent ?? null, ha: ha ?? null, snapshots: sorted, snapshotsLeftOut: snapshotsLeftOut ?? 0 };
}

function diskOf(picture: ClusterPicture, entity: string): EntityView["disk"] {
  const [, node, id] = entity.split("/");
  for (const agent of picture.agents.values()) {
    if (agent.node !== node) continue;
    const disk: DiskFacts | undefined = agent.inventory?.inventory.node.disks?.find((one) => one.id === id);
    if (disk === undefined) continue;
    const { model, serial, sizeBytes, smart } = disk;
    return { model: model ?? null, serial: serial ?? null, sizeBytes: sizeBytes ?? null, smart };
  }
  return null;
}
