import assert from "node:assert/strict";
import { test } from "node:test";
import { type ColumnForm, packEven, packIntegers } from "../../../hub/core/packed-values.ts";
import { fc } from "../../support/property.ts";

const forms: [name: string, integers: number[], divisor: number, form: ColumnForm | undefined][] = [
  ["what never changes takes no bytes", [25, 25, 25], 100, { even: [0.25, 0] }],
  ["whole numbers that rise evenly take none either", [60, 70, 80], 1, { even: [60, 10] }],
  ["parts that rise evenly are divided one by one", [60, 70, 80], 100, { bits: 16, base: 60, divisor: 100 }],
  [
    "numbers that are close together are 16 bits",
    [1_000_000_007, 1_000_000_000, 1_000_000_009],
    1,
    { bits: 16, base: 1_000_000_000, divisor: 1 },
  ],
  ["numbers below zero have a base below zero", [-5, 7, 6], 10, { bits: 16, base: -5, divisor: 10 }],
  ["so far apart that the greatest code would be a number: 32 bits", [0, 65_535, 1], 1, { bits: 32, base: 0, divisor: 1 }],
  ["too far apart for 32 bits", [0, 2 ** 32, 1], 1, undefined],
];

for (const [name, integers, divisor, form] of forms) {
  test(`packed integers: ${name}`, () => {
    assert.deepEqual(packIntegers(Float64Array.from(integers), 0, integers.length, divisor)?.form, form);
  });
}

test("packed integers come back as their quotients, to the bit", () => {
  const integers = fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 30 }), { minLength: 1 });
  fc.assert(
    fc.property(integers, fc.constantFrom(1, 10, 100, 1000, 10_000), fc.nat(3), (values, divisor, skipped) => {
      const from = Math.min(skipped, values.length - 1);
      const packed = packIntegers(Float64Array.from(values), from, values.length, divisor);
      assert.deepEqual(
        [...(packed?.toFloats() ?? [])],
        values.slice(from).map((value) => value / divisor),
      );
    }),
  );
});

test("times ten seconds apart are even, with one missing they are not", () => {
  const times = Float64Array.of(5000, 15_000, 25_000, 45_000);
  assert.deepEqual([...(packEven(times, 0, 3)?.toFloats() ?? [])], [5000, 15_000, 25_000]);
  assert.equal(packEven(times, 0, 4), undefined);
  assert.deepEqual(packEven(times, 1, 1)?.form, { even: [0, 0] });
});
