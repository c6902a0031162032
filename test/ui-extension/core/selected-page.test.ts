import assert from "node:assert/strict";
import { test } from "node:test";
import { routeOfSelected, type Selected } from "../../../ui-extension/core/selected-page.ts";

const entity = (name: string) => ({ kind: "entity" as const, entity: name, cluster: undefined });
const cases: [name: string, selected: Selected, page: ReturnType<typeof entity> | { kind: "overview" }][] = [
  ["the datacenter", { type: "root" }, { kind: "overview" }],
  ["a node", { type: "node", node: "pve1" }, entity("node/pve1")],
  ["a virtual machine", { type: "qemu", node: "pve1", vmid: 100 }, entity("guest/100")],
  ["a container", { type: "lxc", node: "pve1", vmid: 200 }, entity("guest/200")],
  ["a storage of one node", { type: "storage", node: "pve1", storage: "local", shared: 0 }, entity("storage/pve1/local")],
  ["a shared storage", { type: "storage", node: "pve1", storage: "nfs1", shared: 1 }, entity("storage/nfs1")],
  [
    "a shared storage, as Ext may keep it",
    { type: "storage", node: "pve1", storage: "nfs1", shared: true },
    entity("storage/nfs1"),
  ],
  ["a pool", { type: "pool" }, { kind: "overview" }],
  ["nothing at all", {}, { kind: "overview" }],
];
for (const [name, selected, page] of cases) {
  test(`${name} in Proxmox VE's tree opens its own page`, () => assert.deepEqual(routeOfSelected(selected).page, page));
}
