import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClusterId, EntityKey, EpochMs } from "#protocol/ids.ts";
import { metrics } from "#protocol/metrics.ts";
import { Exposition } from "../../../hub/core/exposition.ts";
import { factRows } from "../../../hub/core/prometheus-facts.ts";
import { expressionsOf } from "../../../hub/core/prometheus-names.ts";
import { clusterNames, entitiesOf, seriesRows } from "../../../hub/core/prometheus-series.ts";
import { FakeSeries } from "../../support/fake-series.ts";
import { agentOf, cluster, type PictureSetup, testPicture } from "../../support/test-cluster.ts";

const now = Date.UTC(2026, 0, 5, 12) as EpochMs;

function linesOf(series: FakeSeries, setups: Omit<PictureSetup, "at">[], at = now): string[] {
  const sight = { reader: series.reader, live: series.live, now: at };
  const exposition = new Exposition();
  for (const names of clusterNames(
    setups.map((setup) => testPicture({ at: now, ...setup })),
    at,
  )) {
    exposition.addAll(factRows(sight, names));
    for (const { entity, node } of entitiesOf(names.picture, at)) exposition.addAll(seriesRows(sight, names, entity, node));
  }
  return [...exposition.write()].join("").split("\n");
}
const about = (lines: string[], name: string) =>
  lines.filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));

const guest = { vmid: 100, name: "web01", tags: ["prod", "web"], onboot: true, lock: "backup" };
const pve1 = agentOf("pve1");

test("exposition: a guest's figures bear the exporter's names and id", () => {
  const series = new FakeSeries();
  const put = (metric: string, value: number) => series.put(pve1, "guest/100" as EntityKey, metric, now - 5000, value);
  put("status", 1);
  put("cpu", 0.25);
  put("mem_used", 1_073_741_824);
  put("net_in", 5_000_000_000);
  const lines = linesOf(series, [{ nodes: { pve1: [guest] } }]);
  assert.deepEqual(about(lines, "pve_up"), ['pve_up{id="node/pve1"} 1', 'pve_up{id="qemu/100"} 1']);
  assert.deepEqual(about(lines, "pve_cpu_usage_ratio"), ['pve_cpu_usage_ratio{id="qemu/100"} 0.25']);
  assert.deepEqual(about(lines, "pve_memory_usage_bytes"), ['pve_memory_usage_bytes{id="qemu/100"} 1073741824']);
  assert.deepEqual(about(lines, "pve_network_receive_bytes"), ['pve_network_receive_bytes{id="qemu/100"} 5000000000']);
  assert.deepEqual(about(lines, "pve_network_receive_bytes_total"), [
    'pve_network_receive_bytes_total{id="qemu/100"} 5000000000',
  ]);
  assert.deepEqual(about(lines, "pve_guest_info"), [
    'pve_guest_info{id="qemu/100",node="pve1",name="web01",type="qemu",template="0",tags="prod;web"} 1',
  ]);
  assert.deepEqual(about(lines, "pve_onboot_status"), ['pve_onboot_status{id="qemu/100",node="pve1",type="qemu"} 1']);
  assert.deepEqual(about(lines, "pve_lock_state").slice(0, 2), [
    'pve_lock_state{id="qemu/100",state="backup"} 1',
    'pve_lock_state{id="qemu/100",state="clone"} 0',
  ]);
  assert.ok(lines.includes("# TYPE pve_network_receive_bytes gauge"));
  assert.ok(lines.includes("# TYPE pve_network_receive_bytes_total counter"));
});

test("exposition: what is stale or unknown is left out, never written as 0", () => {
  const series = new FakeSeries();
  series.put(pve1, "guest/100" as EntityKey, "status", now - 60_000, 1);
  series.put(pve1, "guest/100" as EntityKey, "cpu", now - 60_000, 0.5);
  const lines = linesOf(series, [{ nodes: { pve1: [guest, { vmid: 101, type: "lxc" }] } }]);
  assert.deepEqual(about(lines, "pve_up"), ['pve_up{id="node/pve1"} 1']);
  assert.deepEqual(about(lines, "pve_cpu_usage_ratio"), []);
  assert.ok(lines.includes('pve_guest_info{id="lxc/101",node="pve1",name="CT101",type="lxc",template="0",tags=""} 1'));
});

test("exposition: a paused or stopped guest is down, as in the exporter", () => {
  const series = new FakeSeries();
  series.put(pve1, "guest/100" as EntityKey, "status", now, 2);
  series.put(pve1, "guest/101" as EntityKey, "status", now, 0);
  const lines = linesOf(series, [{ nodes: { pve1: [guest, { vmid: 101 }] } }]);
  assert.deepEqual(about(lines, "pve_up").slice(1), ['pve_up{id="qemu/100"} 0', 'pve_up{id="qemu/101"} 0']);
});

test("exposition: a guest whose configuration could not be read has no invented facts", () => {
  const lines = linesOf(new FakeSeries(), [{ nodes: { pve1: [{ vmid: 100, configured: false }] } }]);
  assert.deepEqual(about(lines, "pve_guest_info"), [
    'pve_guest_info{id="qemu/100",node="pve1",name="VM 100",type="qemu",template="",tags=""} 1',
  ]);
  assert.deepEqual(about(lines, "pve_onboot_status"), []);
  assert.deepEqual(about(lines, "pve_lock_state"), []);
});

test("exposition: the facts of a node that fell silent go, its guests' identity stays", () => {
  const lines = linesOf(new FakeSeries(), [{ nodes: { pve1: [guest] } }], (now + 60_000) as EpochMs);
  assert.deepEqual(about(lines, "pve_up"), []);
  assert.deepEqual(about(lines, "pve_lock_state"), []);
  assert.equal(about(lines, "pve_guest_info").length, 1);
});

test("exposition: a shared storage stands once for each of its nodes, and is only called up where that is known", () => {
  const storages = [
    { storage: "nfs1", type: "nfs", shared: true, content: ["images", "backup"], nodes: ["pve1", "pve2"] },
    { storage: "local", type: "dir", content: ["iso"], nodes: ["pve3"] },
  ];
  const series = new FakeSeries();
  series.put(pve1, "storage/nfs1" as EntityKey, "active", now, 1);
  series.put(pve1, "storage/nfs1" as EntityKey, "used", now, 400);
  series.put(agentOf("pve3"), "storage/pve3/local" as EntityKey, "active", now, 1);
  const lines = linesOf(series, [{ name: "prod", nodes: { pve1: [], pve2: [], pve3: [] }, storages }]);
  assert.deepEqual(about(lines, "pve_storage_info"), [
    'pve_storage_info{id="storage/pve1/nfs1",node="pve1",storage="nfs1",plugintype="nfs",content="backup,images"} 1',
    'pve_storage_info{id="storage/pve2/nfs1",node="pve2",storage="nfs1",plugintype="nfs",content="backup,images"} 1',
    'pve_storage_info{id="storage/pve3/local",node="pve3",storage="local",plugintype="dir",content="iso"} 1',
  ]);
  assert.deepEqual(about(lines, "pve_disk_usage_bytes"), [
    'pve_disk_usage_bytes{id="storage/pve1/nfs1"} 400',
    'pve_disk_usage_bytes{id="storage/pve2/nfs1"} 400',
  ]);
  assert.deepEqual(about(lines, "pve_storage_shared"), [
    'pve_storage_shared{id="storage/pve1/nfs1"} 1',
    'pve_storage_shared{id="storage/pve2/nfs1"} 1',
    'pve_storage_shared{id="storage/pve3/local"} 0',
  ]);
  const up = about(lines, "pve_up").filter((line) => line.includes("storage/"));
  assert.deepEqual(up, ['pve_up{id="storage/pve3/local"} 1']);
  assert.deepEqual(about(lines, "proven_storage_active"), [
    'proven_storage_active{id="storage/nfs1"} 1',
    'proven_storage_active{id="storage/pve3/local"} 1',
  ]);
});

test("exposition: cluster, nodes and version as the exporter writes them", () => {
  const lines = linesOf(new FakeSeries(), [{ name: "prod", nodes: { pve1: [], pve2: [] } }]);
  assert.deepEqual(about(lines, "pve_cluster_info"), ['pve_cluster_info{id="cluster/prod",nodes="2",quorate="1"} 1']);
  assert.deepEqual(about(lines, "pve_node_info"), [
    'pve_node_info{id="node/pve1",level="",name="pve1",nodeid="1"} 1',
    'pve_node_info{id="node/pve2",level="",name="pve2",nodeid="2"} 1',
  ]);
  assert.deepEqual(about(lines, "pve_version_info"), [
    'pve_version_info{release="9.2",repoid="14a22df35955d97d",version="9.2.11"} 1',
  ]);
  assert.ok(about(lines, "pve_up").includes('pve_up{id="cluster/prod"} 1'));
});

test("exposition: several clusters are told apart by a label, one has none", () => {
  const other = "fedcba9876543210" as ClusterId;
  const lines = linesOf(new FakeSeries(), [
    { name: "prod", nodes: { pve1: [] } },
    { name: "lab", cluster: other, nodes: { pve1: [] } },
  ]);
  const ups = about(lines, "pve_up").filter((line) => line.includes("node/"));
  assert.deepEqual(ups, ['pve_up{id="node/pve1",cluster="prod"} 1', 'pve_up{id="node/pve1",cluster="lab"} 1']);
  const twins = linesOf(new FakeSeries(), [
    { name: "prod", nodes: { pve1: [] } },
    { name: "prod", cluster: other, nodes: { pve1: [] } },
  ]);
  assert.ok(twins.includes(`pve_up{id="node/pve1",cluster="${cluster}"} 1`));
});

test("exposition: of a guest whose own agent tells its memory both figures are there, its own and what makes it Proxmox VE's", () => {
  const series = new FakeSeries();
  const put = (metric: string, value: number) =>
    series.put(pve1, "guest/100" as EntityKey, metric, now - 5000, value, { source: "agent" });
  put("mem_used", 1_073_741_824);
  put("mem_reclaimable", 536_870_912);
  const lines = linesOf(series, [{ nodes: { pve1: [guest] } }]);
  assert.deepEqual(about(lines, "pve_memory_usage_bytes"), ['pve_memory_usage_bytes{id="qemu/100"} 1073741824']);
  assert.deepEqual(about(lines, "proven_guest_mem_reclaimable_bytes"), [
    'proven_guest_mem_reclaimable_bytes{id="qemu/100"} 536870912',
  ]);
  assert.deepEqual(about(lines, "proven_guest_memory_source_info"), [
    'proven_guest_memory_source_info{id="qemu/100",source="agent"} 1',
  ]);
});

test("exposition: of two sources of a metric the newest sample is written, once", () => {
  const series = new FakeSeries();
  series.put(pve1, "guest/100" as EntityKey, "mem_used", now - 20_000, 7, { source: "host" });
  series.put(pve1, "guest/100" as EntityKey, "mem_used", now - 10_000, 5, { source: "balloon" });
  const lines = linesOf(series, [{ nodes: { pve1: [guest] } }]);
  assert.deepEqual(about(lines, "pve_memory_usage_bytes"), ['pve_memory_usage_bytes{id="qemu/100"} 5']);
  assert.deepEqual(about(lines, "proven_guest_memory_source_info"), [
    'proven_guest_memory_source_info{id="qemu/100",source="balloon"} 1',
  ]);
});

test("exposition: units become base units and instances labels", () => {
  const series = new FakeSeries();
  series.put(pve1, "node/pve1" as EntityKey, "psi_io_some", now, 12.34);
  series.put(pve1, "node/pve1" as EntityKey, "disk_read_ms", now, 1500, { instance: "sda" });
  series.put(pve1, "guest/100" as EntityKey, "drive_read_ns", now, 2_500_000_000, { instance: "scsi0" });
  series.put(pve1, "zpool/pve1/tank" as EntityKey, "fragmentation", now, 0.17);
  const lines = linesOf(series, [{ nodes: { pve1: [guest] }, zpools: ["tank"] }]);
  assert.ok(lines.includes('proven_node_psi_io_some_ratio{id="node/pve1"} 0.1234'));
  assert.ok(lines.includes('proven_node_disk_read_seconds_total{id="node/pve1",disk="sda"} 1.5'));
  assert.ok(lines.includes('proven_guest_drive_read_seconds_total{id="qemu/100",drive="scsi0"} 2.5'));
  assert.ok(lines.includes('proven_zpool_fragmentation_ratio{id="zpool/pve1/tank"} 0.17'));
});

test("exposition: HA states as the exporter writes them, and none where HA was never used", () => {
  const ha = { nodes: [{ node: "pve1", state: "maintenance" }] };
  const lines = linesOf(new FakeSeries(), [{ name: "prod", ha, nodes: { pve1: [{ vmid: 100, ha: "started" }, { vmid: 101 }] } }]);
  assert.deepEqual(
    about(lines, "pve_ha_state").filter((line) => line.endsWith(" 1")),
    ['pve_ha_state{id="node/pve1",state="maintenance"} 1', 'pve_ha_state{id="qemu/100",state="started"} 1'],
  );
  assert.equal(about(lines, "pve_ha_state").length, 5 + 11 + 11);
  assert.deepEqual(about(linesOf(new FakeSeries(), [{ nodes: { pve1: [guest] } }]), "pve_ha_state"), []);
});

test("exposition: replication jobs as the exporter writes them", () => {
  const series = new FakeSeries();
  const put = (metric: string, value: number) =>
    series.put(pve1, "guest/100" as EntityKey, metric, now, value, { instance: "100-0" });
  put("replication_age", 600);
  put("replication_fails", 2);
  const replication = [{ id: "100-0", vmid: 100, target: "pve2", enabled: true }];
  const lines = linesOf(series, [{ name: "prod", nodes: { pve1: [guest], pve2: [] }, replication }]);
  assert.deepEqual(about(lines, "pve_replication_info"), [
    'pve_replication_info{id="100-0",type="local",source="node/pve1",target="node/pve2",guest="qemu/100"} 1',
  ]);
  assert.deepEqual(about(lines, "pve_replication_failed_syncs"), ['pve_replication_failed_syncs{id="100-0"} 2']);
  assert.deepEqual(about(lines, "pve_replication_last_sync_timestamp_seconds"), [
    `pve_replication_last_sync_timestamp_seconds{id="100-0"} ${Date.UTC(2026, 0, 5, 11, 50) / 1000}`,
  ]);
  assert.deepEqual(about(lines, "pve_replication_duration_seconds"), []);
});

test("exposition: parts of a node are there under their own ids", () => {
  const series = new FakeSeries();
  series.put(pve1, "thinpool/pve1/pve/data" as EntityKey, "metadata", now, 0.5);
  const lines = linesOf(series, [{ nodes: { pve1: [] }, thinpools: [{ vg: "pve", lv: "data" }] }]);
  assert.deepEqual(about(lines, "proven_thinpool_metadata_ratio"), [
    'proven_thinpool_metadata_ratio{id="thinpool/pve1/pve/data"} 0.5',
  ]);
});

test("exposition: labels and help are escaped, HELP and TYPE come once, a row comes once", () => {
  const exposition = new Exposition();
  const family = { name: "x", type: "gauge", help: 'back\\slash, "quote" and\nline' } as const;
  exposition.add({ family, labels: [["name", 'a\\b"c\nd']], value: 1 });
  exposition.add({ family, labels: [["name", 'a\\b"c\nd']], value: 2 });
  exposition.add({ family, labels: [], value: Number.POSITIVE_INFINITY });
  assert.equal(
    [...exposition.write()].join(""),
    '# HELP x back\\\\slash, "quote" and\\nline\n# TYPE x gauge\nx{name="a\\\\b\\"c\\nd"} 1\nx +Inf\n',
  );
});

test("names: every metric of the catalogue has a valid family of its own per entity, and one name one type and help", () => {
  const seen = new Map<string, string>();
  const taken = new Set<string>();
  for (const metric of metrics) {
    for (const { family } of expressionsOf(metric)) {
      assert.match(family.name, /^(pve|proven)_[a-z0-9_]+$/);
      assert.ok(!taken.has(`${metric.entity} ${family.name}`), `${family.name} twice for ${metric.entity}`);
      taken.add(`${metric.entity} ${family.name}`);
      assert.equal(seen.get(family.name) ?? `${family.type} ${family.help}`, `${family.type} ${family.help}`);
      seen.set(family.name, `${family.type} ${family.help}`);
      assert.equal(family.type === "counter", family.name.endsWith("_total"));
    }
  }
});
