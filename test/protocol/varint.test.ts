import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteReader, ByteWriter, MalformedError } from "#protocol/varint.ts";
import { fc } from "../support/property.ts";

test("every integer of up to 2^53 comes back, and takes seven bits a byte", () => {
  fc.assert(
    fc.property(fc.array(fc.maxSafeNat()), (numbers) => {
      const writer = new ByteWriter(1);
      for (const number of numbers) writer.varint(number);
      const bytes = writer.take();
      const reader = new ByteReader(bytes);
      assert.deepEqual(
        numbers.map(() => reader.varint()),
        numbers,
      );
      assert.ok(reader.done);
      assert.equal(
        bytes.length,
        numbers.reduce((sum, number) => sum + Math.max(1, Math.ceil(number.toString(2).length / 7)), 0),
      );
    }),
  );
});

for (const [number, bytes] of [
  [0, [0]],
  [127, [127]],
  [128, [128, 1]],
  [300, [172, 2]],
  [2 ** 31, [128, 128, 128, 128, 8]],
  [Number.MAX_SAFE_INTEGER, [255, 255, 255, 255, 255, 255, 255, 15]],
] as const) {
  test(`${number} is written as ${bytes.join(" ")}`, () => {
    const writer = new ByteWriter();
    writer.varint(number);
    assert.deepEqual([...writer.take()], [...bytes]);
  });
}

for (const [name, bytes] of [
  ["nothing", []],
  ["a truncated number", [128, 128]],
  ["a number of more than 53 bits", [255, 255, 255, 255, 255, 255, 255, 127]],
  ["a number without an end", [128, 128, 128, 128, 128, 128, 128, 128, 1]],
] as const) {
  test(`${name} is malformed`, () => {
    assert.throws(() => new ByteReader(Uint8Array.from(bytes)).varint(), MalformedError);
  });
}

test("random bytes are numbers or malformed, never another error", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
      try {
        assert.ok(Number.isSafeInteger(new ByteReader(bytes).varint()));
      } catch (error) {
        assert.ok(error instanceof MalformedError);
      }
    }),
  );
});
