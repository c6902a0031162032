declare const brand: unique symbol;
type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** A guest's number in its cluster, 100 … 999 999 999. Reused by PVE after a guest is deleted: identity needs the incarnation too. */
export type Vmid = Brand<number, "Vmid">;
/** Wall clock, ms since the Unix epoch, UTC. */
export type EpochMs = Brand<number, "EpochMs">;
export type NodeName = Brand<string, "NodeName">;
export type StorageId = Brand<string, "StorageId">;
/** A task's id as PVE writes it, its trailing colon included. */
export type Upid = Brand<string, "Upid">;
/** 16 hex digits: SHA-256 of corosync's cluster name (standalone: the node name) and the CA's fingerprint. */
export type ClusterId = Brand<string, "ClusterId">;
/**
 * What a series or an alert is about, unique inside its cluster:
 * `cluster` · `node/<node>` · `guest/<vmid>` · `storage/<id>` (shared) · `storage/<node>/<id>` (local) · `zpool/<node>/<pool>` ·
 * `disk/<node>/<serial, or device name>` · `thinpool/<node>/<vg>/<lv>` · `datastore/<16 hex digits of the server>/<name>` (Backup Server).
 */
export type EntityKey = Brand<string, "EntityKey">;

/** Range of `pve-vmid` in pve-common `PVE/JSONSchema.pm`. */
export const vmidRange = { min: 100, max: 999_999_999 } as const;
/** The last instant that a Date can say (ECMA-262, 21.4.1.1), less one: what is written into messages must be one. */
export const epochMsMax = 8_639_999_999_999_999;

/** Within `vmidRange`. Digits in a string are accepted: PVE sends both. */
export function parseVmid(value: unknown): Vmid | undefined {
  const number = typeof value === "string" && /^[1-9][0-9]{2,8}$/.test(value) ? Number(value) : value;
  const ok = typeof number === "number" && Number.isInteger(number) && number >= vmidRange.min && number <= vmidRange.max;
  return ok ? (number as Vmid) : undefined;
}

/** `pve-node` in pve-common `PVE/JSONSchema.pm`: a host name without dots. */
export function parseNodeName(value: unknown): NodeName | undefined {
  return typeof value === "string" && /^[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$/.test(value)
    ? (value as NodeName)
    : undefined;
}

/** `pve-storage-id` in pve-common `PVE/JSONSchema.pm` (parse_storage_id). */
export function parseStorageId(value: unknown): StorageId | undefined {
  return typeof value === "string" && /^[a-z][a-z0-9_.-]{0,98}[a-z0-9]$/i.test(value) ? (value as StorageId) : undefined;
}

export function parseClusterId(value: unknown): ClusterId | undefined {
  return typeof value === "string" && /^[0-9a-f]{16}$/.test(value) ? (value as ClusterId) : undefined;
}

export function parseEpochMs(value: unknown): EpochMs | undefined {
  const ok = typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= epochMsMax;
  return ok ? (value as EpochMs) : undefined;
}

const name = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}";
const lvmName = "[A-Za-z0-9_+.-]{1,127}";
const entityPattern = new RegExp(
  `^(${[
    "cluster",
    `node/${name}`,
    "guest/[1-9][0-9]{2,8}",
    `storage/${name}(/${name})?`,
    `zpool/${name}/[A-Za-z][A-Za-z0-9_.: -]{0,99}`,
    `disk/${name}/${name}`,
    `thinpool/${name}/${lvmName}/${lvmName}`,
    `datastore/[0-9a-f]{16}/${name}`,
  ].join("|")})$`,
);

export function parseEntityKey(value: unknown): EntityKey | undefined {
  return typeof value === "string" && entityPattern.test(value) ? (value as EntityKey) : undefined;
}

export type EntityKind = "cluster" | "node" | "guest" | "storage" | "zpool" | "disk" | "thinpool" | "datastore";

/** The kind is the key's first word. */
export function entityKind(key: EntityKey): EntityKind {
  const slash = key.indexOf("/");
  return (slash < 0 ? key : key.slice(0, slash)) as EntityKind;
}

const guestPrefix = "guest/";
export const guestKey = (vmid: Vmid) => `${guestPrefix}${vmid}` as EntityKey;
/** The guest that a key names; undefined: it names something else. */
export const vmidOfKey = (key: string): Vmid | undefined =>
  key.startsWith(guestPrefix) ? parseVmid(key.slice(guestPrefix.length)) : undefined;
export const nodeKey = (node: NodeName) => `node/${node}` as EntityKey;
export const zpoolKey = (node: NodeName, pool: string) => `zpool/${node}/${pool}` as EntityKey;
/** `id`: the disk's serial number, its device name where it tells none. */
export const diskKey = (node: NodeName, id: string) => `disk/${node}/${id}` as EntityKey;
export const thinpoolKey = (node: NodeName, vg: string, lv: string) => `thinpool/${node}/${vg}/${lv}` as EntityKey;
/** `server`: first 16 hex digits of the pinned certificate's SHA-256; where none is pinned, of the SHA-256 of `host:port`. */
export const datastoreKey = (server: string, store: string) => `datastore/${server}/${store}` as EntityKey;
/** A local storage exists once per node, a shared one (`node` undefined) once per cluster. */
export const storageKey = (storage: StorageId, node: NodeName | undefined) =>
  (node === undefined ? `storage/${storage}` : `storage/${node}/${storage}`) as EntityKey;
export const clusterKey = "cluster" as EntityKey;

export type ParsedUpid = {
  upid: Upid;
  node: NodeName;
  pid: number;
  /** Start of the process in clock ticks since boot: tells a reused pid apart. */
  pstart: number;
  startedAt: EpochMs;
  type: string;
  /** What the task is about: a vmid, `vmid@storage`, or empty. */
  id: string;
  /** May be a token, `user@realm!token`. */
  user: string;
};

/** `upid_decode` in pve-common `PVE/Tools.pm`: pstart has 8 or 9 hex digits, the trailing colon is part of the id. PBS' UPIDs have a field more. */
export function parseUpid(value: unknown): ParsedUpid | undefined {
  if (typeof value !== "string" || value.length > 512) return undefined;
  const match =
    /^UPID:([a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?):([0-9A-Fa-f]{8}):([0-9A-Fa-f]{8,9}):([0-9A-Fa-f]{8}):([^:\s]+):([^:\s]*):([^:\s]+):$/.exec(
      value,
    );
  if (match === null) return undefined;
  const [, node, , pid, pstart, start, type, id, user] = match as unknown as string[];
  return {
    upid: value as Upid,
    node: node as NodeName,
    pid: Number.parseInt(pid as string, 16),
    pstart: Number.parseInt(pstart as string, 16),
    startedAt: (Number.parseInt(start as string, 16) * 1000) as EpochMs,
    type: type as string,
    id: id as string,
    user: user as string,
  };
}
