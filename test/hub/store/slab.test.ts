import assert from "node:assert/strict";
import { test } from "node:test";
import { OpenSlab, SealedSlab, slabRows } from "../../../hub/store/slab.ts";
import { fc } from "../../support/property.ts";

/** Values near each other at some distance and spacing, some absent. */
const column = fc
  .record({
    base: fc.maxSafeInteger().map((value) => Math.trunc(value / 4)),
    unit: fc.constantFrom(1, 4096, 2 ** 25, 2 ** 40),
    codes: fc.array(fc.option(fc.oneof(fc.constant(0), fc.nat(254), fc.nat(70_000)), { nil: Number.NaN }), {
      minLength: slabRows,
      maxLength: slabRows,
    }),
  })
  .map(({ base, unit, codes }) => codes.map((code) => Math.trunc(base / 8) + code * unit));

function sealed(columns: readonly number[][], rows: number): SealedSlab {
  const open = new OpenSlab(columns.length);
  for (let row = 0; row < rows; row++) {
    const values = Float64Array.from(columns, (one) => one[row] as number);
    open.put(
      row,
      values,
      Uint8Array.from(values, (value) => (Number.isNaN(value) ? 0 : 1)),
    );
  }
  return new SealedSlab(open, rows);
}

test("a sealed slab gives every value back exactly, one by one and in runs", () => {
  fc.assert(
    fc.property(fc.array(column, { minLength: 1, maxLength: 6 }), fc.integer({ min: 1, max: slabRows }), (columns, rows) => {
      const slab = sealed(columns, rows);
      const out = new Float64Array(rows);
      for (const [index, values] of columns.entries()) {
        slab.copy(index, 0, rows, out, 0);
        assert.deepEqual([...out], values.slice(0, rows));
        for (let row = 0; row < rows; row++) assert.equal(slab.valueAt(index, row), values[row]);
        if (rows < 3) continue;
        slab.copy(index, 1, rows - 2, out, 2);
        assert.deepEqual([...out.subarray(2)], values.slice(1, rows - 1));
      }
    }),
  );
});

test("a constant series, a noisy one and a byte counter take a third of the memory of their values", () => {
  const rows = Array.from({ length: slabRows }, (_, row) => row);
  const slab = sealed(
    [rows.map(() => 2 ** 34), rows.map((row) => (row * 7919) % 10_000), rows.map((row) => row * 31_234_567)],
    slabRows,
  );
  assert.equal(slab.bytes, 32 * (0 + 2 + 4) + 3 * 14);
});

test("the greatest code of each width is not mistaken for an absent row", () => {
  for (const greatest of [254, 255, 65_534, 65_535, 2 ** 32 - 2, 2 ** 32 - 1, 2 ** 32]) {
    const slab = sealed([[0, greatest, Number.NaN, 1]], 4);
    assert.deepEqual([slab.valueAt(0, 1), slab.valueAt(0, 2), slab.valueAt(0, 3)], [greatest, Number.NaN, 1]);
  }
});
