import assert from "node:assert/strict";
import { test } from "node:test";
import * as z from "zod/mini";
import {
  backupJobSchema,
  cephFactsSchema,
  datastoreJobSchema,
  haFactsSchema,
  replicationFactsSchema,
  updateFactsSchema,
} from "#protocol/inventory.ts";
import { parseJsonObject } from "../../../agent/core/values.ts";
import * as answer from "../../../agent/pve/answer.ts";
import { parseCephStatus } from "../../../agent/sources/ceph.ts";
import { parseCertificate } from "../../../agent/sources/certificates.ts";
import * as cluster from "../../../agent/sources/cluster-config.ts";
import { parseHaStatus, parseJobs, parseReplicationConfig } from "../../../agent/sources/cluster-files.ts";
import { localMounts } from "../../../agent/sources/filesystems.ts";
import { parseFsinfo, runningBackups } from "../../../agent/sources/guest-agent.ts";
import { parseGuestConfig } from "../../../agent/sources/guest-config.ts";
import { parseHardware } from "../../../agent/sources/hardware.ts";
import { MetricsLine } from "../../../agent/sources/metrics-line.ts";
import * as pbs from "../../../agent/sources/pbs-answers.ts";
import { parsePbsStorages } from "../../../agent/sources/pbs-config.ts";
import * as proc from "../../../agent/sources/proc.ts";
import { parseReplication } from "../../../agent/sources/replication.ts";
import { parseRrd } from "../../../agent/sources/rrd.ts";
import { parseMilliCelsius } from "../../../agent/sources/sensors.ts";
import { parseSmart } from "../../../agent/sources/smart-report.ts";
import { parseTaskLine } from "../../../agent/sources/tasks.ts";
import { parseLvs } from "../../../agent/sources/thinpools.ts";
import { parseUpdates } from "../../../agent/sources/updates.ts";
import * as zpool from "../../../agent/sources/zpool-output.ts";
import { fc } from "../../support/property.ts";
import { recorded } from "../../support/recorded-node.ts";

const kernelText =
  "cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 2\nbtime 17\nMemTotal: 1 kB\nsome avg10=1.00 avg60=\n eno1: 1 2 3 4 5 6 7 8 9\n 8 0 sda 1 2 3 4\n";
const zpoolJson =
  '{"pools":{"tank":{"name":"tank","state":"ONLINE","properties":{"size":{"value":1}},"vdevs":{"tank":{"vdevs":{}}}}}}';

/** Every parser, and a text it understands. None may throw, whatever it gets. */
const parsers: [name: string, parse: (text: string) => unknown, good: string][] = [
  ["/proc/stat", proc.parseProcStat, kernelText],
  ["/proc/meminfo", proc.parseMeminfo, kernelText],
  ["/proc/loadavg", proc.parseFirstNumber, "0.1 0.2 0.3"],
  ["/proc/pressure", proc.parsePressure, kernelText],
  ["/proc/diskstats", proc.parseDiskstats, kernelText],
  ["/proc/net/dev", proc.parseNetDev, kernelText],
  ["arcstats", proc.parseArcstats, "size 4 100\n"],
  ["/proc/cpuinfo", proc.parseCpuModel, "model name : x\n"],
  ["/proc/version", proc.parseKernelVersion, "Linux version 6.1 (x)"],
  [".version", cluster.parseVersion, recorded("etc-pve_dot-version")],
  [".vmlist", cluster.parseVmlist, recorded("etc-pve_dot-vmlist")],
  [".members", cluster.parseMembers, recorded("etc-pve_dot-members")],
  ["storage.cfg", cluster.parseStorageConfig, recorded("etc-pve_storage.cfg")],
  ["user.cfg", cluster.parsePools, recorded("etc-pve_user.cfg")],
  ["corosync.conf", cluster.parseClusterName, "totem {\n  cluster_name: x\n}\n"],
  [
    "the CA's certificate",
    (text) => cluster.clusterIdOf("x", text),
    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
  ],
  ["a VM's configuration", (text) => parseGuestConfig(text, "qemu"), recorded("etc-pve_qemu-server_100.conf")],
  ["a container's configuration", (text) => parseGuestConfig(text, "lxc"), recorded("etc-pve_lxc_200.conf")],
  [
    "/run/pve/metrics",
    (text) => new MetricsLine().parse(Buffer.from(text), Buffer.byteLength(text)),
    recorded("run-pve_metrics.line.json"),
  ],
  [".rrd", parseRrd, recorded("etc-pve_dot-rrd")],
  ["a line of active", (text) => parseTaskLine(text, "active"), recorded("tasks_active").split("\n")[0] ?? ""],
  ["a line of index", (text) => parseTaskLine(text, "index"), recorded("tasks_index").split("\n")[0] ?? ""],
  ["zpool list -j", zpool.parseZpoolListJson, zpoolJson],
  ["zpool list", zpool.parseZpoolListTabs, "tank\t1\t2\t3\t4\tONLINE\n"],
  ["zpool status -j", zpool.parseZpoolStatusJson, zpoolJson],
  ["zpool status", zpool.parseZpoolStatusText, "  pool: tank\n\ttank ONLINE 0 0 0\n"],
  ["jobs.cfg", parseJobs, "vzdump: a\n\tall 1\n\tvmid 100\n"],
  ["replication.cfg", parseReplicationConfig, "local: 100-0\n\ttarget pve2\n"],
  [
    "ha/manager_status",
    parseHaStatus,
    '{"master_node":"a","node_status":{"a":"online"},"service_status":{"vm:100":{"state":"x"}}}',
  ],
  ["storage.cfg's Backup Servers", parsePbsStorages, "pbs: ab\n\tserver x\n\tdatastore y\n\tport 1\n"],
  [
    "smartctl",
    (text) => parseSmart(text, 0),
    '{"smart_status":{"passed":true},"ata_smart_attributes":{"table":[{"id":5,"raw":{"value":1}}]}}',
  ],
  ["the hardware", parseHardware, '{"maker":"a","board":{},"firmware":{},"cpu":{"sockets":1},"missing":"smbios"}'],
  ["lvs", parseLvs, '{"report":[{"lv":[{"vg_name":"a","lv_name":"b","lv_attr":"t"}]}]}'],
  ["/proc/mounts", localMounts, "/dev/sda1 /mnt/\\040 ext4 rw 0 0\n"],
  ["hwmon", parseMilliCelsius, "38000\n"],
  [
    "get-fsinfo",
    (text) => parseFsinfo(parseJsonObject(text)),
    '{"result":[{"name":"a","mountpoint":"/","total-bytes":1,"used-bytes":1}]}',
  ],
  ["running backups", runningBackups, recorded("tasks_active")],
  [
    "replication's state",
    (text) => parseReplication(parseJsonObject(text)?.data),
    '{"data":[{"id":"100-0","guest":100,"target":"b"}]}',
  ],
  [
    "Ceph's status",
    (text) => parseCephStatus(parseJsonObject(text)),
    '{"health":{"status":"HEALTH_OK","checks":{"A":{}}},"osdmap":{}}',
  ],
  ["updates", (text) => parseUpdates(parseJsonObject(text)?.data), '{"data":[{"Package":"a","Version":"1"}]}'],
  ["a certificate", (text) => parseCertificate("x.pem", text), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"],
  [
    "a datastore's status",
    (text) => pbs.parseDatastoreStatus(parseJsonObject(text)),
    '{"total":1,"gc-status":{"disk-bytes":1,"upid":"UPID:a:"}}',
  ],
  [
    "jobs of a Backup Server",
    (text) => pbs.parseJobs("verify", parseJsonObject(text)?.data, "m"),
    '{"data":[{"store":"m","id":"a"}]}',
  ],
  ["an answer of the API", (text) => answer.parseAnswer(500, text, text), '{"data":null,"errors":{"a":"b"}}'],
  ["a node's status", (text) => answer.parseNodeStatus(text), recorded("pvesh_get_nodes_pve1_status.json")],
];

const bytes = fc.uint8Array({ maxLength: 400 }).map((array) => Buffer.from(array).toString("utf8"));

for (const [name, parse, good] of parsers) {
  test(`${name}: random bytes never throw`, () => {
    fc.assert(
      fc.property(bytes, (text) => {
        parse(text);
      }),
      { numRuns: 200 },
    );
  });

  test(`${name}: cut anywhere, or with bytes changed, it never throws`, () => {
    const change = fc.record({ cut: fc.nat(good.length), at: fc.nat(good.length), put: bytes });
    fc.assert(
      fc.property(change, ({ cut, at, put }) => {
        parse(good.slice(0, cut));
        parse(good.slice(0, at) + put + good.slice(at + put.length));
      }),
      { numRuns: 200 },
    );
  });
}

test("any JSON in the place of the metrics line is refused or has only sections that look right", () => {
  fc.assert(
    fc.property(fc.json(), fc.constantFrom("qemu", "lxc", "storage", "node"), (json, name) => {
      const text = `{"${name}":${json}}`;
      const line = new MetricsLine();
      const problem = line.parse(Buffer.from(text), Buffer.byteLength(text));
      assert.ok(problem !== undefined || line.changed.includes(name) !== (line.atMs(name) !== undefined));
    }),
  );
});

/** Any JSON where an inventory's facts come from: what is made of it must fit into the message, or the hub would refuse all of it. */
const factMakers: [name: string, make: (json: unknown) => unknown, schema: z.ZodMiniType][] = [
  ["replication", (json) => (parseReplication([json]) ?? []).map(({ facts }) => facts), z.array(replicationFactsSchema)],
  ["Ceph", (json) => parseCephStatus(json)?.facts ?? null, z.nullable(cephFactsSchema)],
  ["updates", (json) => parseUpdates([json]) ?? [], z.array(updateFactsSchema)],
  ["jobs of a Backup Server", (json) => pbs.parseJobs("gc", [json], "m"), z.array(datastoreJobSchema)],
  ["HA", (json) => parseHaStatus(JSON.stringify(json))?.facts ?? null, z.nullable(haFactsSchema)],
];
const keys =
  "id guest target last_sync schedule error Package Version OldVersion Origin store last-run-state next-run last-run-endtime status health checks summary message severity master_node node_status service_status state".split(
    " ",
  );
const words = fc.oneof(
  fc.string(),
  fc.constantFrom("m", "100", "pve1", "HEALTH_OK", "x".repeat(3000)),
  fc.integer(),
  fc.double(),
);
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { depthSize: "small" },
    words,
    fc.dictionary(fc.constantFrom(...keys), tie("tree"), { maxKeys: 8 }),
    fc.array(tie("tree"), { maxLength: 3 }),
  ),
}));

for (const [name, make, schema] of factMakers) {
  test(`${name}: whatever comes, the facts fit into the inventory`, () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...keys), tree), (json) => {
        const parsed = schema.safeParse(make(json));
        assert.ok(parsed.success, JSON.stringify(parsed.error));
      }),
      { numRuns: 500 },
    );
  });
}

test("jobs.cfg: whatever stands in it, the facts fit into the inventory", () => {
  const line = fc.oneof(
    fc.constantFrom("vzdump: a", "vzdump: b-c", "\tall 1", "\tvmid 100,101,x", "\tschedule daily", "\tenabled", ""),
    fc.string().map((text) => `\tcomment ${text}`),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
      const parsed = z.array(backupJobSchema).safeParse(parseJobs(lines.join("\n")));
      assert.ok(parsed.success, JSON.stringify(parsed.error));
    }),
  );
});
