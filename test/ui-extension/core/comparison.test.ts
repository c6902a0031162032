import assert from "node:assert/strict";
import { test } from "node:test";
import type { TopAnswer } from "#protocol/class-queries.ts";
import { guestRankings, placesIn } from "../../../ui-extension/core/busiest.ts";
import { columnKey, type Grid } from "../../../ui-extension/core/columns.ts";
import { changeText, comparedLines, comparedMs, meansOf } from "../../../ui-extension/core/comparison.ts";
import { nodeCharts } from "../../../ui-extension/core/node-charts.ts";
import { rangeNames, windowOf } from "../../../ui-extension/core/range.ts";
import { inEnglish } from "../../../ui-extension/core/text.ts";

const gridWith = (columns: Record<string, (number | null)[]>): Grid => ({
  at: [0, 10],
  columns: new Map(Object.entries(columns).map(([metric, values]) => [columnKey("node/pve1", metric, null, "avg"), values])),
  instances: new Map(),
});
const memory = nodeCharts("node/pve1", inEnglish).find(({ id }) => id === "memory");

test("a compared chart has the week before's lines too, in the same colours; limits are drawn once, and what was unknown then is left out", () => {
  assert.ok(memory);
  const now = gridWith({ mem_used: [5, 6], arc: [1, 1], mem_total: [9, 9] });
  const before = gridWith({ mem_used: [3, null], arc: [null, null], mem_total: [9, 9] });
  const lines = comparedLines(memory, now, before, inEnglish).map(({ label, colour, style, values }) => [
    label,
    colour,
    style,
    values,
  ]);
  assert.deepEqual(lines, [
    ["used", 0, "area", [5, 6]],
    ["ZFS cache (ARC)", 1, "line", [1, 1]],
    ["installed", 4, "dashed", [9, 9]],
    ["used, a week before", 0, "before", [3, null]],
  ]);
  assert.equal(comparedLines(memory, now, undefined, inEnglish).length, 3);
});

test("the week before has the steps of every range", () => {
  for (const range of rangeNames) assert.equal(comparedMs % windowOf(range, 1e12).stepMs, 0, range);
});

test("disk and network rank what goes in and out together", () => {
  const asked = guestRankings(inEnglish).map(({ id, query }) => [id, query.metric, ...(query.plus ?? [])]);
  assert.deepEqual(asked, [
    ["cpu", "cpu"],
    ["memory", "mem_used"],
    ["disk", "disk_read", "disk_written"],
    ["network", "net_in", "net_out"],
  ]);
});

test("bars are in relation to the first place; idle guests have none", () => {
  const place = (name: string, value: number | null) => ({
    ...{ cluster: "c", entity: "guest/100", name, node: "pve1", metric: "cpu", instance: null, unit: "ratio", source: null },
    at: [0],
    columns: { avg: [value] },
  });
  const answer = (...series: TopAnswer["series"]): TopAnswer => ({
    from: 0,
    to: 9,
    stepMs: 9,
    tier: "raw",
    members: 3,
    ranked: 2,
    series,
  });
  const ratios = (one: TopAnswer) => placesIn(one).map(({ label, ratio }) => [label, ratio]);
  assert.deepEqual(ratios(answer(place("web", 0.8), place("db", 0.2), place("dns", null))), [
    ["100 web", 1],
    ["100 db", 0.25],
  ]);
  assert.deepEqual(ratios(answer(place("web", 0))), [["100 web", 0]]);
});

test("the change since a week before is told in figures, over the steps that are known of both", () => {
  assert.deepEqual(meansOf([10, 20, null, 90], [10, 10, 50, null]), { now: 15, before: 10 });
  assert.equal(meansOf([1, null], [null, 1]), undefined);
  const told = (now: number[], then: number[]) => changeText(now, then, "percent", inEnglish);
  assert.equal(told([0.45, 0.45], [0.41, 0.41]), "mean +10 %");
  assert.equal(told([0.2], [0.4]), "mean −50 %");
  assert.equal(told([0.4], [0.401]), "mean unchanged");
  assert.equal(told([0.0001], [0.0002]), "mean unchanged");
  assert.equal(told([0.4], [0]), "mean 40 %, was 0 %");
  assert.equal(told([0], [0]), "mean unchanged");
  assert.equal(changeText([1], [null], "percent", inEnglish), undefined);
});
