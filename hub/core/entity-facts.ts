import type { EntityKey, EpochMs, NodeName, StorageId } from "#protocol/ids.ts";
import { clusterKey, diskKey, entityKind, guestKey, nodeKey, storageKey, thinpoolKey, zpoolKey } from "#protocol/ids.ts";
import type { StorageFacts } from "#protocol/inventory.ts";
import { type ClusterPicture, nodesOf, storagesOf } from "./cluster.ts";
import { guestName, type OwnedGuest } from "./inventory.ts";
import type { EntityFacts } from "./scope.ts";

/** `web (VM 100)`, `CT101`. */
export function titleOf(facts: OwnedGuest["facts"]): string {
  const kind = facts.type === "qemu" ? "VM" : "CT";
  return facts.name === undefined ? guestName(facts) : `${facts.name} (${kind} ${facts.vmid})`;
}

/** All that rules can be about in one cluster, templates aside. `incarnationOf`: of a guest whose vmid was used before. */
export function entitiesOf(
  picture: ClusterPicture,
  incarnationOf: (entity: EntityKey) => number | undefined,
  now: EpochMs,
): EntityFacts[] {
  const { cluster } = picture;
  const plain = (entity: EntityKey, node: NodeName | undefined, name: string, rest: Partial<EntityFacts> = {}): EntityFacts => ({
    cluster,
    entity,
    kind: entityKind(entity),
    incarnation: 1,
    node,
    type: "",
    name,
    title: name,
    tags: [],
    pool: undefined,
    storages: [],
    ...rest,
  });
  const found: EntityFacts[] = [plain(clusterKey, undefined, picture.name)];
  for (const node of nodesOf(picture, now).keys()) found.push(plain(nodeKey(node), node, node));
  for (const owned of picture.owners.values()) {
    const { facts, owner } = owned;
    if (facts.template) continue;
    const entity = guestKey(facts.vmid);
    const { type, tags, pool, storages = [] } = facts;
    const rest = { incarnation: incarnationOf(entity) ?? 1, type, title: titleOf(facts), tags, pool, storages };
    found.push(plain(entity, owner.agent.node, guestName(facts), rest));
  }
  for (const { facts, node } of storagesOf(picture, now)) {
    if (!facts.enabled) continue;
    const entity = storageKey(facts.storage as StorageId, node);
    const title = node === undefined ? facts.storage : `${facts.storage} on ${node}`;
    const spaceOf = node === undefined ? undefined : spaceBehind(facts, node);
    found.push(plain(entity, node, facts.storage, { type: facts.type, title, storages: [facts.storage], spaceOf }));
  }
  return [...found, ...hardwareOf(picture, plain)];
}

function spaceBehind({ type, pool }: StorageFacts, node: NodeName): EntityKey | undefined {
  if (pool === undefined) return undefined;
  if (type === "zfspool") return zpoolKey(node, pool);
  const [vg, lv] = pool.split("/");
  return type === "lvmthin" && vg !== undefined && lv !== undefined ? thinpoolKey(node, vg, lv) : undefined;
}

function hardwareOf(
  picture: ClusterPicture,
  plain: (entity: EntityKey, node: NodeName | undefined, name: string, rest?: Partial<EntityFacts>) => EntityFacts,
): EntityFacts[] {
  const found: EntityFacts[] = [];
  const datastores = new Map<string, EntityFacts>();
  for (const agent of picture.agents.values()) {
    const { node } = agent;
    const inventory = agent.inventory?.inventory;
    if (inventory === undefined || agent.state === "revoked") continue;
    for (const pool of inventory.node.zpools)
      found.push(plain(zpoolKey(node, pool), node, pool, { title: `${pool} on ${node}` }));
    for (const { id, name, model } of inventory.node.disks ?? []) {
      found.push(plain(diskKey(node, id), node, name, { title: model === undefined ? name : `${name} (${model})` }));
    }
    for (const { vg, lv } of inventory.node.thinpools ?? []) {
      found.push(plain(thinpoolKey(node, vg, lv), node, lv, { title: `${vg}/${lv} on ${node}` }));
    }
    for (const { key, store, server, storages } of inventory.datastores ?? []) {
      const rest = { title: `${store} on ${server}`, storages: storages.map(({ storage }) => storage) };
      datastores.set(key, plain(key as EntityKey, undefined, store, rest));
    }
  }
  return [...found, ...datastores.values()];
}

/** Finds the datastore behind a storage of one of these clusters. */
export function datastoresBehind(
  pictures: readonly ClusterPicture[],
): (cluster: string, storage: string) => EntityKey | undefined {
  const pictureOf = new Map(pictures.map((picture) => [picture.cluster as string, picture]));
  return (cluster, storage) => {
    const picture = pictureOf.get(cluster);
    return picture === undefined ? undefined : datastoreBehind(picture, storage);
  };
}

function datastoreBehind(picture: ClusterPicture, storage: string): EntityKey | undefined {
  for (const { inventory } of picture.agents.values()) {
    const found = inventory?.inventory.datastores?.find((one) => one.storages.some((place) => place.storage === storage));
    if (found !== undefined) return found.key as EntityKey;
  }
  return undefined;
}

/** Whether two lists hold the same entities, each as it was, in the same order. */
export function sameEntities(a: readonly EntityFacts[], b: readonly EntityFacts[]): boolean {
  return a.length === b.length && a.every((one, index) => sameFacts(one, b[index] as EntityFacts));
}

function sameFacts(a: EntityFacts, b: EntityFacts): boolean {
  return (
    a.entity === b.entity &&
    a.cluster === b.cluster &&
    a.kind === b.kind &&
    a.incarnation === b.incarnation &&
    a.node === b.node &&
    a.type === b.type &&
    a.name === b.name &&
    a.title === b.title &&
    a.pool === b.pool &&
    a.spaceOf === b.spaceOf &&
    sameWords(a.tags, b.tags) &&
    sameWords(a.storages, b.storages)
  );
}

const sameWords = (a: readonly string[], b: readonly string[]) =>
  a === b || (a.length === b.length && a.every((word, index) => word === b[index]));

/** One guest, as scopes ask about it. `incarnation`: 1 where it doesn't matter. */
export function guestEntity(cluster: EntityFacts["cluster"], { facts, owner }: OwnedGuest, incarnation = 1): EntityFacts {
  const { type, tags, pool, storages = [] } = facts;
  return {
    cluster,
    entity: guestKey(facts.vmid),
    kind: "guest",
    incarnation,
    node: owner.agent.node,
    type,
    name: guestName(facts),
    title: titleOf(facts),
    tags,
    pool,
    storages,
  };
}
