import type { Aggregate } from "#protocol/api.ts";
import { type ClassFilter, type Grouping, type SeriesClass, seriesClasses } from "#protocol/class-queries.ts";
import type { ClusterId, EntityKey, EpochMs, NodeName, StorageId, Vmid } from "#protocol/ids.ts";
import { guestKey, nodeKey, storageKey } from "#protocol/ids.ts";
import { type Metric, metricByName } from "#protocol/metrics.ts";
import { type ClusterPicture, nodesOf, storagesOf } from "./cluster.ts";
import { guestName, type Owners } from "./inventory.ts";
import { oncePer } from "./once-per.ts";
import { Refusal } from "./refusal.ts";
import type { SeriesInfo, SeriesReader } from "./series.ts";

/** One of a class, as the inventory has it now. */
export type Member = {
  cluster: ClusterId;
  entity: EntityKey;
  name: string;
  /** Undefined: it belongs to the whole cluster. */
  node: NodeName | undefined;
  tags: readonly string[];
  pool: string | undefined;
};

/** Series of a class that one request may be about. */
const classSeriesMax = 20_000;

/** Guests as members by the owners they were made of: a picture has the same ones until an inventory says something else. */
const guestMembers = new WeakMap<Owners, readonly Member[]>();

function guestsOf({ cluster, owners }: ClusterPicture): readonly Member[] {
  const known = guestMembers.get(owners);
  if (known !== undefined) return known;
  const members: Member[] = [];
  for (const { facts, owner } of owners.values()) {
    if (facts.template) continue;
    const { vmid, tags, pool } = facts;
    members.push({ cluster, entity: guestKey(vmid as Vmid), name: guestName(facts), node: owner.agent.node, tags, pool });
  }
  guestMembers.set(owners, members);
  return members;
}

const everyone: Record<SeriesClass, (picture: ClusterPicture, now: EpochMs) => readonly Member[]> = {
  guests: guestsOf,
  nodes: (picture, now) =>
    [...nodesOf(picture, now).keys()].map((node) => ({
      cluster: picture.cluster,
      entity: nodeKey(node),
      name: node,
      node,
      tags: [],
      pool: undefined,
    })),
  storages: (picture, now) =>
    storagesOf(picture, now).map(({ facts, node }) => ({
      cluster: picture.cluster,
      entity: storageKey(facts.storage as StorageId, node),
      name: facts.storage,
      node,
      tags: [],
      pool: undefined,
    })),
};

export const isFiltered = ({ node, tag, pool }: ClassFilter) => node !== undefined || tag !== undefined || pool !== undefined;

/** Members of a class that the filter takes; templates are none. @throws Refusal for a filter that can take nothing of this class. */
export function membersOf(
  of: SeriesClass,
  filter: ClassFilter,
  pictures: readonly ClusterPicture[],
  now: EpochMs,
): readonly Member[] {
  const { node, tag, pool } = filter;
  const [only] = pictures;
  if (!isFiltered(filter) && pictures.length === 1 && only !== undefined) return everyone[of](only, now);
  if (tag !== undefined) refuseWithout(of, "tag", "tag");
  if (pool !== undefined) refuseWithout(of, "pool", "pool");
  return pictures
    .flatMap((picture) => everyone[of](picture, now))
    .filter(
      (member) =>
        (node === undefined || member.node === node) &&
        (tag === undefined || member.tags.includes(tag)) &&
        (pool === undefined || member.pool === pool),
    );
}

/** Names of the groups that a member is in; undefined: none has a name. @throws Refusal for a class without such a thing. */
export function groupsOf(of: SeriesClass, member: Member, by: Grouping): readonly (string | undefined)[] {
  switch (by) {
    case "cluster":
      return [member.cluster];
    case "node":
      return [member.node];
    case "tag":
      refuseWithout(of, "tag", "by");
      return member.tags.length === 0 ? [undefined] : [...new Set(member.tags)];
    case "pool":
      refuseWithout(of, "pool", "by");
      return [member.pool];
  }
}

function refuseWithout(of: SeriesClass, what: "tag" | "pool", field: string): void {
  if (of === "guests") return;
  throw new Refusal("invalid", `${of} have no ${what}s: only guests do`, { field });
}

/** @throws Refusal for a metric that the class doesn't have. */
export function metricOf(of: SeriesClass, name: string, field: string): Metric {
  const metric = metricByName(seriesClasses[of], name);
  if (metric === undefined) throw new Refusal("invalid", `${name} is no metric of ${of}`, { field });
  return metric;
}

/** What a class query reads of each series. @throws Refusal: a gauge has no rate. */
export function aggregateOf(metric: Metric, asked: Aggregate | undefined): Aggregate {
  if (metric.kind === "counter") return asked ?? "rate";
  if (asked === "rate") {
    throw new Refusal("invalid", `${metric.name} is no counter and has no rate: ask for avg, min, max or last`, {
      field: "aggregate",
    });
  }
  return asked ?? "avg";
}

const membersByEntity = oncePer((members: readonly Member[]): ReadonlyMap<string, ReadonlyMap<EntityKey, Member>> => {
  const byCluster = new Map<string, Map<EntityKey, Member>>();
  for (const member of members) {
    const byEntity = byCluster.get(member.cluster) ?? new Map<EntityKey, Member>();
    byCluster.set(member.cluster, byEntity.set(member.entity, member));
  }
  return byCluster;
});

/** Finds a member by cluster and entity. */
export function memberFinder(members: readonly Member[]): (cluster: ClusterId, entity: EntityKey) => Member | undefined {
  const found = membersByEntity(members);
  return (cluster, entity) => found.get(cluster)?.get(entity);
}

export type MemberSeries = { member: Member; info: SeriesInfo };

/** Series of one metric, of a metric with instances all of them. @throws Refusal when there are more than a request may be about. */
export function seriesOfMembers(reader: SeriesReader, members: readonly Member[], metric: Metric): MemberSeries[] {
  const found: MemberSeries[] = [];
  for (const member of members) {
    const { cluster, entity } = member;
    if (metric.instance === undefined) {
      const info = reader.find({ cluster, entity, metric: metric.name });
      if (info !== undefined) found.push({ member, info });
    } else {
      for (const info of reader.seriesOf(cluster, entity)) if (info.metric.id === metric.id) found.push({ member, info });
    }
    if (found.length > classSeriesMax) {
      throw new Refusal("too-large", `more than ${classSeriesMax} series: filter by cluster, node, tag or pool`, {
        field: "class",
      });
    }
  }
  return found;
}
