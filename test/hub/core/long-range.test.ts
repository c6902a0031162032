import assert from "node:assert/strict";
import { test } from "node:test";
import type { EntityKey, EpochMs } from "#protocol/ids.ts";
import { joinColumns, type LongRangeReader, oldestLocal, readHistory, splitRange } from "../../../hub/core/long-range.ts";
import { aggregateQuery, evaluationParts, selector } from "../../../hub/core/promql.ts";
import type { SeriesRange } from "../../../hub/core/series.ts";
import { FakeSeries } from "../../support/fake-series.ts";
import { agentOf, cluster } from "../../support/test-cluster.ts";

const at = (ms: number) => ms as EpochMs;
const range = (from: number, to: number, stepMs?: number): SeriesRange => ({
  from: at(from),
  to: at(to),
  stepMs,
  aggregates: ["last"],
});

test("splitRange: the cut lies on a step, and each instant is asked of one side only", () => {
  assert.deepEqual(splitRange(range(0, 100, 10), at(35)), { remote: range(0, 40, 10), local: range(40, 100, 10) });
  assert.deepEqual(splitRange(range(0, 100, 10), at(40)), { remote: range(0, 40, 10), local: range(40, 100, 10) });
  assert.deepEqual(splitRange(range(0, 100), at(35)), { remote: range(0, 35), local: range(35, 100) });
  assert.deepEqual(splitRange(range(50, 100, 10), at(35)), { remote: undefined, local: range(50, 100, 10) });
  assert.deepEqual(splitRange(range(0, 30, 10), at(35)), { remote: range(0, 30, 10), local: undefined });
  assert.deepEqual(splitRange(range(0, 40, 10), at(35)), { remote: range(0, 40, 10), local: undefined });
});

test("oldestLocal: raw samples are kept 14 days, 15-minute rollups 400", () => {
  const now = at(500 * 86_400_000);
  assert.equal(oldestLocal(range(0, 1, 60_000), now), 486 * 86_400_000);
  assert.equal(oldestLocal(range(0, 1), now), 486 * 86_400_000);
  assert.equal(oldestLocal(range(0, 1, 900_000), now), 100 * 86_400_000);
});

test("joinColumns: a column that one side lacks is unknown there", () => {
  const older = { at: Float64Array.of(1), columns: { avg: Float64Array.of(10) } };
  const newer = { at: Float64Array.of(2), columns: { avg: Float64Array.of(20), min: Float64Array.of(5) } };
  assert.deepEqual(joinColumns(older, newer, ["avg", "min"]), {
    at: Float64Array.of(1, 2),
    columns: { avg: Float64Array.of(10, 20), min: Float64Array.of(Number.NaN, 5) },
  });
});

test("readHistory: only what is older than the hub's own history is asked of the other engine", async () => {
  const day = 86_400_000;
  const now = at(100 * day);
  const series = new FakeSeries();
  series.put(agentOf("pve1"), "guest/100" as EntityKey, "cpu", 95 * day, 0.5);
  const infos = series.reader.seriesOf(cluster, "guest/100" as EntityKey);
  const asked: SeriesRange[] = [];
  const remote: LongRangeReader = {
    read: async (_, wanted) => {
      asked.push(wanted);
      return [{ at: Float64Array.of(80 * day), columns: { last: Float64Array.of(0.25) } }];
    },
  };
  const both = await readHistory(series.reader, remote, infos, range(70 * day, 100 * day), now);
  assert.deepEqual(asked, [range(70 * day, 86 * day)]);
  assert.deepEqual(both.series, [{ at: Float64Array.of(80 * day, 95 * day), columns: { last: Float64Array.of(0.25, 0.5) } }]);
  await readHistory(series.reader, remote, infos, range(90 * day, 100 * day), now);
  assert.equal(asked.length, 1);
  const alone = await readHistory(series.reader, undefined, infos, range(70 * day, 100 * day), now);
  assert.deepEqual([...(alone.series[0]?.at ?? [])], [95 * day]);
});

test("promql: a selector asks for exactly these labels, escaped", () => {
  const family = { name: "pve_cpu_usage_ratio", type: "gauge", help: "" } as const;
  assert.equal(
    selector({ family, labels: [["id", 'a\\b"c\nd']] }, [["site", "milan"]]),
    'pve_cpu_usage_ratio{id="a\\\\b\\"c\\nd",site="milan"}',
  );
  assert.equal(aggregateQuery("x{}", "avg", 900_000), "avg_over_time(x{}[900000ms])");
  assert.equal(aggregateQuery("x{}", "rate", 60_000), "rate(x{}[60000ms]) and count_over_time(x{}[60000ms]) >= 2");
});

test("promql: each step is looked at from its last millisecond, in parts that the engine answers", () => {
  assert.deepEqual(evaluationParts(range(1000, 1050, 10), 10, 3), [
    { startMs: 1009, endMs: 1029, count: 3 },
    { startMs: 1039, endMs: 1049, count: 2 },
  ]);
});
