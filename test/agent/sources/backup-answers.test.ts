import assert from "node:assert/strict";
import { test } from "node:test";
import { splitBackups } from "../../../agent/core/backup-parts.ts";
import { parseBackupContent, parseSnapshotBackup } from "../../../agent/sources/backup-answers.ts";
import { fc } from "../../support/property.ts";

const noon = Date.UTC(2026, 0, 5, 12);
const sec = (at: number) => Math.floor(at / 1000);
const vma = "nas:backup/vzdump-qemu-100-2026_01_05-02_00_00.vma.zst";
const entry = (volid: string, at: number, more: object = {}) => ({
  volid,
  vmid: volid.includes("100") ? 100 : 200,
  ctime: sec(at),
  size: 1000,
  format: volid.endsWith("vma.zst") ? "vma.zst" : "tar.zst",
  content: "backup",
  subtype: volid.includes("qemu") ? "qemu" : "lxc",
  ...more,
});

test("PVE's list of backups: what names no guest is left out, times are ms, only the first line of notes", () => {
  const listed = [
    entry(vma, noon, { notes: "web\nfront", protected: 1 }),
    entry("pbs1:backup/vm/100/2026-01-05T02:00:00Z", noon, {
      format: "pbs-vm",
      subtype: "qemu",
      encrypted: "ab:cd",
      verification: { state: "ok", upid: "UPID:pbs:000003E8:00001F40:00000001:695B1C00:verify:main:root@pam:" },
    }),
    { volid: "nas:backup/readme.tar", ctime: 5, format: "tar" },
    { volid: 5 },
  ];
  assert.deepEqual(parseBackupContent(listed), [
    {
      volid: vma,
      vmid: 100,
      type: "qemu",
      at: noon,
      bytes: 1000,
      format: "vma.zst",
      notes: "web",
      protected: true,
      encrypted: false,
    },
    {
      volid: "pbs1:backup/vm/100/2026-01-05T02:00:00Z",
      vmid: 100,
      type: "qemu",
      at: noon,
      bytes: 1000,
      format: "pbs-vm",
      protected: false,
      encrypted: true,
      verification: { state: "ok", at: 0x695b1c00 * 1000 },
    },
  ]);
  assert.deepEqual(parseBackupContent({ nonsense: true }), []);
});

test("a Backup Server's snapshot is named as PVE names it, with its owner and what the server verified", () => {
  const snapshot = {
    "backup-type": "ct",
    "backup-id": "200",
    "backup-time": sec(noon),
    owner: "prod@pbs!pve",
    comment: "db",
    protected: true,
    files: [
      { filename: "root.pxar.didx", size: 5000, "crypt-mode": "encrypt" },
      { filename: "index.json.blob", size: 500, "crypt-mode": "sign-only" },
    ],
    verification: { state: "failed", upid: "nonsense" },
  };
  assert.deepEqual(parseSnapshotBackup("pbs1", snapshot), {
    volid: "pbs1:backup/ct/200/2026-01-05T12:00:00Z",
    vmid: 200,
    type: "lxc",
    at: noon,
    bytes: 5500,
    format: "pbs-ct",
    notes: "db",
    protected: true,
    encrypted: true,
    owner: "prod@pbs!pve",
    verification: { state: "failed" },
  });
  assert.equal(parseSnapshotBackup("pbs1", { ...snapshot, "backup-type": "host" }), undefined);
});

test("whatever is split, nothing is lost, no part is too large, and parts are numbered", () => {
  const backup = fc.record({
    volid: fc.string({ minLength: 1, maxLength: 200 }),
    vmid: fc.constant(100),
    type: fc.constant("qemu" as const),
    at: fc.constant(noon),
    format: fc.constant("vma"),
    protected: fc.boolean(),
    encrypted: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(backup, { maxLength: 60 }), fc.integer({ min: 400, max: 5000 }), (backups, maxBytes) => {
      const parts = splitBackups({ storage: "nas", shared: true, at: noon, backups }, maxBytes);
      assert.deepEqual(
        parts.flatMap((part) => part.backups),
        backups,
      );
      assert.deepEqual(
        parts.map(({ part }) => part),
        parts.map((_, index) => index + 1),
      );
      for (const part of parts) {
        assert.equal(part.parts, parts.length);
        const bytes = part.backups.reduce((sum, each) => sum + Buffer.byteLength(JSON.stringify(each)), 0);
        assert.ok(part.backups.length <= 1 || bytes <= maxBytes);
      }
    }),
  );
});
