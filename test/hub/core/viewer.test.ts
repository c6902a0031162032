import assert from "node:assert/strict";
import { test } from "node:test";
import type { EventView, TaskView } from "#protocol/api.ts";
import type { EntityKey } from "#protocol/ids.ts";
import { canonicalView, type View, viewJson } from "#protocol/viewer.ts";
import {
  actPermission,
  type ClusterSight,
  compileView,
  everything,
  hidesMore,
  holds,
  holdsEverywhere,
  type Surroundings,
  seesEntity,
  seesEvent,
  seesTask,
  type Viewer,
  withGranted,
} from "../../../hub/core/viewer.ts";
import { fc } from "../../support/property.ts";

const [here, there] = ["00000000000000aa", "00000000000000bb"];
const view = (given: Partial<View> = {}): View => ({
  cluster: here,
  user: "carol@pve",
  guests: [100],
  goneGuests: false,
  nodes: ["pve1", "pve2"],
  auditedNodes: ["pve1"],
  storages: [
    { node: "pve1", storage: "local" },
    { node: "pve1", storage: "nfs1" },
  ],
  pools: [],
  privileges: [{ privileges: ["VM.Audit", "VM.PowerMgmt"], paths: ["/vms/100", "/vms"] }],
  ...given,
});
const viewer = (given: Partial<View> = {}): Viewer => ({
  kind: "pve",
  user: given.user ?? "carol@pve",
  sights: new Map([[here, compileView(view(given))]]),
});
const around: Surroundings = { clusters: [here], exists: (_, vmid) => vmid < 200, whole: () => false };
const onRoot = (...privileges: string[]) => ({ privileges: [{ privileges, paths: ["/"] }] });

const entities: [entity: string, plain: boolean, overseer: boolean][] = [
  ["guest/100", true, true],
  ["guest/101", false, false],
  ["guest/300", false, false],
  ["node/pve1", true, true],
  ["node/pve2", false, false],
  ["storage/nfs1", true, true],
  ["storage/pve1/local", true, true],
  ["storage/pve2/local", false, false],
  ["storage/other", false, false],
  ["disk/pve1/S1", true, true],
  ["disk/pve2/S1", false, true],
  ["zpool/pve1/tank", false, true],
  ["thinpool/pve1/pve/data", false, true],
  ["datastore/0123456789abcdef/main", false, true],
  ["cluster", false, true],
  ["nonsense", false, false],
];
for (const [entity, plain, overseer] of entities) {
  test(`${entity} is ${plain ? "seen" : "hidden"}, and with Sys.Audit on / ${overseer ? "seen" : "hidden"}`, () => {
    assert.equal(seesEntity(viewer(), around, here, entity), plain);
    assert.equal(seesEntity(viewer(onRoot("Sys.Audit")), around, here, entity), overseer);
    assert.equal(seesEntity(viewer(onRoot("Sys.Audit")), around, there, entity), false, "in another cluster");
    assert.equal(seesEntity(everything, around, there, entity), true, "an API key");
  });
}

test("a guest that is no more is seen by who oversees the cluster and may see such", () => {
  const gone = viewer({ goneGuests: true, ...onRoot("Sys.Audit") });
  assert.equal(seesEntity(gone, around, here, "guest/300"), true);
  assert.equal(seesEntity(gone, around, here, "guest/101"), false, "it is there, and hidden");
  assert.equal(seesEntity(viewer({ goneGuests: true }), around, here, "guest/300"), false);
});

test("a privilege is held on the path that lists it, never because an ancestor does", () => {
  const sight = compileView(view());
  const power = (path: string) => holds(sight, { path, privilege: "VM.PowerMgmt" });
  assert.equal(power("/vms/100"), "yes");
  assert.equal(power("/vms/101"), "unknown", "/vms has it; NoAccess on /vms/101 would be missing in the list");
  assert.equal(power("/"), "no", "always listed by PVE when anything is granted there");
  assert.equal(holds(sight, { path: "/vms/100", privilege: "VM.Backup" }), "no");
  assert.equal(
    holds(withGranted(sight, [{ path: "/vms/101", privilege: "VM.PowerMgmt" }]), { path: "/vms/101", privilege: "VM.PowerMgmt" }),
    "yes",
  );
  assert.equal(holds(undefined, { path: "/", privilege: "Sys.Audit" }), "no");
});

test("settings of the hub take the privilege in every cluster it serves", () => {
  const root = viewer(onRoot("Sys.Modify"));
  assert.equal(holdsEverywhere(root, { clusters: [here] }, "Sys.Modify"), true);
  assert.equal(holdsEverywhere(root, { clusters: [here, there] }, "Sys.Modify"), false);
  assert.equal(holdsEverywhere(root, { clusters: [] }, "Sys.Modify"), false, "no cluster told anything yet");
  assert.equal(holdsEverywhere(everything, { clusters: [] }, "Sys.Modify"), true);
});

const task = (given: Partial<TaskView>): TaskView => ({
  cluster: here,
  upid: "UPID",
  node: "pve1",
  type: "qmstart",
  id: "100",
  user: "root@pam",
  startedAt: 0,
  endedAt: null,
  state: "running",
  status: null,
  ...given,
});
const tasks: [name: string, given: Partial<TaskView>, seen: boolean][] = [
  ["of a seen guest on an audited node", {}, true],
  ["of a hidden guest on an audited node", { id: "101" }, false],
  ["of a hidden guest's storage", { id: "101@nfs1" }, false],
  ["of several guests on an audited node", { id: "" }, true],
  ["of somebody else on a node without Sys.Audit", { node: "pve2" }, false],
  ["of one's own there", { node: "pve2", user: "carol@pve" }, true],
  ["of one's own token there", { node: "pve2", user: "carol@pve!ci" }, true],
  ["of a user whose name begins alike", { node: "pve2", user: "carol@pve2" }, false],
  ["of another cluster", { cluster: there, user: "carol@pve" }, false],
];
for (const [name, given, seen] of tasks) {
  test(`a task ${name} is ${seen ? "seen" : "hidden"}`, () => assert.equal(seesTask(viewer(), around, task(given)), seen));
}

test("from an API key no task and no event is hidden, whoever's and wherever it is", () => {
  for (const [name, given] of tasks) assert.equal(seesTask(everything, around, task(given)), true, `a task ${name}`);
  for (const [name, given] of events) assert.equal(seesEvent(everything, around, event(given)), true, `an event ${name}`);
});

const event = (given: Partial<EventView>): EventView => ({
  id: 1,
  at: 0,
  cluster: here,
  type: "guest.started",
  severity: "info",
  entity: null,
  node: null,
  text: "",
  actor: null,
  ...given,
});
const events: [name: string, given: Partial<EventView>, plain: boolean, overseer: boolean][] = [
  ["of a seen guest", { entity: "guest/100", node: "pve2" }, true, true],
  ["of a hidden guest on an audited node", { entity: "guest/101", node: "pve1" }, false, false],
  ["of an audited node", { node: "pve1" }, true, true],
  ["of another node", { node: "pve2" }, false, false],
  ["of the cluster", {}, false, true],
  ["of the hub", { cluster: null }, false, true],
  ["of another cluster", { cluster: there, entity: "guest/100" }, false, false],
  ["that Proxmox VE wrote about something seen", { type: "pve.notice", entity: "guest/100" }, false, false],
];
for (const [name, given, plain, overseer] of events) {
  test(`an event ${name} is ${plain ? "seen" : "hidden"}, to an overseer ${overseer ? "seen" : "hidden"}`, () => {
    assert.equal(seesEvent(viewer(), around, event(given)), plain);
    assert.equal(seesEvent(viewer(onRoot("Sys.Audit")), around, event(given)), overseer);
  });
}

test("acting on an alert takes a privilege on what it is about", () => {
  const needed = (entity: string) => Object.values(actPermission(entity as EntityKey)).join(" ");
  assert.equal(needed("guest/100"), "/vms/100 VM.PowerMgmt");
  assert.equal(needed("storage/nfs1"), "/storage/nfs1 Datastore.Allocate");
  assert.equal(needed("storage/pve1/local"), "/storage/local Datastore.Allocate");
  assert.equal(needed("zpool/pve1/tank"), "/nodes/pve1 Sys.Modify");
  assert.equal(needed("cluster"), "/ Sys.Modify");
});

const anyView = fc.record({
  guests: fc.uniqueArray(fc.integer({ min: 100, max: 120 })),
  auditedNodes: fc.subarray(["pve1", "pve2", "pve3"]),
  privileges: fc.array(
    fc.record({
      privileges: fc.subarray(["VM.Audit", "VM.PowerMgmt", "Sys.Audit", "Sys.Modify"]),
      paths: fc.subarray(["/", "/vms", "/vms/100", "/vms/101", "/nodes", "/nodes/pve1"], { minLength: 1 }),
    }),
    { maxLength: 4 },
  ),
});

test("without a cluster's view nothing of it is seen, and nothing that no view names ever is", () => {
  fc.assert(
    fc.property(anyView, fc.integer({ min: 100, max: 120 }), (given, vmid) => {
      const one = viewer(given);
      assert.equal(seesEntity(one, around, there, `guest/${vmid}`), false);
      assert.equal(seesEntity(one, around, here, `guest/${vmid}`), given.guests.includes(vmid));
    }),
  );
});

test("whoever was told more sees no less", () => {
  const grown = (a: ClusterSight, b: ClusterSight) => !hidesMore(a, b);
  fc.assert(
    fc.property(anyView, fc.integer({ min: 100, max: 120 }), (given, vmid) => {
      const [before, now] = [compileView(view(given)), compileView(view({ ...given, guests: [...given.guests, vmid] }))];
      assert.ok(grown(before, now));
      assert.equal(grown(now, before), given.guests.includes(vmid));
    }),
  );
});

test("a view is written the same in whatever order Proxmox VE answered", () => {
  const shuffled = fc.shuffledSubarray([100, 101, 102, 103], { minLength: 4 });
  fc.assert(
    fc.property(shuffled, fc.shuffledSubarray(["/", "/vms", "/nodes"], { minLength: 3 }), (guests, paths) => {
      const privileges = paths.map((path) => ({ privileges: ["Sys.Audit", "VM.Audit"], paths: [path] }));
      assert.equal(
        viewJson(view({ guests, privileges })),
        viewJson(
          view({
            guests: [100, 101, 102, 103],
            privileges: [{ privileges: ["VM.Audit", "Sys.Audit"], paths: ["/nodes", "/", "/vms"] }],
          }),
        ),
      );
    }),
  );
  assert.deepEqual(canonicalView(view({ privileges: [{ privileges: [], paths: ["/vms/101"] }] })).privileges, []);
});
