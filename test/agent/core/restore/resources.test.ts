import assert from "node:assert/strict";
import { test } from "node:test";
import { parseBackedUpConfig } from "../../../../agent/core/restore/backed-up-config.ts";
import {
  availableMib,
  diskNeeds,
  freeVmid,
  heldMib,
  ownMemoryMib,
  processorCount,
  type StorageState,
  storageCandidates,
  storageProblem,
  testMemoryMib,
} from "../../../../agent/core/restore/resources.ts";

const gib = 2 ** 30;
const ct = (lines: string) => parseBackedUpConfig("lxc", lines);
const vm = (lines: string) => parseBackedUpConfig("qemu", lines);

test("a container needs room for all its volumes, also for those that the backup leaves out, and none for the host's folders", () => {
  const config = ct(
    "rootfs: zfs:subvol-1-disk-0,size=2G\nmp0: nfs:1/vm.raw,mp=/a,size=1G,backup=0\nmp1: /srv,mp=/b\nmp2: zfs:x,mp=/c\n",
  );
  assert.deepEqual(diskNeeds(config), { bytes: 3 * gib, storages: ["zfs", "nfs"], unknown: ["mp2"] });
});

test("a VM needs room for the disks that are in the backup; CD images and disks that are left out need none", () => {
  const config = vm(
    "scsi0: zfs:vm-1-disk-0,size=2G\nscsi1: file=zfs:vm-1-disk-1,size=1G\nide2: nfs:iso/x.iso,media=cdrom,size=4G\nscsi2: zfs:vm-1-disk-2,size=8G,backup=0\nnet0: virtio\n",
  );
  assert.deepEqual(diskNeeds(config), { bytes: 3 * gib, storages: ["zfs"], unknown: [] });
  const only = vm("#qmdump#map:scsi0:drive-scsi0:zfs:raw:\nscsi0: zfs:a,size=2G\nscsi1: zfs:b,size=1G\n");
  assert.equal(diskNeeds(only).bytes, 2 * gib);
});

test("disks go where was asked, if the node allows it; else where it allows; else where they lay", () => {
  assert.deepEqual(storageCandidates("a", [], ["c"]), { storages: ["a"] });
  assert.deepEqual(storageCandidates("a", ["b", "a"], ["c"]), { storages: ["a"] });
  assert.deepEqual(storageCandidates("a", ["b"], ["a"]).storages, []);
  assert.deepEqual(storageCandidates(undefined, ["b"], ["c"]), { storages: ["b"] });
  assert.deepEqual(storageCandidates(undefined, [], ["c"]), { storages: ["c"] });
  assert.match(storageCandidates(undefined, [], []).problem ?? "", /name one/);
});

test("a storage takes a test when it is there, takes such disks, and has a tenth more room than they and other tests' need", () => {
  const state: StorageState = { storage: "zfs", active: true, availBytes: 2_362_232_014, content: ["images", "rootdir"] };
  assert.equal(storageProblem({ ...state, availBytes: 2_362_232_013 }, "qemu", 2 * gib, 0), undefined);
  assert.equal(
    storageProblem({ ...state, availBytes: 2_362_232_012 }, "qemu", 2 * gib, 0),
    "zfs has 2.2 GiB free, the test needs 2.2 GiB",
  );
  assert.equal(storageProblem(state, "qemu", gib, gib), undefined);
  assert.match(storageProblem(state, "qemu", gib, 1.1 * gib) ?? "", /the test needs 1.1 GiB, other tests 1.2 GiB$/);
  assert.equal(storageProblem({ ...state, active: false }, "qemu", 1, 0), "zfs is not active on this node");
  assert.equal(storageProblem({ ...state, content: ["rootdir"] }, "qemu", 1, 0), "zfs takes no disk images");
  assert.equal(storageProblem({ ...state, content: ["images"] }, "lxc", 1, 0), "zfs takes no container volumes");
});

test("a test guest has the backup's memory, or what was asked for, and never more than the node allows", () => {
  assert.deepEqual(
    ["memory: 2048\n", "memory: current=1024,max=4096\n", "", "memory: 0\n", "memory: x\n"].map((text) => ownMemoryMib(vm(text))),
    [2048, 1024, 512, 512, 512],
  );
  const config = vm("memory: 2048\n");
  assert.deepEqual(
    [
      testMemoryMib(config, undefined, 4096),
      testMemoryMib(config, 256, 4096),
      testMemoryMib(config, undefined, 1024),
      testMemoryMib(config, 1, 1024),
    ],
    [2048, 256, 1024, 16],
  );
});

test("the node's memory and processors are read as the kernel tells them; what doesn't stand there nobody knows", () => {
  assert.equal(availableMib("MemTotal: 9 kB\nMemAvailable:    2097151 kB\n"), 2047);
  assert.equal(availableMib("MemTotal: 9 kB\n"), undefined);
  assert.equal(heldMib("anon 2097152\nfile 999999999\nshmem 1048576\nanon_thp 99999999\n"), 3);
  assert.equal(heldMib(""), 0);
  assert.equal(processorCount("cpu  1 2\ncpu0 1\ncpu1 1\nintr 5\n"), 2);
  assert.equal(processorCount("intr 5\n"), undefined);
});

test("a number is free when nobody has it: the first one from where the search begins, going round once", () => {
  const range = { first: 9200, last: 9203 };
  assert.equal(freeVmid(range, new Set()), 9200);
  assert.equal(freeVmid(range, new Set([9200, 9201])), 9202);
  assert.equal(freeVmid(range, new Set([9203]), 9203), 9200);
  assert.equal(freeVmid(range, new Set(), 9203), 9203);
  assert.deepEqual([freeVmid(range, new Set(), 9199), freeVmid(range, new Set(), 9204)], [9200, 9200]);
  assert.equal(freeVmid(range, new Set([9200, 9201, 9202]), 9201), 9203);
  assert.equal(freeVmid(range, new Set([9200, 9201, 9202, 9203])), undefined);
});
