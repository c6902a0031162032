import assert from "node:assert/strict";
import { test } from "node:test";
import { bestOf, formatTable, median, missingRow, quantile, ratioRow, valueRow } from "../../../scripts/bench/row.ts";

test("a ratio meets its target when our value by the peer's is at most the bound", () => {
  assert.deepEqual(ratioRow("ingest", "CPU s", 0.4, { peer: "prometheus", value: 4 }, 0.1), {
    name: "ingest",
    value: 0.4,
    unit: "CPU s",
    peer: "prometheus",
    ratio: 0.1,
    target: "≤ 0.10×",
    met: true,
  });
  assert.equal(ratioRow("ingest", "CPU s", 0.41, { peer: "prometheus", value: 4 }, 0.1).met, false);
});

test("a peer that is not there gives the reason and no ratio", () => {
  const row = ratioRow("ingest", "CPU s", 0.4, { peer: "prometheus", missing: "no apt-get here" }, 0.1);
  assert.deepEqual([row.value, row.ratio, row.met, row.target], [0.4, null, null, "peer not available: no apt-get here"]);
});

test("the best peer is unknown while one of them is missing", () => {
  const there = { peer: "victoria-metrics", value: 2 };
  assert.deepEqual(bestOf([{ peer: "prometheus", value: 3 }, there]), { peer: "best: victoria-metrics", value: 2 });
  assert.deepEqual(bestOf([there, { peer: "prometheus", missing: "no network" }]), {
    peer: "best of victoria-metrics, prometheus",
    missing: "no network",
  });
});

test("a measure that failed is neither met nor missed", () => {
  assert.deepEqual(missingRow("disk", "B", "failed: no space"), {
    name: "disk",
    value: null,
    unit: "B",
    peer: null,
    ratio: null,
    target: "failed: no space",
    met: null,
  });
});

test("medians and quantiles are values that were measured", () => {
  assert.equal(median([5, 1, 3]), 3);
  assert.equal(median([4, 1, 3, 2]), 2);
  assert.equal(quantile([10, 20, 30, 40], 0.95), 40);
  assert.ok(Number.isNaN(median([])));
});

test("the table says of each row whether it was met, missed or only shown", () => {
  const table = formatTable([
    valueRow("memory", "MB", 55.25, 60),
    valueRow("start", "ms", 412, 350),
    valueRow("pace", "samples/s", 1_234_567),
  ]);
  assert.equal(
    table,
    [
      "measure    value  unit       peer  ratio  target",
      "memory      55.3  MB                      ≤ 60    met",
      "start        412  ms                      ≤ 350   MISSED",
      "pace     1234567  samples/s                       ·",
    ].join("\n"),
  );
});
