import assert from "node:assert/strict";
import { test } from "node:test";
import { toBinary } from "../../../hub/http/columns.ts";
import { columnsType, parseColumns } from "../../../scripts/bench/columns.ts";

test("the bench reads the columns that the hub writes", () => {
  const head = { metric: "cpu", instance: null, unit: "ratio", source: "proc" };
  const answer = {
    head: { from: 1000, to: 3000, stepMs: null, tier: "raw" },
    series: [
      {
        head: { ...head, entity: "guest/100" },
        data: { at: Float64Array.of(1000, 2000), columns: { min: Float64Array.of(0.1, Number.NaN), max: Float64Array.of(1, 2) } },
      },
      { head: { ...head, entity: "guest/101" }, data: { at: Float64Array.of(), columns: { last: Float64Array.of() } } },
    ],
  };
  const { bytes, type } = toBinary(answer, columnsType);
  assert.equal(type, columnsType);
  assert.deepEqual(parseColumns(Buffer.concat([bytes])), [
    {
      entity: "guest/100",
      at: Float64Array.of(1000, 2000),
      columns: { min: Float64Array.of(0.1, Number.NaN), max: Float64Array.of(1, 2) },
    },
    { entity: "guest/101", at: Float64Array.of(), columns: { last: Float64Array.of() } },
  ]);
});
