import assert from "node:assert/strict";
import { test } from "node:test";
import { guestFactsSchema } from "#protocol/inventory.ts";
import { parseGuestConfig } from "../../../agent/sources/guest-config.ts";
import { fc } from "../../support/property.ts";

test("a VM lies on the storages of its drives, EFI disk and TPM state, each named once", () => {
  const text = `efidisk0: nfs1:100/vm-100-disk-1.qcow2,efitype=4m,size=528K
ide0: local-zfs:vm-100-disk-5,size=1G
sata12: file=ceph.ssd:vm-100-disk-6,size=1G
scsi0: local-lvm:vm-100-disk-0,discard=on,iothread=1,size=32G
scsi10: local-lvm:vm-100-disk-2,size=8G
tpmstate0: tpm-store:vm-100-disk-3,size=4M,version=v2.0
virtio1: fast:vm-100-disk-4,size=8G
`;
  const storages = ["nfs1", "local-zfs", "ceph.ssd", "local-lvm", "tpm-store", "fast"];
  assert.deepEqual(parseGuestConfig(text, "qemu").storages, storages);
});

test("CD drives, passed-through disks, unused disks and pending changes put a VM on no storage", () => {
  const text = `ide1: local:iso/debian.iso,media=cdrom,size=600M
ide2: none,media=cdrom
ide3: cdrom,media=cdrom
scsi0: /dev/disk/by-id/ata-SAMSUNG_1,size=1T
scsihw: virtio-scsi-single
unused0: old:vm-100-disk-9
rootfs: ct:subvol-100-disk-0

[PENDING]
scsi1: later:vm-100-disk-1,size=1G
`;
  assert.deepEqual(parseGuestConfig(text, "qemu").storages, []);
});

test("a container lies on the storages of its root disk and mount points, and on none for a bind mount", () => {
  const text = `mp0: nfs1:200/vm-200-disk-1.raw,mp=/data,size=8G
mp1: /srv/shared,mp=/shared
mp12: volume=tank:subvol-200-disk-2,mp=/more
rootfs: local-zfs:subvol-200-disk-0,size=4G
scsi0: vm-only:vm-200-disk-0
`;
  assert.deepEqual(parseGuestConfig(text, "lxc").storages, ["nfs1", "tank", "local-zfs"]);
});

test("snapshots are told with the time they were taken, the oldest first", () => {
  const text = `name: web
parent: a-later
snaptime: 1600000000

[a-later]
name: web
parent: Before_Upgrade
snaptime: 1700086400

[Before_Upgrade]
#taken [by] hand
name: web
snaptime: 1700000000
vmstate: local-lvm:vm-100-state-Before_Upgrade
`;
  const snapshots = [
    { name: "Before_Upgrade", at: 1_700_000_000_000 },
    { name: "a-later", at: 1_700_086_400_000 },
  ];
  assert.deepEqual(parseGuestConfig(text, "qemu").snapshots, snapshots);
  assert.deepEqual(parseGuestConfig(text, "lxc").snapshots, snapshots);
});

test("pending changes, cloud-init and sections without a time are no snapshots, and lend theirs to none", () => {
  const text = `name: web

[good]
name: web

[PENDING]
snaptime: 1700000000

[pve:pending]
snaptime: 1700000000

[special:cloudinit]
snaptime: 1700000000

[special:fleecing]
snaptime: 1700000000

[no-time]
snaptime: soon
`;
  assert.deepEqual(parseGuestConfig(text, "qemu").snapshots, []);
});

test("of more snapshots than the inventory takes the oldest are told", () => {
  const sections = Array.from({ length: 600 }, (_, index) => `[s${index}]\nsnaptime: ${1_700_000_600 - index}\n`);
  const { snapshots } = parseGuestConfig(`name: web\n\n${sections.join("\n")}`, "qemu");
  assert.equal(snapshots.length, 500);
  assert.deepEqual(snapshots[0], { name: "s599", at: 1_700_000_001_000 });
  assert.deepEqual(snapshots[499], { name: "s100", at: 1_700_000_500_000 });
});

const { shape } = guestFactsSchema._zod.innerType;
const number = fc.oneof(fc.nat({ max: 99 }), fc.bigInt({ min: 0n, max: 10n ** 30n }));
const word = fc.oneof(
  fc.constantFrom("a", "local-lvm", "PENDING", "special:cloudinit", "__proto__", "none", "/srv", "x".repeat(300)),
  fc.string(),
);
const line = fc.oneof(
  { arbitrary: word.map((name) => `[${name}]`), weight: 2 },
  number.map((seconds) => `snaptime: ${seconds}`),
  fc
    .tuple(fc.constantFrom("scsi", "virtio", "ide", "mp", "efidisk"), number, word)
    .map(([bus, n, id]) => `${bus}${n}: ${id}:v,size=1G`),
  word.map((id) => `rootfs: ${id}:v`),
  fc.string(),
);

test("whatever stands in a configuration, its storages and snapshots fit into the inventory", () => {
  fc.assert(
    fc.property(fc.array(line, { maxLength: 60 }), fc.constantFrom("qemu", "lxc"), (lines, type) => {
      const { storages, snapshots } = parseGuestConfig(lines.join("\n"), type);
      assert.ok(shape.storages.safeParse(storages).success, JSON.stringify(storages));
      assert.ok(shape.snapshots.safeParse(snapshots).success, JSON.stringify(snapshots));
      assert.equal(new Set(storages).size, storages.length);
      assert.ok(storages.every((id) => lines.some((text) => text.includes(`${id}:`))));
      assert.ok(snapshots.every(({ name }) => lines.some((text) => text.startsWith(`[${name}]`))));
    }),
    { numRuns: 500 },
  );
});

test("a guest on more storages than the inventory takes is told with as many as fit", () => {
  const text = Array.from({ length: 100 }, (_, index) => `mp${index}: store${index}:v,mp=/m${index}\n`).join("");
  assert.equal(parseGuestConfig(text, "lxc").storages.length, 64);
});

test("backups leave out a VM's drives with backup=0, and nothing else", () => {
  const text = `efidisk0: nfs1:100/vm-100-disk-1.qcow2,size=528K
ide2: none,media=cdrom
sata0: local:iso/debian.iso,backup=0,media=cdrom
scsi0: local-lvm:vm-100-disk-0,size=32G
scsi1: local-lvm:vm-100-disk-2,backup=0,size=8G
scsi2: local-lvm:vm-100-disk-3,backup=1,size=8G
unused0: local-lvm:vm-100-disk-9,backup=0
virtio1: /dev/disk/by-id/ata-1,backup=no,size=1T

[before]
scsi2: local-lvm:vm-100-disk-3,backup=0,size=8G
`;
  assert.deepEqual(parseGuestConfig(text, "qemu").unprotected, [
    { disk: "scsi1", why: "off" },
    { disk: "virtio1", why: "off" },
  ]);
});

test("a drive that is a device of the node, and what replication leaves out, stays with the node", () => {
  const vm = `ide2: none,media=cdrom
scsi0: local-zfs:vm-100-disk-0,size=32G
scsi1: local-zfs:vm-100-disk-1,replicate=0,size=8G
scsi2: local-zfs:vm-100-disk-2,replicate=1,size=8G
virtio1: /dev/disk/by-id/ata-1,size=1T
`;
  assert.deepEqual(parseGuestConfig(vm, "qemu").bound, [
    { disk: "scsi1", why: "not-replicated" },
    { disk: "virtio1", why: "device" },
  ]);
  const container = `mp0: local-zfs:subvol-200-disk-1,mp=/data,replicate=0,size=8G
mp1: /srv/shared,mp=/shared
rootfs: local-zfs:subvol-200-disk-0,size=4G
`;
  assert.deepEqual(parseGuestConfig(container, "lxc").bound, [{ disk: "mp0", why: "not-replicated" }]);
});

test("backups leave out a container's mount points unless they say backup=1, and directories and devices of the node always", () => {
  const text = `mp0: nfs1:200/vm-200-disk-1.raw,mp=/data,size=8G
mp1: /srv/shared,mp=/shared,backup=1
mp2: tank:subvol-200-disk-2,mp=/more,backup=1
mp3: tank:subvol-200-disk-3,mp=/less,backup=0
rootfs: local-zfs:subvol-200-disk-0,size=4G
`;
  assert.deepEqual(parseGuestConfig(text, "lxc").unprotected, [
    { disk: "mp0", why: "off" },
    { disk: "mp1", why: "no-volume" },
    { disk: "mp3", why: "off" },
  ]);
});
