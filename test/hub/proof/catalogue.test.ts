import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type Backup, type Backups, backupsSchema } from "#protocol/backups.ts";
import type { NodeName, Vmid } from "#protocol/ids.ts";
import { type Inventory, inventorySchema } from "#protocol/inventory.ts";
import { switchedOff } from "../../../hub/core/backup-catalogue.ts";
import { Catalogue } from "../../../hub/proof/catalogue.ts";
import { StateStore } from "../../../hub/store/state.ts";
import { temporaryDir } from "../../support/temporary-dir.ts";
import { agentOf, clusterA } from "../../support/test-hub.ts";

const agent = agentOf("pve1");
const pve1 = "pve1" as NodeName;
const web = { vmid: 100 as Vmid, type: "qemu" as const, identity: ["uuid:web"] };
const backupAt = (at: number, more: Partial<Backup> = {}): Backup => ({
  volid: `pbs1:backup/vm/100/${at}`,
  vmid: 100,
  type: "qemu",
  at,
  format: "pbs-vm",
  protected: false,
  encrypted: false,
  guest: ["uuid:web"],
  ...more,
});
const listing = (at: number, backups: Backup[], more: Partial<Backups> = {}): Backups => ({
  storage: "pbs1",
  shared: true,
  datastore: { key: "datastore/d1", namespace: "prod" },
  at,
  part: 1,
  parts: 1,
  backups,
  ...more,
});
const other = { datastore: { key: "datastore/d1", namespace: "other" }, foreign: true as const };

function open(t: TestContext) {
  const dir = temporaryDir(t);
  let state = StateStore.open({ dir, now: () => 0 as never });
  t.after(() => state.close());
  return {
    catalogue: new Catalogue(state),
    again: async () => {
      await state.close();
      state = StateStore.open({ dir, now: () => 0 as never });
      return new Catalogue(state);
    },
  };
}

test("another namespace of the same datastore replaces nothing of the storage's own, and its backups are nobody's here", async (t) => {
  const { catalogue, again } = open(t);
  catalogue.take(agent, listing(10, [backupAt(5)]));
  catalogue.take(agent, listing(11, [backupAt(5, { encrypted: true }), backupAt(9)], other));
  for (const known of [catalogue, await again()]) {
    const { cluster } = agent;
    assert.deepEqual(
      known.ofGuest(cluster, web).map(({ backup }) => backup),
      [backupAt(5)],
    );
    const seen = known.ofPresent(cluster, web, pve1);
    assert.deepEqual(seen.span, { newestAt: 5, newestOn: "pbs1", oldestAt: 5 });
    assert.equal(known.find(cluster, "pbs1", "pbs1:backup/vm/100/5")?.encrypted, false);
    assert.equal(known.find(cluster, "pbs1", "pbs1:backup/vm/100/9"), undefined, "PVE has no name for it");
    assert.deepEqual(
      known.allSets(cluster).map(({ datastore, backups }) => [datastore?.namespace, backups.size]),
      [
        ["prod", 1],
        ["other", 2],
      ],
    );
    assert.equal(seen.listedAt("pbs1"), 10, "a listing of the other one says nothing of this one");
  }
});

test("a storage that can't be listed now says nothing of what is missing, but keeps what it had", (t) => {
  const { catalogue } = open(t);
  assert.equal(catalogue.ofPresent(clusterA, web, pve1).listedAt("pbs1"), undefined);
  catalogue.take(agent, listing(10, [backupAt(5), backupAt(7, { guest: ["uuid:stranger"] })]));
  catalogue.take(agent, listing(20, [], { problem: "timeout" }));
  assert.equal(catalogue.ofPresent(clusterA, web, pve1).listedAt("pbs1"), undefined);
  assert.deepEqual(catalogue.ofPresent(clusterA, web, pve1).span, { newestAt: 5, newestOn: "pbs1", oldestAt: 5 });
});

test("a backup into which nobody looked yet is named as such, and is no evidence; with nothing to tell a guest by, its number must do", (t) => {
  const { catalogue } = open(t);
  const { guest: _, ...unknown } = backupAt(9);
  catalogue.take(agent, listing(10, [backupAt(5), unknown]));
  const { span, unknownAt } = catalogue.ofPresent(clusterA, web, pve1);
  assert.deepEqual([span?.newestAt, unknownAt], [5, 9]);
  const blank = catalogue.ofPresent(clusterA, { ...web, identity: [] }, pve1);
  assert.deepEqual([blank.span?.newestAt, blank.unknownAt], [9, undefined]);
});

test("guests that nothing tells apart but their number are asked for in turn, and each has its own backups", (t) => {
  const { catalogue } = open(t);
  const nothing: string[] = [];
  const guest = (vmid: number) => ({ vmid: vmid as Vmid, type: "lxc" as const, identity: nothing });
  const of = (vmid: number) => backupAt(1000 + vmid, { volid: `ct/${vmid}`, vmid, type: "lxc", format: "pbs-ct", guest: [] });
  catalogue.take(agent, listing(2000, [of(100), of(101)]));
  const asked = [100, 101, 100].map((vmid) => catalogue.ofGuest(clusterA, guest(vmid)).map(({ backup }) => backup.volid));
  assert.deepEqual(asked, [["ct/100"], ["ct/101"], ["ct/100"]]);
});

test("a storage of each node's own is another one on each node", (t) => {
  const { catalogue } = open(t);
  catalogue.take(agent, { storage: "local", shared: false, at: 10, part: 1, parts: 1, backups: [] });
  assert.equal(catalogue.ofPresent(clusterA, web, pve1).listedAt("local"), 10);
  assert.equal(catalogue.ofPresent(clusterA, web, "pve2" as NodeName).listedAt("local"), undefined);
});

const facts = { type: "pbs", shared: true, content: ["backup"], enabled: true, nodes: [] };
const d1 = { key: "datastore/d1", store: "d1", server: "pbs", port: 8007, storages: [], jobs: [] };
const pictureOf = (more: object = {}): Inventory =>
  inventorySchema.parse({
    at: 1,
    cluster: {
      quorate: true,
      members: [
        { node: "pve1", nodeId: 1, online: true },
        { node: "pve2", nodeId: 2, online: false },
      ],
    },
    node: { zpools: [], sources: [] },
    guests: [],
    storages: [
      { ...facts, storage: "pbs1" },
      { ...facts, storage: "local", type: "dir", shared: false },
    ],
    datastores: [{ ...d1, namespaces: ["prod", "other"] }],
    ...more,
  });

/** A shared storage, another namespace behind it, and the local storages of two nodes. */
function filled(t: TestContext) {
  const { catalogue, again } = open(t);
  const local = { storage: "local", shared: false, datastore: undefined };
  catalogue.take(agent, listing(10, [backupAt(5)]));
  catalogue.take(agent, listing(10, [backupAt(5)], other));
  for (const node of ["pve1", "pve2"]) {
    catalogue.take(agentOf(node), backupsSchema.parse({ ...listing(10, [backupAt(6, { volid: `local:${node}` })]), ...local }));
  }
  return { catalogue, again };
}
const setsOf = (catalogue: Catalogue) =>
  catalogue.allSets().map(({ storage, node, foreign, problem }) => [storage, node ?? foreign ?? "", problem]);
const all = [
  ["pbs1", "", null],
  ["pbs1", "other", null],
  ["local", "pve1", null],
  ["local", "pve2", null],
];

test("what lies on a storage, namespace or node that is gone is forgotten, also after a restart; what is still there stays", async (t) => {
  const { catalogue, again } = filled(t);
  catalogue.compare(agent, pictureOf(), true);
  assert.deepEqual(setsOf(catalogue), all);
  catalogue.compare(agent, pictureOf({ datastores: [{ ...d1, namespaces: ["prod"] }] }), true);
  assert.deepEqual(setsOf(catalogue), [all[0], all[2], all[3]]);
  catalogue.compare(agent, pictureOf({ cluster: { quorate: true, members: [{ node: "pve1", nodeId: 1, online: true }] } }), true);
  assert.deepEqual(setsOf(catalogue), [all[0], all[2]]);
  catalogue.compare(agent, pictureOf({ storages: [{ ...facts, storage: "local", shared: false }] }), true);
  assert.deepEqual(setsOf(catalogue), [all[2]]);
  const known = await again();
  assert.deepEqual(setsOf(known), [all[2]]);
  assert.deepEqual(
    known.ofGuest(agent.cluster, web).map(({ backup }) => backup.volid),
    ["local:pve1"],
  );
});

test("nothing is forgotten on the word of who doesn't list there, has no quorum, or could not read it", (t) => {
  const { catalogue } = filled(t);
  const nothing = { storages: [{ ...facts, storage: "new" }] };
  const alone = { quorate: true, members: [{ node: "pve1", nodeId: 1, online: true }] };
  catalogue.compare(agentOf("pve3"), pictureOf(nothing), false);
  catalogue.compare(agent, pictureOf({ ...nothing, cluster: { ...alone, quorate: false } }), true);
  catalogue.compare(agent, pictureOf({ storages: [] }), true);
  catalogue.compare(agent, pictureOf({ cluster: { ...alone, members: [] } }), true);
  catalogue.compare(agent, pictureOf({ datastores: [{ ...d1, namespaces: ["prod"], problem: "other: 403" }] }), true);
  catalogue.compare(agent, pictureOf({ datastores: undefined }), true);
  assert.deepEqual(setsOf(catalogue), all);
});

test("backups on a storage that is switched off are old until it is listed again", (t) => {
  const { catalogue } = filled(t);
  const off = [
    { ...facts, storage: "pbs1", enabled: false },
    { ...facts, storage: "local", shared: false, content: ["iso"] },
  ];
  catalogue.compare(agent, pictureOf({ storages: off }), true);
  assert.deepEqual(
    setsOf(catalogue).map(([, , problem]) => problem),
    [switchedOff, switchedOff, switchedOff, null],
  );
  assert.equal(catalogue.ofPresent(agent.cluster, web, pve1).listedAt("pbs1"), undefined);
  catalogue.take(agent, listing(20, [backupAt(5)]));
  assert.equal(catalogue.ofPresent(agent.cluster, web, pve1).listedAt("pbs1"), 20);
});
