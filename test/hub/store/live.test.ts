import assert from "node:assert/strict";
import { after, test } from "node:test";
import { FrameState } from "#protocol/records.ts";
import type { Layout } from "../../../hub/store/catalogue.ts";
import { Lane } from "../../../hub/store/lane.ts";
import { LaneIndex } from "../../../hub/store/lane-index.ts";
import { fc } from "../../support/property.ts";
import { agentOf, day0, guest, schemaOf, TestAgent, TestStore, temporaryDir } from "../../support/series-store.ts";

const { dir, remove } = temporaryDir();
after(remove);
let stores = 0;
const newStore = () => new TestStore(`${dir}/${++stores}`);
const cpuOf = (...vmids: number[]) =>
  schemaOf(vmids.map((vmid) => ({ entity: { key: guest(vmid), identity: [`uuid:${vmid}`] }, metric: "cpu" as const })));
const newest = (store: TestStore, vmid: number) => store.hub.live.latest(store.find(guest(vmid), "cpu").id);

test("a guest that moved is shown as its new node tells it, and the old node's word stays until then", async () => {
  const store = newStore();
  const [one, two] = [new TestAgent(store, agentOf("pve1")), new TestAgent(store, agentOf("pve2"))];
  void one.declare(cpuOf(100, 101));
  void one.frame(day0, [10, 20]);
  assert.equal(newest(store, 100)?.value, 0.001);
  void one.declare(cpuOf(101));
  void one.frame(day0 + 10_000, [21]);
  assert.deepEqual([newest(store, 100)?.at, newest(store, 101)?.value], [day0, 0.0021]);
  void two.declare(cpuOf(100));
  void two.frame(day0 + 20_000, [30]);
  assert.deepEqual(newest(store, 100), { at: day0 + 20_000, value: 0.003, rate: Number.NaN });
  await store.hub.close();
});

test("newest values are there after a restart, before any agent came back", async () => {
  const store = newStore();
  const agent = new TestAgent(store, agentOf("pve1"));
  void agent.declare(cpuOf(100));
  void agent.frame(day0, [10]);
  await store.commit();
  await store.reopen();
  assert.equal(newest(store, 100)?.value, 0.001);
  await store.hub.close();
});

test("an agent's newest frame is the newest by its own clock, whatever came behind it, and is known after a restart", async () => {
  const store = newStore();
  const [one, two] = [new TestAgent(store, agentOf("pve1")), new TestAgent(store, agentOf("pve2"))];
  const heard = () => ["pve1", "pve2"].map((node) => store.hub.live.newestFrame(agentOf(node)));
  assert.deepEqual(heard(), [undefined, undefined]);
  void one.declare(cpuOf(100));
  void one.frame(day0, [10]);
  assert.deepEqual(heard(), [day0, undefined]);
  void two.declare(cpuOf(101));
  void two.frame(day0 + 20_000, [20]);
  void one.frame(day0 + 10_000, [11]);
  assert.deepEqual(heard(), [day0 + 10_000, day0 + 20_000]);
  void two.frame(day0 + 15_000, [21]);
  assert.deepEqual(heard(), [day0 + 10_000, day0 + 20_000]);
  await store.commit();
  await store.reopen();
  assert.deepEqual(heard(), [day0 + 10_000, day0 + 20_000]);
  await store.hub.close();
});

for (const [what, leap] of [
  ["two hours", 7_200_000],
  ["ten years", 3650 * 86_400_000],
] as const) {
  test(`a clock that was ${what} ahead and was set right is followed at once, also after a restart and by a new stream`, async () => {
    const store = newStore();
    const agent = new TestAgent(store, agentOf("pve1"));
    const now = () => [newest(store, 100)?.at, newest(store, 100)?.value, store.hub.live.newestFrame(agentOf("pve1"))];
    void agent.declare(cpuOf(100, 101));
    void agent.frame(day0, [10, 10]);
    for (let i = 0; i < 5; i++) void agent.frame(day0 + leap + i * 10_000, [20, 20]);
    assert.deepEqual(now(), [day0 + leap + 40_000, 0.002, day0 + leap + 40_000]);
    void agent.frame(day0 + 60_000, [30, Number.NaN]);
    assert.deepEqual(now(), [day0 + 60_000, 0.003, day0 + 60_000]);
    assert.equal(newest(store, 101)?.at, day0, "what is absent since has its last value from a right clock");
    await store.commit();
    await store.reopen();
    assert.deepEqual(now(), [day0 + 60_000, 0.003, day0 + 60_000]);
    store.clock = day0 + 2 * 3_600_000;
    await store.settle();
    assert.deepEqual(now(), [day0 + 60_000, 0.003, day0 + 60_000]);
    // It starts again while its clock is ahead, and once more when it is right.
    store.clock += 1000;
    const wrong = new TestAgent(store, agentOf("pve1"), "1".repeat(32));
    void wrong.declare(cpuOf(100));
    void wrong.frame(day0 + leap + 100_000, [40]);
    store.clock += 1000;
    const right = new TestAgent(store, agentOf("pve1"), "2".repeat(32));
    void right.declare(cpuOf(100));
    void right.frame(day0 + 120_000, [50]);
    assert.deepEqual(now(), [day0 + 120_000, 0.005, day0 + 120_000]);
    await store.hub.close();
  });
}

test("whatever moves wherever: the newest value is the one sent last", async () => {
  const vmids = [100, 101, 102, 103];
  const moves = fc.array(fc.record({ agent: fc.nat(2), guests: fc.subarray(vmids, { minLength: 1 }) }), { maxLength: 25 });
  await fc.assert(
    fc.asyncProperty(moves, async (steps) => {
      const store = newStore();
      const agents = ["pve1", "pve2", "pve3"].map((name) => new TestAgent(store, agentOf(name)));
      const expected = new Map<number, number>();
      for (const [i, step] of steps.entries()) {
        const agent = agents[step.agent] as TestAgent;
        void agent.declare(cpuOf(...step.guests));
        void agent.frame(
          day0 + i * 10_000,
          step.guests.map((vmid) => vmid + i),
        );
        for (const vmid of step.guests) expected.set(vmid, (vmid + i) / 10_000);
        for (const [vmid, value] of expected) assert.equal(newest(store, vmid)?.value, value);
      }
      await store.hub.close();
    }),
    { numRuns: 25 },
  );
});

function laneOf(node: string, ...ids: number[]): { lane: Lane; row(at: number, ...now: number[]): void } {
  const lane = new Lane(node, agentOf(node), 1, "0".repeat(32), undefined, day0);
  let layout = layoutOf(ids);
  let seq = 0;
  const row = (at: number, ...now: number[]) => {
    if (now.length > 0) layout = layoutOf(now);
    lane.append(at, ++seq, layout, new FrameState(layout.ids.length));
  };
  row(1);
  return { lane, row };
}

function layoutOf(ids: number[]): Layout {
  const column = new Map(ids.map((id, i) => [id, i]));
  const numbers = { ids: Uint32Array.from(ids), groups: new Uint32Array(ids.length), counters: new Uint8Array(ids.length) };
  const columnOf = (id: number) => column.get(id) ?? -1;
  const statuses = { entities: [], columns: new Uint32Array(0) };
  return { ...numbers, entities: [], docs: [], scales: new Float64Array(ids.length), statuses, columnOf };
}

test("rows that come again, from the ring after a start or since a commit failed, make no agent silent", () => {
  const { lane, row } = laneOf("pve1", 1);
  lane.noteTime(3_600_000, 361);
  for (let i = 1; i < 300; i++) row(i * 10_000);
  assert.equal(lane.newestAt, 3_600_000);
  lane.noteTime(3_000_000, 362);
  assert.equal(lane.newestAt, 3_000_000, "a clock that was set back");
});

test("a series is looked for where it has rows, however many agents there are; lanes that are gone are forgotten", () => {
  const all = Array.from({ length: 40 }, (_, i) => laneOf(`pve${i}`, i * 10, i * 10 + 1));
  let lanes = all.map(({ lane }) => lane);
  const index = new LaneIndex(() => lanes);
  for (const [i, { lane }] of all.entries()) assert.deepEqual(index.lanesOf(i * 10 + 1), [lane]);
  assert.deepEqual(index.lanesOf(7777), []);

  const [first, second] = [all[0], all[1]] as [(typeof all)[number], (typeof all)[number]];
  second.row(2, 10, 11, 0);
  index.rowCame(second.lane);
  assert.deepEqual(index.lanesOf(0), [first.lane, second.lane]);
  lanes = lanes.slice(1);
  index.forget(first.lane);
  assert.deepEqual([index.lanesOf(0), index.lanesOf(1)], [[second.lane], []]);
});

test("series of layouts that come and go do not pile up", () => {
  const { lane, row } = laneOf("pve1", 0, 1);
  const index = new LaneIndex(() => [lane]);
  index.lanesOf(0);
  for (let i = 1; i <= 50; i++) {
    row(i + 1, i * 10, i * 10 + 1);
    // Older rows went into blocks.
    lane.chunks = lane.chunks.slice(-1);
    index.rowCame(lane);
  }
  assert.deepEqual(index.lanesOf(500), [lane]);
  const kept = Array.from({ length: 50 }, (_, i) => index.lanesOf(i * 10)).filter((lanes) => lanes.length > 0);
  assert.ok(kept.length <= 2, `${kept.length} of 50 series that are gone`);
});

test("of a frame's guests those are told whose status is another, and whose status is missing", async () => {
  const store = newStore();
  const statusOf = (...vmids: number[]) =>
    schemaOf(vmids.map((vmid) => ({ entity: { key: guest(vmid), identity: [`uuid:${vmid}`] }, metric: "status" as const })));
  const turned: string[][] = [];
  store.hub.live.onFrame((frame) => turned.push([...frame.turned]));
  const agent = new TestAgent(store, agentOf("pve1"));
  const [running, stopped, none] = [1, 0, Number.NaN];
  void agent.declare(statusOf(100, 101, 102));
  void agent.frame(day0, [running, stopped, running]);
  void agent.frame(day0 + 10_000, [running, stopped, running]);
  void agent.frame(day0 + 20_000, [running, running, none]);
  void agent.frame(day0 + 30_000, [running, running, none]);
  void agent.frame(day0 + 40_000, [running, running, running]);
  // The agent was away for a while: of nobody the hub knows what was meanwhile.
  void agent.frame(day0 + 140_000, [running, running, running]);
  void agent.declare(statusOf(100, 103));
  void agent.frame(day0 + 150_000, [running, running]);
  assert.deepEqual(turned, [
    ["guest/100", "guest/101", "guest/102"],
    [],
    ["guest/101", "guest/102"],
    ["guest/102"],
    ["guest/102"],
    ["guest/100", "guest/101", "guest/102"],
    ["guest/100", "guest/103"],
  ]);
  await store.hub.close();
});
