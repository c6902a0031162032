import assert from "node:assert/strict";
import { after, test } from "node:test";
import { PackedValues } from "../../../hub/core/packed-values.ts";
import { agentOf, cluster, day0, guest, ms, schemaOf, TestAgent, TestStore, temporaryDir } from "../../support/series-store.ts";

const { dir, remove } = temporaryDir();
after(remove);
let stores = 0;
const newStore = () => new TestStore(`${dir}/${++stores}`);

const vm100 = { key: guest(100), identity: ["uuid:a"] };
const cpuAndNet = schemaOf([
  { entity: vm100, metric: "cpu" },
  { entity: vm100, metric: "net_in" },
]);
const hour = 3_600_000;

/** Two hours of frames from day0: cpu = frame number / 10000, net_in grows by 1000 bytes a frame. */
async function twoHours(store: TestStore, agent: TestAgent): Promise<void> {
  void agent.declare(cpuAndNet);
  for (let i = 0; i < 720; i++) void agent.frame(day0 + i * 10_000, [i, i * 1000]);
  store.clock = day0 + 2 * hour;
  await store.commit();
}

test("raw samples read back as sent, before and after they were compacted", async () => {
  const store = newStore();
  await twoHours(store, new TestAgent(store, agentOf("pve1")));
  const range = { from: ms(day0), to: ms(day0 + 2 * hour), stepMs: undefined, aggregates: ["avg"] as const };
  const read = () => store.hub.reader.read([store.find(guest(100), "cpu")], range).series[0];
  const before = read();
  assert.equal(before?.at.length, 720);
  assert.equal(before?.columns.avg?.[719], 0.0719);
  await store.settle();
  assert.deepEqual(read(), before);
  assert.ok((await store.hub.size()).blocks.count >= 1);
  await store.reopen();
  assert.deepEqual(read(), before);
  await store.hub.close();
});

test("of many hours pushed at once the one that goes on stays in memory until it is over: its block is written once", async () => {
  const store = newStore();
  const agent = new TestAgent(store, agentOf("pve1"));
  const pushed = 10 * 360 + 90;
  store.clock = day0 + pushed * 10_000;
  void agent.declare(cpuAndNet);
  for (let i = 0; i < pushed; i++) {
    void agent.frame(day0 + i * 10_000, [i, i * 1000]);
    if (i % 360 === 359) await store.commit();
  }
  await store.commit();
  await store.settle();
  const { headRows, blocks } = await store.hub.size();
  // Hours begin at another minute for each agent.
  assert.ok(headRows > 0 && headRows <= 360, `${headRows} rows in memory`);
  assert.equal(blocks.count, Math.ceil((pushed - headRows) / 360));
  await store.hub.close();
});

test("rows whose records are not on the disk yet stay out of blocks, so that no start finds a row in both", async () => {
  const store = newStore();
  const agent = new TestAgent(store, agentOf("pve1"));
  const frames = (from: number, to: number) => {
    for (let i = from; i < to; i++) void agent.frame(day0 + i * 10_000, [i, i * 1000]);
  };
  void agent.declare(cpuAndNet);
  frames(0, 710);
  await store.commit();
  frames(710, 730);
  store.clock = day0 + 3 * hour;
  await store.settle();
  assert.equal((await store.hub.size()).headRows, 20);
  await store.commit();
  await store.crash();
  const { headRows, blocks } = await store.hub.size();
  assert.deepEqual([headRows, blocks.count > 0], [20, true]);
  const range = { from: ms(day0), to: ms(day0 + 3 * hour), stepMs: undefined, aggregates: ["avg"] as const };
  assert.equal(store.hub.reader.read([store.find(guest(100), "cpu")], range).series[0]?.at.length, 730);
  await store.hub.close();
});

test("after a crash a guest that moved has the rows of both nodes, whichever is asked for first", async () => {
  const store = newStore();
  const [first, second] = [new TestAgent(store, agentOf("pve1")), new TestAgent(store, agentOf("pve2"), "1".repeat(32))];
  const vm101 = { key: guest(101), identity: ["uuid:b"] };
  void second.declare(schemaOf([{ entity: vm101, metric: "cpu" }]));
  for (let i = 0; i < 60; i++) void second.frame(day0 + i * 10_000, [i]);
  await twoHours(store, first);
  void second.declare(cpuAndNet);
  for (let i = 720; i < 730; i++) void second.frame(day0 + i * 10_000, [i, i * 1000]);
  await store.commit();
  await store.crash();
  const range = { from: ms(day0), to: ms(day0 + 3 * hour), stepMs: undefined, aggregates: ["last"] as const };
  const lengthOf = (vmid: number) => store.hub.reader.read([store.find(guest(vmid), "cpu")], range).series[0]?.at.length;
  assert.deepEqual([lengthOf(101), lengthOf(100)], [60, 730]);
  await store.hub.close();
});

test("after a crash a question has all rows before they are made small, and the same ones after", async () => {
  const store = newStore();
  await twoHours(store, new TestAgent(store, agentOf("pve1")));
  const { headBytes } = await store.hub.size();
  await store.crash();
  const range = { from: ms(day0), to: ms(day0 + 3 * hour), stepMs: undefined, aggregates: ["last"] as const };
  const read = () => store.hub.reader.read([store.find(guest(100), "cpu"), store.find(guest(100), "net_in")], range).series;
  const before = read();
  assert.equal(before[0]?.columns.last?.length, 720);
  assert.ok((await store.hub.size()).headBytes > headBytes);
  while (store.hub.warm());
  assert.equal((await store.hub.size()).headBytes, headBytes);
  assert.deepEqual(read(), before);
  await store.hub.close();
});

test("what comes late shows in a chart that was asked for before", async () => {
  const store = newStore();
  const agent = new TestAgent(store, agentOf("pve1"));
  await twoHours(store, agent);
  store.clock = day0 + 51 * hour;
  await store.settle();
  const range = { from: ms(day0), to: ms(day0 + 48 * hour), stepMs: hour, aggregates: ["max"] as const };
  const read = () => store.hub.reader.read([store.find(guest(100), "cpu")], range);
  const hours = () => [...(read().series[0]?.columns.max ?? [])].slice(1, 4).map((value) => Math.round(value * 100) / 100);
  assert.deepEqual([read().tier, hours()], ["rollup", [0.07, Number.NaN, Number.NaN]]);
  for (let i = 720; i < 1080; i++) void agent.frame(day0 + i * 10_000, [5000, 0]);
  await store.commit();
  store.clock = day0 + 54 * hour;
  await store.settle();
  assert.equal((await store.hub.size()).headRows, 0);
  assert.deepEqual(hours(), [0.07, 0.5, Number.NaN]);
  await store.reopen();
  assert.deepEqual(hours(), [0.07, 0.5, Number.NaN]);
  await store.hub.close();
});

test("a counter is read as its rate per second, a step as the increase over its time", async () => {
  const store = newStore();
  await twoHours(store, new TestAgent(store, agentOf("pve1")));
  const net = store.find(guest(100), "net_in");
  const { series } = store.hub.reader.read([net], {
    from: ms(day0),
    to: ms(day0 + hour),
    stepMs: 600_000,
    aggregates: ["avg", "min", "max", "rate", "last"],
  });
  assert.deepEqual(
    [...(series[0]?.at ?? [])],
    [0, 1, 2, 3, 4, 5].map((i) => day0 + i * 600_000),
  );
  for (const aggregate of ["avg", "min", "max", "rate", "last"] as const) {
    assert.deepEqual([...(series[0]?.columns[aggregate] ?? [])], [100, 100, 100, 100, 100, 100], aggregate);
  }
  await store.hub.close();
});

test("the live table has the newest value and rate before the frame is durable", async () => {
  const store = newStore();
  const agent = new TestAgent(store, agentOf("pve1"));
  const seen: number[] = [];
  store.hub.live.onFrame(({ at }) => seen.push(at));
  void agent.declare(cpuAndNet);
  void agent.frame(day0, [10, 5000]);
  void agent.frame(day0 + 10_000, [Number.NaN, 7000]);
  assert.deepEqual(seen, [day0, day0 + 10_000]);
  assert.deepEqual(store.hub.live.latest(store.find(guest(100), "net_in").id), { at: day0 + 10_000, value: 7000, rate: 200 });
  const cpu = store.hub.live.latest(store.find(guest(100), "cpu").id);
  assert.deepEqual(cpu, { at: day0, value: 0.001, rate: Number.NaN });
  assert.equal(store.hub.sink.lastSeq(agent.agent, agent.stream), 0);
  await store.hub.close();
});

test("raw samples read packed are those read plainly, from blocks and from memory, with a gap in one series", async () => {
  const store = newStore();
  const agent = new TestAgent(store, agentOf("pve1"));
  const entity = { key: guest(100), identity: ["uuid:a"] };
  void agent.declare(
    schemaOf([
      { entity, metric: "cpu" },
      { entity, metric: "mem_max" },
    ]),
  );
  const frames = (from: number, to: number) => {
    for (let i = from; i < to; i++) void agent.frame(day0 + i * 10_000, [i === 20 ? Number.NaN : (i * 7) % 300, 4096]);
  };
  frames(0, 400);
  await store.commit();
  await store.settle();
  frames(400, 420);
  await store.commit();
  const series = [store.find(guest(100), "cpu"), store.find(guest(100), "mem_max")];
  const range = { from: ms(day0 + 50_000), to: ms(day0 + 4_150_000), stepMs: undefined, aggregates: ["last"] as const };
  const packed = store.hub.reader.readPacked?.(series, range) ?? [];
  const floats = (column: Float64Array | PackedValues | undefined) =>
    column instanceof PackedValues ? [...column.toFloats()] : [...(column ?? [])];
  assert.deepEqual(
    packed.map(({ at, columns }) => [floats(at), floats(columns.last)]),
    store.hub.reader.read(series, range).series.map(({ at, columns }) => [[...at], [...(columns.last ?? [])]]),
  );
  assert.deepEqual(
    packed.map(({ at }) => at.length),
    [409, 410],
  );
  await store.hub.close();
});

test("the busiest guests are ranked over a window", async () => {
  const store = newStore();
  const guests = Array.from({ length: 30 }, (_, i) => ({ key: guest(100 + i), identity: [`uuid:${i}`] }));
  const agent = new TestAgent(store, agentOf("pve1"));
  void agent.declare(schemaOf(guests.map((entity) => ({ entity, metric: "cpu" as const }))));
  for (let i = 0; i < 400; i++)
    void agent.frame(
      day0 + i * 10_000,
      guests.map((_, g) => (g * 7) % 30),
    );
  await store.commit();
  await store.settle();
  const metric = store.find(guest(100), "cpu").metric;
  const top = store.hub.reader.top({ cluster, metric, from: ms(day0), to: ms(day0 + 4_000_000), count: 3 });
  assert.deepEqual(
    top.map(({ series, value }) => [series.entity, value]),
    [
      ["guest/117", 0.0029],
      ["guest/104", 0.0028],
      ["guest/121", 0.0027],
    ],
  );
  await store.hub.close();
});
