import assert from "node:assert/strict";
import { after, test } from "node:test";
import { agentOf, day0, guest, ms, schemaOf, TestAgent, TestStore, temporaryDir } from "../../support/series-store.ts";

const { dir, remove } = temporaryDir();
after(remove);

const minute = 60_000;
const hour = 60 * minute;
/** A sample a minute. */
const valueAt = (index: number) => (index * 37) % 1009;

/** What a step's samples say, looked at one by one: only whole numbers are added, so that the order doesn't matter. */
function expected(samples: number, from: number, to: number, stepMs: number) {
  const steps = [];
  for (let start = from; start < to; start += stepMs) {
    const values = Array.from({ length: samples }, (_, i) => i)
      .filter((i) => day0 + i * minute >= start && day0 + i * minute < Math.min(to, start + stepMs))
      .map(valueAt);
    const sum = values.reduce((total, value) => total + value, 0);
    steps.push(
      values.length === 0 ? [NaN, NaN, NaN, NaN] : [sum / values.length, Math.min(...values), Math.max(...values), values.at(-1)],
    );
  }
  return steps;
}

test("the day without a rollup reads the same when asked again, as samples come and go into blocks", async () => {
  const store = new TestStore(dir);
  const agent = new TestAgent(store, agentOf("pve1"));
  void agent.declare(schemaOf([{ entity: { key: guest(100), identity: ["uuid:a"] }, metric: "uptime" }]));
  let samples = 0;
  const come = async (until: number) => {
    for (; samples < until; samples++) void agent.frame(day0 + samples * minute, [valueAt(samples)]);
    store.clock = day0 + samples * minute;
    await store.commit();
  };
  const look = (what: string) => {
    for (const stepMs of [15 * minute, 20 * minute, 17 * minute]) {
      for (const to of [day0 + 12 * hour, day0 + 12 * hour + 7 * minute, day0 + 4 * hour + 7 * minute]) {
        const from = Math.ceil((to - 30 * hour) / stepMs) * stepMs;
        const range = { from: ms(from), to: ms(to), stepMs, aggregates: ["avg", "min", "max", "last"] as const };
        const { tier, series } = store.hub.reader.read([store.find(guest(100), "uptime")], range);
        const { avg = [], min = [], max = [], last = [] } = series[0]?.columns ?? {};
        assert.equal(tier, "rollup");
        assert.deepEqual(
          [...avg].map((value, i) => [value, min[i], max[i], last[i]]),
          expected(samples, from, to, stepMs),
          `${what}, steps of ${stepMs / minute} min`,
        );
      }
    }
  };
  await come(5 * 60 + 10);
  await store.settle();
  look("asked first");
  look("asked again");
  await come(6 * 60 + 20);
  look("with newer rows in memory");
  await store.settle();
  look("with those in blocks");
  look("asked again with those in blocks");
  await store.reopen();
  look("after a start");
  await store.hub.close();
});
