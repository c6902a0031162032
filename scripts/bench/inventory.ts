import type { NodeName, Vmid } from "#protocol/ids.ts";
import type { Inventory } from "#protocol/inventory.ts";
import { poolOf } from "./remote-write.ts";
import { nodeNameOf, vmidOf } from "./workload.ts";

/** What the agent of node `index` says about its guests: running virtual machines, by pools as the peers' labels have them. */
export function inventoryOf(index: number, firstGuest: number, guests: number, at = Date.now()): Inventory {
  const node = nodeNameOf(index) as NodeName;
  return {
    at,
    cluster: { name: "bench", quorate: true, members: [{ node, nodeId: index + 1, online: true }] },
    node: { zpools: [], sources: [] },
    guests: Array.from({ length: guests }, (_, guest) => ({
      vmid: vmidOf(firstGuest + guest) as Vmid,
      type: "qemu" as const,
      name: `guest-name-${firstGuest + guest}`,
      identity: [],
      template: false,
      tags: [],
      onboot: true,
      pool: poolOf(firstGuest + guest),
      configured: true,
    })),
    storages: [],
  };
}
