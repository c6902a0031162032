import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Backup, Backups } from "#protocol/backups.ts";
import type { NodeName } from "#protocol/ids.ts";
import { Catalogue } from "../../hub/catalogue.ts";
import { StateStore } from "../../hub/store/state.ts";
import { temporaryDir } from "../support/temporary-dir.ts";
import { agentOf, clusterA } from "../support/test-hub.ts";

const agent = agentOf("pve1");
const pve1 = "pve1" as NodeName;
const web = { vmid: 100, type: "qemu" as const, identity: ["uuid:web"] };
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

test("a storage of each node's own is another one on each node", (t) => {
  const { catalogue } = open(t);
  catalogue.take(agent, { storage: "local", shared: false, at: 10, part: 1, parts: 1, backups: [] });
  assert.equal(catalogue.ofPresent(clusterA, web, pve1).listedAt("local"), 10);
  assert.equal(catalogue.ofPresent(clusterA, web, "pve2" as NodeName).listedAt("local"), undefined);
});
