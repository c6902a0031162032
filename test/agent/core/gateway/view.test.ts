import assert from "node:assert/strict";
import { test } from "node:test";
import { makeView, parsePermissions, parseResources } from "../../../../agent/core/gateway/view.ts";

const noResources = { guests: [], nodes: [], storages: [], pools: [], figured: [] };
const viewOf = (given: Partial<Parameters<typeof makeView>[0]> = {}) =>
  makeView({
    cluster: "00000000000000aa",
    user: "joe@pve",
    resources: noResources,
    permissions: new Map(),
    audited: [],
    goneGuests: false,
    ...given,
  });

test("of what Proxmox VE lists to a user each kind is taken with what names it, and nothing that lacks that", () => {
  const resources = parseResources([
    { type: "qemu", vmid: 100, node: "pve1" },
    { type: "lxc", vmid: 101, node: "pve1" },
    { type: "qemu", vmid: "100x" },
    { type: "sdn", vmid: 102, node: "pve1", storage: "s", pool: "p" },
    { type: "storage", node: "pve1", storage: "nfs1" },
    { type: "storage", node: "pve1" },
    { type: "storage", storage: "nfs1" },
    { type: "pool", pool: "shop" },
    { type: "pool" },
    { type: "node", node: "pve1", maxcpu: 8 },
    { type: "node", node: "pve2" },
    { type: "node" },
    null,
    "node",
  ]);
  assert.deepEqual(resources, {
    guests: [100, 101],
    nodes: ["pve1", "pve2"],
    storages: [{ node: "pve1", storage: "nfs1" }],
    pools: ["shop"],
    figured: ["pve1"],
  });
  for (const answer of [undefined, null, {}, "[]"]) assert.equal(parseResources(answer), undefined);
});

test("a privilege that is listed is held, whether it propagates or not", () => {
  const permissions = parsePermissions({ "/vms/100": { "VM.Audit": 0, "VM.Console": 1 }, "/": {}, "/x": null });
  assert.deepEqual(
    [...(permissions ?? [])],
    [
      ["/vms/100", ["VM.Audit", "VM.Console"]],
      ["/", []],
      ["/x", []],
    ],
  );
  for (const answer of [undefined, null, [], "/"]) assert.equal(parsePermissions(answer), undefined);
});

test("a node is audited where its figures were shown, or Proxmox VE said so when it was asked", () => {
  const { auditedNodes } = viewOf({ resources: { ...noResources, figured: ["pve2"] }, audited: ["pve1"] });
  assert.deepEqual(auditedNodes, ["pve1", "pve2"]);
});

test("paths and privileges that Proxmox VE can't have said are left out, and paths that hold the same stand together", () => {
  const permissions = new Map([
    ["/vms/100", ["VM.Audit", "VM.Console"]],
    ["/vms/101", ["VM.Console", "VM.Audit"]],
    ["/nodes", ["Sys.Audit", "sys.audit", "Sys", "Sys.Audit\n"]],
    ["vms", ["VM.Audit"]],
    ["/a b", ["VM.Audit"]],
    [`/${"x".repeat(255)}`, ["VM.Backup"]],
    [`/${"x".repeat(256)}`, ["VM.Backup"]],
  ]);
  assert.deepEqual(viewOf({ permissions }).privileges, [
    { privileges: ["Sys.Audit"], paths: ["/nodes"] },
    { privileges: ["VM.Audit", "VM.Console"], paths: ["/vms/100", "/vms/101"] },
    { privileges: ["VM.Backup"], paths: [`/${"x".repeat(255)}`] },
  ]);
});

test("of more than a view can hold the user sees less, never more", () => {
  const guests = Array.from({ length: 20_001 }, (_, n) => (100 + n) as never);
  const nodes = Array.from({ length: 257 }, (_, n) => `n${n}`);
  const view = viewOf({ resources: { ...noResources, guests, nodes, figured: nodes } });
  assert.deepEqual([view.guests.length, view.nodes.length, view.auditedNodes.length], [20_000, 256, 256]);
});
