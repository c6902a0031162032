import assert from "node:assert/strict";
import { test } from "node:test";
import type { EpochMs, NodeName, Vmid } from "#protocol/ids.ts";
import { type AgentInventory, guestChanges, guestName, ownersOf, sameGuest, stepInventory } from "../../../hub/core/inventory.ts";
import { agentOf, inventoryOf } from "../../support/test-hub.ts";

const at = (ms: number) => ms as EpochMs;
const says = (node: string, vmids: number[], when: number, before?: AgentInventory) =>
  stepInventory(
    before,
    agentOf(node),
    inventoryOf({ guests: vmids.map((vmid) => ({ vmid, identity: [`uuid:${vmid}`] })) }),
    at(when),
  );
const homes = (inventories: AgentInventory[]) =>
  Object.fromEntries([...ownersOf(inventories)].map(([vmid, { owner }]) => [vmid, owner.agent.node]));
const none: ReadonlySet<NodeName> = new Set();

test("each guest belongs to the agent that lists it", () => {
  assert.deepEqual(homes([says("pve1", [100, 101], 0), says("pve2", [200], 0)]), { 100: "pve1", 101: "pve1", 200: "pve2" });
});

test("a guest on two agents belongs to the newer claim", () => {
  assert.deepEqual(homes([says("pve1", [100], 0), says("pve2", [100], 5)]), { 100: "pve2" });
});

test("a claim that is only repeated gets no newer by it", () => {
  const source = says("pve1", [100], 20, says("pve1", [100], 0));
  assert.deepEqual(homes([source, says("pve2", [100], 5)]), { 100: "pve2" });
});

test("a guest that went away and came back is claimed anew", () => {
  const back = says("pve1", [100], 20, says("pve1", [], 10, says("pve1", [100], 0)));
  assert.deepEqual(homes([back, says("pve2", [100], 5)]), { 100: "pve1" });
});

const change = (before: AgentInventory[], after: AgentInventory[], newcomers = none) =>
  guestChanges(ownersOf(before), ownersOf(after), newcomers).map(({ facts, ...rest }) => rest);

test("a new guest was created, unless its agent is heard for the first time", () => {
  assert.deepEqual(change([says("pve1", [], 0)], [says("pve1", [100], 5)]), [{ kind: "created", vmid: 100, node: "pve1" }]);
  assert.deepEqual(change([], [says("pve1", [100], 5)], new Set([agentOf("pve1").node])), []);
});

test("a guest that another agent claims has migrated", () => {
  const [one, two] = [says("pve1", [100], 0), says("pve2", [100], 5)];
  assert.deepEqual(change([one], [one, two]), [{ kind: "migrated", vmid: 100, node: "pve2", from: "pve1" }]);
});

test("a guest that nobody lists has vanished, which is not yet deleted", () => {
  assert.deepEqual(change([says("pve1", [100], 0)], [says("pve1", [], 5)]), [{ kind: "vanished", vmid: 100, node: "pve1" }]);
});

test("another guest with the same vmid replaces it", () => {
  const other = stepInventory(
    undefined,
    agentOf("pve1"),
    inventoryOf({ guests: [{ vmid: 100, identity: ["uuid:other"] }] }),
    at(5),
  );
  assert.deepEqual(change([says("pve1", [100], 0)], [other]), [{ kind: "replaced", vmid: 100, node: "pve1" }]);
});

const identities: [name: string, a: string[], b: string[], same: boolean][] = [
  ["one shared string is enough", ["uuid:1", "mac:a"], ["uuid:2", "mac:a"], true],
  ["nothing shared is another guest", ["uuid:1"], ["uuid:2"], false],
  ["nothing known is no evidence", ["uuid:1"], [], true],
];
for (const [name, a, b, same] of identities) {
  test(`identity: ${name}`, () => assert.equal(sameGuest({ type: "qemu", identity: a }, { type: "qemu", identity: b }), same));
}

test("guests without a name get PVE's default", () => {
  assert.equal(guestName({ vmid: 100 as Vmid, type: "qemu" }), "VM 100");
  assert.equal(guestName({ vmid: 200 as Vmid, type: "lxc" }), "CT200");
});

test("an agent that has just started and not looked at its machine yet takes nothing from what is known of it; a new look replaces it", () => {
  const hardware = (serial: string) => ({ serial, board: {}, firmware: {}, cpu: {}, missing: "smbios" as const });
  const said = (before: AgentInventory | undefined, node: AgentInventory["inventory"]["node"]) =>
    stepInventory(before, agentOf("pve1"), inventoryOf({ node }), at(0));
  const facts = { zpools: [], sources: [] };
  const known = said(undefined, { ...facts, hardware: hardware("A") });
  const restarted = said(known, { ...facts, kernel: "6.17" });
  assert.deepEqual(restarted.inventory.node, { ...facts, kernel: "6.17", hardware: hardware("A") });
  assert.equal(said(restarted, { ...facts, hardware: hardware("B") }).inventory.node.hardware?.serial, "B");
  assert.equal("hardware" in said(undefined, facts).inventory.node, false);
});

test("what an agent could not read since its start is as it was: a pool that hangs through a restart is not gone, one that was read and is missing is", () => {
  const facts = { sources: [], zpools: [] };
  const disks = (...ids: string[]) => ids.map((id) => ({ id, name: id, smart: "read" as const }));
  const pools = (...lvs: string[]) => lvs.map((lv) => ({ vg: "pve", lv }));
  const said = (before: AgentInventory | undefined, inventory: Parameters<typeof inventoryOf>[0]) =>
    stepInventory(before, agentOf("pve1"), inventoryOf(inventory), at(0));
  const node = { ...facts, zpools: ["rpool", "tank"], disks: disks("a", "b"), thinpools: pools("data") };
  const datastores = [{ key: "pbs/x", store: "x", server: "pbs", port: 8007, storages: [], namespaces: [], jobs: [] }];
  const known = said(undefined, { node, datastores });
  const unread = ["zpools", "disks", "thinpools", "datastores", "a list of tomorrow"];
  const begun = said(known, { node: { ...facts, disks: [], thinpools: pools("new") }, unread });
  assert.deepEqual(begun.inventory.node, { ...node, thinpools: pools("new", "data") });
  assert.deepEqual(begun.inventory.datastores, datastores);
  const read = said(begun, { node: { ...facts, disks: disks("b"), thinpools: [] }, unread: ["zpools"] });
  assert.deepEqual(read.inventory.node, { ...facts, zpools: ["rpool", "tank"], disks: disks("b"), thinpools: [] });
  assert.equal("datastores" in read.inventory, false);
  assert.deepEqual(said(undefined, { node: facts, unread }).inventory.node, facts, "nothing was known");
});

test("a disk that sleeps or is dying when its agent starts is the one that was there by that name; another that answers there is another", () => {
  const disk = (name: string, serial: string | undefined, smart: "read" | "asleep" | "none") => {
    const told = serial === undefined ? {} : { serial, model: "HGST" };
    return { id: serial ?? name, name, ...told, smart };
  };
  const said = (before: AgentInventory | undefined, ...disks: ReturnType<typeof disk>[]) =>
    stepInventory(before, agentOf("pve1"), inventoryOf({ node: { sources: [], zpools: [], disks } }), at(0));
  const known = said(undefined, disk("sda", "A", "read"), disk("sdb", "B", "read"), disk("sdc", undefined, "none"));
  const silent = said(known, disk("sda", undefined, "asleep"), disk("sdb", undefined, "none"), disk("sdc", undefined, "none"));
  assert.deepEqual(silent.inventory.node.disks, [
    disk("sda", "A", "asleep"),
    disk("sdb", "B", "none"),
    disk("sdc", undefined, "none"),
  ]);
  const moved = said(silent, disk("sda", "B", "read"), disk("sdb", undefined, "asleep"));
  assert.deepEqual(moved.inventory.node.disks, [disk("sda", "B", "read"), disk("sdb", undefined, "asleep")]);
  assert.deepEqual(said(silent, disk("sda", "C", "read")).inventory.node.disks, [disk("sda", "C", "read")]);
});
