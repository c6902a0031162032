import assert from "node:assert/strict";
import { test } from "node:test";
import { entityKind } from "#protocol/ids.ts";
import { type Metric, metrics } from "#protocol/metrics.ts";
import type { SampleTable } from "../../agent/core/table.ts";
import type { Truth } from "../lab/model.ts";
import { startTestLab } from "../support/lab-client.ts";
import { differences, startLabCollector } from "../support/lab-collector.ts";

/** What the lab knows of the table's entities and the table does not have. Metrics without instances only: those can be listed. */
function missing(table: SampleTable, truth: Truth, at: number): string[] {
  const { entities, series } = table.schema();
  const values = table.values();
  const has = new Set(
    series.flatMap(({ entity, metric }, index) => (Number.isNaN(values[index]) ? [] : [`${entities[entity]?.key} ${metric}`])),
  );
  return entities.flatMap(({ key }) =>
    (metrics as readonly Metric[])
      .filter((row) => row.entity === entityKind(key) && row.instance === undefined)
      .filter((row) => truth(key, row.name, undefined, at) !== undefined && !has.has(`${key} ${row.id}`))
      .map((row) => `${key} ${row.name}`),
  );
}

/** Read in the tick itself. */
const fast = new Set(["proc", "pve-metrics", "pmxcfs", "balloon", "host", "cgroup", "ha"]);
/** Read beside it, and true of the moment when that began. What PBS counts of backups, and certificates, has its own test. */
const slow = new Set(["zpool", "lvs", "statfs", "hwmon", "smartctl", "ceph", "apt", "replication"]);

test("every value collected from the lab's three nodes equals what the lab set, and none is missing", async (context) => {
  const { lab, clock } = await startTestLab(context);
  lab.world.ceph = { health: "HEALTH_WARN", osds: 9, up: 8, in: 9, total: 90e12, used: 31e12 };
  lab.writeAll();
  const guests = new Set<string>();
  const kinds = new Set<string>();
  for (const node of lab.world.nodes.keys()) {
    const agent = startLabCollector(context, lab, clock, node);
    const started = clock.now();
    await agent.tickUntil((values) => `node/${node} updates` in values && "cluster ceph_osds" in values);
    assert.deepEqual(
      differences(agent.table, lab.truth, started, (source) => slow.has(source)),
      [],
    );
    await agent.pass(1);
    assert.deepEqual(
      differences(agent.table, lab.truth, clock.now(), (source) => fast.has(source)),
      [],
    );
    // A dead agent holds the others up for three seconds, so they come one tick after the other.
    await agent.pass(8);
    assert.deepEqual(
      differences(agent.table, lab.truth, clock.now(), (source) => source === "agent"),
      [],
    );
    assert.deepEqual(missing(agent.table, lab.truth, clock.now()), []);
    for (const { key } of agent.table.schema().entities) {
      kinds.add(entityKind(key));
      if (key.startsWith("guest/")) guests.add(key);
    }
    const identity = await agent.collector.identify();
    assert.deepEqual([identity?.node, identity?.clusterName], [node, lab.world.spec.name]);
    const { inventory } = await agent.collector.inventory(clock.now());
    assert.equal(inventory.cluster.members.length, 3);
    assert.ok(inventory.guests.every(({ configured }) => configured));
    assert.deepEqual(agent.logs, []);
  }
  assert.equal(guests.size, 40);
  assert.deepEqual([...kinds].sort(), ["cluster", "datastore", "disk", "guest", "node", "storage", "thinpool", "zpool"]);
  assert.deepEqual(lab.misuses, []);
});

test("the inventory says which storages a guest lies on and what snapshots it has", async (context) => {
  const { lab, clock } = await startTestLab(context);
  const agent = startLabCollector(context, lab, clock, "pve2");
  await agent.pass(1);
  const { guests } = (await agent.collector.inventory(clock.now())).inventory;
  const of = (wanted: number) => guests.find(({ vmid }) => vmid === wanted);
  assert.deepEqual(of(101)?.storages, ["local-lvm", "local-zfs"]);
  assert.deepEqual(of(101)?.snapshots, [{ name: "as-installed", at: lab.world.guest(101)?.life.createdAt }]);
  const specs = new Map(lab.world.spec.guests.map(({ vmid, drives }) => [vmid, drives.map(({ storage }) => storage)]));
  for (const { vmid, storages, snapshots } of guests) {
    assert.deepEqual(storages, [...new Set(specs.get(vmid))]);
    assert.equal(snapshots?.length, vmid === 101 ? 1 : 0);
  }
});
