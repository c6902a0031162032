import assert from "node:assert/strict";
import { test } from "node:test";
import type { EntityKey } from "#protocol/ids.ts";
import { NumberRows } from "../../../agent/core/number-rows.ts";
import { SampleTable } from "../../../agent/core/table.ts";

const guest = (vmid: number) => `guest/${vmid}` as EntityKey;
const cpu = 42;
const nicIn = 69;

test("a value stands in its tick alone, then it is absent", () => {
  const table = new SampleTable();
  table.begin();
  table.put(table.entity(guest(100)), cpu, "pve-metrics", 0.5);
  assert.deepEqual([...table.values()], [5000]);
  table.begin();
  assert.deepEqual([...table.values()], [Number.NaN]);
});

test("the same metric of two NICs and two guests are four series", () => {
  const table = new SampleTable();
  table.begin();
  for (const vmid of [100, 101]) {
    for (const nic of ["net0", "net1"]) table.put(table.entity(guest(vmid)), nicIn, "pve-metrics", vmid, nic);
  }
  assert.deepEqual([...table.values()], [100, 100, 101, 101]);
  assert.deepEqual(
    table.schema().series.map(({ entity, instance }) => [entity, instance]),
    [
      [0, "net0"],
      [0, "net1"],
      [1, "net0"],
      [1, "net1"],
    ],
  );
});

test("columns of a row stand as if they were put one by one, and what a row does not have is absent", () => {
  const rows = new NumberRows(3);
  rows.add("unused");
  const row = rows.add("net0");
  rows.take(row, ["out", "in", "cpu"], { out: 7, in: 5 });
  const table = new SampleTable();
  const tick = () => {
    table.begin();
    const entity = table.entity(guest(100));
    table.putRow(entity, { metrics: [nicIn, cpu], columns: [1, 2] }, "pve-metrics", rows, row, "net0");
    table.put(entity, nicIn, "pve-metrics", 9, "net1");
  };
  tick();
  assert.deepEqual([...table.values()], [5, 9]);
  const { schemaVersion } = table;
  rows.set(row, 1, 6);
  tick();
  assert.deepEqual([...table.values()], [6, 9]);
  assert.equal(table.schemaVersion, schemaVersion);
  assert.deepEqual(
    table.schema().series.map(({ metric, instance }) => [metric, instance]),
    [
      [nicIn, "net0"],
      [nicIn, "net1"],
    ],
  );
});

test("the schema changes with a new identity and with a new source, and only then", () => {
  const table = new SampleTable();
  const tick = (identity: string[], source: string) => {
    table.begin();
    table.put(table.entity(guest(100), identity), cpu, source, 1);
    return table.schemaVersion;
  };
  const first = tick(["uuid:a"], "pve-metrics");
  assert.equal(tick(["uuid:a"], "pve-metrics"), first);
  assert.equal(tick(["uuid:b"], "pve-metrics"), first + 1);
  assert.equal(tick(["uuid:b"], "rrd"), first + 2);
  assert.deepEqual(table.schema().entities, [{ key: guest(100), identity: ["uuid:b"] }]);
});

test("a guest that nobody named for long is forgotten, and the others keep their values", () => {
  const table = new SampleTable(60);
  table.begin();
  table.put(table.entity(guest(100)), nicIn, "pve-metrics", 1, "net0");
  for (let tick = 0; tick < 180; tick++) {
    table.begin();
    table.put(table.entity(guest(101)), nicIn, "pve-metrics", 7, "net0");
  }
  assert.deepEqual(
    table.schema().entities.map(({ key }) => key),
    [guest(101)],
  );
  assert.deepEqual([...table.values()], [7]);
});

test("hundreds of series keep their places, whatever the order in which a tick brings them", () => {
  const table = new SampleTable();
  const pairs = Array.from({ length: 600 }, (_, index) => ({ vmid: 100 + (index % 7), nic: `net${Math.floor(index / 7)}` }));
  const fill = (order: typeof pairs) => {
    table.begin();
    for (const { vmid, nic } of order) {
      table.put(table.entity(guest(vmid)), nicIn, "pve-metrics", vmid * 1000 + Number(nic.slice(3)), nic);
    }
    return [...table.values()];
  };
  const first = fill(pairs);
  const { schemaVersion } = table;
  assert.equal(first.length, 600);
  assert.deepEqual(fill(pairs.toReversed()), first);
  assert.equal(table.schemaVersion, schemaVersion);
});
