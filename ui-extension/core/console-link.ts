import type { GuestView, NodeView } from "#protocol/api.ts";

/** Whose console: a guest, or a test guest, which is in no list. */
export type ConsoleOf = Pick<GuestView, "cluster" | "node" | "type" | "vmid" | "name" | "template">;

/**
 * The page of Proxmox VE that shows a guest's console. `?console&novnc` picks the console's page (pve-manager `PVE/Service/pveproxy.pm`
 * get_index); the names are those that `PVE.Utils.openVNCViewer` of its `www/manager6/Utils.js` gives. Not tried on a real console. Who isn't
 * signed in there, or may not, is told so by Proxmox VE. Undefined: nobody knows the node's address, or there is no console.
 */
export function consoleLink(guest: ConsoleOf, nodes: readonly NodeView[], base?: string): string | undefined {
  const ip = nodes.find((node) => node.node === guest.node && node.cluster === guest.cluster)?.ip;
  if (guest.template || (base === undefined && !ip)) return undefined;
  const origin = base ?? `https://${ip?.includes(":") ? `[${ip}]` : ip}:8006`;
  const query = {
    console: guest.type === "qemu" ? "kvm" : "lxc",
    novnc: "1",
    vmid: String(guest.vmid),
    vmname: guest.name,
    node: guest.node,
    resize: "off",
    cmd: "",
  };
  const pairs = Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return `${origin}/?${pairs.join("&")}`;
}
