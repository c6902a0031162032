import assert from "node:assert/strict";
import { test } from "node:test";
import { DamagedBlockError, openBlock, packSamples, readColumn, readTimes, unpackSamples } from "../../../hub/core/block.ts";
import { readAhead } from "../../../hub/core/rice.ts";
import { fc } from "../../support/property.ts";

const absent = fc.constant(Number.NaN);
const value = fc.oneof(fc.integer({ min: -1000, max: 1000 }), fc.integer({ min: 0, max: 2 ** 45 }), absent);
const samples = fc.integer({ min: 1, max: 40 }).chain((rows) =>
  fc.record({
    rows: fc.constant(rows),
    ids: fc.uniqueArray(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 12 }),
    values: fc.array(value, { minLength: rows * 12, maxLength: rows * 12 }),
  }),
);

function pack({ rows, ids, values }: { rows: number; ids: number[]; values: number[] }) {
  const times = Float64Array.from({ length: rows }, (_, row) => 1_700_000_000_000 + row * 10_000);
  const sorted = Uint32Array.from(ids).sort();
  const columns = sorted.map((_, i) => i * rows);
  const bytes = packSamples({ times, ids: sorted, columns, stride: 1, values: Float64Array.from(values) });
  const column = (i: number) => values.slice(i * rows, (i + 1) * rows);
  return { bytes, times, ids: sorted, column };
}

test("a block gives back what was packed", () => {
  fc.assert(
    fc.property(samples, (packed) => {
      const { bytes, times, ids, column } = pack(packed);
      const block = openBlock(bytes);
      assert.deepEqual(block.ids(), ids);
      const read = new Float64Array(block.rows);
      readTimes(bytes, block, read);
      assert.deepEqual(read, times);
      for (const [i, id] of ids.entries()) {
        assert.ok(readColumn(bytes, block, block.positionOf(id), read));
        assert.deepEqual([...read], column(i));
      }
    }),
  );
});

test("with any byte changed, a value is what was packed or it is absent: none is made up", () => {
  fc.assert(
    fc.property(samples, fc.nat(), fc.integer({ min: 1, max: 255 }), (packed, place, change) => {
      const { bytes, times, ids, column } = pack(packed);
      const at = place % (bytes.length - readAhead);
      bytes[at] = (bytes[at] as number) ^ change;
      const damaged: number[] = [];
      let read: ReturnType<typeof unpackSamples>;
      try {
        read = unpackSamples(bytes, (id) => damaged.push(id));
      } catch (error) {
        assert.ok(error instanceof DamagedBlockError);
        return;
      }
      assert.equal(damaged.length, 1);
      assert.deepEqual([read.ids, read.times], [ids, times]);
      for (const [i, id] of ids.entries()) {
        const values = [...read.values.subarray(i * packed.rows, (i + 1) * packed.rows)];
        assert.deepEqual(values, damaged.includes(id) ? values.map(() => Number.NaN) : column(i));
      }
    }),
    {
      numRuns: 500,
      // The version's byte, so that it looks like a block from before there were sums.
      examples: [[{ rows: 1, ids: [1], values: Array.from({ length: 12 }, () => 0) }, 0, 3]],
    },
  );
});

test("a block cut anywhere is damaged, not shorter", () => {
  const { bytes } = pack({ rows: 20, ids: [1, 2, 3], values: Array.from({ length: 60 }, (_, i) => (i * 7919) % 1009) });
  for (let length = 0; length < bytes.length - readAhead; length++) {
    const cut = bytes.subarray(0, length);
    const damaged: number[] = [];
    try {
      unpackSamples(cut, (id) => damaged.push(id));
    } catch (error) {
      assert.ok(error instanceof DamagedBlockError, String(error));
      continue;
    }
    assert.notDeepEqual(damaged, [], `cut to ${length} bytes`);
  }
});
