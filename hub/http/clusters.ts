import * as z from "zod";
import type { EntityKey, NodeName } from "#protocol/ids.ts";
import { parseNodeName, parseStorageId } from "#protocol/ids.ts";
import type { ClusterPicture } from "../core/cluster.ts";
import { Refusal } from "../core/refusal.ts";
import { proofSight, type Sight } from "../core/views.ts";
import type { HttpPorts } from "./ports.ts";

export const clusterQuery = z.object({
  cluster: z.string().optional().describe("The cluster's id; needed only where several clusters have the same name or number"),
});

export function sightOf({ reader, live, clock, restore }: Pick<HttpPorts, "reader" | "live" | "clock" | "restore">): Sight {
  const now = clock.now();
  return { reader, live, now, ...proofSight(restore, now) };
}

/** The pictures a list is about. @throws Refusal for a cluster there is none of. */
export function picturesOf(ports: Pick<HttpPorts, "pictures">, cluster: string | undefined): ClusterPicture[] {
  const all = ports.pictures();
  if (cluster === undefined) return all;
  const found = all.filter((picture) => picture.cluster === cluster);
  if (found.length === 0) throw new Refusal("not-found", `there is no cluster ${cluster}`, { field: "cluster" });
  return found;
}

/** The one picture in which `has` finds something. @throws Refusal when none does, or several do. */
export function pictureWith(
  ports: HttpPorts,
  cluster: string | undefined,
  what: string,
  has: (picture: ClusterPicture) => boolean,
): ClusterPicture {
  const found = picturesOf(ports, cluster).filter(has);
  const [only] = found;
  if (only === undefined) throw new Refusal("not-found", `there is no ${what}`);
  if (found.length > 1)
    throw new Refusal("conflict", `several clusters have ${what}: name one with ?cluster=`, { field: "cluster" });
  return only;
}

/** The node whose agent stamps an entity's samples; undefined for what exists once in the cluster. */
export function nodeOfEntity(picture: ClusterPicture, entity: EntityKey): NodeName | undefined {
  const [kind, first, second] = entity.split("/");
  if (kind === "node" || kind === "zpool" || kind === "disk" || kind === "thinpool") return parseNodeName(first);
  if (kind === "guest") {
    for (const { facts, owner } of picture.owners.values()) if (String(facts.vmid) === first) return owner.agent.node;
  }
  if (kind === "storage" && second !== undefined && parseStorageId(second) !== undefined) return parseNodeName(first);
  return undefined;
}
