import { parseVmid } from "#protocol/ids.ts";
import { canonicalView, type View, viewLimits } from "#protocol/viewer.ts";
import { asObject, asText } from "../values.ts";

/** Path → its privileges, as `GET /access/permissions` lists them. Presence is the grant, the number only says whether it propagates. */
export type PathPrivileges = ReadonlyMap<string, readonly string[]>;

/** Data of `GET /access/permissions`, with or without `path`; undefined: no such answer. */
export function parsePermissions(data: unknown): PathPrivileges | undefined {
  const paths = asObject(data);
  if (paths === undefined) return undefined;
  return new Map(Object.entries(paths).map(([path, privileges]) => [path, Object.keys(asObject(privileges) ?? {})]));
}

export type Resources = Pick<View, "guests" | "nodes" | "storages" | "pools"> & {
  /** Online nodes whose figures were shown: the user has `Sys.Audit` there. */
  figured: string[];
};

/** Data of `GET /cluster/resources` (pve-manager `PVE/API2/Cluster.pm`, `PVE/API2Tools.pm` extract_node_stats). */
export function parseResources(data: unknown): Resources | undefined {
  if (!Array.isArray(data)) return undefined;
  const resources: Resources = { guests: [], nodes: [], storages: [], pools: [], figured: [] };
  for (const item of data.map(asObject)) {
    const [type, node, storage, pool] = [item?.type, asText(item?.node), asText(item?.storage), asText(item?.pool)];
    const vmid = parseVmid(item?.vmid);
    if ((type === "qemu" || type === "lxc") && vmid !== undefined) resources.guests.push(vmid);
    else if (type === "storage" && node !== undefined && storage !== undefined) resources.storages.push({ node, storage });
    else if (type === "pool" && pool !== undefined) resources.pools.push(pool);
    else if (type === "node" && node !== undefined) {
      resources.nodes.push(node);
      if (item?.maxcpu !== undefined) resources.figured.push(node);
    }
  }
  return resources;
}

const privilegePattern = /^[A-Z][A-Za-z]*(\.[A-Za-z]+)+$/;

/** `audited`: nodes without figures for which PVE was asked itself. What is beyond viewLimits is left out: the user then sees less, never more. */
export function makeView(from: {
  cluster: string;
  user: string;
  resources: Resources;
  permissions: PathPrivileges;
  audited: readonly string[];
  goneGuests: boolean;
}): View {
  const { cluster, user, resources, permissions, audited, goneGuests } = from;
  const { guests, nodes, storages, pools, figured } = resources;
  const paths = [...permissions].filter(([path]) => /^\/\S*$/.test(path) && path.length <= 256).slice(0, viewLimits.paths);
  const { privileges, ...rest } = canonicalView({
    cluster,
    user,
    guests: guests.slice(0, viewLimits.guests),
    goneGuests,
    nodes: nodes.slice(0, viewLimits.nodes),
    auditedNodes: [...figured, ...audited].slice(0, viewLimits.nodes),
    storages: storages.slice(0, viewLimits.storages),
    pools: pools.slice(0, viewLimits.pools),
    privileges: paths.map(([path, held]) => ({ privileges: held.filter((each) => privilegePattern.test(each)), paths: [path] })),
  });
  return { ...rest, privileges: privileges.slice(0, viewLimits.groups) };
}
