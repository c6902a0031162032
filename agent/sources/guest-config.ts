import type { GuestFacts } from "#protocol/inventory.ts";
import { type PropertyString, parsePropertyString } from "../core/property-string.ts";
import { asFlag, asText, parseBoolean, splitList } from "../core/values.ts";

/** `at`: when it was taken, ms since 1970. */
export type GuestSnapshot = { name: string; at: number };

type UnprotectedDisk = NonNullable<GuestFacts["unprotected"]>[number];
type BoundDisk = NonNullable<GuestFacts["bound"]>[number];

/** What Proven needs of a guest's configuration. */
export type GuestConfig = {
  name?: string;
  /** See SchemaEntity.identity. */
  identity: readonly string[];
  template: boolean;
  tags: readonly string[];
  lock?: string;
  onboot: boolean;
  /** Storage of a container's root disk; undefined for VMs, bind mounts and configurations without one. */
  rootfsStorage?: string;
  /** Ids of the storages that its drives or mount points lie on, each once, in the order of the file. */
  storages: readonly string[];
  /** What backups leave out, in the order of the file. */
  unprotected: readonly UnprotectedDisk[];
  /** What stays with the node where its storages don't. Absent: nothing. */
  bound?: readonly BoundDisk[];
  /** The oldest first. */
  snapshots: readonly GuestSnapshot[];
  /** The guest's own agent is enabled. Says nothing about whether it answers. Virtual machines only. */
  guestAgent?: true;
};

const identityPattern = /^[\x21-\x7e]{1,200}$/;
const volumePattern = /^([a-zA-Z][a-zA-Z0-9_.-]*[a-zA-Z0-9]):(.+)$/;
// A storage's id and a snapshot's name as PVE has them, no longer than the inventory takes: cut, they would name something else.
const maxStorageId = 100;
const sectionPattern = /^\[([a-z][a-z0-9_-]{1,63})\]\s*$/i;
const snaptimePattern = /^snaptime:\s*([1-9][0-9]{0,11})\s*$/;
const volumeKeys = { qemu: /^(?:scsi|virtio|ide|sata|efidisk|tpmstate)[0-9]+$/, lxc: /^(?:rootfs|mp[0-9]+)$/ } as const;
const maxStorages = 64;
const maxSnapshots = 500;
const maxUnprotected = 64;
const macPattern = /^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$/;

/**
 * `/etc/pve/nodes/<node>/{qemu-server,lxc}/<vmid>.conf` (`parse_vm_config` in qemu-server `PVE/QemuServer.pm`). Snapshots aside, only what
 * stands before the first `[`: snapshots, pending changes and cloud-init follow as sections.
 */
export function parseGuestConfig(text: string, type: "qemu" | "lxc"): GuestConfig {
  const keys = currentKeys(text);
  const name = asText(keys.get(type === "qemu" ? "name" : "hostname"))?.slice(0, 255);
  const lock = asText(keys.get("lock"))?.slice(0, 64);
  const rootfs = type === "lxc" ? parsePropertyString(keys.get("rootfs") ?? "") : undefined;
  const volume = rootfs && volumeOf(rootfs);
  const bound = boundOf(keys, type);
  const rootfsStorage = volumePattern.exec(volume ?? "")?.[1];
  return {
    ...(name === undefined ? {} : { name }),
    identity: identityOf(keys, volume),
    template: keys.get("template") === "1",
    tags: splitList(keys.get("tags"))
      .map((tag) => tag.slice(0, 128))
      .slice(0, 128),
    ...(lock === undefined ? {} : { lock }),
    onboot: keys.get("onboot") === "1",
    ...(rootfsStorage === undefined ? {} : { rootfsStorage }),
    storages: storagesOf(keys, type),
    unprotected: unprotectedOf(keys, type),
    ...(bound.length === 0 ? {} : { bound }),
    snapshots: parseSnapshots(text),
    ...(type === "qemu" && enablesAgent(keys.get("agent")) ? { guestAgent: true } : {}),
  };
}

/** `agent: 1`, `agent: enabled=1,type=virtio` (`parse_guest_agent` in qemu-server `PVE/QemuServer/Agent.pm`). */
function enablesAgent(text: string | undefined): boolean {
  const agent = parsePropertyString(text ?? "");
  return asFlag(agent.get("enabled") ?? agent.get(""));
}

/**
 * The snapshots among the sections: `[name]` with a `snaptime`, seconds since 1970 (`__snapshot_prepare` in pve-guest-common
 * `PVE/AbstractConfig.pm`). `[PENDING]`, `[pve:pending]` and `[special:…]` are none. Known from PVE's source; no such file was recorded.
 */
function parseSnapshots(text: string): GuestSnapshot[] {
  const first = text.search(/^\[/m);
  if (first < 0) return [];
  const taken = new Map<string, number>();
  let section: string | undefined;
  for (const line of text.slice(first).split("\n")) {
    if (line.startsWith("[")) {
      const name = sectionPattern.exec(line)?.[1];
      section = name?.toLowerCase() === "pending" ? undefined : name;
      continue;
    }
    const seconds = snaptimePattern.exec(line)?.[1];
    if (section !== undefined && seconds !== undefined) taken.set(section, Number(seconds) * 1000);
  }
  return [...taken]
    .map(([name, at]) => ({ name, at }))
    .sort((a, b) => a.at - b.at)
    .slice(0, maxSnapshots);
}

/** No CD drives: what lies in one is no part of the guest. Bind mounts and passed-through devices are paths and on no storage. */
function storagesOf(keys: ReadonlyMap<string, string>, type: "qemu" | "lxc"): string[] {
  const found = new Set<string>();
  for (const [key, value] of keys) {
    if (!volumeKeys[type].test(key)) continue;
    const properties = parsePropertyString(value);
    const storage = volumePattern.exec(volumeOf(properties) ?? "")?.[1];
    if (storage === undefined || storage.length > maxStorageId || properties.get("media") === "cdrom") continue;
    found.add(storage);
  }
  return [...found].slice(0, maxStorages);
}

/**
 * A drive is left out by `backup=0`; a mount point is unless it says `backup=1`, and is never taken when it is no volume (a directory or device of the
 * node); the root disk always is taken. `get_backup_volumes` in qemu-server `PVE/QemuConfig.pm`, `mountpoint_backup_enabled` in pve-container
 * `PVE/LXC/Config.pm`.
 */
function unprotectedOf(keys: ReadonlyMap<string, string>, type: "qemu" | "lxc"): UnprotectedDisk[] {
  const found: UnprotectedDisk[] = [];
  for (const [disk, value] of keys) {
    if (!volumeKeys[type].test(disk) || disk === "rootfs") continue;
    const properties = parsePropertyString(value);
    const [backup, volume] = [properties.get("backup") ?? "", volumeOf(properties) ?? "none"];
    if (type === "qemu") {
      const isDisk = properties.get("media") !== "cdrom" && volume !== "none";
      if (isDisk && parseBoolean(backup) === false) found.push({ disk, why: "off" });
    } else if (!volumePattern.test(volume)) found.push({ disk, why: "no-volume" });
    else if (parseBoolean(backup) !== true) found.push({ disk, why: "off" });
  }
  return found.slice(0, maxUnprotected);
}

/**
 * `replicate=0` keeps a drive or mount point out of storage replication (`replicate` of both in PVE's API schema). A container's directories and devices
 * are named as unprotected.
 */
function boundOf(keys: ReadonlyMap<string, string>, type: "qemu" | "lxc"): BoundDisk[] {
  const found: BoundDisk[] = [];
  for (const [disk, value] of keys) {
    if (!volumeKeys[type].test(disk)) continue;
    const properties = parsePropertyString(value);
    const volume = volumeOf(properties) ?? "none";
    if (properties.get("media") === "cdrom" || volume === "none") continue;
    if (type === "qemu" && volume.startsWith("/")) found.push({ disk, why: "device" });
    else if (volumePattern.test(volume) && parseBoolean(properties.get("replicate") ?? "") === false)
      found.push({ disk, why: "not-replicated" });
  }
  return found.slice(0, maxUnprotected);
}

/** The volume usually stands without its key, which is `file` for a VM's drive and `volume` for a container's mount point. */
function volumeOf(properties: PropertyString): string | undefined {
  return properties.get("") ?? properties.get("file") ?? properties.get("volume");
}

function currentKeys(text: string): Map<string, string> {
  const keys = new Map<string, string>();
  for (const line of text.split("\n")) {
    if (line.startsWith("[")) break;
    const match = /^([a-z][a-z0-9_.-]*):\s*(.*?)\s*$/.exec(line);
    if (match !== null) keys.set(match[1] as string, match[2] as string);
  }
  return keys;
}

/** smbios uuid, MAC of each NIC in the order of their numbers, root volume: what survives an edit and a migration, but not a new guest. */
function identityOf(keys: ReadonlyMap<string, string>, rootVolume: string | undefined): string[] {
  const identity: string[] = [];
  const uuid = parsePropertyString(keys.get("smbios1") ?? "").get("uuid");
  if (uuid !== undefined) identity.push(`uuid:${uuid.toLowerCase()}`);
  const nics = [...keys.keys()].filter((key) => /^net[0-9]+$/.test(key)).sort((a, b) => Number(a.slice(3)) - Number(b.slice(3)));
  for (const nic of nics) {
    const mac = macOf(keys.get(nic) as string);
    if (mac !== undefined) identity.push(`mac:${mac.toUpperCase()}`);
  }
  if (rootVolume !== undefined && volumePattern.test(rootVolume)) identity.push(`rootfs:${rootVolume}`);
  return identity.filter((id) => identityPattern.test(id.slice(id.indexOf(":") + 1))).slice(0, 64);
}

// A VM names the model (`virtio=BC:…`, `e1000=BC:…`), a container `hwaddr=`.
function macOf(net: string): string | undefined {
  for (const value of parsePropertyString(net).values()) if (macPattern.test(value)) return value;
  return undefined;
}
