import { asFlag, asText, parsePropertyString, splitList } from "../core/values.ts";

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
  /** The guest's own agent is enabled. Says nothing about whether it answers. Virtual machines only. */
  guestAgent?: true;
};

const identityPattern = /^[\x21-\x7e]{1,200}$/;
const volumePattern = /^([a-zA-Z][a-zA-Z0-9_.-]*[a-zA-Z0-9]):(.+)$/;
const macPattern = /^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$/;

/**
 * `/etc/pve/nodes/<node>/{qemu-server,lxc}/<vmid>.conf` (`parse_vm_config` in qemu-server `PVE/QemuServer.pm`). Only what stands before the
 * first `[`: snapshots, pending changes and cloud-init follow as sections.
 */
export function parseGuestConfig(text: string, type: "qemu" | "lxc"): GuestConfig {
  const keys = currentKeys(text);
  const name = asText(keys.get(type === "qemu" ? "name" : "hostname"))?.slice(0, 255);
  const lock = asText(keys.get("lock"))?.slice(0, 64);
  const rootfs = type === "lxc" ? parsePropertyString(keys.get("rootfs") ?? "") : undefined;
  const volume = rootfs?.get("") ?? rootfs?.get("volume");
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
    ...(type === "qemu" && enablesAgent(keys.get("agent")) ? { guestAgent: true } : {}),
  };
}

/** `agent: 1`, `agent: enabled=1,type=virtio` (`parse_guest_agent` in qemu-server `PVE/QemuServer/Agent.pm`). */
function enablesAgent(text: string | undefined): boolean {
  const agent = parsePropertyString(text ?? "");
  return asFlag(agent.get("enabled") ?? agent.get(""));
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
