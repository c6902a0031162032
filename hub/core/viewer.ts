import type { EventView, TaskView } from "#protocol/api.ts";
import { type EntityKey, entityKind, parseEntityKey } from "#protocol/ids.ts";
import type { Permission, View } from "#protocol/viewer.ts";

/**
 * Who asks, and what he may see. A Proxmox VE user sees what Proxmox VE told him to see (`View`); nothing is computed from roles or inherited
 * from a path above. What isn't known to be visible isn't.
 */

/** A view ready to be asked: each question costs one look-up. */
export type ClusterSight = {
  guests: ReadonlySet<number>;
  goneGuests: boolean;
  nodes: ReadonlySet<string>;
  auditedNodes: ReadonlySet<string>;
  /** `storage`, and `node/storage`. */
  storages: ReadonlySet<string>;
  /** Of the paths that Proxmox VE listed. */
  privileges: ReadonlyMap<string, ReadonlySet<string>>;
  /** `path privilege`: asked for since. */
  granted: ReadonlySet<string>;
};

export type PveViewer = { kind: "pve"; user: string; sights: ReadonlyMap<string, ClusterSight> };
/** `everything`: an API key, whose scopes say what it may do. */
export type Viewer = { kind: "everything" } | PveViewer;

export const everything: Viewer = { kind: "everything" };

export function compileView(view: View): ClusterSight {
  const privileges = new Map<string, ReadonlySet<string>>();
  for (const group of view.privileges) {
    const names = new Set(group.privileges);
    for (const path of group.paths) privileges.set(path, names);
  }
  return {
    guests: new Set(view.guests),
    goneGuests: view.goneGuests,
    nodes: new Set(view.nodes),
    auditedNodes: new Set(view.auditedNodes),
    storages: new Set(view.storages.flatMap(({ node, storage }) => [storage, `${node}/${storage}`])),
    privileges,
    granted: new Set(),
  };
}

/** Whether something `before` showed isn't in `now`. */
export function hidesMore(before: ClusterSight, now: ClusterSight | undefined): boolean {
  if (now === undefined) return true;
  const lacks = <T>(old: ReadonlySet<T>, present: ReadonlySet<T>) => [...old].some((one) => !present.has(one));
  return (
    lacks(before.guests, now.guests) ||
    lacks(before.nodes, now.nodes) ||
    lacks(before.auditedNodes, now.auditedNodes) ||
    lacks(before.storages, now.storages) ||
    (before.goneGuests && !now.goneGuests) ||
    (onRoot(before, "Sys.Audit") && !onRoot(now, "Sys.Audit"))
  );
}

const grantKey = ({ path, privilege }: Permission) => `${path} ${privilege}`;

/** The same sight with what Proxmox VE was asked for besides and granted. */
export function withGranted(sight: ClusterSight, granted: readonly Permission[]): ClusterSight {
  if (granted.length === 0) return sight;
  return { ...sight, granted: new Set([...sight.granted, ...granted.map(grantKey)]) };
}

/** Paths that `GET /access/permissions` always looks at (`get_effective_permissions` in pve-access-control `PVE/RPCEnvironment.pm`): one that is missing holds nothing. */
const alwaysListed: ReadonlySet<string> = new Set([
  "/",
  "/access",
  "/access/groups",
  "/nodes",
  "/pool",
  "/sdn",
  "/storage",
  "/vms",
]);

/** `unknown`: Proxmox VE has to be asked about this path. */
export function holds(sight: ClusterSight | undefined, permission: Permission): "yes" | "no" | "unknown" {
  if (sight === undefined) return "no";
  if (sight.granted.has(grantKey(permission))) return "yes";
  const listed = sight.privileges.get(permission.path);
  if (listed !== undefined) return listed.has(permission.privilege) ? "yes" : "no";
  return alwaysListed.has(permission.path) ? "no" : "unknown";
}

const onRoot = (sight: ClusterSight | undefined, privilege: string) => holds(sight, { path: "/", privilege }) === "yes";

/** What the hub serves besides the view: `exists` is of the cluster's present guests, `whole` of everything in the cluster being seen. */
export type Surroundings = {
  clusters: readonly string[];
  exists(cluster: string, vmid: number): boolean;
  whole(cluster: string): boolean;
};

/** What belongs to the hub and not to a cluster takes the privilege on `/` of every cluster the hub serves. */
export function holdsEverywhere(viewer: Viewer, { clusters }: Pick<Surroundings, "clusters">, privilege: string): boolean {
  if (viewer.kind === "everything") return true;
  return clusters.length > 0 && clusters.every((cluster) => onRoot(viewer.sights.get(cluster), privilege));
}

export const seesCluster = (viewer: Viewer, cluster: string) => viewer.kind === "everything" || viewer.sights.has(cluster);

/**
 * By kind: a guest as `GET /cluster/resources` lists it; a node's facts with `Sys.Audit` on it; a storage as it is listed; disks with
 * `Sys.Audit` on the node (`disks/list`); pools, thin pools and what is the cluster's with `Sys.Audit` on `/` (`disks/zfs`, `disks/lvmthin`,
 * `cluster/status`: their `permissions` in Proxmox VE's API schema).
 */
export function seesEntity(viewer: Viewer, around: Surroundings, cluster: string, key: string): boolean {
  if (viewer.kind === "everything") return true;
  const sight = viewer.sights.get(cluster);
  const entity = parseEntityKey(key);
  if (sight === undefined || entity === undefined) return false;
  const [, first = "", second] = entity.split("/");
  switch (entityKind(entity)) {
    case "guest":
      return sight.guests.has(Number(first)) || seesGone(sight, around, cluster, Number(first));
    case "node":
      return sight.auditedNodes.has(first);
    case "storage":
      return sight.storages.has(second === undefined ? first : `${first}/${second}`);
    case "disk":
      return sight.auditedNodes.has(first) || onRoot(sight, "Sys.Audit");
    case "zpool":
    case "thinpool":
    case "datastore":
    case "cluster":
      return onRoot(sight, "Sys.Audit");
  }
}

/** A guest that is no more: Proxmox VE has taken its ACL entries away, so those who oversee the cluster may see what it was. */
function seesGone(sight: ClusterSight, around: Surroundings, cluster: string, vmid: number): boolean {
  return sight.goneGuests && onRoot(sight, "Sys.Audit") && !around.exists(cluster, vmid);
}

/** A guest a task is about; undefined: none, or several. */
function guestOf({ id }: Pick<TaskView, "id">): string | undefined {
  const vmid = /^([1-9][0-9]{2,8})(@|$)/.exec(id)?.[1];
  return vmid === undefined ? undefined : `guest/${vmid}`;
}

/** As `GET /nodes/{node}/tasks`: one's own, and all of a node with `Sys.Audit` on it; of these none about a guest that isn't seen. */
export function seesTask(viewer: Viewer, around: Surroundings, task: TaskView): boolean {
  if (viewer.kind === "everything") return true;
  const sight = viewer.sights.get(task.cluster);
  if (sight === undefined) return false;
  // A token's tasks are its owner's: `user@realm!token`.
  if (task.user === viewer.user || task.user.startsWith(`${viewer.user}!`)) return true;
  const guest = guestOf(task);
  return sight.auditedNodes.has(task.node) && (guest === undefined || seesEntity(viewer, around, task.cluster, guest));
}

/**
 * Seen with its entity; one of the hub itself with `Sys.Audit` on `/` everywhere. What Proxmox VE notified of (`pve.`) is text of its own
 * that may name any guest: only for who sees all of the cluster.
 */
export function seesEvent(viewer: Viewer, around: Surroundings, event: EventView): boolean {
  if (viewer.kind === "everything") return true;
  const { cluster, entity, node, type } = event;
  if (cluster === null) return holdsEverywhere(viewer, around, "Sys.Audit");
  const sight = viewer.sights.get(cluster);
  if (sight === undefined) return false;
  if (type.startsWith("pve.")) return around.whole(cluster);
  if (entity !== null) return seesEntity(viewer, around, cluster, entity);
  return node === null ? onRoot(sight, "Sys.Audit") : sight.auditedNodes.has(node);
}

/**
 * What acting on an entity's alerts takes (acknowledge, snooze, silence). A guest: `VM.PowerMgmt`. Who may stop and start it is the one who
 * answers for its being up, and `PVEVMUser` has it, while `PVEAuditor` has not; `VM.Config.Options` would lock out whom the guest was given to.
 * A storage: `Datastore.Allocate`, who may change it. A node and its hardware: `Sys.Modify` on the node; what is the cluster's: on `/`.
 */
export function actPermission(entity: EntityKey): Permission {
  const [, first = "", second = first] = entity.split("/");
  switch (entityKind(entity)) {
    case "guest":
      return { path: `/vms/${first}`, privilege: "VM.PowerMgmt" };
    case "storage":
      return { path: `/storage/${second}`, privilege: "Datastore.Allocate" };
    case "node":
    case "disk":
    case "zpool":
    case "thinpool":
      return { path: `/nodes/${first}`, privilege: "Sys.Modify" };
    case "datastore":
    case "cluster":
      return { path: "/", privilege: "Sys.Modify" };
  }
}
