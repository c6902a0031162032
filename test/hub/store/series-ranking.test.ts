import assert from "node:assert/strict";
import { after, test } from "node:test";
import { metricByName } from "#protocol/metrics.ts";
import { agentOf, day0, guest, ms, schemaOf, TestAgent, TestStore, temporaryDir } from "../../support/series-store.ts";

const { dir, remove } = temporaryDir();
after(remove);

const cpu = metricByName("guest", "cpu");
assert.ok(cpu);
const hourMs = 3_600_000;
const cpuOf = (vmid: number) => ({ entity: { key: guest(vmid), identity: [`uuid:${vmid}`] }, metric: "cpu" as const });
const ranking = (store: TestStore, from: number, to: number) =>
  store.hub.reader
    .top({ cluster: undefined, metric: cpu, from: ms(from), to: ms(to), count: 3 })
    .map(({ series, value }) => [series.entity, value]);

async function fill(store: TestStore, agent: TestAgent, from: number, rows: number, values: readonly number[]): Promise<void> {
  for (let row = 0; row < rows; row++) {
    store.clock = Math.max(store.clock, from + row * 10_000);
    void agent.frame(from + row * 10_000, values);
  }
  await store.commit();
  await store.settle();
}

test("a ranking asked again is the same, and follows guests that come and go", async () => {
  const store = new TestStore(`${dir}/again`);
  const agent = new TestAgent(store, agentOf("pve1"));
  void agent.declare(schemaOf([cpuOf(100), cpuOf(101), cpuOf(102)]));
  await fill(store, agent, day0, 800, [1000, 3000, 2000]);
  const expected = [
    ["guest/101", 0.3],
    ["guest/102", 0.2],
    ["guest/100", 0.1],
  ];
  assert.deepEqual(ranking(store, day0, day0 + hourMs), expected);
  assert.deepEqual(ranking(store, day0, day0 + hourMs), expected);
  void agent.declare(schemaOf([cpuOf(100), cpuOf(102), cpuOf(103)]));
  void agent.frame(day0 + 8_000_000, [1000, 2000, 9000]);
  assert.deepEqual(ranking(store, day0, day0 + hourMs), [
    ["guest/102", 0.2],
    ["guest/100", 0.1],
  ]);
  await store.hub.close();
});

test("samples that come late into a ranked hour count in the next ranking", async () => {
  const store = new TestStore(`${dir}/late`);
  const [agent, late] = [new TestAgent(store, agentOf("pve1")), new TestAgent(store, agentOf("pve1"), "f".repeat(32))];
  void agent.declare(schemaOf([cpuOf(100)]));
  await fill(store, agent, day0, 720, [1000]);
  assert.deepEqual(ranking(store, day0 - hourMs, day0 + hourMs), [["guest/100", 0.1]]);
  void late.declare(schemaOf([cpuOf(100)]));
  await fill(store, late, day0 - 360 * 10_000, 360, [3000]);
  store.clock += 2 * hourMs;
  await store.settle();
  assert.deepEqual(ranking(store, day0 - hourMs, day0 + hourMs), [["guest/100", 0.2]]);
  await store.hub.close();
});

test("averages of values that need all 53 bits are exact, from memory and from blocks", async () => {
  const store = new TestStore(`${dir}/wide`);
  const used = metricByName("guest", "mem_used");
  assert.ok(used);
  const agent = new TestAgent(store, agentOf("pve1"));
  void agent.declare(schemaOf([{ ...cpuOf(100), metric: "mem_used" }]));
  const top = () =>
    store.hub.reader.top({ cluster: undefined, metric: used, from: ms(day0), to: ms(day0 + hourMs), count: 1 })[0]?.value;
  for (let row = 0; row < 360; row++) void agent.frame(day0 + row * 10_000, [2 ** 40 + 1 + 2 * (row % 2)]);
  assert.equal(top(), 2 ** 40 + 2);
  store.clock = day0 + 3 * hourMs;
  await store.commit();
  await store.settle();
  assert.equal(top(), 2 ** 40 + 2);
  assert.equal(top(), 2 ** 40 + 2);
  await store.hub.close();
});

test("while a compaction is under way, its rows count once: in rankings of gauges and of counters", async () => {
  const store = new TestStore(`${dir}/under-way`);
  const netIn = metricByName("guest", "net_in");
  assert.ok(netIn);
  const agent = new TestAgent(store, agentOf("pve1"));
  void agent.declare(schemaOf([cpuOf(100), { ...cpuOf(100), metric: "net_in" }]));
  // The first hour is to become a block, the second stays in memory: what counts twice pulls the average down.
  for (let row = 0; row < 720; row++) {
    store.clock = day0 + row * 10_000;
    void agent.frame(day0 + row * 10_000, [row < 360 ? 1000 : 3000, row < 360 ? row * 1000 : 360_000 + (row - 360) * 3000]);
  }
  await store.commit();
  const averages = () =>
    [cpu, netIn].map(
      (metric) =>
        store.hub.reader.top({ cluster: undefined, metric, from: ms(day0), to: ms(day0 + 2 * hourMs), count: 1 })[0]?.value,
    );
  const before = averages();
  assert.equal(before[0], 0.2);
  const seen: unknown[] = [];
  for (let due = true; due; ) {
    ({ due } = await store.hub.maintain(ms(store.clock)));
    seen.push(averages());
  }
  assert.ok(seen.length > 2, "more than one step");
  for (const values of seen) assert.deepEqual(values, before);
  await store.hub.close();
});

test("rates of a window are the increase over its time, over blocks and memory, resets and gaps left out", async () => {
  const store = new TestStore(`${dir}/rates`);
  const netIn = metricByName("guest", "net_in");
  assert.ok(netIn);
  const agent = new TestAgent(store, agentOf("pve1"));
  const series = [100, 101, 102, 103].map((vmid) => ({ ...cpuOf(vmid), metric: "net_in" as const }));
  void agent.declare(schemaOf(series));
  for (let row = 0; row < 900; row++) {
    store.clock = day0 + row * 10_000;
    // Steady; reset at row 500; absent from row 200 to row 299; beyond 32 bits.
    const values = [
      row * 50,
      row < 500 ? row * 70 : (row - 500) * 70,
      row >= 200 && row < 300 ? Number.NaN : row * 90,
      2 ** 41 + row * 2 ** 34,
    ];
    void agent.frame(store.clock, values);
  }
  await store.commit();
  const top = (from: number, to: number) => {
    const asked = { cluster: undefined, metric: netIn, from: ms(from), to: ms(to), count: 4 };
    return new Map(store.hub.reader.top(asked).map(({ series: { entity }, value }) => [entity, value]));
  };
  /** The one interval in which the second was reset has no increase: n − 1 of n intervals do. */
  const windows = [
    { from: day0, to: day0 + 9_000_000, reset: (7 * 898) / 899 },
    { from: day0 + 1_234_000, to: day0 + 8_765_000, reset: (7 * 752) / 753 },
    { from: day0 + 4_000_000, to: day0 + 6_000_000, reset: (7 * 199) / 200 },
    { from: day0 + 8_900_000, to: day0 + 9_000_000, reset: 7 },
  ];
  const check = () => {
    for (const { from, to, reset } of windows) {
      const values = top(from, to);
      assert.equal(values.get(guest(100)), 5);
      assert.ok(Math.abs((values.get(guest(101)) ?? 0) - reset) < 1e-9);
      assert.equal(values.get(guest(102)), 9);
      assert.equal(values.get(guest(103)), 2 ** 34 / 10);
    }
  };
  check();
  await store.settle();
  check();
  await store.hub.close();
});
