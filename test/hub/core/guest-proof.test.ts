import assert from "node:assert/strict";
import { test } from "node:test";
import type { Backup } from "#protocol/backups.ts";
import type { EntityKey, EpochMs, Vmid } from "#protocol/ids.ts";
import type { BackupJobFacts, GuestFacts } from "#protocol/inventory.ts";
import type { BackupSet } from "../../../hub/core/backup-catalogue.ts";
import { type GuestKnowledge, guestProofView } from "../../../hub/core/guest-proof.ts";
import type { ProofRecord } from "../../../hub/core/run-record.ts";
import { cluster, testPicture } from "../../support/test-cluster.ts";

const day = 86_400_000;
const now = Date.UTC(2026, 0, 5) as EpochMs;
const job: BackupJobFacts = {
  ...{ id: "nightly", type: "vzdump", enabled: true, schedule: "21:00", all: true, vmids: [], exclude: [], repeatMissed: false },
};
const backupOf = (daysAgo: number, more: Partial<Backup> = {}): Backup => ({
  ...{ volid: `nfs1:backup/vzdump-qemu-100-${daysAgo}.vma.zst`, vmid: 100, type: "qemu", at: now - daysAgo * day },
  ...{ bytes: 1_000_000, format: "vma.zst", protected: false, encrypted: false, ...more },
});
const set: BackupSet = {
  ...{ cluster, entity: "storage/nfs1" as EntityKey, storage: "nfs1", node: null, datastore: null },
  ...{ listedAt: now, problem: null, backups: new Map() },
};
const measures = {
  ...{ restoreBytes: null, restoreMs: null, heartbeatMs: null, serviceMs: null, sequentialRead: null, randomRead: null },
};
const tested = (outcome: "passed" | "failed", daysAgo: number): ProofRecord => {
  const at = (now - daysAgo * day) as EpochMs;
  const common = { runId: "r", at, level: "works", durationMs: 60_000 } as const;
  const lastTest = { ...common, outcome, verdict: "v", backup: "b", log: [], screenshot: false };
  const lastGood = { ...common, measures, backupAt: at, notProven: ["Not every byte of the backup was verified"], slower: [] };
  return { cluster, vmid: 100, identity: [], lastTest, lastGood: outcome === "passed" ? lastGood : null };
};

/** All is well but for what is said otherwise. */
function view(known: Partial<GuestKnowledge> = {}, facts: Partial<GuestFacts> = {}) {
  const picture = testPicture({ nodes: { pve1: [{ vmid: 100, ...facts }] }, at: now });
  const owned = picture.owners.get(100 as Vmid);
  assert.ok(owned);
  const knowledge: GuestKnowledge = {
    ...{ jobs: [job], schedule: "current", backups: [{ set, backup: backupOf(1) }], listed: true },
    ...{
      checked: () => undefined,
      record: tested("passed", 2),
      policy: { everyDays: 30, dueAt: (now + 28 * day) as EpochMs },
      now,
    },
    ...known,
  };
  return guestProofView(cluster, owned, knowledge);
}

test("a guest is protected that has a job, a backup in time, all its disks in it, and a test in time that passed", () => {
  const whole = view();
  assert.deepEqual([whole.protected, whole.gaps, whole.proof.state], ["yes", [], "proven"]);
  assert.deepEqual(whole.lastBackup, { at: now - day, storage: "nfs1", volid: backupOf(1).volid, bytes: 1_000_000 });
  assert.deepEqual(
    [whole.backups, whole.dueAt, whole.notProven],
    [1, now + 28 * day, ["Not every byte of the backup was verified"]],
  );
});

const unprotected = (why: "off" | "no-volume") => ({ unprotected: [{ disk: "scsi1", why }] });
const of = (...backups: Backup[]) => ({ backups: backups.map((backup) => ({ set, backup })) });
const cases: [
  name: string,
  Partial<GuestKnowledge>,
  Partial<GuestFacts>,
  is: "no" | "unknown" | "yes",
  gap: string,
  text: RegExp,
][] = [
  ["nobody told of jobs", { jobs: undefined }, {}, "unknown", "jobs-unknown", /^No agent told/],
  ["no job takes it", { jobs: [{ ...job, exclude: [100] }] }, {}, "no", "no-job", /^No enabled backup job/],
  ["a run is missing", { schedule: "overdue" }, {}, "no", "backup-overdue", /was not made$/],
  ["its newest backup failed", { schedule: "failed" }, {}, "no", "backup-failed", /failed$/],
  ["a disk that its backups leave out", {}, unprotected("off"), "no", "disk-left-out", /^Backups leave out scsi1$/],
  ["a folder of the node", {}, unprotected("no-volume"), "no", "disk-left-out", /^scsi1 is no volume/],
  ["no storage holds a backup", { backups: [] }, {}, "no", "no-backup", /^No storage holds/],
  ["no storage was ever listed", { backups: [], listed: false }, {}, "unknown", "no-backup", /^No storage was listed/],
  ["damaged", of(backupOf(1, { verification: { state: "failed" } })), {}, "no", "backup-unverifiable", /is damaged: nfs1:/],
  [
    "a storage that can't be listed now",
    { backups: [{ set: { ...set, problem: "it hangs" }, backup: backupOf(1) }] },
    {},
    "unknown",
    "backup-stale",
    /^Storage nfs1 can't be listed: it hangs$/,
  ],
  [
    "grew",
    of(backupOf(1, { bytes: 9_000_000 }), backupOf(2), backupOf(3)),
    {},
    "yes",
    "size-grew",
    /has 9.00 MB, usual are 1.00 MB/,
  ],
  ["shrank", of(backupOf(1, { bytes: 1000 }), backupOf(2), backupOf(3)), {}, "unknown", "size-shrank", /has 1.00 kB, usual/],
  ["its test failed", { record: tested("failed", 1) }, {}, "no", "proof-failed", /failed$/],
  ["its proof is too old", { record: tested("passed", 31) }, {}, "unknown", "proof-overdue", /older than its policy/],
  ["never tested", { record: undefined }, {}, "unknown", "never-proven", /^No restore test/],
];
for (const [name, known, facts, is, gap, text] of cases) {
  test(`is it protected? ${name}: ${is}`, () => {
    const { protected: isProtected, gaps } = view(known, facts);
    assert.deepEqual([isProtected, gaps.map((one) => one.gap)], [is, [gap]]);
    assert.match(gaps[0]?.text ?? "", text);
  });
}

test("nobody knows of its disks: unknown; a gap that says no weighs more than one that nobody can tell", () => {
  const picture = testPicture({ nodes: { pve1: [{ vmid: 100 }] }, at: now });
  const owned = picture.owners.get(100 as Vmid);
  assert.ok(owned);
  const { unprotected: _, ...unknown } = owned.facts;
  const knowledge: GuestKnowledge = {
    ...{
      jobs: [job],
      schedule: "current",
      backups: [],
      listed: true,
      checked: () => undefined,
      record: undefined,
      policy: undefined,
    },
    now,
  };
  const { gaps, protected: isProtected } = guestProofView(cluster, { ...owned, facts: unknown }, knowledge);
  assert.deepEqual([isProtected, gaps.map(({ gap }) => gap)], ["no", ["disks-unknown", "no-backup", "never-proven"]]);
});

test("the newest backup whose bytes are verified is told, by the Backup Server's word or our own check's", () => {
  assert.equal(view(of(backupOf(1), backupOf(2))).lastVerifiedAt, null);
  const verified = backupOf(2, { verification: { state: "ok" } });
  assert.equal(view(of(backupOf(1), verified, backupOf(3, { verification: { state: "ok" } }))).lastVerifiedAt, now - 2 * day);
  const checked = (_: BackupSet, { volid }: Backup) =>
    volid === backupOf(1).volid ? ({ state: "verified", at: now } as const) : undefined;
  assert.equal(view({ ...of(backupOf(1), verified), checked }).lastVerifiedAt, now - day);
});
