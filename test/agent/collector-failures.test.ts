import assert from "node:assert/strict";
import { renameSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { RunCommand } from "../../agent/ports.ts";
import { recorded } from "../support/recorded-node.ts";
import { of, readTable, sourcesOf, startCollector, until, zpoolList } from "../support/started-collector.ts";

test("pvestatd stands still: its values are used for 30 s, then they are absent, with one log line for each section", async (context) => {
  const { tick, clock, logs, collector } = startCollector(context);
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
  const { node, tick, table, logs } = startCollector(context);
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
  assert.ok(sourcesOf(table).has("rrd") && sourcesOf(table).has("pve-metrics"));
  assert.deepEqual(logs, ["qemu: values come from /etc/pve/.rrd (/run/pve/metrics: section qemu looks other than in PVE 9)"]);
});

test("/etc/pve hangs: the node's own figures come in time, guests keep their identity, and the report says why", async (context) => {
  const { node, tick, clock, collector, table } = startCollector(context);
  await tick();
  await until(async () => "agent_up" in of(await tick(), "guest/100")); // what is read beside the samples is there now
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

test("while pmxcfs is gone for more than a minute nobody says what the HA manager would, and with it everything is told again", async (context) => {
  const { node, tick, clock, collector } = startCollector(context);
  collector.setDuties(["cluster"]);
  const status = {
    master_node: "pve1",
    timestamp: clock.now() / 1000,
    service_status: { "vm:100": { state: "started", node: "pve1" } },
  };
  node.write("etc/pve/ha/manager_status", JSON.stringify(status));
  await tick();
  const ha = async () => {
    const values = await tick();
    return ["ha_state" in of(values, "guest/100"), "ha_manager_age" in of(values, "cluster")];
  };
  assert.deepEqual(await ha(), [true, true]);
  const version = node.read("etc/pve/.version");
  node.remove("etc/pve/.version");
  await clock.advance(50_000);
  assert.deepEqual(await ha(), [true, true]);
  await clock.advance(20_000);
  assert.deepEqual(await ha(), [false, false]);
  node.write("etc/pve/.version", version);
  assert.deepEqual(await ha(), [true, true]);
});

test("a configuration that can't be read yet is not called known, and no sample guesses whose it is", async (context) => {
  const { node, tick, clock, collector } = startCollector(context);
  node.remove("etc/pve/nodes/pve1/qemu-server/101.conf");
  assert.deepEqual(of(await tick(), "guest/101"), {});
  const { inventory } = await collector.inventory(clock.now());
  assert.equal(inventory.guests.find(({ vmid }) => vmid === 101)?.configured, false);
  node.write("etc/pve/nodes/pve1/qemu-server/101.conf", recorded("etc-pve_qemu-server_101.conf"));
  assert.equal(of(await tick(), "guest/101").status, 0);
});

test("after a restart of pmxcfs, which counts from 0 again, a changed configuration is read though its number is the old one", async (context) => {
  const { node, tick, clock, collector } = startCollector(context);
  await tick();
  node.write(
    "etc/pve/nodes/pve1/qemu-server/101.conf",
    recorded("etc-pve_qemu-server_101.conf").replace(/^name: .*$/m, "name: anew"),
  );
  const nameOf101 = async () => {
    await clock.advance(10_000);
    await tick();
    return (await collector.inventory(clock.now())).inventory.guests.find(({ vmid }) => vmid === 101)?.name;
  };
  assert.notEqual(await nameOf101(), "anew", "no number moved");
  node.write("etc/pve/.version", node.read("etc/pve/.version").replace(/"starttime": \d+/, '"starttime": 1795500000'));
  assert.equal(await nameOf101(), "anew");
});

/** The kernel's own word on the pool `tank`. */
const kstat = "proc/spl/kstat/zfs/tank/state";

test("ZFS pools are asked for every quarter of an hour, beside the samples, and at once when the kernel shows another state", async (context) => {
  const { node, tick, clock, commands } = startCollector(context);
  node.write(kstat, "ONLINE\n");
  await tick();
  const lent = of(await tick(), "zpool/pve1/tank");
  assert.deepEqual(lent, { size: 1000, allocated: 400, free: 600, fragmentation: 0.12, health: 0 });
  const first = [
    "zpool list -j --json-int",
    "zpool list -Hp -o name,size,allocated,free,fragmentation,health",
    "zpool status -p",
  ];
  assert.deepEqual(commands, first);
  for (let minute = 0; minute < 15; minute++) {
    await tick();
    await clock.advance(60_000);
  }
  assert.equal(commands.length, 3);
  await tick();
  assert.equal(commands.length, 5);
  node.write(kstat, "DEGRADED\n");
  await clock.advance(10_000);
  assert.equal(of(await tick(), "zpool/pve1/tank").health, 1);
  assert.equal(commands.length, 7);
});

test("where the kernel has ZFS but no pool, zpool is not run", async (context) => {
  const { node, tick, commands } = startCollector(context);
  node.write("proc/spl/kstat/zfs/arcstats", "size 4 4096\n");
  assert.equal(of(await tick(), "node/pve1").arc, 4096);
  assert.deepEqual(commands, []);
});

test("a zpool that hangs delays nobody; after half an hour of its values there is only what the kernel says", async (context) => {
  let hanging = false;
  const run: RunCommand = (_, args) => {
    if (hanging) return new Promise(() => undefined);
    return Promise.resolve({ ok: true, stdout: args.includes("-Hp") ? zpoolList : "{", stderr: "", code: 0 });
  };
  const { node, tick, clock, collector } = startCollector(context, { run });
  node.write(kstat, "ONLINE\n");
  await tick();
  hanging = true;
  await clock.advance(16 * 60_000);
  assert.equal(of(await tick(), "zpool/pve1/tank").size, 1000);
  await clock.advance(15 * 60_000 + 1000);
  const values = await tick();
  assert.deepEqual(of(values, "zpool/pve1/tank"), { health: 0 });
  assert.equal(of(values, "node/pve1").load1, 1.29);
  const { inventory } = await collector.inventory(clock.now());
  assert.equal(inventory.node.sources.find(({ source }) => source === "zpool")?.problem, "does not answer");
});

test("commands that fail again and again bring nothing: what they once said is not told for ever, and a pool that waits for its disks says so", async (context) => {
  let works = true;
  const lvs = JSON.stringify({
    report: [{ lv: [{ vg_name: "pve", lv_name: "data", lv_attr: "twi-aotz--", lv_size: "100", data_percent: "41.5" }] }],
  });
  const run: RunCommand = async (file, args) => {
    if (!works) return { ok: false, problem: `${file}: no answer within 30000 ms` };
    const stdout = file === "lvs" ? lvs : args.includes("-Hp") ? zpoolList : "{";
    return { ok: true, stdout, stderr: "", code: 0 };
  };
  const { node, tick, clock, collector } = startCollector(context, { run });
  node.write(kstat, "ONLINE\n");
  node.write("sys/module/dm_thin_pool/version", "1\n");
  await tick();
  const before = await tick();
  assert.deepEqual([of(before, "zpool/pve1/tank").size, of(before, "thinpool/pve1/pve/data").data], [1000, 0.415]);
  works = false;
  node.write(kstat, "SUSPENDED\n");
  for (let minute = 0; minute < 35; minute++) {
    await clock.advance(60_000);
    await tick();
  }
  const after = await tick();
  assert.deepEqual([of(after, "zpool/pve1/tank"), of(after, "thinpool/pve1/pve/data")], [{ health: 6 }, {}]);
  const { inventory } = await collector.inventory(clock.now());
  const problems = inventory.node.sources.filter(({ source }) => source === "zpool" || source === "lvs");
  assert.deepEqual(
    problems.map(({ problem }) => problem),
    ["zpool: no answer within 30000 ms", "lvs: no answer within 30000 ms"],
  );
  works = true;
  await clock.advance(15 * 60_000);
  await tick();
  assert.equal(of(await tick(), "zpool/pve1/tank").size, 1000);
});

test("a node without ZFS, thin pools and disks runs no command at all, and its API is asked seldom", async (context) => {
  const { tick, clock, commands, calls } = startCollector(context);
  await tick();
  await until(() => calls.length === 3);
  for (let minute = 0; minute < 59; minute++) {
    await tick();
    await clock.advance(60_000);
  }
  // pvestatd's line has grown old by the second minute: of a guest that may not run nobody asks the agent.
  assert.deepEqual(
    [commands, calls.toSorted()],
    [[], ["/nodes/localhost/apt/update", "/nodes/localhost/qemu/100/agent/get-fsinfo", "/nodes/localhost/status"]],
  );
  await clock.advance(60_000);
  await tick();
  assert.deepEqual(calls.slice(3), ["/nodes/localhost/status"]);
});

test("a new metrics file ends the wait, and so does time where nothing is written", async (context) => {
  const { node, clock, collector } = startCollector(context);
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
  const { node, tick, collector } = startCollector(context, { pve: false });
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
      ["tasks", "/var/log/pve/tasks: missing"],
      ["api", undefined],
      ["zpool", undefined],
      ["lvs", undefined],
      ["filesystems", undefined],
      ["hwmon", undefined],
      ["smartctl", undefined],
      ["guest-agent", undefined],
      ["replication", undefined],
      ["ceph", undefined],
      ["pbs", undefined],
      ["certificates", undefined],
      ["apt", undefined],
    ],
  );
  assert.equal(reports.find(({ source }) => source === "zpool")?.found, "not used here");
});
