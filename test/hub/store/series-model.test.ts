import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { MetricName } from "#protocol/metrics.ts";
import { fc } from "../../support/property.ts";
import {
  agentOf,
  cluster,
  type Declared,
  day0,
  guest,
  ms,
  schemaOf,
  TestAgent,
  TestStore,
  temporaryDir,
} from "../../support/series-store.ts";

const { dir, remove } = temporaryDir();
after(remove);

const metricsOfGuests = ["cpu", "mem_used", "disk_used"] as const satisfies readonly MetricName[];
const scaleOf = { cpu: 10_000, mem_used: 1, disk_used: 1 };
const far = { rawMs: 1000 * 86_400_000, rollupMs: 2000 * 86_400_000 };

type Step =
  | { do: "frames"; agent: number; count: number; stepMs: number; absent: number }
  | { do: "jump"; agent: number; byMs: number }
  | { do: "declare"; agent: number; guests: number[]; metrics: number }
  | { do: "commit" | "settle" | "reopen" | "crash" | "reconnect" }
  | { do: "work"; steps: number }
  | { do: "later"; byMs: number };

const agents = 2;
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("frames" as const),
      agent: fc.nat(agents - 1),
      count: fc.integer({ min: 1, max: 150 }),
      stepMs: fc.constantFrom(10_000, 10_000, 9_876, 60_000),
      absent: fc.nat(4),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("jump" as const),
      agent: fc.nat(agents - 1),
      byMs: fc.constantFrom(-7_200_000, -60_000, -10_000, 0, 60_000, 5_400_000),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("declare" as const),
      agent: fc.nat(agents - 1),
      guests: fc.uniqueArray(fc.nat(4), { minLength: 1 }),
      metrics: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("commit" as const, "settle" as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("reopen" as const, "crash" as const, "reconnect" as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("work" as const), steps: fc.integer({ min: 1, max: 5 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("later" as const), byMs: fc.constantFrom(600_000, 4_000_000, 90_000_000) }),
  },
);

/** The same series has the same value at a time, whoever tells it. */
const valueAt = (vmid: number, metric: number, at: number) => (((at / 1000) * (vmid - 90) + metric * 7919) % 40_009) | 0;

/** What a store must hold, as plainly as it can be said. */
class Model {
  readonly series = new Map<string, Map<number, number>>();

  add(name: string, at: number, value: number): void {
    const samples = this.series.get(name) ?? new Map<number, number>();
    samples.set(at, value);
    this.series.set(name, samples);
  }
}

class Run {
  readonly model = new Model();
  readonly senders: { agent: TestAgent; at: number; declared: Declared[] }[];

  constructor(readonly store: TestStore) {
    this.senders = Array.from({ length: agents }, (_, i) => ({
      agent: new TestAgent(store, agentOf(`pve${i + 1}`)),
      at: day0 + 80_000_000 + i * 1234,
      declared: [],
    }));
    for (let i = 0; i < agents; i++) this.declare(i, [i, 2], 2);
  }

  declare(index: number, guests: readonly number[], metrics: number): void {
    const sender = this.senders[index];
    if (sender === undefined) return;
    sender.declared = guests.flatMap((number) => {
      const entity = { key: guest(100 + number), identity: [`uuid:${number}`] };
      return metricsOfGuests.slice(0, metrics).map((metric) => ({ entity, metric }));
    });
    void sender.agent.declare(schemaOf(sender.declared));
  }

  frames({ agent: index, count, stepMs, absent }: Step & { do: "frames" }): void {
    const sender = this.senders[index];
    if (sender === undefined) return;
    for (let i = 0; i < count; i++) {
      sender.at += stepMs;
      const values = sender.declared.map(({ entity, metric }, column) => {
        if ((column + i) % 5 < absent) return Number.NaN;
        const vmid = Number(entity.key.slice("guest/".length));
        const value = valueAt(vmid, (metricsOfGuests as readonly string[]).indexOf(metric), sender.at);
        this.model.add(`${entity.key} ${metric}`, sender.at, value);
        return value;
      });
      void sender.agent.frame(sender.at, values);
    }
  }

  async take(one: Step): Promise<void> {
    const { store } = this;
    if (one.do === "frames") this.frames(one);
    else if (one.do === "jump") (this.senders[one.agent] as { at: number }).at += one.byMs;
    else if (one.do === "declare") this.declare(one.agent, one.guests, one.metrics);
    else if (one.do === "commit") await store.commit();
    else if (one.do === "settle") await store.settle();
    else if (one.do === "work") for (let i = 0; i < one.steps; i++) await store.hub.maintain(ms(store.clock));
    else if (one.do === "later") store.clock += one.byMs;
    else {
      if (one.do === "reopen") await store.reopen();
      if (one.do === "crash") await store.crash();
      for (const { agent } of this.senders) void agent.reconnect();
    }
    store.clock = Math.max(store.clock, ...this.senders.map(({ at }) => at));
  }

  check(): void {
    for (const [name, samples] of this.model.series) {
      const [entity, metric] = name.split(" ") as [ReturnType<typeof guest>, (typeof metricsOfGuests)[number]];
      const series = this.store.find(entity, metric);
      const expected = [...samples].sort(([a], [b]) => a - b);
      const range = { from: ms(day0 - 4e9), to: ms(day0 + 4e9), stepMs: undefined, aggregates: ["avg"] as const };
      const [read] = this.store.hub.reader.read([series], range).series;
      assert.deepEqual(
        [...(read?.at ?? [])],
        expected.map(([at]) => at),
        name,
      );
      assert.deepEqual(
        [...(read?.columns.avg ?? [])],
        expected.map(([, value]) => value / scaleOf[metric]),
        name,
      );
    }
  }
}

let runs = 0;
test("whatever comes in whatever order, across compactions and restarts, is read back exactly", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (steps) => {
      const run = new Run(new TestStore(`${dir}/${++runs}`, far));
      for (const one of steps) {
        await run.take(one);
        if (one.do === "reopen" || one.do === "crash" || one.do === "work") run.check();
      }
      run.check();
      await run.store.settle();
      run.check();
      await run.store.reopen();
      run.check();
      assert.deepEqual(run.store.hub.check().problems, []);
      await run.store.hub.close();
    }),
    { numRuns: 60, includeErrorInReport: true },
  );
});

test("steps over days agree with the samples within half a percent, rolled up or not", async () => {
  const store = new TestStore(`${dir}/steps`);
  const agent = new TestAgent(store, agentOf("pve1"));
  const entity = { key: guest(100), identity: ["uuid:a"] };
  void agent.declare(
    schemaOf([
      { entity, metric: "mem_used" },
      { entity, metric: "net_in" },
    ]),
  );
  const samples: [at: number, value: number][] = [];
  let bytes = 0;
  for (let i = 0; i < 6 * 1440; i++) {
    const at = day0 + i * 60_000;
    const value = 1_000_000 + ((i * 7919) % 100_003);
    bytes += 60 * (1000 + (i % 50));
    if (i % 1000 < 20) continue;
    samples.push([at, value]);
    store.clock = at;
    void agent.frame(at, [value, bytes]);
    if (i % 500 === 0) {
      await store.commit();
      await store.settle();
    }
  }
  store.clock = day0 + 6 * 86_400_000;
  await store.commit();
  await store.settle();
  const range = { from: ms(day0), to: ms(day0 + 6 * 86_400_000), stepMs: 3_600_000, aggregates: ["avg", "min", "max"] as const };
  const read = store.hub.reader.read([store.find(guest(100), "mem_used"), store.find(guest(100), "net_in")], range);
  assert.equal(read.tier, "rollup");
  assert.equal((await store.hub.size()).rollups.count, 5);
  const columns = read.series[0]?.columns;
  for (let step = 0; step < 144; step++) {
    const inStep = samples.filter(([at]) => Math.floor((at - day0) / 3_600_000) === step).map(([, value]) => value);
    const average = inStep.reduce((sum, value) => sum + value, 0) / inStep.length;
    const near = (is: number | undefined, was: number) =>
      assert.ok(Math.abs((is as number) - was) <= 0.005 * was, `${step}: ${is} ${was}`);
    near(columns?.avg?.[step], average);
    near(columns?.min?.[step], Math.min(...inStep));
    near(columns?.max?.[step], Math.max(...inStep));
    assert.ok(Math.abs((read.series[1]?.columns.avg?.[step] as number) - 1025) < 40);
  }
  assert.equal(cluster.length, 16);
  await store.hub.close();
});
