import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import * as answer from "../../../agent/pve/answer.ts";
import * as cluster from "../../../agent/sources/cluster-config.ts";
import { parseGuestConfig } from "../../../agent/sources/guest-config.ts";
import { parseMetricsLine } from "../../../agent/sources/metrics-line.ts";
import * as proc from "../../../agent/sources/proc.ts";
import { parseRrd } from "../../../agent/sources/rrd.ts";
import { parseTaskLine } from "../../../agent/sources/tasks.ts";
import * as zpool from "../../../agent/sources/zpool-output.ts";
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
  ["/run/pve/metrics", parseMetricsLine, recorded("run-pve_metrics.line.json")],
  [".rrd", parseRrd, recorded("etc-pve_dot-rrd")],
  ["a line of active", (text) => parseTaskLine(text, "active"), recorded("tasks_active").split("\n")[0] ?? ""],
  ["a line of index", (text) => parseTaskLine(text, "index"), recorded("tasks_index").split("\n")[0] ?? ""],
  ["zpool list -j", zpool.parseZpoolListJson, zpoolJson],
  ["zpool list", zpool.parseZpoolListTabs, "tank\t1\t2\t3\t4\tONLINE\n"],
  ["zpool status -j", zpool.parseZpoolStatusJson, zpoolJson],
  ["zpool status", zpool.parseZpoolStatusText, "  pool: tank\n\ttank ONLINE 0 0 0\n"],
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
      const read = parseMetricsLine(`{"${name}":${json}}`);
      assert.ok(!read.ok || read.changed.length + Object.keys(read.line).length === 1);
    }),
  );
});
