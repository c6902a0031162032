import assert from "node:assert/strict";
import { test } from "node:test";
import { checksum } from "../../../hub/core/checksum.ts";
import { fc } from "../../support/property.ts";

const bytesOf = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

/** Values of the reference implementation: its tail alone, with whole words, and with its lanes of 16 bytes. */
const known: [text: string, seed: number, sum: number][] = [
  ["", 0, 0x02cc5d05],
  ["abc", 0, 0x32d153ff],
  ["Nobody inspects the spammish repetition", 0, 0xe2293b2f],
];
for (const [text, seed, sum] of known) {
  test(`xxHash32 of "${text}" is the specification's`, () => {
    const bytes = bytesOf(text);
    assert.equal(checksum(bytes, 0, bytes.length, seed), sum);
    assert.equal(checksum(bytesOf(`--${text}--`), 2, 2 + bytes.length, seed), sum);
  });
}

test("many bytes have the same checksum wherever they lie in memory", () => {
  const bytes = fc.uint8Array({ minLength: 4090, maxLength: 4200 });
  fc.assert(
    fc.property(bytes, fc.integer({ min: 1, max: 3 }), fc.nat(), (original, offset, seed) => {
      const shifted = new Uint8Array(offset + original.length);
      shifted.set(original, offset);
      const sum = checksum(original, 0, original.length, seed);
      assert.equal(checksum(shifted, offset, shifted.length, seed), sum);
    }),
  );
});

test("xxHash32 of 5,003 bytes is the specification's", () => {
  const bytes = Uint8Array.from({ length: 5003 }, (_, at) => at % 251);
  assert.equal(checksum(bytes, 0, bytes.length), 0xd0e9e502);
});

test("one changed byte, or another seed, is another checksum", () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 70 });
  fc.assert(
    fc.property(bytes, fc.nat(), fc.integer({ min: 1, max: 255 }), fc.nat(), (original, place, change, seed) => {
      const changed = original.slice();
      const at = place % original.length;
      changed[at] = (original[at] as number) ^ change;
      const sum = checksum(original, 0, original.length, seed);
      assert.notEqual(checksum(changed, 0, changed.length, seed), sum);
      assert.notEqual(checksum(original, 0, original.length, seed + 1), sum);
    }),
  );
});
