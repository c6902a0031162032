import assert from "node:assert/strict";
import { after, test } from "node:test";
import { openBlock } from "../../../hub/core/block.ts";
import type { Log } from "../../../hub/ports.ts";
import { parseSpanKey } from "../../../hub/store/keys.ts";
import { openSeries } from "../../../hub/store/series.ts";
import { openSeriesEnv, type SeriesEnv } from "../../../hub/store/series-env.ts";
import { agentOf, cluster, day0, guest, ms, schemaOf, TestAgent, TestStore, temporaryDir } from "../../support/series-store.ts";

const { dir, remove } = temporaryDir();
after(remove);

const minute = 60_000;
const hour = 3_600_000;
const cpuOf = (vmid: number) => ({ entity: { key: guest(vmid), identity: [`uuid:${vmid}`] }, metric: "cpu" as const });

/** Two guests' cpu, a sample a minute for 27 hours: blocks, a rollup, and some rows in the ring only. */
async function filled(name: string): Promise<string> {
  const store = new TestStore(`${dir}/${name}`);
  const agent = new TestAgent(store, agentOf("pve1"));
  void agent.declare(schemaOf([cpuOf(100), cpuOf(101)]));
  for (let i = 0; i < 27 * 60; i++) {
    store.clock = day0 + i * minute;
    void agent.frame(store.clock, [i % 50, (i * 7919) % 100]);
    if (i % 10 === 0) await store.commit();
    if (i % 60 === 0) await store.settle();
  }
  await store.commit();
  await store.settle();
  await store.hub.close();
  return store.dir;
}

async function change(path: string, edit: (env: SeriesEnv) => void): Promise<void> {
  const env = openSeriesEnv(path, () => undefined);
  edit(env);
  await env.root.close();
}

/** One bit of the byte at `at`, as a bad disk would. */
function flip(env: SeriesEnv, tier: "blocks" | "rollups", key: Uint8Array, at: (bytes: Uint8Array) => number): void {
  const bytes = Uint8Array.from(env[tier].get(key) as Uint8Array);
  const place = at(bytes);
  bytes[place] = (bytes[place] as number) ^ 4;
  env[tier].putSync(key, bytes);
}

const blockOf = (env: SeriesEnv, at: number) =>
  [...env.blocks.getKeys({})].find((key) => parseSpanKey(key).span === Math.floor(at / hour) - 1) as Uint8Array;

function open(path: string) {
  const told: string[] = [];
  const log: Log = (level, message, fields) => {
    if (level === 3) told.push(`${message}: ${fields?.block ?? fields?.problem ?? ""}`);
  };
  const now = ms(day0 + 27 * hour);
  const hub = openSeries({ dir: path, now: () => now, log });
  const seriesOf = (vmid: number) => {
    const found = hub.reader.find({ cluster, entity: guest(vmid), metric: "cpu" });
    assert.ok(found);
    return found;
  };
  const timesOf = (vmid: number, from: number, to: number) => {
    const range = { from: ms(from), to: ms(to), stepMs: undefined, aggregates: ["last"] as const };
    return [...(hub.reader.read([seriesOf(vmid)], range).series[0]?.at ?? [])];
  };
  return { hub, told, seriesOf, timesOf };
}

test("a damaged column is a gap of one series for an hour; it is logged once, and `store check` names it", async () => {
  const path = await filled("column");
  await change(path, (env) => flip(env, "blocks", blockOf(env, day0 + 5 * hour), (bytes) => openBlock(bytes).columnAt(0) + 3));
  const { hub, told, timesOf } = open(path);
  assert.equal(hub.problem(), undefined);
  assert.equal(timesOf(101, day0, day0 + 24 * hour).length, 1440);
  assert.deepEqual(told, []);
  const times = timesOf(100, day0, day0 + 24 * hour);
  assert.equal(times.length, 1380);
  const gap = times.findIndex((at, i) => at - (times[i - 1] ?? at) > minute);
  assert.equal((times[gap] as number) - (times[gap - 1] as number), 61 * minute);
  timesOf(100, day0, day0 + 24 * hour);
  await Promise.resolve();
  assert.equal(told.length, 1);
  assert.match(
    told[0] ?? "",
    /shown as a gap.*: samples of node pve1 from 2026-01-05 04:37 to 2026-01-05 05:37 UTC, metric group 1 \(guest\/100, guest\/101\)$/,
  );
  assert.match(hub.problem() ?? "", /history is damaged: a part is shown as a gap/);
  assert.deepEqual(hub.check().problems, [
    "samples of node pve1 from 2026-01-05 04:37 to 2026-01-05 05:37 UTC, metric group 1 (guest/100, guest/101): guest/100 cpu can't be read",
  ]);
  await hub.close();
});

test("a damaged head makes a gap of all its series, in charts, rankings and steps alike", async () => {
  const path = await filled("head");
  await change(path, (env) => flip(env, "blocks", blockOf(env, day0 + 25 * hour), () => 12));
  const { hub, told, seriesOf, timesOf } = open(path);
  for (const vmid of [100, 101]) assert.equal(timesOf(vmid, day0 + 24 * hour, day0 + 26 * hour).length, 60);
  const range = { from: ms(day0 + 24 * hour), to: ms(day0 + 26 * hour), stepMs: hour / 4, aggregates: ["avg"] as const };
  const averages = [...(hub.reader.read([seriesOf(100)], range).series[0]?.columns.avg ?? [])];
  assert.equal(averages.filter(Number.isNaN).length, 3);
  const { metric } = seriesOf(100);
  const ranked = hub.reader.top({
    cluster,
    metric,
    from: ms(day0 + 24 * hour + 40 * minute),
    to: ms(day0 + 25 * hour),
    count: 5,
  });
  assert.deepEqual(ranked, []);
  await Promise.resolve();
  assert.equal(told.length, 1);
  assert.match(hub.check().problems[0] ?? "", /metric group 1 \(guest\/100, guest\/101\): its head is damaged$/);
  await hub.close();
});

test("a damaged rollup is a gap while its samples are there no more, and is made anew from samples that come late", async () => {
  const path = await filled("rollup");
  await change(path, (env) => {
    const [key] = [...env.rollups.getKeys({})];
    flip(env, "rollups", key as Uint8Array, (bytes) => openBlock(bytes).columnAt(1) + 2);
  });
  const store = new TestStore(path);
  store.clock = day0 + 27 * hour;
  const range = { from: ms(day0 - 24 * hour), to: ms(day0 + 24 * hour), stepMs: hour, aggregates: ["max"] as const };
  const filledHours = () => {
    const [read] = store.hub.reader.read([store.find(guest(101), "cpu")], range).series;
    return [...(read?.columns.max ?? [])].filter((value) => !Number.isNaN(value)).length;
  };
  assert.equal(filledHours(), 0);
  assert.match(
    store.hub.check().problems.join(),
    /^15-minute rollup of node pve1 from 2026-01-05 00:00 to 2026-01-06 00:00 UTC, metric group 1 .*: guest\/101 cpu can't be read$/,
  );
  const late = new TestAgent(store, agentOf("pve1"), "f".repeat(32));
  void late.declare(schemaOf([cpuOf(100), cpuOf(101)]));
  void late.frame(day0 + 30_000, [1, 1]);
  await store.commit();
  store.clock += hour;
  await store.settle();
  assert.equal(filledHours(), 24);
  assert.deepEqual(store.hub.check().problems, []);
  await store.hub.close();
});

test("late samples for a damaged block join what of it can be read", async () => {
  const path = await filled("late");
  await change(path, (env) => flip(env, "blocks", blockOf(env, day0 + 5 * hour), (bytes) => openBlock(bytes).columnAt(0) + 3));
  const store = new TestStore(path);
  store.clock = day0 + 27 * hour;
  const late = new TestAgent(store, agentOf("pve1"), "f".repeat(32));
  void late.declare(schemaOf([cpuOf(100), cpuOf(101)]));
  void late.frame(day0 + 5 * hour + 1000, [7, 7]);
  await store.commit();
  store.clock += hour;
  await store.settle();
  assert.deepEqual(store.hub.check().problems, []);
  await store.hub.close();
  const { hub, timesOf } = open(path);
  const [from, to] = [day0 + 4 * hour + 37 * minute, day0 + 5 * hour + 37 * minute];
  assert.deepEqual(timesOf(100, from, to), [day0 + 5 * hour + 1000]);
  assert.equal(timesOf(101, from, to).length, 61);
  await hub.close();
});

test("damaged frames in the ring cost what they held: the store opens, and the stream goes on", async () => {
  const path = await filled("ring");
  let rows = 0;
  await change(path, (env) => {
    const keys = [...env.ring.getKeys({})];
    const key = keys[Math.floor(keys.length / 2)] as number;
    const bytes = Uint8Array.from(env.ring.get(key) as Uint8Array);
    bytes[bytes.length - 3] = (bytes.at(-3) as number) ^ 1;
    env.ring.putSync(key, bytes);
    rows = keys.length;
  });
  assert.ok(rows > 3);
  const { hub, told, timesOf } = open(path);
  await Promise.resolve();
  assert.equal(told.length, 1);
  assert.match(told[0] ?? "", /frames \d+ of the write-ahead ring/);
  assert.match(hub.check().problems.join(), /^frames \d+ of the write-ahead ring: its checksum differs$/);
  const times = timesOf(100, day0 + 20 * hour, day0 + 28 * hour);
  assert.ok(times.length >= 330 && times.length < 420, `${times.length} rows`);
  await hub.close();
  const store = new TestStore(path);
  store.clock = day0 + 28 * hour;
  const agent = new TestAgent(store, agentOf("pve1"));
  agent.seq = 5000;
  void agent.declare(schemaOf([cpuOf(100), cpuOf(101)]));
  await Promise.all([agent.frame(store.clock, [1, 2]), store.commit()]);
  assert.equal(store.hub.live.latest(store.find(guest(101), "cpu").id)?.at, day0 + 28 * hour);
  await store.hub.close();
});
