import assert from "node:assert/strict";
import { test } from "node:test";
import type { SeriesAnswer } from "#protocol/api.ts";
import { instancesOf, selectorsOf } from "../../../ui-extension/core/charts.ts";
import {
  columnKey,
  currentValue,
  divideColumns,
  gridOf,
  isolatedPoints,
  lastKnown,
  sumColumns,
} from "../../../ui-extension/core/columns.ts";
import { nodeCharts } from "../../../ui-extension/core/node-charts.ts";
import { tailWindow, windowOf } from "../../../ui-extension/core/range.ts";
import { inEnglish } from "../../../ui-extension/core/text.ts";

type Series = SeriesAnswer["series"][number];
const series = (metric: string, at: number[], columns: Series["columns"], instance: string | null = null): Series => ({
  entity: "node/pve1",
  metric,
  instance,
  unit: "ratio",
  source: "proc",
  at,
  columns,
});
const answer = (...all: Series[]): SeriesAnswer => ({ from: 0, to: 50, stepMs: 10, tier: "raw", series: all });
const cpu = columnKey("node/pve1", "cpu", null, "avg");

test("steps without a sample stay gaps: neither zero nor joined", () => {
  const grid = gridOf([answer(series("cpu", [0, 10, 20, 30, 40], { avg: [0.1, 0.2, null, null, 0.5] }))], 0, 50, 10);
  assert.deepEqual(grid.at, [0, 10, 20, 30, 40]);
  assert.deepEqual(grid.columns.get(cpu), [0.1, 0.2, null, null, 0.5]);
});

test("a series sampled every second step has no gaps, but where it paused", () => {
  const at = [0, 20, 40, 60, 120, 140];
  const grid = gridOf([answer(series("cpu", at, { avg: [1, 2, 3, 4, 5, 6] }))], 0, 160, 10);
  assert.deepEqual(grid.columns.get(cpu), [1, 1, 2, 2, 3, 3, 4, null, null, null, null, null, 5, 5, 6, null]);
});

test("a later answer extends and corrects an earlier one, and its nulls hide nothing", () => {
  const first = answer(series("cpu", [0, 10, 20], { avg: [1, 2, 3] }));
  const tail = answer(series("cpu", [10, 20, 30], { avg: [null, 3.5, 4] }));
  assert.deepEqual(gridOf([first, tail], 10, 50, 10).columns.get(cpu), [2, 3.5, 4, null]);
});

test("a sum is unknown only where all parts are", () => {
  assert.deepEqual(
    sumColumns(
      [
        [1, null, null],
        [2, 3, null],
      ],
      3,
    ),
    [3, 3, null],
  );
});

test("a mean latency is unknown where nothing was done", () => {
  assert.deepEqual(divideColumns([4e9, 0, null], [1000, 0, 5], 1e-6), [4, null, null]);
});

test("a value between two gaps is drawn as a dot", () => assert.deepEqual(isolatedPoints([null, 1, null, 2, 3, null]), [1]));

test("the newest known value is found before trailing gaps", () => {
  assert.deepEqual(lastKnown([1, 2, null]), { value: 2, index: 1 });
  assert.equal(lastKnown([null]), undefined);
});

test("bridges and VLANs are not counted beside the NICs that carry them", () => {
  const rates = (nic: string, rate: number) => series("nic_in", [0], { rate: [rate] }, nic);
  const grid = gridOf([answer(rates("eno1", 5), rates("eno2", 7), rates("vmbr0", 12), rates("eno1.20", 3))], 0, 10, 10);
  const network = nodeCharts("node/pve1", inEnglish).find((chart) => chart.id === "network");
  assert.deepEqual(network?.lines(grid), [{ label: "received", colour: 0, style: "area", values: [12] }]);
});

test("a range ends with the running step and its steps are multiples of their length", () => {
  assert.deepEqual(windowOf("1h", 1_000_000_007), { from: 996_420_000, to: 1_000_020_000, stepMs: 20_000 });
  assert.deepEqual(tailWindow({ from: 0, to: 100, stepMs: 10 }, 80), { from: 70, to: 100, stepMs: 10 });
});

test("the value of now is unknown once it is older than 45 s, or two steps where they are longer", () => {
  assert.equal(currentValue([1, 2, null, null, null], 20_000), 2);
  assert.equal(currentValue([2, null, null, null, null], 20_000), undefined);
  assert.equal(currentValue([2, null, null], 3_600_000), 2);
  assert.equal(currentValue([2, null, null, null], 3_600_000), undefined);
});

test("a query names each NIC the node has samples of, and metrics without instances once", () => {
  const reading = { unit: "bytes", source: "proc", state: "absent" as const, value: null, at: null };
  const metrics = [
    { ...reading, metric: "cpu", instance: null },
    { ...reading, metric: "nic_in", instance: "eno1" },
    { ...reading, metric: "nic_in", instance: "vmbr0" },
  ];
  const instances = instancesOf({ metrics });
  const network = nodeCharts("node/pve1", inEnglish).filter((chart) => chart.id === "cpu" || chart.id === "network");
  const about = { cluster: "c", entity: "node/pve1" };
  assert.deepEqual(selectorsOf(network, "node/pve1", "c", instances), [
    { ...about, metric: "cpu" },
    { ...about, metric: "iowait" },
    { ...about, metric: "steal" },
    { ...about, metric: "nic_in", instance: "eno1" },
    { ...about, metric: "nic_in", instance: "vmbr0" },
    { ...about, metric: "nic_out" },
  ]);
});
