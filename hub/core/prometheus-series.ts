import type { EntityKey, EpochMs, NodeName, StorageId } from "#protocol/ids.ts";
import {
  clusterKey,
  diskKey,
  entityKind,
  guestKey,
  nodeKey,
  storageKey,
  thinpoolKey,
  vmidOfKey,
  zpoolKey,
} from "#protocol/ids.ts";
import { byText } from "#protocol/order.ts";
import { type ClusterPicture, nodesOf, spokesman, storagesOf } from "./cluster.ts";
import { isFresh } from "./freshness.ts";
import { expressionsOf, type Family, instanceLabels, type Labels } from "./prometheus-names.ts";
import type { SeriesInfo } from "./series.ts";
import { type Sight, skewOf } from "./views.ts";

/** Name and labels of a series of an exposition. */
export type Labelled = { family: Family; labels: Labels };
export type Row = Labelled & { value: number };
/** Where a series of the store goes, and how its values become base units. */
export type Target = Labelled & Conversion;
export type Conversion = { divisor: number; scale: number };

/** Of the integer that is stored, so that 0.7 % is 0.007 and not a neighbour of it. */
export function toBaseUnit(value: number, { divisor, scale }: Conversion): number {
  return divisor === 1 ? value : Math.round(value * scale) / (scale * divisor);
}

/** What ids of one cluster are made of. */
export type ClusterNames = {
  picture: ClusterPicture;
  /** `cluster/<name>`. A standalone node has none in PVE; ours is made of the node's or the cluster's id then. */
  clusterId: string;
  /** Whether PVE has an object of that id: false on a standalone node. */
  isCluster: boolean;
  /** Only where several clusters share one exposition, because vmids and node names are unique in a cluster only. */
  extra: Labels;
  /** Nodes that may use each shared storage: PVE lists it once for each of them. */
  storageNodes: ReadonlyMap<EntityKey, readonly NodeName[]>;
};

/**
 * Names for an exposition of these clusters. One cluster: exactly the exporter's labels. Several: a `cluster` label tells them apart, with
 * the cluster's name, or its id where two bear the same name.
 */
export function clusterNames(pictures: readonly ClusterPicture[], now: EpochMs): ClusterNames[] {
  return pictures.map((picture) => {
    const name = spokesman(picture, now)?.inventory?.inventory.cluster.name;
    const alone = pictures.filter((other) => other.name === picture.name).length === 1;
    return {
      picture,
      clusterId: `cluster/${name ?? picture.name}`,
      isCluster: name !== undefined,
      extra: pictures.length > 1 ? [["cluster", alone ? picture.name : picture.cluster]] : [],
      storageNodes: sharedStorages(picture, now),
    };
  });
}

function sharedStorages(picture: ClusterPicture, now: EpochMs): Map<EntityKey, readonly NodeName[]> {
  const members = [...nodesOf(picture, now).keys()];
  const found = new Map<EntityKey, readonly NodeName[]>();
  for (const { facts, node } of storagesOf(picture, now)) {
    if (node !== undefined || !facts.shared) continue;
    const nodes = members.filter((member) => facts.nodes.length === 0 || facts.nodes.includes(member));
    found.set(`storage/${facts.storage}` as EntityKey, nodes);
  }
  return found;
}

/** PVE's ids of a shared storage, one for each node that may use it. */
export const sharedStorageIds = (names: ClusterNames, entity: EntityKey): string[] =>
  (names.storageNodes.get(entity) ?? []).map((node) => `storage/${node}/${entity.slice("storage/".length)}`);

/** `qemu/100` needs the guest's type: undefined while no inventory has it. */
export function guestId(names: ClusterNames, entity: EntityKey): string | undefined {
  const vmid = vmidOfKey(entity);
  const owned = vmid === undefined ? undefined : names.picture.owners.get(vmid);
  return owned === undefined ? undefined : `${owned.facts.type}/${vmid}`;
}

/** The ids under which an entity is written. `exporter`: as PVE lists it, else once. Empty: not known (any more). */
function idsOf(names: ClusterNames, entity: EntityKey, exporter: boolean): readonly string[] {
  switch (entityKind(entity)) {
    case "cluster":
      return [names.clusterId];
    case "guest": {
      const id = guestId(names, entity);
      return id === undefined ? [] : [id];
    }
    case "storage":
      return exporter && names.storageNodes.has(entity) ? sharedStorageIds(names, entity) : [entity];
    case "node":
    case "zpool":
    case "disk":
    case "thinpool":
    case "datastore":
      return [entity];
  }
}

/** Changes whenever an entity's ids or labels do. */
export function idsKey(names: ClusterNames, entity: EntityKey): string {
  return [...idsOf(names, entity, false), ...idsOf(names, entity, true), ...names.extra.flat()].join(" ");
}

/** Where a series' samples go; empty when its entity is not in the inventory. */
export function targetsOf(names: ClusterNames, info: SeriesInfo): Target[] {
  const instance: Labels =
    info.instance === undefined || info.metric.instance === undefined
      ? []
      : [[instanceLabels[info.metric.instance], info.instance]];
  return expressionsOf(info.metric).flatMap(({ family, divisor, exporter }) =>
    idsOf(names, info.entity, exporter).map((id) => ({
      family,
      divisor,
      scale: info.metric.scale,
      labels: [["id", id], ...instance, ...names.extra] satisfies Labels,
    })),
  );
}

type Place = { entity: EntityKey; node: NodeName | undefined };

/** Everything of a cluster that can have series, and the node whose clock stamps it (undefined: what exists once in the cluster). */
export function entitiesOf(picture: ClusterPicture, now: EpochMs): Place[] {
  const nodes = [...nodesOf(picture, now).keys()];
  const guests = [...picture.owners].map(([vmid, { owner }]) => ({ entity: guestKey(vmid), node: owner.agent.node }));
  const storages = storagesOf(picture, now).map(({ facts, node }) => ({
    entity: storageKey(facts.storage as StorageId, node),
    node,
  }));
  const datastores = [...picture.agents.values()].flatMap(({ inventory }) => inventory?.inventory.datastores ?? []);
  return [
    { entity: clusterKey, node: undefined },
    ...nodes.map((node) => ({ entity: nodeKey(node), node })),
    ...guests.sort((a, b) => byText(a.entity, b.entity)),
    ...storages,
    ...nodes.flatMap((node) => partsOf(picture, node)),
    ...[...new Set(datastores.map(({ key }) => key as EntityKey))].map((entity) => ({ entity, node: undefined })),
  ];
}

function partsOf(picture: ClusterPicture, node: NodeName): Place[] {
  const facts = picture.agents.get(node)?.inventory?.inventory.node;
  const keys = [
    ...(facts?.zpools ?? []).map((pool) => zpoolKey(node, pool)),
    ...(facts?.disks ?? []).map(({ id }) => diskKey(node, id)),
    ...(facts?.thinpools ?? []).map(({ vg, lv }) => thinpoolKey(node, vg, lv)),
  ];
  return keys.map((entity) => ({ entity, node }));
}

/** Rows of one entity's fresh values; of a metric with several sources the one sampled last. Counters as they are, not as rates. */
export function seriesRows(sight: Sight, names: ClusterNames, entity: EntityKey, node: NodeName | undefined): Row[] {
  const { picture } = names;
  const skewMs = skewOf(picture, node, entity);
  const newest = new Map<string, { info: SeriesInfo; at: EpochMs; value: number }>();
  for (const info of sight.reader.seriesOf(picture.cluster, entity)) {
    const latest = sight.live.latest(info.id);
    if (latest === undefined || !Number.isFinite(latest.value) || !isFresh(latest.at, sight.now, skewMs)) continue;
    const key = `${info.metric.id} ${info.instance ?? ""}`;
    if ((newest.get(key)?.at ?? 0) < latest.at) newest.set(key, { info, at: latest.at, value: latest.value });
  }
  return [...newest.values()].flatMap(({ info, value }) =>
    targetsOf(names, info).map((target) => ({ family: target.family, labels: target.labels, value: toBaseUnit(value, target) })),
  );
}
