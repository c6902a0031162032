import assert from "node:assert/strict";
import { test } from "node:test";
import { readNarrow, readWide, riceCapacity, writeNarrow, writeWide } from "../../../hub/core/rice.ts";
import { fc } from "../../support/property.ts";

test("narrow codes of any size come back with every parameter, and reading ends where writing did", () => {
  const codes = fc.array(fc.oneof(fc.nat(40), fc.nat(100_000), fc.integer({ min: 0, max: 0xffff_ffff })), {
    minLength: 1,
    maxLength: 200,
  });
  fc.assert(
    fc.property(codes, fc.nat(24), (list, k) => {
      const input = Uint32Array.from(list);
      const out = new Uint8Array(riceCapacity(input.length) + 8);
      const end = writeNarrow(input, input.length, k, out, 0);
      out.fill(0xff, end);
      const back = new Uint32Array(input.length);
      assert.equal(readNarrow(out, 0, back, input.length, k), end);
      assert.deepEqual(back, input);
    }),
    { numRuns: 1000 },
  );
});

test("wide codes up to 2^53 come back with every parameter", () => {
  const codes = fc.array(fc.oneof(fc.nat(1000), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })), {
    minLength: 1,
    maxLength: 60,
  });
  fc.assert(
    fc.property(codes, fc.nat(50), (list, k) => {
      const input = Float64Array.from(list);
      const out = new Uint8Array(riceCapacity(input.length) + 8);
      const end = writeWide(input, input.length, k, out, 0);
      const back = new Float64Array(input.length);
      readWide(out, 0, back, input.length, k);
      assert.deepEqual(back, input);
      assert.ok(end <= riceCapacity(input.length));
    }),
    { numRuns: 500 },
  );
});
