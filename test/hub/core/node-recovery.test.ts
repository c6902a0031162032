import assert from "node:assert/strict";
import { test } from "node:test";
import type { Backup } from "#protocol/backups.ts";
import type { EntityKey, EpochMs, NodeName } from "#protocol/ids.ts";
import type { ProofBadge } from "#protocol/proof.ts";
import type { BackupSet } from "../../../hub/core/backup-catalogue.ts";
import { fits, type RecoveryKnowledge, recoveriesIn } from "../../../hub/core/node-recovery.ts";
import type { ProofRecord } from "../../../hub/core/run-record.ts";
import { FakeSeries } from "../../support/fake-series.ts";
import { agentOf, cluster, type PictureSetup, testPicture } from "../../support/test-cluster.ts";

const now = Date.UTC(2026, 0, 5) as EpochMs;
const hour = 3_600_000;
const gib = 2 ** 30;
const pve1 = "pve1" as NodeName;

const nfs: BackupSet = {
  ...{ cluster, entity: "storage/nfs1" as EntityKey, storage: "nfs1", node: null, datastore: null },
  ...{ listedAt: now, problem: null, backups: new Map() },
};
const local: BackupSet = { ...nfs, entity: "storage/pve1/local" as EntityKey, storage: "local", node: pve1 };
const elsewhere: BackupSet = { ...nfs, entity: "storage/pve2/local" as EntityKey, storage: "local", node: "pve2" as NodeName };
const pbs: BackupSet = {
  ...nfs,
  entity: "storage/pbs1" as EntityKey,
  storage: "pbs1",
  datastore: { key: "datastore/0123456789abcdef/main", namespace: "" },
};
const backupOf = (hoursAgo: number, more: Partial<Backup> = {}): Backup => ({
  ...{ volid: `nfs1:backup/vzdump-qemu-100-${hoursAgo}.vma.zst`, vmid: 100, type: "qemu", at: now - hoursAgo * hour },
  ...{ bytes: 1_000_000, format: "vma.zst", protected: false, encrypted: false, ...more },
});
const proven: ProofBadge = { state: "proven", level: "works", at: now - 48 * hour, durationMs: 700_000, runId: "r" };
const measures = {
  restoreBytes: 1,
  restoreMs: 240_000,
  heartbeatMs: 20_000,
  serviceMs: null,
  sequentialRead: null,
  randomRead: null,
};
const record: ProofRecord = {
  ...{ cluster, vmid: 100, identity: [], lastTest: null },
  lastGood: {
    runId: "r",
    at: (now - 48 * hour) as EpochMs,
    level: "works",
    durationMs: 700_000,
    measures,
    backupAt: now,
    notProven: [],
    slower: [],
  },
};

type Setup = {
  /** Guests of pve1. */
  guests?: PictureSetup["nodes"][string];
  others?: string[];
  setup?: Partial<PictureSetup>;
  backups?: { set: BackupSet; backup: Backup }[];
  known?: Partial<RecoveryKnowledge>;
  series?(series: FakeSeries): void;
  sees?(entity: EntityKey): boolean;
};

/** pve1's loss, where it has a guest with its disks on a storage of its own, a proven backup on NFS, and two other nodes. */
function loss({ guests, others = ["pve2", "pve3"], setup, backups, known, series: fill, sees = () => true }: Setup = {}) {
  const series = new FakeSeries();
  const nodes = Object.fromEntries([
    ["pve1", guests ?? [{ vmid: 100, storages: ["local-zfs"] }]],
    ...others.map((node) => [node, []]),
  ]);
  const storages = [
    { storage: "local-zfs" },
    { storage: "local" },
    { storage: "nfs1", shared: true },
    { storage: "ceph", shared: true },
    { storage: "san", shared: true, nodes: ["pve1"] },
  ];
  const picture = testPicture({ name: "home", nodes, storages, at: now, ...setup });
  series.put(agentOf("pve1"), "guest/100" as EntityKey, "status", now, 1);
  series.put(agentOf("pve1"), "guest/100" as EntityKey, "mem_max", now, 4 * gib);
  for (const node of others) {
    series.put(agentOf(node), `node/${node}` as EntityKey, "mem_total", now, 16 * gib);
    series.put(agentOf(node), `node/${node}` as EntityKey, "mem_used", now, 10 * gib);
  }
  fill?.(series);
  const { reader, live } = series;
  return recoveriesIn(
    { reader, live, now },
    picture,
    {
      backupsOf: () => backups ?? [{ set: nfs, backup: backupOf(12) }],
      checked: () => undefined,
      listed: true,
      badge: () => proven,
      record: () => record,
      tests: new Set(),
      ...known,
    },
    { sees },
  )(pve1);
}
const guestOf = (setup: Setup) => {
  const [guest] = loss(setup).each;
  assert.ok(guest);
  return guest;
};

test("a guest with a tested backup elsewhere comes back: as of that backup, in the time that its test took, and other nodes have room", () => {
  const { each, counts, ...node } = loss();
  assert.deepEqual(counts, { lost: 0, failed: 0, unknown: 0, unproven: 0, stays: 0, proven: 1 });
  assert.deepEqual(
    { oldestAt: node.oldestAt, restores: node.restores, room: node.room },
    {
      oldestAt: now - 12 * hour,
      restores: { guests: 1, measured: 1, totalMs: 260_000 },
      room: { fits: "yes", neededBytes: 4 * gib, freeBytes: 12 * gib },
    },
  );
  assert.deepEqual(
    [each[0]?.way, each[0]?.provenAt, each[0]?.restoreMs, each[0]?.burns],
    ["backup", now - 48 * hour, 260_000, null],
  );
});

const badge = (state: ProofBadge["state"]) => ({ badge: () => ({ ...proven, state }) });
const damaged = backupOf(12, { verification: { state: "failed" } });
const own = { vmid: 100, storages: ["local-zfs"], identity: ["mac:bc:24:11:00:00:01"] };
const ha = { storages: ["ceph"], ha: "started" };
const job = { id: "100-0", vmid: 100, target: "pve2", enabled: true };
const replicated = (seconds: number) => (series: FakeSeries) =>
  series.put(agentOf("pve1"), "guest/100" as EntityKey, "replication_age", now, seconds, { instance: "100-0" });
const cases: [name: string, setup: Setup, state: string, way: string | null][] = [
  ["no storage holds a backup", { backups: [] }, "lost", null],
  ["its only backups lie on the node itself", { backups: [{ set: local, backup: backupOf(2) }] }, "lost", null],
  ["a backup lies on another node's own storage", { backups: [{ set: elsewhere, backup: backupOf(2) }] }, "proven", "backup"],
  ["no storage was listed yet", { backups: [], known: { listed: false } }, "unknown", null],
  [
    "the storage can't be listed now",
    { backups: [{ set: { ...nfs, problem: "timeout" }, backup: backupOf(2) }] },
    "unknown",
    "backup",
  ],
  ["its only backup elsewhere is damaged", { backups: [{ set: nfs, backup: damaged }] }, "failed", null],
  ["its newest restore test failed", { known: badge("failed") }, "failed", "backup"],
  ["nobody ever tested one of its backups", { known: badge("never") }, "unproven", "backup"],
  ["its test saw the bytes and no boot", { known: { badge: () => ({ ...proven, level: "bytes" }) } }, "unproven", "backup"],
  ["the last test is older than its policy allows", { known: badge("overdue") }, "unproven", "backup"],
  [
    "backups leave out one of its disks",
    { guests: [{ vmid: 100, storages: ["local-zfs"], unprotected: [{ disk: "scsi1", why: "off" }] }] },
    "unproven",
    "backup",
  ],
  ["its disks are on shared storage and HA starts it", { guests: [{ vmid: 100, ...ha }] }, "stays", "ha"],
  ["two of two nodes' votes are gone with one of them", { guests: [{ vmid: 100, ...ha }], others: ["pve2"] }, "stays", "shared"],
  ["HA has it stopped", { guests: [{ vmid: 100, ...ha, ha: "stopped" }] }, "stays", "shared"],
  ["one of its disks is the node's own", { guests: [{ vmid: 100, ...ha, storages: ["ceph", "local-zfs"] }] }, "proven", "backup"],
  ["no other node may use its shared storage", { guests: [{ vmid: 100, storages: ["san"] }] }, "proven", "backup"],
  ["there is no other node to start it on", { guests: [{ vmid: 100, ...ha }], others: [] }, "proven", "backup"],
  ["its disks are replicated to another node", { setup: { replication: [job] }, series: replicated(900) }, "stays", "replica"],
  [
    "its disks are replicated, and HA starts the replica",
    {
      guests: [{ vmid: 100, storages: ["local-zfs"], ha: "started" }],
      setup: { replication: [job] },
      series: replicated(900),
    },
    "stays",
    "ha",
  ],
  [
    "one of its drives is not replicated",
    {
      guests: [{ vmid: 100, storages: ["local-zfs"], bound: [{ disk: "scsi1", why: "not-replicated" }] }],
      setup: { replication: [job] },
      series: replicated(900),
    },
    "proven",
    "backup",
  ],
  [
    "one of its drives is a device of the node",
    { guests: [{ vmid: 100, ...ha, bound: [{ disk: "virtio1", why: "device" }] }] },
    "proven",
    "backup",
  ],
  ["nobody tells on which server its backups lie", { backups: [{ set: pbs, backup: backupOf(2) }] }, "unknown", "backup"],
  ["nobody tells whose its backups are", { guests: [own], backups: [{ set: nfs, backup: backupOf(2) }] }, "unknown", "backup"],
  [
    "nobody tells whose its newest backup is, and an older one is its own",
    {
      guests: [own],
      backups: [
        { set: nfs, backup: backupOf(2) },
        { set: nfs, backup: backupOf(26, { guest: own.identity }) },
      ],
      known: { record: () => ({ ...record, identity: own.identity }) },
    },
    "proven",
    "backup",
  ],
  ["its replication never ended well", { setup: { replication: [job] } }, "proven", "backup"],
  [
    "it is replicated to a node that is not there",
    { setup: { replication: [{ ...job, target: "pve9" }] }, series: replicated(900) },
    "proven",
    "backup",
  ],
];
for (const [name, setup, state, way] of cases) {
  test(`${name}: ${state}`, () => {
    const guest = guestOf(setup);
    assert.deepEqual([guest.state, guest.way], [state, way]);
  });
}

test("data of a replica is as old as the replica, of shared disks it has no age", () => {
  const replica = guestOf({ setup: { replication: [job] }, series: replicated(900) });
  assert.deepEqual([replica.dataAt, replica.target], [now - 900_000, "pve2"]);
  const guests = [{ vmid: 100, storages: ["local-zfs"], ha: "started" }];
  const started = guestOf({ guests, setup: { replication: [job] }, series: replicated(900) });
  assert.deepEqual([started.dataAt, started.target], [now - 900_000, "pve2"]);
  assert.equal(guestOf({ guests: [{ vmid: 100, ...ha }] }).dataAt, null);
});

test("a newer backup on the node's own storage is named as one that is lost with it", () => {
  const guest = guestOf({
    backups: [
      { set: local, backup: backupOf(1) },
      { set: nfs, backup: backupOf(30) },
    ],
  });
  assert.deepEqual([guest.burns, guest.dataAt], [{ at: now - hour, storage: "local" }, now - 30 * hour]);
});

test("backups on a Backup Server at the node's own address or name burn with it", () => {
  const servers: [server: string, state: string][] = [
    ["10.0.0.1", "lost"],
    ["pve1.lan", "lost"],
    ["localhost", "lost"],
    ["10.0.0.9", "proven"],
    ["pve10.lan", "proven"],
  ];
  for (const [server, state] of servers) {
    const series = new FakeSeries();
    const picture = testPicture({
      name: "home",
      nodes: { pve1: [{ vmid: 100, storages: ["local"] }], pve2: [] },
      storages: [{ storage: "local" }],
      at: now,
    });
    for (const { inventory } of picture.agents.values()) {
      if (inventory === undefined) continue;
      for (const member of inventory.inventory.cluster.members) if (member.node === "pve1") member.ip = "10.0.0.1";
      inventory.inventory.datastores = [
        { key: pbs.datastore?.key ?? "", store: "main", server, port: 8007, storages: [], namespaces: [], jobs: [] },
      ];
    }
    const known = { checked: () => undefined, listed: true, badge: () => proven, record: () => record, tests: new Set<number>() };
    const backupsOf = () => [{ set: pbs, backup: backupOf(3) }];
    const { each } = recoveriesIn({ reader: series.reader, live: series.live, now }, picture, { ...known, backupsOf })(pve1);
    assert.equal(each[0]?.state, state, server);
  }
});

test("on a node of its own encrypted backups need their key from elsewhere", () => {
  const backups = [{ set: nfs, backup: backupOf(12, { encrypted: true }) }];
  assert.equal(loss({ backups, others: [] }).keysNeeded, 1);
  assert.equal(loss({ backups }).keysNeeded, 0);
});

test("room is unknown where somebody doesn't say what he has or needs, and there is none without another node", () => {
  assert.equal(loss({ others: [] }).room.fits, "none");
  assert.equal(
    loss({
      series: (series) => series.put(agentOf("pve1"), "guest/101" as EntityKey, "status", now, 1),
      guests: [{ vmid: 100 }, { vmid: 101 }],
    }).room.fits,
    "unknown",
  );
  assert.equal(
    loss({ series: (series) => series.put(agentOf("pve1"), "guest/100" as EntityKey, "mem_max", now, 7 * gib) }).room.fits,
    "no",
  );
});

test("each guest has to fit whole on one node", () => {
  assert.equal(fits([6, 6], [6, 6]), true);
  assert.equal(fits([7], [6, 6]), false);
  assert.equal(fits([4, 4, 4], [6, 6]), false);
  assert.equal(fits([], []), true);
});

test("templates and test guests are not counted, nor guests of other nodes or such that aren't seen", () => {
  const guests = [{ vmid: 100 }, { vmid: 101, template: true }, { vmid: 9000 }];
  const { each } = loss({ guests, known: { tests: new Set([9000]) } });
  assert.deepEqual(
    each.map(({ vmid }) => vmid),
    [100],
  );
});

test("that the hub itself runs on the node is told: what it knows would burn too", () => {
  const picture = testPicture({ nodes: { pve1: [], pve2: [] }, at: now });
  const { reader, live } = new FakeSeries();
  const hubHere = (hostName: string) => {
    const known = { checked: () => undefined, backupsOf: () => [], listed: true, badge: () => proven, record: () => undefined };
    return recoveriesIn({ reader, live, now }, picture, { ...known, tests: new Set() }, { hostName })(pve1).hubHere;
  };
  assert.deepEqual(["pve1", "PVE1.lan", "pve10", "monitor"].map(hubHere), [true, true, false, false]);
});

test("who doesn't see all guests of a node isn't told that they fit elsewhere: of the others he knows nothing", () => {
  const guests = [
    { vmid: 100, storages: ["local-zfs"] },
    { vmid: 101, storages: ["local-zfs"] },
  ];
  const series = (filled: FakeSeries) => {
    for (const metric of ["status", "mem_max"]) {
      filled.put(agentOf("pve1"), "guest/101" as EntityKey, metric, now, metric === "status" ? 1 : 4 * gib);
    }
  };
  assert.deepEqual(loss({ guests, series }).room, { fits: "yes", neededBytes: 8 * gib, freeBytes: 12 * gib });
  const sees = (entity: EntityKey) => entity !== "guest/101";
  assert.deepEqual(loss({ guests, series, sees }).room, { fits: "unknown", neededBytes: null, freeBytes: 12 * gib });
});
