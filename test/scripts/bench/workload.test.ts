import assert from "node:assert/strict";
import { test } from "node:test";
import { guestMetricRows, seriesPerGuest, Workload } from "../../../scripts/bench/workload.ts";

const at = (metric: string) => guestMetricRows.findIndex(({ name }) => name === metric);

function ticksOf(workload: Workload, ticks: number): Float64Array[] {
  return Array.from({ length: ticks }, () => {
    workload.tick();
    return workload.scaled.slice();
  });
}

test("two runs send the same values", () => {
  assert.deepEqual(ticksOf(new Workload(20), 50), ticksOf(new Workload(20), 50));
});

test("every value is an integer that the stream can carry", () => {
  for (const values of ticksOf(new Workload(20), 500)) {
    assert.ok(values.every((value) => Number.isInteger(value) && value >= 0 && value < 2 ** 51));
  }
});

test("counters never go back, memory stays below its maximum, cpu below all cores", () => {
  const [first, ...rest] = ticksOf(new Workload(20), 500);
  let before = first as Float64Array;
  for (const values of rest) {
    for (let guest = 0; guest < 20; guest++) {
      const base = guest * seriesPerGuest;
      const value = (metric: string) => values[base + at(metric)] as number;
      for (const counter of ["net_in", "net_out", "disk_read", "disk_written"]) {
        assert.ok(value(counter) >= (before[base + at(counter)] as number));
      }
      assert.ok(value("mem_used") < value("mem_max"));
      assert.ok(value("cpu") <= 10_000);
      assert.equal(value("uptime"), (before[base + at("uptime")] as number) + 10);
    }
    before = values;
  }
});

test("guests that are not alive yet stand still", () => {
  const workload = new Workload(20);
  const before = workload.scaled.slice(10 * seriesPerGuest);
  workload.tick(10);
  assert.deepEqual(workload.scaled.slice(10 * seriesPerGuest), before);
});

test("peers get the catalogue's unit", () => {
  const workload = new Workload(1);
  workload.tick();
  assert.equal(workload.value(at("cpu")), (workload.scaled[at("cpu")] as number) / 10_000);
});
