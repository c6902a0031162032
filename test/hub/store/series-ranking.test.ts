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
