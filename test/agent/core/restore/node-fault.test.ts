import assert from "node:assert/strict";
import { test } from "node:test";
import { changeCause, restoreCause, startCause } from "../../../../agent/core/restore/node-fault.ts";

const outside = "it was ended from outside";
const tar = "unable to restore CT 990000 - command 'lxc-usernsexec -- tar xpf - --zstd' failed";
const vma = "command 'set -o pipefail && zstd -q -d -c x.vma.zst | vma extract -v -r /var/tmp/vzdumptmp77.fifo - /x' failed";

/** Ends that were recorded on a real node, and their logs where they count. */
const restores: [name: string, status: string, log: string[], cause: string | undefined][] = [
  ["pvedaemon was restarted under a container's", `${tar}: received interrupt`, [], outside],
  ["pvedaemon was restarted under a VM's", `${vma}: interrupted by signal`, [], outside],
  ["its worker was killed", "unexpected status", [], outside],
  ["vma was killed for memory", `${vma}: exit code 137`, [], outside],
  ["vma found the archive damaged", `${vma}: exit code 133`, ["vma: restore failed - short vma extent (1 < 2)"], undefined],
  ["vma died of a plain archive", "command 'vma extract' failed: got signal 5", [], undefined],
  [
    "the disks' storage ran full",
    `${vma}: exit code 133`,
    ["vma: restore failed - blk_pwrite to  failed (-28)"],
    "the storage for the disks ran full",
  ],
  [
    "the storage for the disks was gone",
    "command 'set -o pipefail && vma extract' failed: storage 'nosuch' does not exist",
    [],
    "the node's storage did not do what it was asked",
  ],
  [
    "the storage takes no disks",
    "command 'vma extract' failed: Content type 'images' is not available on storage 'x'",
    [],
    "the node's storage did not do what it was asked",
  ],
  [
    "a disk of the node's broke while it was written",
    `${vma}: exit code 133`,
    ["vma: restore failed - blk_pwrite to  failed (-5)"],
    "the storage for the disks could not be written",
  ],
  [
    "the archive was damaged and ZFS kept a disk of the copy",
    `${vma}: exit code 133`,
    ["zfs error: cannot destroy 'tank/vm-990000-disk-0': dataset is busy"],
    undefined,
  ],
  ["the header was bad", "got timeout reading VMA header - corrupted?", [], undefined],
  [
    "zstd found a wrong checksum",
    `${vma}: exit code 133`,
    ["x: Decoding error (36) : Restored data doesn't match checksum"],
    undefined,
  ],
  ["a chunk is missing", "reading chunk failed: No such file or directory (os error 2)", [], undefined],
  ["tar said it of a cut archive", `${tar}: exit code 2`, ["tar: Child returned status 1"], undefined],
];
for (const [name, status, log, cause] of restores) {
  test(`a restore that ended as ${name} ${cause === undefined ? "speaks against the backup" : "says nothing against it"}`, () => {
    assert.equal(restoreCause(status, log), cause);
  });
}

test("a copy that this node can't start is no bad backup; one that QEMU or LXC gives up on is", () => {
  const features = "kvm: Host doesn't support requested features";
  assert.equal(
    startCause("start failed: QEMU exited with code 1", [features]),
    "this node's processor lacks what the machine's CPU type asks for",
  );
  const kvm = "KVM virtualisation configured, but not available. Either disable in VM configuration or enable in BIOS.";
  assert.equal(startCause(kvm, []), "this node can't run virtual machines by KVM");
  assert.equal(startCause("startup for container '990000' failed", ["sync_wait: 34 An error occurred"]), undefined);
  assert.equal(startCause("start failed: QEMU exited with code 1", ["kvm: -drive file=x: Could not open image"]), undefined);
});

test("what pve-storage says of a storage that made no volume speaks against the node, by its source", () => {
  for (const status of [
    "unable to restore CT 990000 - lvcreate 'pve/vm-990000-disk-0' error:   Volume group \"pve\" has insufficient free space",
    "unable to restore CT 990000 - zfs error: cannot create 'tank/subvol-990000-disk-0': out of space",
    "unable to restore CT 990000 - unable to create image: got lock timeout - aborting command",
    "unable to restore CT 990000 - rbd create 'vm-990000-disk-0' error: rbd: couldn't connect to the cluster!",
    "unable to restore CT 990000 - storage 'nfs1' is not online",
    "unable to restore CT 990000 - cfs-lock 'storage-nfs1' error: got lock request timeout",
    "unable to restore CT 990000 - command 'mkfs.ext4 -O mmp /dev/pve/vm-990000-disk-0' failed: exit code 1",
  ])
    assert.equal(restoreCause(status, []), "the node's storage did not do what it was asked", status);
  const slow = "start failed: command '/usr/bin/kvm -id 990000' failed: got timeout";
  assert.equal(startCause(slow, []), "this node was too busy to start it");
});

test("a change that PVE's lock or a lost quorum kept away is no bad backup", () => {
  assert.equal(changeCause("can't lock file '/var/lock/qemu-server/lock-990000.conf' - got timeout"), "PVE held its lock");
  assert.equal(changeCause("CT is locked (backup)"), "somebody else had locked it");
  assert.equal(changeCause("VM 990000 already running"), "somebody else had started it");
  assert.equal(changeCause("cluster not ready - no quorum?"), "the cluster lost its quorum");
  assert.equal(changeCause("can't remove drive 'ide0' - protection mode enabled"), undefined);
});
