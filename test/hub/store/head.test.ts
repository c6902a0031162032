import assert from "node:assert/strict";
import { test } from "node:test";
import { Track } from "../../../hub/core/sampling.ts";
import type { Layout } from "../../../hub/store/catalogue.ts";
import { Chunk, type Sealing } from "../../../hub/store/head.ts";

/** Of a chunk only the width matters. */
const layoutOf = (width: number) => ({ ids: Uint32Array.from({ length: width }, (_, column) => column + 1) }) as Layout;

const rows = 100;

/** Row by row: 7 × row, absent in every tenth; and a column that never moves. */
function filled(sealing: (row: number) => Sealing): Chunk {
  const chunk = new Chunk(layoutOf(2));
  for (let row = 0; row < rows; row++) {
    chunk.append(1000 + row, row + 1, Float64Array.of(row * 7, 5), Uint8Array.of(row % 10 === 0 ? 0 : 1, 1), sealing(row));
  }
  return chunk;
}

function valuesOf(chunk: Chunk): { at: number[]; values: number[] } {
  const track = new Track();
  chunk.collect(0, 0, Number.POSITIVE_INFINITY, track);
  return { at: [...track.at.subarray(0, track.length)], values: [...track.values.subarray(0, track.length)] };
}

const expected = {
  at: Array.from({ length: rows }, (_, row) => 1000 + row).filter((_, row) => row % 10 !== 0),
  values: Array.from({ length: rows }, (_, row) => row * 7).filter((_, row) => row % 10 !== 0),
};

test("rows that are sealed later read the same before and after, and take as little memory then", () => {
  const sealed = filled(() => "at-once");
  const chunk = filled(() => "later");
  assert.deepEqual(valuesOf(chunk), expected);
  assert.ok(chunk.bytes > sealed.bytes);
  let slabs = 0;
  while (chunk.sealNext()) slabs++;
  assert.equal(slabs, 3, "of 32 rows each; the last four rows stand in the slab that takes more");
  assert.deepEqual(valuesOf(chunk), expected);
  assert.equal(chunk.bytes, sealed.bytes);
});

test("rows that come at their pace go on behind rows that were left for later", () => {
  for (const begin of [32, 40, 64]) {
    const chunk = filled((row) => (row < begin ? "later" : "at-once"));
    assert.deepEqual(valuesOf(chunk), expected);
    while (chunk.sealNext());
    chunk.dropFirst(50);
    assert.equal(chunk.valueAt(0, 1), 5);
    assert.equal(chunk.valueAt(1, 0), 51 * 7);
  }
});

test("a chunk that takes no more rows still seals what was left for later", () => {
  const chunk = filled(() => "later");
  chunk.freeze();
  while (chunk.sealNext());
  assert.deepEqual(valuesOf(chunk), expected);
});
