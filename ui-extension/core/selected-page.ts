import { home, type Route } from "./route.ts";

/** What is selected in Proxmox VE's tree: fields of `GET /cluster/resources`. */
export type Selected = {
  type?: string;
  node?: string;
  vmid?: number;
  storage?: string;
  /** 1: one storage for all nodes. */
  shared?: number | boolean;
};

/** The panel's page for what is selected; the overview for the datacenter, and for what has no page of its own. */
export function routeOfSelected({ type, node, vmid, storage, shared }: Selected): Route {
  const page = (entity: string): Route => ({ ...home, page: { kind: "entity", entity, cluster: undefined } });
  if ((type === "qemu" || type === "lxc") && vmid !== undefined) return page(`guest/${vmid}`);
  if (type === "storage" && storage !== undefined) {
    return page(shared === 1 || shared === true ? `storage/${storage}` : `storage/${node ?? ""}/${storage}`);
  }
  if (type === "node" && node !== undefined) return page(`node/${node}`);
  return home;
}
