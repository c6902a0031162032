import assert from "node:assert/strict";
import { test } from "node:test";
import { generate } from "selfsigned";
import { clusterIdOf } from "../../agent/sources/cluster-config.ts";
import { recorded } from "../support/recorded-node.ts";
import { of, sourcesOf, startCollector, until } from "../support/started-collector.ts";

test("a running VM of the recorded node: its own view of the network, the host's of its memory, no disk use", async (context) => {
  const { tick, table } = startCollector(context);
  assert.deepEqual(of(await tick(), "guest/100"), {
    status: 1,
    uptime: 193,
    cpu: 1,
    cpus: 1,
    mem_used: 40_013_824,
    mem_max: 805_306_368,
    mem_host: 40_013_824,
    disk_max: 1_073_741_824,
    net_in: 54,
    net_out: 0,
    "nic_in:net0": 54,
    "nic_out:net0": 0,
    psi_cpu_some: 0,
    psi_cpu_full: 0,
    psi_io_some: 0,
    psi_io_full: 0,
    psi_mem_some: 0,
    psi_mem_full: 0,
  });
  const { entities, series } = table.schema();
  const memory = series.filter(({ metric }) => metric === 44).map(({ entity, source }) => [entities[entity]?.key, source]);
  assert.deepEqual(memory, [
    ["guest/100", "host"],
    ["guest/200", "cgroup"],
  ]);
  assert.deepEqual(entities.find(({ key }) => key === "guest/100")?.identity, [
    "uuid:3764fd62-a008-4733-965b-7916e686bd14",
    "mac:BC:24:11:C7:02:12",
  ]);
});

test("a stopped VM and a template have their status and sizes, and no zeros that nobody measured", async (context) => {
  const values = await startCollector(context).tick();
  assert.deepEqual(of(values, "guest/101"), { status: 0, cpus: 2, mem_max: 1_073_741_824, disk_max: 2_147_483_648 });
  assert.deepEqual(of(values, "guest/9000"), { status: 0, cpus: 1, mem_max: 268_435_456, disk_max: 1_073_741_824 });
});

test("a container: what its veth receives, it sends; its disk counters count on a directory storage", async (context) => {
  const container = of(await startCollector(context).tick(), "guest/200");
  assert.deepEqual([container.net_in, container.net_out, container["nic_in:net0"], container["nic_out:net0"]], [0, 796, 0, 796]);
  assert.deepEqual([container.mem_used, container.swap_used, container.disk_used], [42_807_296, 0, 180_641_792]);
  assert.deepEqual([container.disk_read, container.disk_written], [0, 0]);
});

test("a container on ZFS has no disk counters: PVE's 0 there means that nobody counts", async (context) => {
  const { node, tick } = startCollector(context);
  node.write("etc/pve/storage.cfg", "zfspool: vmstore\n\tpool tank\n\tcontent rootdir\n");
  const container = of(await tick(), "guest/200");
  assert.deepEqual([container.disk_read, container.disk_written], [undefined, undefined]);
  assert.equal(container.disk_used, 180_641_792);
});

test("drives of a VM as QEMU counts them, and memory by the balloon driver where it tells", async (context) => {
  const { node, tick, table } = startCollector(context);
  const line = JSON.parse(recorded("run-pve_metrics.line.json"));
  const drives = JSON.parse(recorded("qemu_9401_status_current.json")).blockstat;
  Object.assign(drives.scsi0, { rd_bytes: 4096, rd_operations: 3, rd_total_time_ns: 9_000_000, failed_wr_operations: 2 });
  Object.assign(line.qemu.data["100"], { blockstat: drives, freemem: 1000, mem: 300_000_000, diskread: 4096, diskwrite: 0 });
  node.write("run/pve/metrics", `${JSON.stringify(line)}\n`);
  const guest = of(await tick(), "guest/100");
  assert.deepEqual(
    ["drive_read", "drive_reads", "drive_read_ns", "drive_failed", "drive_writes"].map((metric) => guest[`${metric}:scsi0`]),
    [4096, 3, 9_000_000, 2, 0],
  );
  assert.equal(guest["drive_reads:ide0"], 0);
  assert.deepEqual([guest.disk_read, guest.mem_used], [4096, 300_000_000]);
  assert.ok(sourcesOf(table).has("balloon"));
});

test("the node: its own figures from /proc, its root file system as pvestatd says", async (context) => {
  const { node, tick } = startCollector(context);
  const first = of(await tick(), "node/pve1");
  assert.equal(first.cpu, undefined);
  node.write("proc/stat", "cpu  1300 0 700 8900 500 0 50 50 0 0\ncpu0 1 2 3\ncpu1 1 2 3\nbtime 1795396297\n");
  const second = of(await tick(), "node/pve1");
  assert.deepEqual([second.cpu, second.iowait, second.steal], [0.3333, 0.0667, 0]);
  assert.deepEqual([second.mem_total, second.mem_used, second.swap_used], [16_384_000_000, 10_240_000_000, 1_024_000_000]);
  assert.deepEqual([second.load1, second.uptime, second.cpus], [1.29, 4532, 2]);
  assert.deepEqual([second.psi_cpu_some, second.psi_io_full, second.psi_mem_some], [1.5, 0.75, 0.1]);
  assert.deepEqual([second.root_total, second.root_used], [270_553_174_016, 35_027_415_040]);
  assert.deepEqual([second["nic_in:eno1"], second["nic_out:vmbr0"], second["nic_in:tap100i0"]], [7000, 1014, undefined]);
  assert.deepEqual([second["disk_read:sda"], second["disk_busy_ms:sda"], second["disk_read:zd0"]], [1_048_576, 80, undefined]);
});

test("local storages belong to their node; an inactive one has no sizes", async (context) => {
  const { node, tick } = startCollector(context);
  const values = await tick();
  assert.deepEqual(of(values, "storage/pve1/local"), {
    active: 1,
    total: 270_553_174_016,
    used: 35_027_415_040,
    avail: 73_916_878_848,
  });
  const line = JSON.parse(recorded("run-pve_metrics.line.json"));
  Object.assign(line.storage.data.backups, { active: 0, total: 0, used: 0, avail: 0 });
  node.write("run/pve/metrics", `${JSON.stringify(line)}\n`);
  assert.deepEqual(of(await tick(), "storage/pve1/backups"), { active: 0 });
});

test("shared storages and the cluster are reported by the agent that has the duty, by no other", async (context) => {
  const { node, tick, collector } = startCollector(context);
  const line = JSON.parse(recorded("run-pve_metrics.line.json"));
  line.storage.data.backups.shared = 1;
  node.write("run/pve/metrics", `${JSON.stringify(line)}\n`);
  const without = await tick();
  assert.deepEqual([of(without, "storage/backups"), of(without, "storage/pve1/backups"), of(without, "cluster")], [{}, {}, {}]);
  collector.setDuties(["cluster", "shared-storage"]);
  const given = await tick();
  assert.equal(of(given, "storage/backups").used, 35_027_415_040);
  assert.deepEqual(of(given, "cluster"), { quorate: 1, nodes_online: 1, nodes_total: 1 });
});

test("a shared storage that only some nodes may use is told by the first of them whose agent is there, duty or not", async (context) => {
  const { node, tick, collector } = startCollector(context);
  const line = JSON.parse(recorded("run-pve_metrics.line.json"));
  line.storage.data.backups.shared = 1;
  node.write("run/pve/metrics", `${JSON.stringify(line)}\n`);
  const cluster = (name: string, online: Record<string, number>, quorate = 1) => {
    const members = Object.entries(online).map(([member, here], index) => [
      member,
      { id: index + 1, online: here, ip: "192.0.2.1" },
    ]);
    const nodelist = Object.fromEntries(members);
    node.write("etc/pve/.members", JSON.stringify({ nodename: name, version: 3, cluster: { name: "lab", quorate }, nodelist }));
  };
  const only = (nodes: string) => {
    const storages = `dir: backups\n\tpath /mnt\n\tshared 1\n${nodes === "" ? "" : `\tnodes ${nodes}\n`}`;
    node.write("etc/pve/storage.cfg", storages);
    const version = JSON.parse(node.read("etc/pve/.version"));
    node.write("etc/pve/.version", JSON.stringify({ ...version, "storage.cfg": version["storage.cfg"] + 1 }));
  };
  const tells = async () => "active" in of(await tick(), "storage/backups");
  const all = { pve1: 1, pve2: 1, pve3: 1 };
  const cases: [
    nodes: string,
    online: Record<string, number>,
    quorate: number,
    duty: boolean,
    told: boolean,
    speakers?: string[],
  ][] = [
    ["", all, 1, false, false],
    ["", all, 1, true, true],
    ["pve3,pve1", all, 1, false, true],
    ["pve3,pve1", all, 1, true, true],
    // A hub of before does not say whose agents are there: the one with the duty tells, too.
    ["pve0,pve1", { pve0: 1, ...all }, 1, true, true],
    ["pve0,pve1", { pve0: 1, ...all }, 1, false, false],
    ["pve0,pve1", { pve0: 1, ...all }, 1, true, false, ["pve0", "pve1"]],
    ["pve0,pve1", { pve0: 1, ...all }, 1, false, true, ["pve1", "pve2"]],
    ["pve0,pve2", { pve0: 1, ...all }, 1, true, true, ["pve1"]],
    ["pve0,pve2", { pve0: 1, ...all }, 1, false, false, ["pve1"]],
    ["pve0,pve1", { pve0: 0, ...all }, 1, false, true],
    ["pve0,pve1", { pve0: 0, pve1: 1 }, 0, false, false],
  ];
  for (const [nodes, online, quorate, duty, told, speakers] of cases) {
    cluster("pve1", online, quorate);
    only(nodes);
    collector.setDuties(duty ? ["shared-storage"] : [], speakers);
    assert.equal(await tells(), told, JSON.stringify([nodes, online, quorate, duty, speakers]));
  }
});

test("a guest that .vmlist puts on another node is that node's to report", async (context) => {
  const { node, tick } = startCollector(context);
  node.write("etc/pve/.vmlist", recorded("etc-pve_dot-vmlist").replace('"100": { "node": "pve1"', '"100": { "node": "pve2"'));
  assert.deepEqual(of(await tick(), "guest/100"), {});
});

test("the inventory as recorded, and its version stands still while nothing changes", async (context) => {
  const { node, tick, clock, collector } = startCollector(context);
  await tick();
  const agentAsked = async () => (await collector.inventory(clock.now())).inventory.guests[0]?.agent === "silent";
  await until(agentAsked);
  const first = await collector.inventory(clock.now());
  assert.deepEqual(first.inventory.cluster, { quorate: true, members: [{ node: "pve1", nodeId: 0, online: true }] });
  assert.deepEqual(first.inventory.guests[0], {
    vmid: 100,
    type: "qemu",
    name: "web01",
    identity: ["uuid:3764fd62-a008-4733-965b-7916e686bd14", "mac:BC:24:11:C7:02:12"],
    template: false,
    tags: ["prod", "web"],
    onboot: true,
    pool: "prod",
    configured: true,
    storages: ["vmstore"],
    unprotected: [],
    snapshots: [],
    agent: "silent",
  });
  const { sources: found, updates, ...facts } = first.inventory.node;
  assert.equal(updates?.total, 3);
  assert.deepEqual(facts, {
    pveVersion: "pve-manager/9.2.11/14a22df35955d97d",
    kernel: "6.17.2-1-pve",
    cpuModel: "AMD EPYC",
    cpus: 2,
    bootedAt: 1_795_396_297_000,
    zpools: [],
    disks: [],
    thinpools: [],
    certificates: [],
  });
  assert.deepEqual(
    found.filter(({ problem }) => problem !== undefined),
    [],
  );
  await clock.advance(10_000);
  assert.equal((await collector.inventory(clock.now())).version, first.version);

  node.write("etc/pve/nodes/pve1/qemu-server/100.conf", `${recorded("etc-pve_qemu-server_100.conf")}lock: backup\n`);
  const changed = recorded("etc-pve_dot-vmlist").replace('"type": "qemu", "version": 3', '"type": "qemu", "version": 4');
  node.write("etc/pve/.vmlist", changed);
  node.write("etc/pve/.version", recorded("etc-pve_dot-version").replace('"vmlist": 2', '"vmlist": 3'));
  await clock.advance(1000);
  const second = await collector.inventory(clock.now());
  assert.ok(second.version > first.version);
  assert.equal(second.inventory.guests[0]?.lock, "backup");
});

test("who the node is: its name, and an id from the name and the CA of its cluster", async (context) => {
  const { node, collector } = startCollector(context);
  assert.equal(await collector.identify(), undefined);
  const ca = (await generate([{ name: "commonName", value: "PVE Cluster Manager CA" }], { keyType: "ec" })).cert;
  node.write("etc/pve/pve-root-ca.pem", ca);
  assert.deepEqual(await collector.identify(), { node: "pve1", clusterId: clusterIdOf("pve1", ca) });
  node.write("etc/pve/corosync.conf", "totem {\n  cluster_name: prod\n  version: 2\n}\n");
  node.write("etc/pve/.version", recorded("etc-pve_dot-version").replace('"corosync.conf": 1', '"corosync.conf": 2'));
  const clustered = await collector.identify();
  assert.deepEqual(clustered, { node: "pve1", clusterId: clusterIdOf("prod", ca), clusterName: "prod" });
  assert.notEqual(clusterIdOf("prod", ca), clusterIdOf("pve1", ca));
});

test("--check on the recorded node says what each source gives", async (context) => {
  const { node, collector } = startCollector(context);
  node.write("etc/pve/pve-root-ca.pem", (await generate([{ name: "commonName", value: "CA" }], { keyType: "ec" })).cert);
  const reports = await collector.check();
  assert.deepEqual(
    reports.map(({ source, found, problem }) => [source, source === "statfs" ? "" : found, problem]),
    [
      ["proc", "2 threads, 24 values", undefined],
      ["statfs", "", undefined],
      ["pmxcfs", "node pve1, standalone, 4 guests, 3 storages", undefined],
      ["pve-metrics", "3 qemu, 1 lxc, 3 storage", undefined],
      ["rrd", "5 guests, 3 storages of the cluster", undefined],
      ["tasks", "69 tasks within a day, 0 running", undefined],
      ["api", "pve-manager/9.2.11/14a22df35955d97d", undefined],
      ["zpool", "not used here", undefined],
      ["lvs", "not used here", undefined],
      ["filesystems", "0 file systems besides the root's, looked at every 1 min", undefined],
      ["hwmon", "0 temperatures, looked at every 1 min", undefined],
      ["smartctl", "no physical disks, looked at every 1 min", undefined],
      ["guest-agent", "0 of 1 guest agent answered, each asked every 5 to 10 min, looked at every 5 s", undefined],
      ["replication", "not used here", undefined],
      ["ceph", "not used here", undefined],
      ["pbs", "not used here", undefined],
      ["certificates", "1 certificate, looked at every 1 h", undefined],
      ["apt", "3 updates, looked at every 6 h", undefined],
    ],
  );
});
