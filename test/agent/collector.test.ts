import assert from "node:assert/strict";
import { renameSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { generate } from "selfsigned";
import { metricById } from "#protocol/metrics.ts";
import { createCollector } from "../../agent/collector.ts";
import { SampleTable } from "../../agent/core/table.ts";
import type { RunCommand } from "../../agent/ports.ts";
import type { ApiResult } from "../../agent/pve/answer.ts";
import type { PveApi } from "../../agent/pve/api.ts";
import { clusterIdOf } from "../../agent/sources/cluster-config.ts";
import { FakeClock, settle } from "../support/fake-clock.ts";
import { RecordedNode, recorded, recordedAt } from "../support/recorded-node.ts";

const nodeStatus = JSON.parse(recorded("pvesh_get_nodes_pve1_status.json"));

/** An API that has the recorded node's status, and counts its calls. */
function recordedApi() {
  const calls: string[] = [];
  const answer = async (path: string): Promise<ApiResult> => {
    calls.push(path);
    return { ok: true, data: nodeStatus };
  };
  const never = () => assert.fail("only reads are expected");
  const api: PveApi = { get: answer, post: never, put: never, delete: never, awaitTask: never, close: () => undefined };
  return { api, calls };
}

const zpoolList = "tank\t1000\t400\t600\t12\tONLINE\n";

function start(context: TestContext, options: { pve?: boolean; run?: RunCommand } = {}) {
  const node = new RecordedNode(context, options);
  const clock = new FakeClock(recordedAt + 1000);
  const logs: string[] = [];
  const commands: string[] = [];
  const { api, calls } = recordedApi();
  const run: RunCommand = async (file, args) => {
    commands.push([file, ...args].join(" "));
    if (args.includes("-j")) return { ok: true, stdout: "", stderr: "invalid option 'j'\n", code: 2 };
    return { ok: true, stdout: args[0] === "list" ? zpoolList : "", stderr: "", code: 0 };
  };
  const log = (_: number, message: string) => {
    logs.push(message);
  };
  const collector = createCollector({ root: node.root, api, run: options.run ?? run, clock, log });
  context.after(() => collector.close());
  const table = new SampleTable();
  /** One tick; values in the catalogue's units, `entity metric[:instance]` → value. */
  const tick = async () => {
    table.begin();
    await collector.collect(table, clock.now());
    await settle();
    return readTable(table);
  };
  return { node, clock, logs, commands, calls, collector, table, tick };
}

type Values = Record<string, number>;

function readTable(table: SampleTable): Values {
  const { entities, series } = table.schema();
  const values = table.values();
  return Object.fromEntries(
    series.flatMap(({ entity, metric, instance }, index) => {
      const value = values[index] ?? Number.NaN;
      const row = metricById(metric);
      const name = `${entities[entity]?.key} ${row?.name}${instance === undefined ? "" : `:${instance}`}`;
      return Number.isNaN(value) ? [] : [[name, value / (row?.scale ?? 1)]];
    }),
  );
}

const of = (values: Values, entity: string): Values =>
  Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) =>
      name.startsWith(`${entity} `) ? [[name.slice(entity.length + 1), value]] : [],
    ),
  );

const sources = (table: SampleTable) => new Set(table.schema().series.map(({ source }) => source));

test("a running VM of the recorded node: its own view of the network, the host's of its memory, no disk use", async (context) => {
  const { tick, table } = start(context);
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
  const values = await start(context).tick();
  assert.deepEqual(of(values, "guest/101"), { status: 0, cpus: 2, mem_max: 1_073_741_824, disk_max: 2_147_483_648 });
  assert.deepEqual(of(values, "guest/9000"), { status: 0, cpus: 1, mem_max: 268_435_456, disk_max: 1_073_741_824 });
});

test("a container: what its veth receives, it sends; its disk counters count on a directory storage", async (context) => {
  const container = of(await start(context).tick(), "guest/200");
  assert.deepEqual([container.net_in, container.net_out, container["nic_in:net0"], container["nic_out:net0"]], [0, 796, 0, 796]);
  assert.deepEqual([container.mem_used, container.swap_used, container.disk_used], [42_807_296, 0, 180_641_792]);
  assert.deepEqual([container.disk_read, container.disk_written], [0, 0]);
});

test("a container on ZFS has no disk counters: PVE's 0 there means that nobody counts", async (context) => {
  const { node, tick } = start(context);
  node.write("etc/pve/storage.cfg", "zfspool: vmstore\n\tpool tank\n\tcontent rootdir\n");
  const container = of(await tick(), "guest/200");
  assert.deepEqual([container.disk_read, container.disk_written], [undefined, undefined]);
  assert.equal(container.disk_used, 180_641_792);
});

test("drives of a VM as QEMU counts them, and memory by the balloon driver where it tells", async (context) => {
  const { node, tick, table } = start(context);
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
  assert.ok(sources(table).has("balloon"));
});

test("the node: its own figures from /proc, its root file system as pvestatd says", async (context) => {
  const { node, tick } = start(context);
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
  const { node, tick } = start(context);
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
  const { node, tick, collector } = start(context);
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

test("pvestatd stands still: its values are used for 30 s, then they are absent, with one log line for each section", async (context) => {
  const { tick, clock, logs, collector } = start(context);
  await clock.advance(28_000);
  assert.equal(of(await tick(), "guest/100").status, 1);
  assert.deepEqual(logs, []);
  await clock.advance(5_000);
  const old = await tick();
  assert.deepEqual([of(old, "guest/100"), of(old, "storage/pve1/local")], [{}, {}]);
  assert.equal(of(old, "node/pve1").load1, 1.29);
  await tick();
  assert.equal(logs.length, 4);
  const { inventory } = await collector.inventory(clock.now());
  assert.deepEqual(
    inventory.node.sources.find(({ source }) => source === "pve-metrics")?.problem,
    "/run/pve/metrics: section qemu is older than 30 s, does pvestatd hang?",
  );
});

test("a section that looks otherwise after an upgrade of PVE: its values come from .rrd, and say so", async (context) => {
  const { node, tick, table, logs } = start(context);
  const line = JSON.parse(recorded("run-pve_metrics.line.json"));
  line.qemu.data["100"].maxmem = { bytes: 1 };
  node.write("run/pve/metrics", `${JSON.stringify(line)}\n`);
  const values = await tick();
  assert.deepEqual(of(values, "guest/100"), {
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
    psi_cpu_some: 0,
    psi_cpu_full: 0,
    psi_io_some: 0,
    psi_io_full: 0,
    psi_mem_some: 0,
    psi_mem_full: 0,
  });
  assert.deepEqual(of(values, "guest/101"), { status: 0, cpus: 2, mem_max: 1_073_741_824, disk_max: 2_147_483_648 });
  assert.ok(sources(table).has("rrd") && sources(table).has("pve-metrics"));
  assert.deepEqual(logs, ["qemu: values come from /etc/pve/.rrd (/run/pve/metrics: section qemu looks other than in PVE 9)"]);
});

test("a guest that .vmlist puts on another node is that node's to report", async (context) => {
  const { node, tick } = start(context);
  node.write("etc/pve/.vmlist", recorded("etc-pve_dot-vmlist").replace('"100": { "node": "pve1"', '"100": { "node": "pve2"'));
  assert.deepEqual(of(await tick(), "guest/100"), {});
});

test("/etc/pve hangs: the node's own figures come in time, guests keep their identity, and the report says why", async (context) => {
  const { node, tick, clock, collector, table } = start(context);
  await tick();
  const { schemaVersion } = table;
  node.hang("etc/pve/.version");
  table.begin();
  const collecting = collector.collect(table, clock.now());
  await clock.advance(1500);
  await collecting;
  const values = readTable(table);
  assert.equal(of(values, "guest/100").status, 1);
  assert.equal(of(values, "node/pve1").load1, 1.29);
  assert.equal(table.schemaVersion, schemaVersion);
  await clock.advance(1000);
  const asked = collector.inventory(clock.now());
  await clock.advance(1500);
  const { inventory } = await asked;
  assert.equal(inventory.node.sources.find(({ source }) => source === "pmxcfs")?.problem, "/etc/pve: does not answer");
  assert.equal(inventory.guests.length, 4);
});

test("the inventory as recorded, and its version stands still while nothing changes", async (context) => {
  const { node, tick, clock, collector } = start(context);
  await tick();
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
  });
  const { sources: found, ...facts } = first.inventory.node;
  assert.deepEqual(facts, {
    pveVersion: "pve-manager/9.2.11/14a22df35955d97d",
    kernel: "6.17.2-1-pve",
    cpuModel: "AMD EPYC",
    cpus: 2,
    bootedAt: 1_795_396_297_000,
    zpools: [],
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

test("a configuration that can't be read yet is not called known, and no sample guesses whose it is", async (context) => {
  const { node, tick, clock, collector } = start(context);
  node.remove("etc/pve/nodes/pve1/qemu-server/101.conf");
  assert.deepEqual(of(await tick(), "guest/101"), {});
  const { inventory } = await collector.inventory(clock.now());
  assert.equal(inventory.guests.find(({ vmid }) => vmid === 101)?.configured, false);
  node.write("etc/pve/nodes/pve1/qemu-server/101.conf", recorded("etc-pve_qemu-server_101.conf"));
  assert.equal(of(await tick(), "guest/101").status, 0);
});

test("who the node is: its name, and an id from the name and the CA of its cluster", async (context) => {
  const { node, collector } = start(context);
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

test("ZFS pools are asked for once a minute, beside the samples, and lent for three minutes", async (context) => {
  const { node, tick, clock, commands } = start(context);
  node.write("proc/spl/kstat/zfs/arcstats", "size 4 4096\n");
  await tick();
  const lent = of(await tick(), "zpool/pve1/tank");
  assert.deepEqual(lent, { size: 1000, allocated: 400, free: 600, fragmentation: 0.12, health: 0 });
  assert.deepEqual(commands, [
    "zpool list -j --json-int",
    "zpool list -Hp -o name,size,allocated,free,fragmentation,health",
    "zpool status -p",
  ]);
  for (let seconds = 0; seconds < 60; seconds += 10) {
    await tick();
    await clock.advance(10_000);
  }
  assert.equal(commands.length, 3);
  await tick();
  assert.equal(commands.length, 5);
});

test("a zpool that hangs is absent after three minutes and delays nobody", async (context) => {
  let hanging = false;
  const run: RunCommand = (_, args) => {
    if (hanging) return new Promise(() => undefined);
    return Promise.resolve({ ok: true, stdout: args.includes("-Hp") ? zpoolList : "{", stderr: "", code: 0 });
  };
  const { node, tick, clock } = start(context, { run });
  node.write("proc/spl/kstat/zfs/arcstats", "size 4 4096\n");
  await tick();
  hanging = true;
  await clock.advance(61_000);
  assert.equal(of(await tick(), "zpool/pve1/tank").size, 1000);
  await clock.advance(120_000);
  const values = await tick();
  assert.deepEqual(of(values, "zpool/pve1/tank"), {});
  assert.equal(of(values, "node/pve1").arc, 4096);
});

test("without ZFS no command is run at all, and the API is asked once an hour", async (context) => {
  const { tick, clock, commands, calls } = start(context);
  for (let minute = 0; minute < 59; minute++) {
    await tick();
    await clock.advance(60_000);
  }
  assert.deepEqual([commands, calls], [[], ["/nodes/localhost/status"]]);
  await clock.advance(60_000);
  await tick();
  assert.equal(calls.length, 2);
});

test("a new metrics file ends the wait, and so does time where nothing is written", async (context) => {
  const { node, clock, collector } = start(context);
  const { signal } = new AbortController();
  const written = collector.nextChange(10_000, signal);
  node.write("run/pve/metrics.tmp", recorded("run-pve_metrics.line.json"));
  renameSync(join(node.root, "run/pve/metrics.tmp"), join(node.root, "run/pve/metrics"));
  await written;
  assert.equal(clock.monotonicMs(), 0);
  node.remove("run");
  const timed = collector.nextChange(10_000, signal);
  await clock.advance(10_000);
  await timed;
  assert.equal(clock.monotonicMs(), 10_000);
});

test("on a machine without PVE its own figures are there, and --check names what is missing and why", async (context) => {
  const { node, tick, collector } = start(context, { pve: false });
  node.write("proc/sys/kernel/hostname", "laptop.example.org\n");
  const values = await tick();
  assert.equal(of(values, "node/laptop").load1, 1.29);
  assert.equal(await collector.identify(), undefined);
  const reports = await collector.check();
  assert.deepEqual(
    reports.map(({ source, problem }) => [source, problem]),
    [
      ["proc", undefined],
      ["statfs", undefined],
      ["pmxcfs", "/etc/pve/.version: missing, pmxcfs is not mounted"],
      ["pve-metrics", "/run/pve/metrics: missing, is pvestatd running?"],
      ["rrd", "/etc/pve/.rrd: missing, pmxcfs is not mounted"],
      ["zpool", undefined],
      ["tasks", "/var/log/pve/tasks: missing"],
      ["api", undefined],
    ],
  );
  assert.equal(reports.find(({ source }) => source === "zpool")?.found, "no ZFS");
});

test("--check on the recorded node says what each source gives", async (context) => {
  const { node, collector } = start(context);
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
      ["zpool", "no ZFS", undefined],
      ["tasks", "69 tasks within a day, 0 running", undefined],
      ["api", "pve-manager/9.2.11/14a22df35955d97d", undefined],
    ],
  );
});
