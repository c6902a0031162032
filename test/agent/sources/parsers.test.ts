import assert from "node:assert/strict";
import { test } from "node:test";
import * as cluster from "../../../agent/sources/cluster-config.ts";
import { fileProblem } from "../../../agent/sources/files.ts";
import { parseGuestConfig } from "../../../agent/sources/guest-config.ts";
import { guestStatusCode } from "../../../agent/sources/guest-samples.ts";
import * as proc from "../../../agent/sources/proc.ts";
import { parseRrd } from "../../../agent/sources/rrd.ts";
import * as zpool from "../../../agent/sources/zpool-output.ts";
import { recorded, recordedAt } from "../../support/recorded-node.ts";

test("a VM's identity is its smbios uuid and the MACs of its NICs", () => {
  assert.deepEqual(parseGuestConfig(recorded("etc-pve_qemu-server_100.conf"), "qemu"), {
    name: "web01",
    identity: ["uuid:3764fd62-a008-4733-965b-7916e686bd14", "mac:BC:24:11:C7:02:12"],
    template: false,
    tags: ["prod", "web"],
    onboot: true,
    storages: ["vmstore"],
    unprotected: [],
    snapshots: [],
    guestAgent: true,
  });
});

test("a container's identity is its MAC and its root volume, and its name is its hostname", () => {
  assert.deepEqual(parseGuestConfig(recorded("etc-pve_lxc_200.conf"), "lxc"), {
    name: "ct-dns",
    identity: ["mac:BC:24:11:BD:DF:5B", "rootfs:vmstore:200/vm-200-disk-0.raw"],
    template: false,
    tags: ["infra"],
    onboot: false,
    rootfsStorage: "vmstore",
    storages: ["vmstore"],
    unprotected: [],
    snapshots: [],
  });
});

test("a template is one, and keys of a snapshot or of pending changes are not the guest's", () => {
  const template = recorded("etc-pve_qemu-server_9000.conf");
  assert.equal(parseGuestConfig(template, "qemu").template, true);
  const text = "name: now\nlock: backup\n\n[PENDING]\nname: later\n\n[before]\nname: then\ntemplate: 1\nonboot: 1\n";
  assert.deepEqual(parseGuestConfig(text, "qemu"), {
    name: "now",
    identity: [],
    template: false,
    tags: [],
    lock: "backup",
    onboot: false,
    storages: [],
    unprotected: [],
    snapshots: [],
  });
});

test("ten NICs stand in the order of their numbers", () => {
  const text = "net10: virtio=BC:24:11:00:00:10,bridge=vmbr0\nnet2: e1000=bc:24:11:00:00:02,bridge=vmbr0\n";
  assert.deepEqual(parseGuestConfig(text, "qemu").identity, ["mac:BC:24:11:00:00:02", "mac:BC:24:11:00:00:10"]);
});

test("a container on a bind mount has no root volume", () => {
  const config = parseGuestConfig("hostname: x\nrootfs: /srv/ct,size=1G\n", "lxc");
  assert.deepEqual([config.identity, config.rootfsStorage], [[], undefined]);
});

test(".vmlist gives every guest with its node, type and version", () => {
  assert.deepEqual(cluster.parseVmlist(recorded("etc-pve_dot-vmlist")), [
    { vmid: 100, node: "pve1", type: "qemu", version: 3 },
    { vmid: 101, node: "pve1", type: "qemu", version: 2 },
    { vmid: 200, node: "pve1", type: "lxc", version: 5 },
    { vmid: 9000, node: "pve1", type: "qemu", version: 1 },
  ]);
});

test("a cluster without guests has an empty list, and garbage none", () => {
  assert.deepEqual(cluster.parseVmlist('{"version": 2}'), []);
  assert.equal(cluster.parseVmlist('{"version": 2, "ids": {"100'), undefined);
});

test("a standalone node is its only member and quorate", () => {
  assert.deepEqual(cluster.parseMembers(recorded("etc-pve_dot-members")), {
    node: "pve1",
    quorate: true,
    members: [{ node: "pve1", nodeId: 0, online: true }],
  });
});

// The clustered shape is that of pmxcfs' source (status.c); it was not recorded.
test("a member of a cluster tells who is online and whether there is quorum", () => {
  const text =
    '{"nodename":"pve2","version":7,"cluster":{"name":"prod","version":2,"nodes":2,"quorate":0},"nodelist":{"pve1":{"id":1,"online":0,"ip":"10.0.0.1"},"pve2":{"id":2,"online":1}}}';
  assert.deepEqual(cluster.parseMembers(text), {
    node: "pve2",
    clusterName: "prod",
    quorate: false,
    members: [
      { node: "pve1", nodeId: 1, online: false, ip: "10.0.0.1" },
      { node: "pve2", nodeId: 2, online: true },
    ],
  });
});

test("storage.cfg: content, node list, disabled, and types that are shared without saying so", () => {
  assert.deepEqual(cluster.parseStorageConfig(recorded("etc-pve_storage.cfg")), [
    { storage: "local", type: "dir", shared: false, content: ["iso", "vztmpl", "backup", "import"], enabled: true, nodes: [] },
    { storage: "vmstore", type: "dir", shared: false, content: ["images", "rootdir", "snippets"], enabled: true, nodes: [] },
    { storage: "backups", type: "dir", shared: false, content: ["backup"], enabled: true, nodes: [] },
  ]);
  const more =
    "nfs: nas\n\tserver 10.0.0.9\n\tcontent backup\n\nlvm: san\n\tvgname x\n\tshared 1\n\tnodes pve1,pve2\n\tdisable\n";
  assert.deepEqual(cluster.parseStorageConfig(more), [
    { storage: "local", type: "dir", shared: false, content: [], enabled: true, nodes: [] },
    { storage: "nas", type: "nfs", shared: true, content: ["backup"], enabled: true, nodes: [] },
    { storage: "san", type: "lvm", shared: true, content: [], enabled: false, nodes: ["pve1", "pve2"] },
  ]);
});

test("storage.cfg tells whose space a thin or ZFS storage hands out", () => {
  const text =
    "lvmthin: local-lvm\n\tthinpool data\n\tvgname pve\n\nzfspool: vm\n\tpool tank/vm/disks\n\nzfspool: rp\n\tpool rpool\n\nlvmthin: half\n\tvgname pve\n\ndir: extra\n\tpath /x\n\tpool y\n";
  assert.deepEqual(
    cluster.parseStorageConfig(text).map(({ storage, pool }) => [storage, pool]),
    [
      ["local", undefined],
      ["local-lvm", "pve/data"],
      ["vm", "tank"],
      ["rp", "rpool"],
      ["half", undefined],
      ["extra", undefined],
    ],
  );
});

test("user.cfg tells each guest's pool", () => {
  assert.deepEqual(
    [...cluster.parsePools(recorded("etc-pve_user.cfg"))],
    [
      [100, "prod"],
      [101, "prod"],
    ],
  );
});

test(".rrd as recorded: a running VM, a stopped one, a container, and storages", () => {
  const rrd = parseRrd(recorded("etc-pve_dot-rrd"));
  assert.deepEqual([...rrd.guests.keys()].sort(), [100, 101, 200, 300, 9000]);
  const { netIn, netOut, memUsed, diskRead, status, atMs } = rrd.guests.get(100 as never) ?? assert.fail("no guest 100");
  assert.deepEqual([netIn, netOut, memUsed, diskRead, status, atMs], [54, 0, 40_013_824, Number.NaN, "running", recordedAt]);
  assert.equal(rrd.guests.get(200 as never)?.netOut, 796);
  assert.equal(rrd.guests.get(200 as never)?.memHost, Number.NaN);
  assert.deepEqual(rrd.storages[0], {
    node: "pve1",
    storage: "backups",
    atMs: recordedAt,
    total: 270_553_174_016,
    used: 35_027_415_040,
  });
});

test("a guest's status is the code of its qmpstatus", () => {
  assert.deepEqual(
    ["stopped", "running", "paused", "suspended", "prelaunch", "io-error", "internal-error"].map(guestStatusCode),
    [0, 1, 2, 3, 4, 5, 6],
  );
});

test("/proc/diskstats: whole disks only, sectors of 512 bytes whatever the disk's own", () => {
  const text =
    "259 0 nvme0n1 100 5 2048 30 200 7 4096 60 0 80 90\n259 1 nvme0n1p1 1 0 8 1 0 0 0 0 0 1 1\n230 0 zd0 9 0 72 1 9 0 72 1 0 2 2\n 7 0 loop0 9 0 72 1 9 0 72 1 0 2 2\n";
  assert.deepEqual(proc.parseDiskstats(text), [
    {
      disk: "nvme0n1",
      reads: 100,
      readBytes: 1_048_576,
      readMs: 30,
      writes: 200,
      writtenBytes: 2_097_152,
      writeMs: 60,
      busyMs: 80,
    },
  ]);
});

test("/proc/net/dev: NICs, bonds and bridges; not the guests' ends, the firewall's, nor VLANs of a NIC", () => {
  const names = ["lo", "eno1", "bond0", "vmbr0", "tap100i0", "veth200i0", "fwbr100i0", "fwpr100p0", "fwln100i0", "eno1.100"];
  const text = names.map((name) => `${name.padStart(6)}: 10 1 0 0 0 0 0 0 20 1 0 0 0 0 0 0`).join("\n");
  assert.deepEqual(
    proc.parseNetDev(text).map(({ nic, receivedBytes, sentBytes }) => [nic, receivedBytes, sentBytes]),
    [
      ["eno1", 10, 20],
      ["bond0", 10, 20],
      ["vmbr0", 10, 20],
    ],
  );
  const oddLines = "Inter-| Receive\n\n  eno1: 10 1 0 0 0 0 0 0 20 1 0 0 0 0 0 0\nno colon";
  assert.deepEqual(proc.parseNetDev(oddLines), [{ nic: "eno1", receivedBytes: 10, sentBytes: 20 }]);
});

test("size and hits of ZFS' cache are read from arcstats; what is not there is unknown", () => {
  const text =
    "name                            type data\nhits 4 5\nc_max 4 16\nsize                            4    8589934592\n";
  assert.deepEqual(proc.parseArcstats(text), { size: 8_589_934_592, max: 16, hits: 5, misses: Number.NaN });
});

// OpenZFS' own shapes; no recorded node had ZFS.
test("zpool list says the same as JSON and as columns", () => {
  const pool = { pool: "tank", size: 1000, allocated: 400, free: 600, fragmentation: 0.12, health: "DEGRADED" };
  const json =
    '{"output_version":{"command":"zpool list","vers_major":0,"vers_minor":1},"pools":{"tank":{"name":"tank","type":"POOL","state":"DEGRADED","properties":{"size":{"value":1000},"allocated":{"value":400},"free":{"value":600},"fragmentation":{"value":12},"health":{"value":"DEGRADED"}}}}}';
  assert.deepEqual(zpool.parseZpoolListJson(json), [pool]);
  assert.deepEqual(zpool.parseZpoolListTabs("tank\t1000\t400\t600\t12\tDEGRADED\n"), [pool]);
});

test("zpool status: errors of the pool, and checksum errors of all its vdevs, from JSON and from the table", () => {
  const disk = (name: string, checksum: number) => `"${name}":{"name":"${name}","checksum_errors":${checksum}}`;
  const json = `{"pools":{"tank":{"error_count":2,"scan_stats":{"function":"SCRUB","state":"FINISHED","start_time":1767486240,"end_time":1767492060,"errors":0,"scrub_pause":0},"vdevs":{"tank":{"read_errors":1,"write_errors":2,"checksum_errors":0,"vdevs":{"mirror-0":{"checksum_errors":0,"vdevs":{${disk("sda", 3)},${disk("sdb", 4)}}}}}}}}}`;
  const errors = { read: 1, write: 2, checksum: 7 };
  assert.deepEqual(
    [...(zpool.parseZpoolStatusJson(json) ?? [])],
    [["tank", { ...errors, dataErrors: 2, scan: { what: "scrub", state: "finished", endedSec: 1_767_492_060, errors: 0 } }]],
  );
  const table =
    "  pool: tank\n state: DEGRADED\n  scan: resilver in progress since Sun Jan  4 02:00:00 2026\nconfig:\n\n\tNAME        STATE     READ WRITE CKSUM\n\ttank        DEGRADED     1     2     0\n\t  mirror-0  DEGRADED     0     0     0\n\t    sda     ONLINE       0     0     3\n\t    sdb     FAULTED      0     0     4  too many errors\n\nerrors: No known data errors\n";
  const scan = { what: "resilver", state: "scanning", endedSec: Number.NaN, errors: Number.NaN };
  assert.deepEqual([...zpool.parseZpoolStatusText(table)], [["tank", { ...errors, dataErrors: 0, scan }]]);
});

test("zpool status: a disk's errors count while its mirror hides them from the pool, also those of special, dedup and log devices", () => {
  const vdev = (read: number, write: number, checksum: number, vdevs?: object) => ({
    read_errors: read,
    write_errors: write,
    checksum_errors: checksum,
    ...(vdevs === undefined ? {} : { vdevs }),
  });
  const pool = {
    vdevs: { tank: vdev(0, 0, 0, { "mirror-0": vdev(0, 0, 0, { sda: vdev(5, 0, 0), sdb: vdev(0, 6, 0) }) }) },
    special: { "mirror-1": vdev(0, 0, 0, { nvme0n1: vdev(0, 0, 7), nvme1n1: vdev(0, 0, 0) }) },
    logs: { sdc: vdev(1, 0, 0) },
    l2cache: { sdd: vdev(99, 99, 99) },
    error_count: 0,
  };
  const errors = { read: 6, write: 6, checksum: 7, dataErrors: 0 };
  assert.deepEqual([...(zpool.parseZpoolStatusJson(JSON.stringify({ pools: { tank: pool } })) ?? [])], [["tank", errors]]);
  const table =
    "  pool: tank\nconfig:\n\n\tNAME        STATE     READ WRITE CKSUM\n\ttank        ONLINE       0     0     0\n\t  mirror-0  ONLINE       0     0     0\n\t    sda     ONLINE       5     0     0\n\t    sdb     ONLINE       0     6     0\n\tspecial\n\t  nvme0n1   ONLINE       1     0     7\n\nerrors: No known data errors\n";
  assert.deepEqual([...zpool.parseZpoolStatusText(table)], [["tank", errors]]);
});

test("why a file can't be read is said so that an admin knows what to do", () => {
  assert.equal(fileProblem("/run/pve/metrics", "EACCES"), "/run/pve/metrics: not readable, run as root");
  assert.equal(fileProblem("/etc/pve/.version", "ENOENT"), "/etc/pve/.version: missing, pmxcfs is not mounted");
  assert.equal(fileProblem("/etc/pve/.version", "ENOTCONN"), "/etc/pve/.version: pmxcfs has ended");
  assert.equal(fileProblem("/proc/stat", "EIO"), "/proc/stat: EIO");
});
