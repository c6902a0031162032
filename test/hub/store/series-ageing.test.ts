import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { EntityKey } from "#protocol/ids.ts";
import { agentOf, cluster, day0, guest, ms, schemaOf, TestAgent, TestStore, temporaryDir } from "../../support/series-store.ts";

const { dir, remove } = temporaryDir();
after(remove);

const day = 86_400_000;
const cpuOf = (vmid: number, identity = `uuid:${vmid}`) => ({
  entity: { key: guest(vmid), identity: [identity] },
  metric: "cpu" as const,
});
const timesOf = (store: TestStore, from: number, to: number, entity: EntityKey = guest(100)) =>
  store.hub.reader.read([store.find(entity, "cpu")], { from: ms(from), to: ms(to), stepMs: undefined, aggregates: ["avg"] })
    .series[0];

/** A frame every ten minutes. */
async function days(store: TestStore, agent: TestAgent, from: number, count: number): Promise<void> {
  for (let at = from; at < from + count * day; at += 600_000) {
    store.clock = Math.max(store.clock, at);
    void agent.frame(at, [Math.floor((at - day0) / 600_000) % 50]);
    if (at % 3_600_000 === 0) {
      await store.commit();
      await store.settle();
    }
  }
}

test("samples older than the raw retention go, their quarter hours stay, and those go after theirs", async () => {
  const store = new TestStore(`${dir}/retention`, { rawMs: 3 * day, rollupMs: 8 * day });
  const agent = new TestAgent(store, agentOf("pve1"));
  void agent.declare(schemaOf([cpuOf(100)]));
  await days(store, agent, day0, 12);
  const { blocks, rollups } = await store.hub.size();
  assert.ok(blocks.count <= 3 * 24 + 4, `${blocks.count} blocks`);
  assert.ok(rollups.count >= 7 && rollups.count <= 9, `${rollups.count} rollups`);
  const old = timesOf(store, day0 + 5 * day, day0 + 6 * day);
  assert.equal(old?.at.length, 96);
  assert.ok(old?.columns.avg?.every((value) => !Number.isNaN(value)));
  assert.ok(timesOf(store, day0, day0 + day)?.columns.avg?.every(Number.isNaN));
  await store.hub.close();
});

test("while the clock is not believed, no sample and no quarter hour goes, however old it calls them", async () => {
  const store = new TestStore(`${dir}/leap`, { rawMs: 3 * day, rollupMs: 8 * day });
  const agent = new TestAgent(store, agentOf("pve1"));
  void agent.declare(schemaOf([cpuOf(100)]));
  await days(store, agent, day0, 3);
  const before = await store.hub.size();
  const [leapt, kept] = [ms(store.clock + 3650 * day), ms(store.clock)];
  while ((await store.hub.maintain(leapt, kept)).due);
  const held = await store.hub.size();
  assert.ok(held.blocks.count >= before.blocks.count && held.rollups.count >= before.rollups.count);
  while ((await store.hub.maintain(leapt)).due);
  assert.deepEqual([(await store.hub.size()).blocks.count, (await store.hub.size()).rollups.count], [0, 0]);
  await store.hub.close();
});

test("a ranking does not remember samples that have aged out", async () => {
  const store = new TestStore(`${dir}/ranked`, { rawMs: 2 * day, rollupMs: 8 * day });
  const agent = new TestAgent(store, agentOf("pve1"));
  void agent.declare(schemaOf([cpuOf(100)]));
  await days(store, agent, day0, 1);
  const { metric } = store.find(guest(100), "cpu");
  const rankedOfFirstDay = () =>
    store.hub.reader
      .top({ cluster, metric, from: ms(day0), to: ms(day0 + day / 2), count: 3 })
      .map(({ series }) => series.entity);
  assert.deepEqual(rankedOfFirstDay(), ["guest/100"]);
  await days(store, agent, day0 + day, 4);
  assert.deepEqual(rankedOfFirstDay(), []);
  await store.hub.close();
});

test("history pushed in one go is rolled up, although it is older than samples are kept", async () => {
  const store = new TestStore(`${dir}/seeded`, { rawMs: 3 * day, rollupMs: 400 * day });
  store.clock = day0 + 30 * day;
  const live = new TestAgent(store, agentOf("pve1"));
  void live.declare(schemaOf([cpuOf(100)]));
  void live.frame(store.clock, [1]);
  const seeding = new TestAgent(store, agentOf("pve1"), "f".repeat(32));
  void seeding.declare(schemaOf([cpuOf(100)]));
  const sent: Promise<number>[] = [];
  for (let at = day0; at < day0 + 30 * day; at += 1_800_000) sent.push(seeding.frame(at, [((at - day0) / 1_800_000) % 40]));
  await store.commit();
  await Promise.all(sent);
  store.clock += 4 * 3_600_000;
  await store.settle();
  const range = { from: ms(day0), to: ms(day0 + 27 * day), stepMs: day, aggregates: ["avg", "min", "max"] as const };
  const [read] = store.hub.reader.read([store.find(guest(100), "cpu")], range).series;
  assert.equal(read?.at.length, 27);
  assert.ok(read?.columns.avg?.every((value) => Math.abs(value - 0.00195) < 0.0004));
  assert.ok(read?.columns.min?.every((value) => value === 0));
  const oldest = (await store.hub.size()).blocks;
  assert.ok(oldest.count <= 4 * 25, `${oldest.count} blocks`);
  // Once more, as another agent of the node would after it lost its spool: nothing counts twice.
  const again = new TestAgent(store, agentOf("pve1"), "e".repeat(32));
  void again.declare(schemaOf([cpuOf(100)]));
  for (let at = day0; at < day0 + 30 * day; at += 1_800_000) void again.frame(at, [((at - day0) / 1_800_000) % 40]);
  await store.commit();
  store.clock += 4 * 3_600_000;
  await store.settle();
  assert.deepEqual(store.hub.reader.read([store.find(guest(100), "cpu")], range).series[0], read);
  await store.hub.close();
});

test("a vmid used again is another series; a guest that moved goes on in its own", async () => {
  const store = new TestStore(`${dir}/identity`);
  const [first, second] = [new TestAgent(store, agentOf("pve1")), new TestAgent(store, agentOf("pve2"))];
  void first.declare(schemaOf([cpuOf(100, "uuid:old"), cpuOf(101)]));
  void first.frame(day0, [1, 2]);
  const moved = store.find(guest(101), "cpu");
  void first.declare(schemaOf([cpuOf(100, "uuid:new")]));
  void first.frame(day0 + 10_000, [3]);
  void second.declare(schemaOf([cpuOf(101)]));
  void second.frame(day0 + 10_500, [4]);
  assert.equal(store.find(guest(101), "cpu").id, moved.id);
  assert.deepEqual([...(timesOf(store, day0, day0 + day, guest(101))?.at ?? [])], [day0, day0 + 10_500]);
  assert.equal(store.hub.reader.incarnationOf(cluster, guest(100)), 2);
  assert.deepEqual([...(timesOf(store, day0, day0 + day)?.at ?? [])], [day0 + 10_000]);
  const before = store.hub.reader.find({ cluster, entity: guest(100), metric: "cpu", incarnation: 1 });
  assert.ok(before !== undefined && before.id !== store.find(guest(100), "cpu").id);
  await store.commit();
  store.clock += day;
  await store.settle();
  await store.reopen();
  assert.deepEqual([...(timesOf(store, day0, day0 + day, guest(101))?.at ?? [])], [day0, day0 + 10_500]);
  assert.equal(store.hub.reader.incarnationOf(cluster, guest(100)), 2);
  await store.hub.close();
});

test("guests created and deleted leave no memory behind, and age out of the store", async () => {
  const store = new TestStore(`${dir}/churn`, { rawMs: day, rollupMs: 3 * day });
  const agent = new TestAgent(store, agentOf("pve1"));
  const perHour = 20;
  const counts: number[] = [];
  for (let hour = 0; hour < 8 * 24; hour++) {
    const at = day0 + hour * 3_600_000;
    store.clock = at;
    void agent.declare(schemaOf(Array.from({ length: perHour }, (_, i) => cpuOf(100 + i, `uuid:${hour}-${i}`))));
    for (let i = 0; i < 4; i++)
      void agent.frame(
        at + i * 600_000,
        Array.from({ length: perHour }, (_, g) => g),
      );
    await store.commit();
    await store.settle();
    if (hour % 24 === 23) {
      const { activeEntities, rollups } = await store.hub.size();
      counts.push(rollups.count);
      assert.equal(activeEntities, perHour);
    }
  }
  assert.ok((counts.at(-1) as number) <= (counts[4] as number) * 1.1, `rollups of groups by day: ${counts}`);
  assert.equal(store.hub.reader.incarnationOf(cluster, guest(100)), 8 * 24);
  assert.equal(store.hub.reader.seriesOf(cluster, guest(100), 5).length, 0);
  assert.equal(store.hub.reader.seriesOf(cluster, guest(100), 8 * 24 - 5).length, 1);
  await store.reopen();
  assert.equal((await store.hub.size()).activeEntities, perHour);
  await store.hub.close();
});
