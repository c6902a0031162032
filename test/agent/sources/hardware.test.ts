import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeName } from "#protocol/ids.ts";
import { SampleTable } from "../../../agent/core/table.ts";
import type { RunCommand } from "../../../agent/ports.ts";
import { parseCephStatus } from "../../../agent/sources/ceph.ts";
import { parseHaStatus, parseJobs, parseReplicationConfig } from "../../../agent/sources/cluster-files.ts";
import { NowReader } from "../../../agent/sources/files.ts";
import { localMounts } from "../../../agent/sources/filesystems.ts";
import { parseFsinfo, runningBackups } from "../../../agent/sources/guest-agent.ts";
import { hasFailed, parseDatastoreStatus, pbsTaskStartSec } from "../../../agent/sources/pbs-answers.ts";
import { parsePbsStorages, serverIdOf } from "../../../agent/sources/pbs-config.ts";
import { parseReplication } from "../../../agent/sources/replication.ts";
import { parseMilliCelsius, sensorName } from "../../../agent/sources/sensors.ts";
import { instanceName } from "../../../agent/sources/slow-source.ts";
import { diskId, SmartSource } from "../../../agent/sources/smart.ts";
import { parseSmart } from "../../../agent/sources/smart-report.ts";
import { needsCloseLook, parseLvs, type Thinpool, ThinpoolSource } from "../../../agent/sources/thinpools.ts";
import { parseUpdates } from "../../../agent/sources/updates.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { RecordedNode, recorded } from "../../support/recorded-node.ts";

const smart = (json: object, code = 0) => parseSmart(JSON.stringify(json), code);

test("SMART: bits of the exit code above the first two are the disk's state, not a failure to read it", () => {
  const failing = { smart_status: { passed: false }, temperature: { current: 51 } };
  const answer = smart(failing, 8 | 64);
  assert.deepEqual(answer.state === "read" && [answer.report.healthy, answer.report.celsius], [0, 51]);
});

test("SMART: a sleeping disk, one that can't be opened and one that tells nothing are three things", () => {
  const note = [{ string: "Device is in STANDBY mode, exit(2)", severity: "information" }];
  const error = [{ string: "Smartctl open device: /dev/sdb failed: No such device", severity: "error" }];
  assert.deepEqual(smart({ smartctl: { messages: note } }, 2), { state: "asleep" });
  assert.deepEqual(smart({ smartctl: { messages: error } }, 2), {
    state: "none",
    problem: "Smartctl open device: /dev/sdb failed: No such device",
  });
  assert.deepEqual(smart({ device: { name: "/dev/sda" } }), { state: "none", problem: "it tells no SMART values" });
  assert.deepEqual(parseSmart("", 1), { state: "none", problem: "smartctl ended with 1" });
});

test("SMART: wear is what is used up, whether the disk counts up or down", () => {
  const attribute = (name: string, value: number) => ({ ata_smart_attributes: { table: [{ id: 177, name, value }] } });
  const wear = (json: object) => {
    const answer = smart({ smart_status: { passed: true }, ...json });
    return answer.state === "read" ? answer.report.wear : undefined;
  };
  assert.equal(wear({ nvme_smart_health_information_log: { percentage_used: 104 } }), 1.04);
  assert.equal(wear({ endurance_used: { current_percent: 7 } }), 0.07);
  assert.ok(Math.abs((wear(attribute("Wear_Leveling_Count", 92)) ?? 0) - 0.08) < 1e-9);
  assert.equal(wear(attribute("Reallocated_Sector_Ct", 92)), Number.NaN);
});

test("SMART: a SAS disk counts what it could not read, write or verify", () => {
  const page = (total_uncorrected_errors: number) => ({ total_errors_corrected: 9, total_uncorrected_errors });
  const answer = smart({
    smart_status: { passed: true },
    scsi_error_counter_log: { read: page(2), write: page(0), verify: page(1) },
  });
  assert.equal(answer.state === "read" && answer.report.mediaErrors, 3);
  const old = smart({ smart_status: { passed: true } });
  assert.equal(old.state === "read" && old.report.mediaErrors, Number.NaN);
});

test("a disk that stops answering keeps its name, has no values, and is asked on; what never answered is asked once a day", async (t) => {
  const node = new RecordedNode(t, { pve: false });
  const clock = new FakeClock();
  for (const disk of ["sda", "sdb"]) node.write(`sys/block/${disk}/device/model`, "ST4000NM0023\n");
  const asked: string[] = [];
  const noAnswer = { stdout: '{"smartctl":{"messages":[{"string":"failed","severity":"error"}]}}', code: 2 };
  let sda: Awaited<ReturnType<RunCommand>> = { ok: true, stdout: "", stderr: "", code: 0 };
  const run: RunCommand = async (_file, args) => {
    asked.push(args.at(-1) ?? "");
    return args.at(-1) === "/dev/sda" ? sda : { ok: true, stderr: "", ...noAnswer };
  };
  const source = new SmartSource(node.root, new NowReader(node.root), run, clock);
  const values = () => {
    const table = new SampleTable();
    table.begin();
    source.put(table, { node: "pve1" as NodeName });
    return table.schema().entities.map(({ key }) => key);
  };
  const later = async (minutes: number) => {
    await clock.advance(minutes * 60_000);
    asked.length = 0;
    await source.refresh();
    return asked;
  };
  const good = JSON.stringify({ smart_status: { passed: true }, serial_number: "Z1Z0" });
  sda = { ok: true, stdout: good, stderr: "", code: 0 };
  await source.refresh();
  assert.deepEqual([asked, values()], [["/dev/sda", "/dev/sdb"], ["disk/pve1/Z1Z0"]]);
  sda = { ok: true, stderr: "", ...noAnswer };
  assert.deepEqual([await later(31), values()], [["/dev/sda"], []]);
  assert.deepEqual(
    source.told.value.map(({ id, smart: state }) => [id, state]),
    [
      ["Z1Z0", "none"],
      ["sdb", "none"],
    ],
  );
  sda = { ok: false, problem: "smartctl: no answer within 30000 ms" };
  assert.deepEqual([await later(31), values(), source.problem], [["/dev/sda"], [], "smartctl: no answer within 30000 ms"]);
  sda = { ok: true, stdout: good, stderr: "", code: 0 };
  assert.deepEqual([await later(31), values(), source.problem], [["/dev/sda"], ["disk/pve1/Z1Z0"], undefined]);
  assert.deepEqual(await later(24 * 60), ["/dev/sda", "/dev/sdb"]);
});

test("a disk that has several names is one disk, by the first of them that answers", async (t) => {
  const node = new RecordedNode(t, { pve: false });
  for (const name of ["nvme0n1", "nvme0n2", "sda", "sdb"]) node.write(`sys/block/${name}/device/model`, "x\n");
  const stdout = JSON.stringify({ smart_status: { passed: true }, serial_number: "S1" });
  const other = JSON.stringify({ smart_status: { passed: false }, serial_number: "S2" });
  const run: RunCommand = async (_file, args) => ({
    ok: true,
    stdout: args.at(-1)?.startsWith("/dev/nvme") ? stdout : other,
    stderr: "",
    code: 0,
  });
  const source = new SmartSource(node.root, new NowReader(node.root), run, new FakeClock());
  await source.refresh();
  assert.deepEqual(
    source.told.value.map(({ id, name }) => [id, name]),
    [
      ["S1", "nvme0n1"],
      ["S2", "sda"],
    ],
  );
});

test("a disk is named by its serial number in letters a key may have, else by its device", () => {
  const report = (serial: string) => {
    const answer = smart({ smart_status: { passed: true }, serial_number: serial });
    return answer.state === "read" ? answer.report : undefined;
  };
  assert.equal(diskId(report("S662NN0W 123/4"), "sda"), "S662NN0W_123_4");
  assert.equal(diskId(report("  "), "sda"), "sda");
  assert.equal(diskId(undefined, "sdb"), "sdb");
});

const lv = (vg: string, name: string, attr: string, size: string, pool = "", data = "", metadata = "") =>
  `{"vg_name":"${vg}","lv_name":"${name}","lv_size":"${size}","lv_attr":"${attr}","pool_lv":"${pool}","data_percent":"${data}","metadata_percent":"${metadata}","lv_metadata_size":"1000"}`;

test("lvs: one volume group that can't be read is told, and costs the others nothing", async () => {
  const log =
    '[{"log_seq_num":"1","log_type":"status","log_message":"x"},{"log_type":"error","log_message":"Cannot access VG san."}]';
  const stdout = `{"report":[{"lv":[${lv("pve", "data", "twi-aotz--", "5000", "", "41.50", "76.25")}]}],"log":${log}}`;
  let answer: Awaited<ReturnType<RunCommand>> = { ok: true, code: 5, stdout, stderr: "" };
  const source = new ThinpoolSource("/nowhere", async () => answer);
  await source.refresh();
  assert.deepEqual(source.told.value, [{ vg: "pve", lv: "data" }]);
  assert.equal(source.problem, "lvs ended with 5: Cannot access VG san.");
  answer = { ok: true, code: 5, stdout: "", stderr: "  Failed to load config.\n" };
  await source.refresh();
  assert.deepEqual(source.told.value, [{ vg: "pve", lv: "data" }], "what was known stays");
  assert.equal(source.problem, "lvs ended with 5: Failed to load config.");
  answer = { ok: true, code: 0, stdout, stderr: "" };
  await source.refresh();
  assert.equal(source.problem, undefined);
});

test("lvs: a pool of a volume group that can't be read any more is not told to be gone, one that lvs no longer finds is", async () => {
  const both = [
    lv("pve", "data", "twi-aotz--", "5000", "", "41.50", "76.25"),
    lv("san", "fast", "twi-aotz--", "5000", "", "95.00", "20.00"),
  ];
  const report = (volumes: readonly string[]) => `{"report":[{"lv":[${volumes}]}]}`;
  let answer: Awaited<ReturnType<RunCommand>> = { ok: true, code: 0, stdout: report(both), stderr: "" };
  const source = new ThinpoolSource("/nowhere", async () => answer);
  const told = async (code: number, volumes: readonly string[]) => {
    answer = { ok: true, code, stdout: report(volumes), stderr: "" };
    await source.refresh();
    return source.told.value.map(({ vg }) => vg);
  };
  assert.deepEqual(await told(0, both), ["pve", "san"]);
  assert.deepEqual(await told(5, both.slice(0, 1)), ["pve", "san"]);
  assert.deepEqual(await told(0, both.slice(0, 1)), ["pve"]);
});

test("lvs: a thin pool with its data, its metadata and what was promised out of it", () => {
  const volumes = [
    lv("pve", "data", "twi-aotz--", "5000", "", "41.50", "76.25"),
    lv("pve", "root", "-wi-ao----", "100"),
    lv("pve", "vm-100-disk-0", "Vwi-aotz--", "4000", "data", "10.00"),
    lv("pve", "vm-101-disk-0", "Vwi-aotz--", "3000", "data", "10.00"),
    lv("other", "vm-7-disk-0", "Vwi-aotz--", "9", "data"),
  ];
  const pool = { vg: "pve", lv: "data", size: 5000, data: 0.415, metadata: 0.7625, metadataSize: 1000, provisioned: 7000 };
  assert.deepEqual(parseLvs(`{"report":[{"lv":[${volumes.join(",")}]}]}`), [pool]);
  assert.deepEqual(parseLvs('{"report":[{"lv":[]}]}'), []);
  assert.equal(parseLvs("  WARNING"), undefined);
});

test("a thin pool is looked at closely when its metadata is three quarters full, or when it fills", () => {
  const pool = (data: number, metadata: number): Thinpool => {
    return { vg: "pve", lv: "data", size: 1, data, metadata, metadataSize: 1, provisioned: 0 };
  };
  assert.equal(needsCloseLook([], [pool(0.4, 0.2)]), false);
  assert.equal(needsCloseLook([], [pool(0.4, 0.76)]), true);
  assert.equal(needsCloseLook([pool(0.4, 0.2)], [pool(0.42, 0.2)]), true);
  assert.equal(needsCloseLook([pool(0.42, 0.2)], [pool(0.4, 0.2)]), false);
});

test("only local file systems are looked at, each once, and none of the guests' own", () => {
  const mounts = [
    "/dev/mapper/pve-root / ext4 rw 0 0",
    "/dev/sdb1 /mnt/with\\040space xfs rw 0 0",
    "/dev/sdb1 /mnt/with\\040space/deeper xfs rw 0 0",
    "192.168.1.5:/srv /mnt/pve/nfs nfs4 rw 0 0",
    "//nas/x /mnt/pve/cifs cifs rw 0 0",
    "rpool/data/subvol-100-disk-0 /rpool/data/subvol-100-disk-0 zfs rw 0 0",
    "rpool/data /rpool/data zfs rw 0 0",
    "/dev/loop3 /var/lib/lxc/200/rootfs ext4 rw 0 0",
    "/dev/fuse /etc/pve fuse rw 0 0",
    "tmpfs /run tmpfs rw 0 0",
  ];
  assert.deepEqual(
    localMounts(mounts.join("\n")).map(({ point }) => point),
    ["/mnt/with space", "/rpool/data"],
  );
});

test("a guest's file systems: each once at its shortest path, and no image that is full by nature", () => {
  const fs = (name: string, mountpoint: string, type: string, total: unknown, used: unknown) => {
    return { name, mountpoint, type, "total-bytes": total, "used-bytes": used };
  };
  const result = [
    fs("sda1", "/var/lib/docker", "ext4", 100, 40),
    fs("sda1", "/", "ext4", 100, 40),
    fs("loop1", "/snap/core/1", "squashfs", 7, 7),
    fs("sr0", "D:\\", "CDFS", 7, 7),
    fs("\\\\?\\Volume{1}\\", "C:\\", "NTFS", "9000", "4000"),
    { name: "sda2", mountpoint: "[SWAP]", type: "swap" },
  ];
  assert.deepEqual(parseFsinfo({ result }), [
    { mount: "/", total: 100, used: 40 },
    { mount: "C:\\", total: 9000, used: 4000 },
  ]);
  assert.equal(parseFsinfo({ error: "x" }), undefined);
});

test("which guests a running backup may touch: those it names, all when it names none, none of a task that has ended", () => {
  const line = (id: string, rest: string) => `UPID:pve1:000986F9:15BF1A20:695BA7C0:vzdump:${id}:root@pam: ${rest}`;
  const named = runningBackups([line("100", "0"), line("101", "1 695BA7F0 OK")].join("\n"));
  assert.deepEqual([named.all, [...named.vmids]], [false, ["100"]]);
  assert.equal(runningBackups(line("", "0")).all, true);
  assert.equal(runningBackups(line("", "1 695BA7F0 OK")).all, false);
  assert.deepEqual(runningBackups(recorded("tasks_active")).vmids.size, 0);
});

test("temperatures in thousandths; nonsense is no temperature; several chips of a name are told apart", () => {
  assert.deepEqual([parseMilliCelsius("38500\n"), parseMilliCelsius("-8000"), parseMilliCelsius("")], [38.5, -8, Number.NaN]);
  assert.equal(parseMilliCelsius("-273000"), Number.NaN);
  const [one, two] = ["nvme0", "nvme1"].map((device) => ({ chip: "nvme", device, label: "Composite" }));
  assert.ok(one !== undefined && two !== undefined);
  assert.equal(sensorName(one, [one]), "nvme/Composite");
  assert.equal(sensorName(two, [one, two]), "nvme@nvme1/Composite");
  assert.equal(instanceName("C:\\Größe"), "C:\\Gr%C3%B6%C3%9Fe");
});

test("jobs.cfg: every job in its own words; one that says nothing about it is enabled", () => {
  const text =
    "vzdump: nightly\n\tall 1\n\texclude 105,9000\n\tmode snapshot\n\tprune-backups keep-last=3\n\tschedule 21:00\n\tstorage nfs1\n\nvzdump: b\n\tenabled 0\n\tvmid 100,101\n\trepeat-missed 1\n\nrealm-sync: ldap\n\tschedule daily\n";
  assert.deepEqual(parseJobs(text), [
    {
      id: "nightly",
      type: "vzdump",
      enabled: true,
      all: true,
      vmids: [],
      exclude: [105, 9000],
      repeatMissed: false,
      schedule: "21:00",
      storage: "nfs1",
      mode: "snapshot",
      pruneBackups: "keep-last=3",
    },
    { id: "b", type: "vzdump", enabled: false, all: false, vmids: [100, 101], exclude: [], repeatMissed: true },
    { id: "ldap", type: "realm-sync", enabled: true, all: false, vmids: [], exclude: [], repeatMissed: false, schedule: "daily" },
  ]);
});

test("HA as its manager writes it: empty where it was never used, states by guest where it was", () => {
  assert.deepEqual(parseHaStatus('{"node_status":{}}'), { facts: { nodes: [] }, services: new Map(), atSec: Number.NaN });
  const text =
    '{"master_node":"pve2","node_status":{"pve2":"online","pve1":"fence"},"service_status":{"vm:100":{"state":"error","node":"pve1"},"ct:200":{"state":"started"},"storage:x":{"state":"y"}},"timestamp":1767614400}';
  const status = parseHaStatus(text);
  const nodes = [
    { node: "pve1", state: "fence" },
    { node: "pve2", state: "online" },
  ];
  assert.deepEqual(status?.facts, { nodes, master: "pve2" });
  assert.deepEqual(
    [...(status?.services ?? [])],
    [
      [100, "error"],
      [200, "started"],
    ],
  );
});

test("replication: jobs by guest, and a job that never ran has no age", () => {
  assert.deepEqual(
    parseReplicationConfig("local: 100-0\n\ttarget pve2\n\tschedule */15\n\nlocal: 101-1\n\tdisable 1\n\ttarget pve3\n"),
    [
      { id: "100-0", vmid: 100, target: "pve2", enabled: true, schedule: "*/15" },
      { id: "101-1", vmid: 101, target: "pve3", enabled: false },
    ],
  );
  const [job] =
    parseReplication([{ id: "100-0", guest: "100", target: "pve2", last_sync: 0, fail_count: 3, error: "no such pool\n" }]) ?? [];
  assert.deepEqual(job?.facts, { id: "100-0", vmid: 100, target: "pve2", enabled: true, error: "no such pool" });
  assert.deepEqual([job?.lastSyncSec, job?.failCount, job?.durationSec], [Number.NaN, 3, Number.NaN]);
});

test("Ceph: health with its reasons, and both nestings of the map of OSDs", () => {
  const osds = { num_osds: 9, num_up_osds: 8, num_in_osds: 9 };
  const health = {
    status: "HEALTH_WARN",
    checks: { OSD_DOWN: { severity: "HEALTH_WARN", summary: { message: "1 osds down" } } },
  };
  for (const osdmap of [osds, { osdmap: osds }]) {
    const status = parseCephStatus({ health, osdmap, pgmap: { bytes_total: 30, bytes_used: 10, bytes_avail: 20 } });
    assert.deepEqual([status?.osds, status?.up, status?.in, status?.total, status?.used, status?.avail], [9, 8, 9, 30, 10, 20]);
    assert.deepEqual(status?.facts.checks, [{ code: "OSD_DOWN", severity: "HEALTH_WARN", text: "1 osds down" }]);
  }
  assert.equal(parseCephStatus({ health: {} }), undefined);
});

test("storage.cfg's Backup Servers: default port and user; the server is its pinned certificate, else its address", () => {
  const text =
    "pbs: a\n\tserver 10.0.0.5\n\tdatastore main\n\tfingerprint 0f:ab:cd:ef:01:23:45:67:89:ab:cd:ef:01:23:45:67:89:ab:cd:ef:01:23:45:67:89:ab:cd:ef:01:23:45:67\n\tnamespace pve/x\n\tusername m@pbs!t\n\npbs: off\n\tserver x\n\tdatastore y\n\tdisable 1\n\npbs: b1\n\tserver pbs.example.org\n\tport 8443\n\tdatastore main\n";
  assert.deepEqual(parsePbsStorages(text.replace("pbs: a\n", "pbs: a1\n")), [
    {
      storage: "a1",
      server: "10.0.0.5",
      port: 8007,
      store: "main",
      namespace: "pve/x",
      username: "m@pbs!t",
      fingerprint: "0F:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67",
    },
    { storage: "b1", server: "pbs.example.org", port: 8443, store: "main", namespace: "", username: "root@pam" },
  ]);
  assert.equal(serverIdOf({ fingerprint: `0F:AB${":00".repeat(30)}`, server: "x", port: 1 }), "0fab000000000000");
  assert.notEqual(serverIdOf({ server: "x", port: 1 }), serverIdOf({ server: "x", port: 2 }));
});

test("a Backup Server that shows its space to others only: unknown, not a datastore of no size", () => {
  const zeros = { total: 0, used: 0, avail: 0, counts: { vm: { groups: 1, snapshots: 2 } } };
  const { total, used, avail } = parseDatastoreStatus(zeros) ?? {};
  assert.deepEqual([total, used, avail], [Number.NaN, Number.NaN, Number.NaN]);
  const told = parseDatastoreStatus({ total: 10, used: 0, avail: 9 });
  assert.deepEqual([told?.total, told?.used, told?.avail], [10, 0, 9]);
});

test("a task of a Backup Server has one field more than PVE's, and a job that never ran has not failed", () => {
  const upid = "UPID:localhost:00000A1B:00C0FFEE:00000001:695BA7C0:garbage_collection:main:root@pam:";
  assert.equal(pbsTaskStartSec(upid), 0x695ba7c0);
  assert.equal(pbsTaskStartSec("UPID:pve1:000986F9:15BF1A20:695BA7C0:vzdump:100:root@pam:"), Number.NaN);
  const job = { kind: "verify", id: "v" } as const;
  const states = [undefined, "OK", "WARNINGS: 2", "TASK ERROR: x"];
  assert.deepEqual(
    states.map((state) => hasFailed(state === undefined ? job : { ...job, state })),
    [false, false, false, true],
  );
});

test("pending updates as recorded", () => {
  const updates = parseUpdates(JSON.parse(recorded("pvesh_get_nodes_pve1_apt_update.json"))) ?? [];
  assert.equal(updates.length, 3);
  assert.deepEqual(updates[0], { package: "apt", installed: "3.0.3", available: "3.0.4", origin: "Debian" });
});
