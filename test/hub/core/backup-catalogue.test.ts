import assert from "node:assert/strict";
import { test } from "node:test";
import type { Backup, Backups } from "#protocol/backups.ts";
import { backupState, guestOfBackup, PartCollector, sizeAnomaly } from "../../../hub/core/backup-catalogue.ts";
import { volidGuest } from "../../../hub/core/volid.ts";

const backupOf = (volid: string): Backup => ({
  volid,
  vmid: 100,
  type: "qemu",
  at: 0,
  format: "pbs-vm",
  protected: false,
  encrypted: false,
});
const partOf = (at: number, part: number, parts: number, volid: string): Backups => ({
  storage: "pbs",
  shared: true,
  at,
  part,
  parts,
  backups: [backupOf(volid)],
});

test("a listing is complete when its last part came, in whatever order", () => {
  const collector = new PartCollector();
  assert.equal(collector.add("k", partOf(1, 3, 3, "c")), undefined);
  assert.equal(collector.add("k", partOf(1, 1, 3, "a")), undefined);
  assert.equal(collector.add("k", partOf(1, 1, 3, "a")), undefined, "the same part again is no other one");
  assert.deepEqual(
    collector
      .add("k", partOf(1, 2, 3, "b"))
      ?.map(({ volid }) => volid)
      .sort(),
    ["a", "b", "c"],
  );
});

test("a newer listing replaces one that was never completed; what is left of the older is not mixed in", () => {
  const collector = new PartCollector();
  collector.add("k", partOf(1, 1, 2, "old"));
  assert.equal(collector.add("k", partOf(2, 1, 2, "new")), undefined);
  assert.equal(collector.add("k", partOf(1, 2, 2, "old")), undefined);
  assert.deepEqual(
    collector.add("k", partOf(2, 2, 2, "newer"))?.map(({ volid }) => volid),
    ["new", "newer"],
  );
});

const present = { type: "qemu" as const, identity: ["uuid:1", "mac:a"] };
const cases: [name: string, backup: Pick<Backup, "type" | "guest">, present: typeof present | undefined, of: string][] = [
  ["one that shares an identity string", { type: "qemu", guest: ["mac:a"] }, present, "same"],
  ["another guest with its number, or of another cluster", { type: "qemu", guest: ["uuid:2"] }, present, "other"],
  ["one into which nobody looked", { type: "qemu" }, present, "unknown"],
  ["a container's, where the number is a virtual machine's now", { type: "lxc" }, present, "other"],
  ["one of a guest that is no more", { type: "qemu", guest: ["uuid:1"] }, undefined, "none"],
];
for (const [name, backup, guest, of] of cases) {
  test(`a backup of the present guest? ${name}`, () => assert.equal(guestOfBackup(backup, guest), of));
}

test("the newest word on a backup's bytes counts, the server's or that of our own check", () => {
  const failed = { verification: { state: "failed" as const, at: 5 } };
  assert.deepEqual(backupState(failed, undefined), { state: "failed", at: 5 });
  assert.deepEqual(backupState(failed, { state: "verified", at: 9 as never }), { state: "verified", at: 9 });
  assert.deepEqual(backupState(failed, { state: "verified", at: 3 as never }), { state: "failed", at: 5 });
  assert.deepEqual(backupState({}, undefined), { state: "unverified", at: null });
});

test("a backup three times as large, or a tenth, is told; two backups are too few to say", () => {
  const bytes = (...sizes: number[]) => sizes.map((size) => ({ bytes: size }));
  assert.deepEqual(sizeAnomaly(bytes(300, 100, 100)), { change: "grew", before: 100, now: 300 });
  assert.deepEqual(sizeAnomaly(bytes(10, 100, 100)), { change: "shrank", before: 100, now: 10 });
  assert.equal(sizeAnomaly(bytes(290, 100, 100)), undefined);
  assert.equal(sizeAnomaly(bytes(1000, 100)), undefined);
});

test("a volid names its guest, in files and on a Backup Server", () => {
  assert.equal(volidGuest("pbs:backup/vm/100/2026-01-05T01:00:00Z"), 100);
  assert.equal(volidGuest("pbs:backup/ct/105/2026-01-05T01:00:00Z"), 105);
  assert.equal(volidGuest("local:backup/vzdump-lxc-101-2026_01_05-01_00_00.tar.zst"), 101);
  assert.equal(volidGuest("local:iso/vm-100.iso"), undefined);
});
