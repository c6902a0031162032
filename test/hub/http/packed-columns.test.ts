import assert from "node:assert/strict";
import { test } from "node:test";
import type { ColumnForm } from "../../../hub/core/packed-values.ts";
import { packedType, toBinary } from "../../../hub/http/columns.ts";
import { ColumnRoom } from "../../../hub/http/packed-columns.ts";
import { parseColumns } from "../../../scripts/bench/columns.ts";
import { fc } from "../../support/property.ts";

const forms: [name: string, column: number[], form: ColumnForm][] = [
  ["times every ten seconds take no bytes", [1000, 11_000, 21_000], { even: [1000, 10_000] }],
  ["what never changes takes none either", [0.5, 0.5], { even: [0.5, 0] }],
  ["nothing takes none", [], { even: [0, 0] }],
  ["fractions with two digits are 16 bits", [0.25, 0.99, Number.NaN, 0.5], { bits: 16, base: 25, divisor: 100 }],
  ["only absent samples are 16 bits", [Number.NaN, Number.NaN], { bits: 16, base: 0, divisor: 1 }],
  ["bytes of memory are 32 bits", [2 ** 33, 2 ** 33 + 2 ** 20, 2 ** 33], { bits: 32, base: 2 ** 33, divisor: 1 }],
  ["the 65,535th code is for what is absent", [0, 65_534, 0], { bits: 16, base: 0, divisor: 1 }],
  ["one more takes 32 bits", [0, 65_535, 0], { bits: 32, base: 0, divisor: 1 }],
  ["a third stays as it is", [1 / 3, 1, 1 / 3], { bits: 64 }],
  ["negative zero stays as it is", [-0, 1, -0], { bits: 64 }],
];
for (const [name, column, form] of forms)
  test(name, () => assert.deepEqual(new ColumnRoom().addPacked(Float64Array.from(column)), form));

const values = fc.oneof(
  fc.integer({ min: -70_000, max: 70_000 }),
  fc.integer({ min: 0, max: 9999 }).map((n) => n / 10_000),
  fc.maxSafeInteger(),
  fc.double(),
  fc.constant(Number.NaN),
);

test("packed columns come back to the bit, whatever is in them", () => {
  const column = fc.oneof(fc.array(values), fc.array(fc.integer({ min: 0, max: 500 }).map((n) => n / 100)));
  fc.assert(
    fc.property(fc.array(column), (columns) => {
      const series = columns.map((one, i) => ({
        head: { entity: `guest/${i}` },
        data: { at: Float64Array.from(one, (_, row) => row * 10_000), columns: { avg: Float64Array.from(one) } },
      }));
      const { bytes, type } = toBinary({ head: {}, series }, packedType);
      assert.equal(type, packedType);
      const read = parseColumns(bytes);
      assert.deepEqual(
        read.map(({ columns: { avg } }) => [...(avg ?? [])]),
        columns.map((one) => one.map((value) => value)),
      );
      assert.deepEqual(
        read.map(({ at }) => [...at]),
        series.map(({ data }) => [...data.at]),
      );
    }),
  );
});

test("an answer that breaks off leaves nothing in the next one", () => {
  const good = {
    head: { entity: "guest/1" },
    data: { at: Float64Array.of(1, 3, 4), columns: { avg: Float64Array.of(5, 7, 6) } },
  };
  const head = {
    get entity(): string {
      throw new RangeError("Invalid array length");
    },
  };
  assert.throws(() => toBinary({ head: {}, series: [good, { ...good, head }] }, packedType), RangeError);
  const { bytes } = toBinary({ head: {}, series: [good] }, packedType);
  assert.deepEqual([...(parseColumns(bytes)[0]?.columns.avg ?? [])], [5, 7, 6]);
  assert.equal(bytes.length, toBinary({ head: {}, series: [good] }, packedType).bytes.length);
});
