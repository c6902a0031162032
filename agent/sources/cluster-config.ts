import { createHash, X509Certificate } from "node:crypto";
import type { ClusterId, NodeName, Vmid } from "#protocol/ids.ts";
import { parseNodeName, parseStorageId, parseVmid } from "#protocol/ids.ts";
import type { Member, StorageFacts } from "#protocol/inventory.ts";
import { byText } from "#protocol/order.ts";
import { asFlag, asNumber, asObject, asText, parseJsonObject, splitList } from "../core/values.ts";

/** Pure parsers of the cluster's files in /etc/pve. */

/** `.version`: a counter for each file, `kvstore` left out. A new `starttime` means that pmxcfs began again and all counters too. */
export function parseVersion(text: string): Map<string, number> | undefined {
  const json = parseJsonObject(text);
  if (json === undefined || !Number.isFinite(asNumber(json.starttime))) return undefined;
  const counters = Object.entries(json).map(([file, counter]): [string, number] => [file, asNumber(counter)]);
  return new Map(counters.filter(([, counter]) => Number.isFinite(counter)));
}

export type VmlistEntry = { vmid: Vmid; node: NodeName; type: "qemu" | "lxc"; version: number };

/** `.vmlist`: every guest of the cluster. `ids` is missing when there is none. */
export function parseVmlist(text: string): VmlistEntry[] | undefined {
  const json = parseJsonObject(text);
  if (json === undefined || !Number.isFinite(asNumber(json.version))) return undefined;
  const guests: VmlistEntry[] = [];
  for (const [id, value] of Object.entries(asObject(json.ids) ?? {})) {
    const entry = asObject(value);
    const vmid = parseVmid(id);
    const node = parseNodeName(entry?.node);
    const type = entry?.type;
    if (vmid === undefined || node === undefined || (type !== "qemu" && type !== "lxc")) continue;
    guests.push({ vmid, node, type, version: asNumber(entry?.version) });
  }
  return guests;
}

/** `quorate`: a standalone node always is. `members` holds at least the node itself. */
export type Members = { node: NodeName; clusterName?: string; quorate: boolean; members: Member[] };

/** `.members` (`cfs_create_memberlist_msg` in pve-cluster `src/pmxcfs/status.c`): a standalone node has neither `cluster` nor `nodelist`. */
export function parseMembers(text: string): Members | undefined {
  const json = parseJsonObject(text);
  const node = parseNodeName(json?.nodename);
  if (json === undefined || node === undefined) return undefined;
  const cluster = asObject(json.cluster);
  if (cluster === undefined) return { node, quorate: true, members: [{ node, nodeId: 0, online: true }] };
  const members = Object.entries(asObject(json.nodelist) ?? {}).flatMap(([name, value]) => {
    const entry = asObject(value);
    const member = parseNodeName(name);
    if (entry === undefined || member === undefined) return [];
    const ip = asText(entry.ip)?.slice(0, 45);
    const nodeId = asNumber(entry.id);
    return [
      {
        node: member,
        nodeId: Number.isInteger(nodeId) && nodeId >= 0 ? nodeId : 0,
        online: asFlag(entry.online),
        ...(ip === undefined ? {} : { ip }),
      },
    ];
  });
  const clusterName = asText(cluster.name)?.slice(0, 100);
  return { node, ...(clusterName === undefined ? {} : { clusterName }), quorate: asFlag(cluster.quorate), members };
}

/** `speakers`: nodes whose agents are there, as the hub says; absent: a hub that is too old, or none yet. */
export type Company = Members & { speakers?: readonly string[] };

/**
 * Whether this agent tells of a shared storage: who has the duty for them. PVE says nothing of a storage on nodes it is not for, and the duty may
 * lie with one of these: of such a storage tells the first of its nodes whose agent is there, as long as the cluster agrees who is. Where nobody says
 * whose agents are, the first node's and the one with the duty tell both: twice is better than never. `nodes`: empty for all.
 */
export function speaksFor(nodes: readonly string[], company: Company | undefined, hasDuty: boolean): boolean {
  if (nodes.length === 0 || !company?.quorate) return hasDuty;
  const { node: self, members, speakers } = company;
  const there = members
    .filter(({ node, online }) => online && nodes.includes(node))
    .map(({ node }) => node)
    .sort(byText);
  if (speakers === undefined) return there[0] === self || (hasDuty && nodes.includes(self));
  const speaking = there.filter((node) => speakers.includes(node));
  return speaking.length === 0 ? hasDuty : speaking[0] === self;
}

export type ConfigSection = { type: string; id: string; keys: Map<string, string> };

/** Proxmox's section files: `type: id`, then indented `key value` lines (`parse_config` in pve-common `PVE/SectionConfig.pm`). */
export function parseSectionConfig(text: string): ConfigSection[] {
  const sections: ConfigSection[] = [];
  for (const line of text.split("\n")) {
    const head = /^([A-Za-z][A-Za-z0-9_-]*):\s*(\S+)\s*$/.exec(line);
    if (head !== null) {
      sections.push({ type: (head[1] as string).toLowerCase(), id: head[2] as string, keys: new Map() });
      continue;
    }
    const key = /^\s+([A-Za-z0-9_-]+)(?:\s+(.*?))?\s*$/.exec(line);
    if (key !== null) sections.at(-1)?.keys.set(key[1] as string, key[2] ?? "1");
  }
  return sections;
}

// Types that are shared without saying so: `@SHARED_STORAGE` in pve-storage `PVE/Storage/Plugin.pm`.
const sharedTypes = new Set(["iscsi", "nfs", "cifs", "rbd", "cephfs", "iscsidirect", "glusterfs", "zfs", "drbd", "pbs"]);

// No longer than storageFactsSchema takes: one odd line must not cost the hub the whole inventory.
const shortList = (text: string | undefined, items: number, length: number) =>
  splitList(text)
    .slice(0, items)
    .map((item) => item.slice(0, length));

/** `vgname` and `thinpool` of an lvmthin storage; `pool` of a zfspool one is a dataset at any depth (pve-storage `LvmThinPlugin.pm`, `ZFSPoolPlugin.pm`). */
function poolOf(type: string, keys: ConfigSection["keys"]): Pick<StorageFacts, "pool"> {
  const [vg, lv, dataset] = [keys.get("vgname"), keys.get("thinpool"), keys.get("pool")];
  const lvm = vg === undefined || lv === undefined ? undefined : `${vg}/${lv}`;
  const pool = type === "lvmthin" ? lvm : type === "zfspool" ? dataset?.split("/", 1)[0] : undefined;
  return pool === undefined || pool === "" || pool.length > 255 ? {} : { pool };
}

/** storage.cfg. `local` exists even where the file does not name it (`parse_config` in pve-storage `PVE/Storage/Plugin.pm`). */
export function parseStorageConfig(text: string): StorageFacts[] {
  const storages = parseSectionConfig(text).flatMap(({ type, id, keys }): StorageFacts[] => {
    const storage = parseStorageId(id);
    if (storage === undefined) return [];
    return [
      {
        storage,
        type: type.slice(0, 32),
        shared: sharedTypes.has(type) || asFlag(keys.get("shared")),
        content: shortList(keys.get("content"), 16, 32),
        enabled: !asFlag(keys.get("disable")),
        nodes: shortList(keys.get("nodes"), 256, 63),
        ...poolOf(type, keys),
      },
    ];
  });
  if (storages.some(({ storage }) => storage === "local")) return storages;
  return [{ storage: "local", type: "dir", shared: false, content: [], enabled: true, nodes: [] }, ...storages];
}

/** Members of each pool in user.cfg: `pool:<id>:<comment>:<vmids>:<storages>:` (`parse_user_config` in pve-access-control `AccessControl.pm`). */
export function parsePools(text: string): Map<Vmid, string> {
  const pools = new Map<Vmid, string>();
  for (const line of text.split("\n")) {
    const [kind, pool, , vmids] = line.split(":");
    if (kind !== "pool" || pool === undefined || pool === "") continue;
    for (const id of splitList(vmids)) {
      const vmid = parseVmid(id);
      if (vmid !== undefined) pools.set(vmid, pool.slice(0, 255));
    }
  }
  return pools;
}

/** `totem { cluster_name: … }` of corosync.conf. */
export function parseClusterName(text: string): string | undefined {
  return /^[ \t]*cluster_name:[ \t]*(\S{1,100})/m.exec(text)?.[1];
}

/** Nodes with a monitor: ceph.conf has a section `[mon.<node>]` for each (pve-manager `PVE/API2/Ceph/MON.pm`). */
export function parseCephMonitors(text: string): string[] {
  return [...text.matchAll(/^[ \t]*\[mon\.([^\]\s]{1,63})\]/gm)].map(([, node]) => node as string);
}

/** See ClusterId. `name`: corosync's cluster name, or the node's when it stands alone. Undefined: that is no certificate. */
export function clusterIdOf(name: string, caPem: string): ClusterId | undefined {
  try {
    const { fingerprint256 } = new X509Certificate(caPem);
    return createHash("sha256").update(`${name}\n${fingerprint256}`).digest("hex").slice(0, 16) as ClusterId;
  } catch {
    return undefined;
  }
}
